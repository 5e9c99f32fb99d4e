package trace

import (
	"encoding/binary"
	"sync/atomic"

	"vitrine/core/limits"
)

// Locker guards a lane of a recorder. The core takes no locks of its own: who
// records on several goroutines gives them, and who does not gives NoLock.
type Locker interface {
	Lock()
	Unlock()
}

// NoLock is the Locker of a recorder that one goroutine has.
type NoLock struct{}

// Lock and Unlock implement Locker.
func (NoLock) Lock()   {}
func (NoLock) Unlock() {}

// Recorder keeps the newest events of a process in a bounded room, so that what
// led to a moment can be looked at after it. It has a Lane for each goroutine
// that emits: a lane writes into a chunk of its own, and meets the others only
// when the chunk is full. Then it takes a new one, or the one that was filled
// first of all, whose events are given up:
//
//	lanes    core [######    ]   log [##        ]   apply [####      ]
//	full     [##########][##########][##########]  oldest first, of any lane
//
// Nothing is allocated once all chunks are there. An event takes 20 to 50 bytes,
// and less than a microsecond. A text is cut at limits.FlightRecorderText.
//
// Of what is given up the newest event of each kind that tells a state (a role,
// a term, how far the log is synced ...) is kept aside: whoever reads a
// recording knows from them where it begins.
//
// Events are numbered over all lanes, so a recording has them in one order, and
// causes point across lanes.
type Recorder struct {
	seq   atomic.Uint64
	size  int // of a chunk, in bytes
	limit int // chunks there may be

	lanes []*Lane

	lock   Locker  // of all that follows
	made   int     // chunks there are
	full   []chunk // a ring of those that no lane writes to
	head   int     // the oldest of them
	count  int     // how many they are
	filled uint64  // chunks that were ever filled
	lost   uint64  // the highest Seq that was given up
	state  standing
}

// chunk is a piece of a lane: records, each an event in its binary form behind
// two bytes that say how long that is.
type chunk struct {
	lane int
	data []byte
	last uint64 // Seq of the last event
}

const (
	largestChunk = 64 << 10
	chunksOfLane = 4 // at least, so that a full lane finds one that is not being written
	lengthBytes  = 2
	maxRecord    = lengthBytes + 4 + 12*binary.MaxVarintLen64 + binary.MaxVarintLen16 + limits.FlightRecorderText
)

// NewRecorder makes a recorder that keeps events in a room of bytes, of
// limits.FlightRecorderLeastBytes at least. It has one lock more than lanes.
func NewRecorder(bytes, lanes int, locks func() Locker) *Recorder {
	bytes = max(bytes, limits.FlightRecorderLeastBytes)
	size := max(min(bytes/(chunksOfLane*lanes), largestChunk), 2*maxRecord)
	r := &Recorder{size: size, limit: max(bytes/size, chunksOfLane*lanes), lock: locks()}
	r.full = make([]chunk, r.limit)
	r.state.init()
	for i := range lanes {
		r.lanes = append(r.lanes, &Lane{r: r, number: i, lock: locks(), data: r.fresh()})
	}
	return r
}

// A Lane is where one goroutine's events go, or those of several that seldom
// emit. A nil Lane takes nothing.
type Lane struct {
	r      *Recorder
	number int
	lock   Locker
	data   []byte
	last   uint64
}

// Lane is one of the recorder's lanes; a nil Recorder has nil lanes.
func (r *Recorder) Lane(number int) *Lane {
	if r == nil {
		return nil
	}
	return r.lanes[number]
}

// Pen is a tracer that writes to the lane, for one goroutine. A nil lane's writes
// nothing. Events have no Member: a recording is of one member, and its header
// names it.
func (l *Lane) Pen() Tracer { return Tracer{lane: l} }

// emit writes e, with key as its text if it has none.
func (l *Lane) emit(e *Event, key []byte) uint64 {
	l.lock.Lock()
	if len(l.data)+maxRecord > cap(l.data) {
		l.data = l.r.turn(l)
	}
	// The number is drawn under the lock: who has seen it, and then gets the lock, finds the event.
	seq := l.r.seq.Add(1)
	at := len(l.data)
	l.data = appendRecord(l.data, e, seq, key)
	binary.LittleEndian.PutUint16(l.data[at:], uint16(len(l.data)-at-lengthBytes))
	l.last = seq
	l.lock.Unlock()
	return seq
}

func appendRecord(dst []byte, e *Event, seq uint64, key []byte) []byte {
	text := e.Text
	if len(text) > limits.FlightRecorderText {
		text = text[:limits.FlightRecorderText]
	}
	if len(key) > limits.FlightRecorderText {
		key = key[:limits.FlightRecorderText]
	}
	dst, present := appendHead(append(dst, 0, 0), e, seq)
	if n := len(text) + len(key); n > 0 {
		*present |= textBit >> 8
		dst = binary.AppendUvarint(dst, uint64(n))
		dst = append(append(dst, text...), key...)
	}
	return dst
}

// fresh is an empty chunk: a new one, or the oldest. The caller has the lock.
func (r *Recorder) fresh() []byte {
	if r.made < r.limit {
		r.made++
		return make([]byte, 0, r.size)
	}
	c := &r.full[r.head]
	r.head = (r.head + 1) % len(r.full)
	r.count--
	r.lost = max(r.lost, c.last)
	r.state.note(c.data)
	data := c.data[:0]
	*c = chunk{}
	return data
}

// turn takes the chunk that a lane has filled, and gives it another.
func (r *Recorder) turn(l *Lane) []byte {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.full[(r.head+r.count)%len(r.full)] = chunk{lane: l.number, data: l.data, last: l.last}
	r.count++
	r.filled++
	return r.fresh()
}

// standing is the newest event of each kind that tells a state, of those that
// were given up.
type standing struct {
	kinds  [256]bool
	events [256][]byte
}

func (s *standing) init() {
	for _, k := range [...]Kind{
		MemberStarted, RoleChanged, TermChanged, VoteCast, CommitAdvanced, ConfChanged, EntryAppended, LogTruncated,
		LogWritten, LogSynced, LogCompacted, SnapshotSaved, SnapshotInstalled, EntryApplied, BackendCommitted,
		RevisionAdvanced, Compacted,
	} {
		s.kinds[k], s.events[k] = true, make([]byte, 0, maxRecord)
	}
}

// note takes what the records of a chunk tell. They are newer than those of the
// same kinds before them: each kind is of one lane, and lanes give up in order.
func (s *standing) note(records []byte) {
	var last [256]int32
	for at := 0; at < len(records); {
		n := int(binary.LittleEndian.Uint16(records[at:]))
		at += lengthBytes
		if k := records[at]; s.kinds[k] {
			last[k] = int32(at)
		}
		at += n
	}
	for k, at := range last {
		if at > 0 {
			n := int32(binary.LittleEndian.Uint16(records[at-lengthBytes:]))
			s.events[k] = append(s.events[k][:0], records[at:at+n]...)
		}
	}
}
