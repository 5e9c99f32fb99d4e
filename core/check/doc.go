// Package check says whether what happened was right.
//
// It looks from three sides, and believes no member's opinion of itself:
//
//   - Checker reads the trace while it is written and holds every event to the
//     invariants of raft and of the log (I1 to I8, I10). What is durable it
//     learns from what disks have synced, not from what members think.
//   - Fold replays the canonical log into package model and compares the durable
//     images of members with it (I9).
//   - History takes what clients asked and heard, and asks whether some order of
//     the operations, one after the other, explains it (linearizability, by
//     porcupine), and whether watches were ordered, unique, reliable, atomic,
//     resumable and bookmarkable.
//
// A checker is a sink:
//
//	checker := check.New(check.Options{})
//	stream := trace.NewStream(checker)
//	checker.OnViolation = check.Report(stream) // writes a Violated event
//
// An invariant that breaks is recorded and reported, never a panic: what the
// world does then (stop, shrink, light a lamp) is its own decision.
package check
