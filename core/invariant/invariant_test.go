package invariant

import (
	"errors"
	"testing"

	"vitrine/core/trace"
)

func recovered(f func()) (v *Violation) {
	defer func() {
		if err, ok := recover().(error); ok {
			errors.As(err, &v)
		}
	}()
	f()
	return nil
}

func TestViolatedWritesAndPanics(t *testing.T) {
	ring := trace.NewRing(8)
	pen := trace.NewTracer(trace.NewStream(ring), 4)
	pen.At(10, 3)
	v := recovered(func() { Violated(pen, 7, "applied %d", 5) })
	if v == nil || v.Number != 7 || v.Error() != "invariant I7 violated: applied 5" {
		t.Fatalf("got %+v", v)
	}
	want := trace.Event{Seq: 1, Cause: 3, Now: 10, Kind: trace.Violated, Member: 4, A: 7, Text: "applied 5"}
	if ring.Len() != 1 || *ring.At(0) != want {
		t.Errorf("event %+v", ring.At(0))
	}
	if v := recovered(func() { Violated(nil, 1, "x") }); v == nil {
		t.Error("no panic without a tracer")
	}
}

func TestAssert(t *testing.T) {
	if v := recovered(func() { Assert(true, "fine") }); v != nil {
		t.Errorf("a true assertion stops the program: %v", v)
	}
	if v := recovered(func() { Assert(false, "not fine") }); v == nil || v.Error() != "invariant violated: not fine" {
		t.Errorf("got %v", v)
	}
	if n := testing.AllocsPerRun(100, func() { Assert(true, "fine") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
