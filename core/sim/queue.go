package sim

// eventKind says what an event in the queue does when its time comes.
type eventKind uint8

const (
	evTick        eventKind = iota // a member's raft clock
	evDeliver                      // a peer message arrives; slot in World.flights
	evWrite                        // a batch of log writes reaches the file
	evSync                         // its fdatasync returns
	evApply                        // the state machine has a batch of entries behind it
	evCommitTimer                  // the backend's write buffer is due
	evCommitDone                   // the backend's transaction is durable
	evHousekeep                    // one paced step of compaction
	evRead                         // a member evaluates a read; slot in World.reads
	evScan                         // a member reads history for a watcher; slot in World.scans
	evBoot                         // a starting member has recovered
	evArrive                       // a client request reaches its endpoint; slot in World.calls
	evAnswer                       // an answer reaches its client
	evClientTimer                  // a client's patience ends, or its backoff does
	evTurn                         // a watching client changes its mind; a = client
	evThink                        // a client thinks of its next operation; a = client
	evWatchArrive                  // a watch request or close reaches a member
	evWatchPush                    // watch responses reach their client
	evCommand                      // a timed command
	evFault                        // the fault drawer wakes up; a = class
	evReport                       // a transport reports on a message; a = input kind, peer, ok
	evImage                        // part of a received image is on disk, or all of it; slot in World.flights
	evDefrag                       // a database is copied, or the copy is durable; a = which
	evInspect                      // the checkers look at all members
)

// event is one entry of the queue. It is a value: what does not fit waits in a
// slab of the World under slot.
type event struct {
	at    int64
	seq   uint64 // ties are broken by order of scheduling
	cause uint64 // Seq of the trace event that led to this one
	a     uint64
	slot  int32
	life  uint32 // the member's incarnation; events of an earlier one are void
	kind  eventKind
	node  uint8 // index of the member
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.seq < f.seq
}

// first marks the sequence numbers of commands and faults, which come before
// everything else that happens in the same nanosecond: only so can a recorded
// list of them be replayed at their times and meet the same order.
const ordinary = uint64(1) << 63

// queue is a 4-ary heap of values ordered by (at, seq), a total order. It
// allocates only when it grows.
type queue struct {
	heap []event
	seq  uint64 // of ordinary events
	pre  uint64 // of commands and faults
}

func (q *queue) len() int { return len(q.heap) }

// push schedules an ordinary event.
func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq | ordinary
	q.add(e)
}

// pushFirst schedules a command or fault.
func (q *queue) pushFirst(e event) {
	q.pre++
	e.seq = q.pre
	q.add(e)
}

func (q *queue) add(e event) {
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

// peek returns the next event without taking it; the queue must not be empty.
func (q *queue) peek() *event { return &q.heap[0] }

func (q *queue) pop() event {
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
func (q *queue) sink(e event) {
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

// slab keeps event payloads of one type and reuses their places.
type slab[T any] struct {
	items []T
	free  []int32
}

// take returns the place of a payload, zero or as it was left by give.
func (s *slab[T]) take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	var zero T
	s.items = append(s.items, zero)
	return int32(len(s.items) - 1)
}

func (s *slab[T]) at(i int32) *T { return &s.items[i] }

// give returns a place; the caller has cleared what the item points to.
func (s *slab[T]) give(i int32) { s.free = append(s.free, i) }
