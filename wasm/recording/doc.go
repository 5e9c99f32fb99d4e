// Package recording makes one stream of what the members of a real cluster have
// recorded (package trace, Recording), and plays it to the page.
//
// Each file tells of one member for some time. Together they have several clocks,
// ids of 64 bits that mean nothing to a reader, and messages of which one file
// tells that they left and another that they came:
//
//	infra1   ──sent──────────────────── ╳ killed          ──started──
//	infra2   ──────delivered────sent─────────────────────────────────
//	merged     sent, arrives then; who nobody tells of is unknown
//
// Clocks are believed: a file says at which time of day its own began. Members
// become 1, 2, 3 in the order of their names. A message that was delivered is the
// newest one of the same sender, receiver, type, term, index and number of entries
// that had left before and is not accounted for.
package recording
