// Package trace holds the one stream of typed events that everything which
// watches a member reads: checkers, the page, replay files, the flight recorder
// of the server. If something is worth drawing it is an event, so it is worth
// checking too.
//
// An Event is one flat record. Each names the event that led to it (Cause), so
// that a picture or a failure can be walked back to where it began. What the
// fields mean for a kind is written at the Kind.
//
//	stream := trace.NewStream(ring, checker)   // numbers, hashes and fans out
//	pen := trace.NewTracer(stream, memberID)   // writes for one member
//	pen.At(now, cause)                         // the step being executed
//	pen.Emit(trace.Event{Kind: trace.CommitAdvanced, Index: 7, Term: 2})
//
// The stream keeps a running hash of every field of every event. Two runs with
// equal hashes did the same things in the same order, on whatever machine: that
// is what "deterministic" means in this project.
//
// A server writes into a Recorder instead, which keeps the newest events of
// several goroutines; Write makes a file of them, ReadRecording reads it.
//
// A nil *Tracer discards events: each method works and does nothing.
// Emitting allocates nothing, apart from what a sink does with the event.
package trace
