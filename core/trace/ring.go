package trace

import "sort"

// Ring keeps the last events. It is the flight recorder of a server and the
// memory of the page.
type Ring struct {
	events []Event
	next   int // where the next event goes
	full   bool
}

// NewRing makes a ring of n events, n > 0.
func NewRing(n int) *Ring {
	return &Ring{events: make([]Event, max(n, 1))}
}

// Emit implements Sink.
func (r *Ring) Emit(e *Event) {
	r.events[r.next] = *e
	if r.next++; r.next == len(r.events) {
		r.next, r.full = 0, true
	}
}

// Len is the number of events held.
func (r *Ring) Len() int {
	if r.full {
		return len(r.events)
	}
	return r.next
}

// At returns the i-th event, 0 being the oldest held; it is valid until the
// next Emit.
func (r *Ring) At(i int) *Event {
	if r.full {
		if i += r.next; i >= len(r.events) {
			i -= len(r.events)
		}
	}
	return &r.events[i]
}

// From is the position of the first event with a Seq of at least seq, Len if
// there is none.
func (r *Ring) From(seq uint64) int {
	return sort.Search(r.Len(), func(i int) bool { return r.At(i).Seq >= seq })
}

// Find returns the event with that Seq, nil if it is not held any more.
func (r *Ring) Find(seq uint64) *Event {
	if i := r.From(seq); seq != 0 && i < r.Len() && r.At(i).Seq == seq {
		return r.At(i)
	}
	return nil
}

// Causes walks back from the event seq: what led to it, oldest first, itself
// last, as far as the ring remembers.
func (r *Ring) Causes(seq uint64) []Event {
	var chain []Event
	for e := r.Find(seq); e != nil; {
		chain = append(chain, *e)
		if e.Cause >= e.Seq {
			break // a cause comes before its effect; anything else is no chain
		}
		e = r.Find(e.Cause)
	}
	for i, j := 0, len(chain)-1; i < j; i, j = i+1, j-1 {
		chain[i], chain[j] = chain[j], chain[i]
	}
	return chain
}
