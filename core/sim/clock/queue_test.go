package clock

import (
	"testing"

	"vitrine/core/sim/dice"
)

func TestQueueIsATotalOrder(t *testing.T) {
	d := dice.New(7, 1, 1)
	var q Queue
	var popped []Event
	for range 20_000 {
		for range d.IntN(3) {
			e := Event{At: int64(d.Uint64N(50))}
			if n := len(popped); n > 0 {
				e.At += popped[n-1].At + 1 // never into the past
			}
			if d.Chance(0.1) {
				q.PushFirst(e)
			} else {
				q.Push(e)
			}
		}
		if q.Len() > 0 {
			popped = append(popped, q.Pop())
		}
	}
	for q.Len() > 0 {
		popped = append(popped, q.Pop())
	}
	if uint64(len(popped)) != q.seq+q.pre {
		t.Fatalf("popped %d of %d events", len(popped), q.seq+q.pre)
	}
	for i := 1; i < len(popped); i++ {
		if !popped[i-1].before(&popped[i]) {
			t.Fatalf("event %d at (%d, %d) came before (%d, %d)", i, popped[i-1].At, popped[i-1].seq, popped[i].At,
				popped[i].seq)
		}
	}
}

func TestQueueAllocatesNothingWhenSteady(t *testing.T) {
	var q Queue
	for i := range 1000 {
		q.Push(Event{At: int64(i)})
	}
	if n := testing.AllocsPerRun(1000, func() { e := q.Pop(); e.At += 1000; q.Push(e) }); n != 0 {
		t.Errorf("%v allocations an event, want 0", n)
	}
}
