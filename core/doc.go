// Package core holds nothing itself: it is the house that the packages below
// it share, and this page is the key to the door.
//
// A member of the cluster is a deterministic state machine. Everything that
// happens to it is an Input, everything it wants done is an Output:
//
//	m.Step(now, in) // one input; no I/O
//	m.Poll(&out)    // all that the member wants done
//
// A driver executes outputs and feeds the results back as inputs. The
// simulator (core/sim) is one driver, the native server (cmd/server) another,
// and the browser page is the simulator with a frame budget. Therefore nothing
// here may start a goroutine, take a lock, read a clock, draw a random number
// that it was not given, open a file or a socket, or let the order of a map
// reach an output. The tests of this package read the source of every package
// below and hold it to these rules, to the direction of imports, and to
// building for js/wasm.
//
// The order of packages, each importing only earlier ones:
//
//	limits, trace, invariant, mutant, pb   words that everyone speaks
//	vfs                                    files
//	wal, backend                           what survives a crash
//	mvcc, lease, auth, membership          states, each with its own buckets
//	watch, store                           the replicated state machine and its observers
//	consensus                              raft
//	duty, api                              what a member asks of itself, and what a client may ask
//	member                                 one member: Step and Poll
//	driver                                 the order in which its files change
//	picture                                all that is drawn, folded from events
//	model, check                           what a right answer is
//	script, sim                            a world for members to live in, and what is done to it
//	story, replay                          runs told, kept and made small
package core
