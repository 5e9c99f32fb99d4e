package trace

import (
	"cmp"
	"encoding/binary"
	"slices"
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
// a term, how far the log is synced, each peer's progress ...) is kept aside:
// whoever reads a recording knows from them where it begins.
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
// were given up; of some kinds the newest about each peer.
type standing struct {
	kinds  [256]tells
	events [256][]byte
	peers  []aboutPeer
}

// tells is what an event of a kind says of how things stand.
type tells uint8

const (
	nothing tells = iota
	itself
	aPeer
)

// aboutPeer is the newest event of a kind about a peer.
type aboutPeer struct {
	kind  byte
	peer  uint64
	event []byte
}

// maxPeers bounds those: members come and go, and a cluster has less than ten.
const maxPeers = 64

func (s *standing) init() {
	for _, k := range [...]Kind{
		MemberStarted, RoleChanged, TermChanged, VoteCast, CommitAdvanced, EntryAppended, LogTruncated, LogWritten, LogSynced,
		LogCompacted, SnapshotSaved, SnapshotRestored, SnapshotInstalled, EntryApplied, BackendCommitted, RevisionAdvanced,
		Compacted, StoreMeasured,
	} {
		s.kinds[k], s.events[k] = itself, make([]byte, 0, maxRecord)
	}
	s.kinds[ConfChanged], s.kinds[ProgressChanged] = aPeer, aPeer
}

// note takes what the records of a chunk tell. They are newer than those of the
// same kinds before them: each kind is of one lane, and lanes give up in order.
func (s *standing) note(records []byte) {
	var last [256]int32
	for at := 0; at < len(records); {
		n := int(binary.LittleEndian.Uint16(records[at:]))
		at += lengthBytes
		switch k := records[at]; s.kinds[k] {
		case itself:
			last[k] = int32(at)
		case aPeer:
			s.notePeer(records[at : at+n])
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

func (s *standing) notePeer(event []byte) {
	peer := peerOf(event)
	for i := range s.peers {
		if p := &s.peers[i]; p.kind == event[0] && p.peer == peer {
			p.event = append(p.event[:0], event...)
			return
		}
	}
	if len(s.peers) < maxPeers {
		s.peers = append(s.peers, aboutPeer{event[0], peer, append(make([]byte, 0, maxRecord), event...)})
	}
}

// peerOf is the Peer of an event in its binary form, its fifth field.
func peerOf(event []byte) (peer uint64) {
	const field = 1 << 4
	for present, at := uint16(event[2]), 4; present&(field<<1-1) != 0; present &= present - 1 {
		n, size := binary.Uvarint(event[at:])
		if present&(field-1) == 0 {
			return n
		}
		at += size
	}
	return 0
}

// noteOne takes one event, which may be older than what is known.
func (s *standing) noteOne(event []byte) {
	k := event[0]
	switch s.kinds[k] {
	case itself:
		if len(s.events[k]) == 0 || seqOf(s.events[k]) < seqOf(event) {
			s.events[k] = append(s.events[k][:0], event...)
		}
	case aPeer:
		s.notePeer(event)
	}
}

// before lists what is known of the time before first, in order.
func (s *standing) before(first uint64) (all [][]byte) {
	for _, event := range s.events {
		if len(event) > 0 && seqOf(event) < first {
			all = append(all, event)
		}
	}
	for i := range s.peers {
		if event := s.peers[i].event; seqOf(event) < first {
			all = append(all, event)
		}
	}
	slices.SortFunc(all, func(a, b []byte) int { return cmp.Compare(seqOf(a), seqOf(b)) })
	return all
}

// copy is one that may change beside s.
func (s *standing) copy() *standing {
	c := &standing{kinds: s.kinds, peers: slices.Clone(s.peers)}
	for k, event := range s.events {
		c.events[k] = slices.Clone(event)
	}
	for i := range c.peers {
		c.peers[i].event = slices.Clone(c.peers[i].event)
	}
	return c
}
