// Package member is one member of a cluster: a deterministic state machine with inputs and outputs.
//
// It joins what a member consists of, api (what clients may ask), consensus (the agreed log) and watch (who wants to
// hear of changes), behind two methods:
//
//	m.Step(now, in) // something has happened; no I/O
//	m.Poll(&out)    // all that the member wants done
//
// It starts no goroutine, reads no clock, opens no file. A driver does all that, and has two lanes to keep in order,
// each on its own: log writes by ticket, apply batches by ticket. Everything else may be done in any order, and sends
// need not be done at all. The store is the driver's too, so that a slow range or a large apply never holds up a
// heartbeat: the member says what may be read or applied and when, and gets the results as inputs.
//
//	boot := read the WAL                        member.New(cfg, boot, info, now)
//	every TickInterval                          Step(Tick)
//	a message from a peer                       Step(Receive)
//	out.Log:     WAL, sync                      Step(LogDone) or, for good, Step(LogFailed)
//	out.Applies: store.Apply                    Step(Applied)
//	a snapshot among them: a new store          Step(SnapshotApplied)
//	a client's request                          Step(Request)
//	out.Reads:   store.Read, ReadReady.Finish   -
//	out.Scans:   store.Scan                     Step(Scanned)
//	out.Pushes:  written to the stream          Step(WatchSent)
//	out.Forwards: to another member             Step(Forwarded)
//	the backend has committed                   Step(Backed)
//
// The example is a complete driver of one member in memory. When many inputs wait, a driver may Step them all before
// it Polls once: proposals then share a message and a write, which is group commit.
package member
