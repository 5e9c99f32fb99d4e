package clock

// Kind says what an event does. Whoever schedules events numbers his own.
type Kind uint8

// Event is one entry of the queue. It is a value: what does not fit waits in a
// Slab under Slot.
type Event struct {
	At     int64
	seq    uint64 // ties are broken by order of scheduling
	Cause  uint64 // Seq of the trace Event that led to this one
	A      uint64
	Slot   int32
	Life   uint32 // the member's incarnation; events of an earlier one are void
	Member uint32 // its id, 0 = it is about no member
	Kind   Kind
}

func (e *Event) before(f *Event) bool {
	return e.At < f.At || e.At == f.At && e.seq < f.seq
}

// ordinary marks the sequence numbers of all but commands and faults, which come
// before everything else that happens in the same nanosecond: only so can a
// recorded list of them be replayed at their times and meet the same order.
const ordinary = uint64(1) << 63

// Queue is a 4-ary heap of values ordered by (at, seq), a total order. It
// allocates only when it grows.
type Queue struct {
	heap []Event
	seq  uint64 // of ordinary events
	pre  uint64 // of commands and faults
}

// Len is how many events there are.
func (q *Queue) Len() int { return len(q.heap) }

// Push schedules an ordinary event.
func (q *Queue) Push(e Event) {
	q.seq++
	e.seq = q.seq | ordinary
	q.add(e)
}

// PushFirst schedules a command or fault.
func (q *Queue) PushFirst(e Event) {
	q.pre++
	e.seq = q.pre
	q.add(e)
}

func (q *Queue) add(e Event) {
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// Peek returns the next event without taking it; the queue must not be empty.
func (q *Queue) Peek() *Event { return &q.heap[0] }

// Pop takes the next event; the queue must not be empty.
func (q *Queue) Pop() Event {
	h := q.heap
	top := h[0]
	n := len(h) - 1
	last := h[n]
	q.heap = h[:n]
	if n > 0 {
		q.sink(last)
	}
	return top
}

// sink puts e where the root was missing.
func (q *Queue) sink(e Event) {
	h := q.heap
	i := 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for c := child + 1; c < len(h) && c < child+4; c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&e) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
}

// Slab keeps event payloads of one type and reuses their places.
type Slab[T any] struct {
	Items []T // in use or not
	free  []int32
}

// Take returns the place of a payload, zero or as it was left by Give.
func (s *Slab[T]) Take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	var zero T
	s.Items = append(s.Items, zero)
	return int32(len(s.Items) - 1)
}

// At is the payload at a place. It moves when the slab grows.
func (s *Slab[T]) At(i int32) *T { return &s.Items[i] }

// Give returns a place; the caller has cleared what the item points to.
func (s *Slab[T]) Give(i int32) { s.free = append(s.free, i) }
