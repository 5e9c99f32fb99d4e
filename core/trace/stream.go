package trace

import "math/bits"

// Stream numbers events, hashes them and hands them to its sinks in the order
// these were attached. The zero value is not ready; use NewStream.
type Stream struct {
	seq     uint64
	lanes   [4]uint64 // the running hash; four chains, so that the processor can overlap them
	sinks   []Sink
	current Event // what the sinks look at; here, so that emitting allocates nothing
	busy    bool
	waiting []Event
}

// NewStream makes a stream whose next event has Seq 1.
func NewStream(sinks ...Sink) *Stream {
	return &Stream{
		lanes: [4]uint64{prime1, prime2, prime3, prime5},
		sinks: append([]Sink(nil), sinks...),
	}
}

// Attach adds a sink; it sees events from now on.
func (s *Stream) Attach(sink Sink) { s.sinks = append(s.sinks, sink) }

// Seq is the number of the last event; 0 before the first.
func (s *Stream) Seq() uint64 { return s.seq }

// Emit gives e the next number, hashes it, and calls each sink. It returns the
// number. The caller keeps e.
//
// A sink may emit (a checker that reports a violation does): its event is
// numbered at once but delivered after the current one has reached all sinks,
// so that each sink sees numbers in order.
func (s *Stream) Emit(e *Event) uint64 {
	s.seq++
	seq := s.seq
	if s.busy {
		s.waiting = append(s.waiting, *e)
		s.waiting[len(s.waiting)-1].Seq = seq
		return seq
	}
	s.current = *e
	s.current.Seq = seq
	s.busy = true
	s.deliver()
	for i := 0; i < len(s.waiting); i++ {
		s.current = s.waiting[i]
		s.deliver()
	}
	s.waiting = s.waiting[:0]
	s.busy = false
	return seq
}

func (s *Stream) deliver() {
	s.fold(&s.current)
	for _, sink := range s.sinks {
		sink.Emit(&s.current)
	}
}

// fold hashes every field of e, each in its fixed place.
func (s *Stream) fold(e *Event) {
	text := uint64(0)
	if e.Text != "" {
		text = hashText(e.Text)
	}
	a, b, c, d := s.lanes[0], s.lanes[1], s.lanes[2], s.lanes[3]
	a, b, c, d = round(a, e.Seq), round(b, e.Cause), round(c, uint64(e.Now)), round(d, uint64(e.Kind)|uint64(e.Msg)<<8)
	a, b, c, d = round(a, e.Member), round(b, e.Peer), round(c, e.Term), round(d, e.Index)
	a, b, c, d = round(a, uint64(e.Rev)), round(b, e.Request), round(c, e.A), round(d, e.B)
	s.lanes[0], s.lanes[1], s.lanes[2], s.lanes[3] = round(a, e.C), round(b, text), c, d
}

// Hash is the hash of all events so far: equal streams have equal hashes,
// natively and in js/wasm.
func (s *Stream) Hash() uint64 {
	h := bits.RotateLeft64(s.lanes[0], 1) + bits.RotateLeft64(s.lanes[1], 7) +
		bits.RotateLeft64(s.lanes[2], 12) + bits.RotateLeft64(s.lanes[3], 18)
	for _, lane := range s.lanes {
		h = (h ^ round(0, lane)) * prime1
	}
	return avalanche(h)
}

// Tracer is the pen of one member: it fills in Member, Now and Cause. A nil
// Tracer is valid and does nothing.
type Tracer struct {
	stream *Stream // or
	lane   *Lane
	member uint64
	now    Instant
	cause  uint64
}

// NewTracer makes a pen for member; 0 is the world's.
func NewTracer(s *Stream, member uint64) *Tracer {
	return &Tracer{stream: s, member: member}
}

// At sets the context of the step that is being executed: when it happens and
// which event led to it.
func (t *Tracer) At(now Instant, cause uint64) {
	if t != nil {
		t.now, t.cause = now, cause
	}
}

// Emit writes e and returns its Seq, 0 for a nil Tracer. Member, Now and Cause
// are the tracer's unless e has its own.
func (t *Tracer) Emit(e Event) uint64 {
	if t == nil {
		return 0
	}
	return t.emit(&e, nil)
}

// EmitKey is Emit with key as the text, which is copied where it is kept.
func (t *Tracer) EmitKey(e Event, key []byte) uint64 {
	if t == nil {
		return 0
	}
	return t.emit(&e, key)
}

func (t *Tracer) emit(e *Event, key []byte) uint64 {
	if e.Member == 0 {
		e.Member = t.member
	}
	if e.Now == 0 {
		e.Now = t.now
	}
	if e.Cause == 0 {
		e.Cause = t.cause
	}
	switch {
	case t.lane != nil:
		return t.lane.emit(e, key)
	case t.stream == nil:
		return 0
	case key != nil:
		e.Text = string(key)
	}
	return t.stream.Emit(e)
}

// Lead writes e, and makes it the cause of what is emitted until the next At.
func (t *Tracer) Lead(e Event) uint64 {
	if t == nil {
		return 0
	}
	t.cause = t.Emit(e)
	return t.cause
}

// Caused is the cause of the context, 0 for a nil Tracer.
func (t *Tracer) Caused() uint64 {
	if t == nil {
		return 0
	}
	return t.cause
}

// Now is the moment of the context, 0 for a nil Tracer.
func (t *Tracer) Now() Instant {
	if t == nil {
		return 0
	}
	return t.now
}

// On reports whether what is emitted goes anywhere; ask before building a Text
// that costs something.
func (t *Tracer) On() bool { return t != nil && (t.stream != nil || t.lane != nil) }
