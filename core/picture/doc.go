// Package picture folds the events of a cluster into the picture that a page
// draws: members and what they hold, messages on their way, requests from
// station to station, watches, the lights of the invariants.
//
// It knows nothing but events. So it draws a simulated cluster, a recording of a
// real one, and whatever else writes a trace.Stream, all in one way; and what it
// cannot draw is what events do not tell. The simulator, which knows its members
// from inside, holds the fold to what is so: see TestFoldIsTheWorld in core/sim.
//
//	p := picture.New(picture.Options{Window: 24})
//	stream := trace.NewStream(p)       // or p.Emit(&e) for each event of a file
//	...
//	var s picture.State
//	p.Into(&s, now)                    // as often as there are frames
//
// Members are known by their id, in any number. Of a process that is not there
// the picture shows what its disk holds, which is all that is left of it: what it
// thought last has died with it.
//
// A stream may begin anywhere, as that of a flight recorder does. What it has not
// told yet is zero.
package picture
