package trace_test

import (
	"fmt"

	"vitrine/core/trace"
)

func Example() {
	ring := trace.NewRing(100)
	stream := trace.NewStream(ring)
	pen := trace.NewTracer(stream, 1)
	pen.At(1_000_000, 0)
	vote := pen.Emit(trace.Event{Kind: trace.VoteCast, Term: 2, Peer: 1})
	pen.At(3_000_000, vote)
	won := pen.Emit(trace.Event{Kind: trace.RoleChanged, Term: 2, Peer: 1, A: 2})
	for _, e := range ring.Causes(won) {
		fmt.Printf("%s", trace.AppendJSON(nil, &e))
	}
	// Output:
	// {"seq":1,"now":1000000,"kind":"vote-cast","member":1,"peer":1,"term":2}
	// {"seq":2,"cause":1,"now":3000000,"kind":"role-changed","member":1,"peer":1,"term":2,"a":2}
}
