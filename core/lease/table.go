package lease

import "vitrine/core/trace"

// nowhere is no place in a heap or list.
const nowhere = -1

// slot is a lease as a Lessor has it.
type slot struct {
	Lease                      // ID 0 = free
	expiry       trace.Instant // 0 = the clock does not run
	checkpoint   trace.Instant // when it is due, while it is in the queue
	place        int32         // in the heap
	prev, next   int32         // in the queue of checkpoints
	queued       bool
	checkpointed bool   // a checkpoint is proposed and not applied
	run          uint32 // of the clock to which all of this but the lease belongs
}

const pageSlots = 1 << 12

// table is all leases by a small number. It grows by pages, so that no grant pays for copying all of them.
type table struct {
	pages []*[pageSlots]slot
	used  int32 // slots below this were in use once
	free  []int32
	byID  map[int64]int32
	run   uint32 // of the clock; what slots hold of an earlier one is void
}

func newTable() *table { return &table{byID: map[int64]int32{}} }

// at is a slot, as of this run of the clock.
func (t *table) at(i int32) *slot {
	s := &t.pages[i/pageSlots][i%pageSlots]
	if s.run != t.run {
		*s = t.fresh(s.Lease)
	}
	return s
}

func (t *table) fresh(l Lease) slot {
	return slot{Lease: l, place: nowhere, prev: nowhere, next: nowhere, run: t.run}
}

func (t *table) find(id int64) (int32, bool) {
	i, ok := t.byID[id]
	return i, ok
}

func (t *table) add(l Lease) int32 {
	var i int32
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		i = t.used
		t.used++
		if int(i/pageSlots) == len(t.pages) {
			t.pages = append(t.pages, new([pageSlots]slot))
		}
	}
	*t.at(i) = t.fresh(l)
	t.byID[l.ID] = i
	return i
}

func (t *table) remove(i int32) {
	s := t.at(i)
	delete(t.byID, s.ID)
	*s = t.fresh(Lease{})
	t.free = append(t.free, i)
}

// queue is the leases whose remaining time is to be written down, by when. All wait equally long from when they are
// put at its end, so it is in order without being sorted.
type queue struct {
	table       *table
	first, last int32
	n           int
}

func (q *queue) push(i int32, at trace.Instant) {
	s := q.table.at(i)
	s.checkpoint, s.queued, s.prev, s.next = at, true, q.last, nowhere
	if q.last != nowhere {
		q.table.at(q.last).next = i
	} else {
		q.first = i
	}
	q.last = i
	q.n++
}

func (q *queue) remove(i int32) {
	s := q.table.at(i)
	if !s.queued {
		return
	}
	if s.prev != nowhere {
		q.table.at(s.prev).next = s.next
	} else {
		q.first = s.next
	}
	if s.next != nowhere {
		q.table.at(s.next).prev = s.prev
	} else {
		q.last = s.prev
	}
	s.queued, s.prev, s.next = false, nowhere, nowhere
	q.n--
}
