package watch

import (
	"math/bits"
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// A Push is one response that the driver should write to a stream. The pushes of one stream are in the order in which
// they must be written; each of them is given back with Hub.Sent once it has left.
type Push struct {
	Stream   uint64
	Response *Response
}

// A Response is a WatchResponse without the three header fields that only the member knows (cluster, member, term).
// It is immutable after it was handed out, so the driver may encode it on any goroutine.
type Response struct {
	WatchID    int64
	Rev        int64 // header revision; 0 for a watcher that lost its history to a compaction
	Created    bool
	Canceled   bool
	Fragment   bool   // more of the same revisions follows in the next response of this watcher
	Progress   bool   // a promise: what follows for this watcher (or, if WatchID is -1, this stream) is newer than Rev
	CompactRev int64  // set when the history that the watcher needs is gone
	Reason     string // why the watcher was canceled
	Events     *Encoded
}

// Encoded is a list of events with the bytes of their `events` fields, made once and shared by all responses that carry
// the same events. The parts are shared even between different lists.
type Encoded struct {
	Events []*pb.Event
	parts  [][]byte // per event: tag, length, message; nil if the hub was told not to encode
	size   int      // sum of the lengths of the parts, known even if they were not made
}

// SizeBytes is the length of the events on the wire.
func (e *Encoded) SizeBytes() int {
	if e == nil {
		return 0
	}
	return e.size
}

// A Scan asks the driver to read history from the store: all changes with From <= revision <= To, but no more than
// about MaxBytes, with the previous pairs if WithPrev.
type Scan struct {
	ID       uint64
	From, To int64
	MaxBytes int
	WithPrev bool
}

// A ScanResult answers the Scan with the same ID. Changes hold everything in [From, Next). If Err is
// mvcc.ErrCompacted, CompactRev tells up to where history is gone.
type ScanResult struct {
	ID         uint64
	Changes    []mvcc.Change
	Next       int64
	CompactRev int64
	Err        error
}

// Wire types of protobuf.
const (
	wireVarint = 0
	wireBytes  = 2
)

// Field tags of etcd's WatchResponse and of the events inside it.
const (
	tagHeader     = 1<<3 | wireBytes
	tagWatchID    = 2<<3 | wireVarint
	tagCreated    = 3<<3 | wireVarint
	tagCanceled   = 4<<3 | wireVarint
	tagCompactRev = 5<<3 | wireVarint
	tagReason     = 6<<3 | wireBytes
	tagFragment   = 7<<3 | wireVarint
	tagEvents     = 11<<3 | wireBytes
)

// maxHeaderBytes bounds the encoded header field: four varints with their tags, and the tag and length of the field.
const maxHeaderBytes = 2 + 4*11

// AppendWire appends the bytes of the WatchResponse that carries h (its revision is overwritten by the response's own)
// and returns the extended slice. The events are copied, never encoded again.
func (r *Response) AppendWire(dst []byte, h *pb.ResponseHeader) []byte {
	dst = r.AppendHead(dst, h)
	if r.Events == nil {
		return dst
	}
	if r.Events.parts == nil {
		for _, ev := range r.Events.Events {
			dst = appendEvent(dst, ev, ev.SizeVT())
		}
		return dst
	}
	for _, part := range r.Events.parts {
		dst = append(dst, part...)
	}
	return dst
}

// Parts are the bytes of the events, which follow those of AppendHead. They are shared and must not change; a driver
// that sends them from where they are has no copy of what a slow client does not take.
func (r *Response) Parts() [][]byte {
	if r.Events == nil {
		return nil
	}
	if r.Events.parts == nil { // the hub was told not to encode
		parts := make([][]byte, len(r.Events.Events))
		for i, ev := range r.Events.Events {
			parts[i] = appendEvent(nil, ev, ev.SizeVT())
		}
		return parts
	}
	return r.Events.parts
}

// AppendHead is AppendWire without the events.
func (r *Response) AppendHead(dst []byte, h *pb.ResponseHeader) []byte {
	dst = r.appendHeader(dst, h)
	if r.WatchID != 0 {
		dst = append(dst, tagWatchID)
		dst = appendUvarint(dst, uint64(r.WatchID))
	}
	if r.Created {
		dst = append(dst, tagCreated, 1)
	}
	if r.Canceled {
		dst = append(dst, tagCanceled, 1)
	}
	if r.CompactRev != 0 {
		dst = append(dst, tagCompactRev)
		dst = appendUvarint(dst, uint64(r.CompactRev))
	}
	if r.Reason != "" {
		dst = append(dst, tagReason)
		dst = appendUvarint(dst, uint64(len(r.Reason)))
		dst = append(dst, r.Reason...)
	}
	if r.Fragment {
		dst = append(dst, tagFragment, 1)
	}
	return dst
}

// appendHeader appends the header field; its length fits in one byte. By hand, because it is the only allocation that
// would be left.
func (r *Response) appendHeader(dst []byte, h *pb.ResponseHeader) []byte {
	dst = append(dst, tagHeader, 0)
	at := len(dst)
	for i, v := range [...]uint64{h.GetClusterId(), h.GetMemberId(), uint64(r.Rev), h.GetRaftTerm()} {
		if v != 0 {
			dst = append(dst, byte(i+1)<<3)
			dst = appendUvarint(dst, v)
		}
	}
	dst[at-1] = byte(len(dst) - at)
	return dst
}

// SizeWire is an upper bound, tight to a few bytes, of what AppendWire appends.
func (r *Response) SizeWire() int {
	n := maxHeaderBytes + r.Events.SizeBytes()
	if r.WatchID != 0 {
		n += 1 + uvarintLen(uint64(r.WatchID))
	}
	if r.CompactRev != 0 {
		n += 1 + uvarintLen(uint64(r.CompactRev))
	}
	if r.Reason != "" {
		n += 1 + uvarintLen(uint64(len(r.Reason))) + len(r.Reason)
	}
	return n + 6 // created, canceled, fragment
}

// Message is the response as a message, for drivers that do not need bytes.
func (r *Response) Message(h *pb.ResponseHeader) *pb.WatchResponse {
	whole := &struct {
		message pb.WatchResponse
		header  pb.ResponseHeader
	}{}
	m := &whole.message
	m.Header = &whole.header
	m.Header.ClusterId, m.Header.MemberId, m.Header.RaftTerm = h.GetClusterId(), h.GetMemberId(), h.GetRaftTerm()
	m.Header.Revision = r.Rev
	m.WatchId, m.Created, m.Canceled, m.Fragment = r.WatchID, r.Created, r.Canceled, r.Fragment
	m.CompactRevision, m.CancelReason = r.CompactRev, r.Reason
	if r.Events != nil {
		m.Events = r.Events.Events
	}
	return m
}

// appendEvent appends one `events` field; n is the size of the event.
func appendEvent(dst []byte, ev *pb.Event, n int) []byte {
	dst = append(dst, tagEvents)
	dst = appendUvarint(dst, uint64(n))
	at := len(dst)
	dst = slices.Grow(dst, n)[:at+n]
	_, err := ev.MarshalToSizedBufferVT(dst[at:])
	invariant.Assert(err == nil, "watch: an event does not have the size that it asked for") // there is no other error
	return dst
}

func appendUvarint(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
