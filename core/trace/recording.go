package trace

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// A recording is the newest events of one process, as a file:
//
//	+----------------------+----------------------+-----------------+-------------------------------+
//	| vitrine-recording 1  | the header, as JSON  | events, each in | the end: byte 0, their number |
//	| and a newline        | and a newline        | its binary form | (uvarint), CRC-32C (4 B, LE)  |
//	+----------------------+----------------------+-----------------+-------------------------------+
//
// The checksum is of all that stands before it. Events are in the order of Seq.
// From the header's First on all are there, without a gap; those before it are
// the newest of their kinds, and tell how things stood (see Recorder). A file
// without its end was cut off.

// recordingMagic is how the file begins; the number is the version of the format.
const recordingMagic = "vitrine-recording 1\n"

// Header says what a recording is of.
type Header struct {
	Cluster uint64 `json:"cluster,string"`
	Member  uint64 `json:"member,string"`
	Name    string `json:"name"`
	// Began is the time of day at which Now is 0, in nanoseconds since 1970, as the machine saw it when the recording was
	// read: the clocks of two machines differ by what NTP lets them.
	Began int64 `json:"began,string"`
	// Version is the release of etcd that the server speaks, Commit the one that it was built from.
	Version string `json:"version"`
	Commit  string `json:"commit"`
	// First is the Seq from which on nothing is missing. Whoever writes a recording does not set it.
	First uint64 `json:"first,string"`
}

// Recording is a file that was read. All events have their Member.
type Recording struct {
	Header Header
	Events []Event
}

// ErrRecording is the root of errors of files that are no recordings, ErrCutOff
// of those that lack their end.
var (
	ErrRecording = errors.New("trace: not a recording")
	ErrCutOff    = errors.New("trace: the recording was cut off")
)

// Write writes all that a recorder has as a recording. Lanes go on meanwhile; what
// comes after the call has begun is not in it. It takes as much memory as the
// recorder has, for as long as it writes.
func (r *Recorder) Write(w io.Writer, h Header) error {
	until := r.seq.Load()
	parts := r.copies()
	r.lock.Lock()
	h.First = r.lost + 1
	stood := r.state.copy()
	r.lock.Unlock()
	out := &summed{w: w}
	if err := h.write(out); err != nil {
		return err
	}
	for _, p := range parts { // a lane that seldom tells still has events that are older
		for ; p.seq > 0 && p.seq < h.First; p.next() {
			stood.noteOne(p.event)
		}
	}
	count := uint64(0)
	for _, event := range stood.before(h.First) {
		if _, err := out.Write(event); err != nil {
			return err
		}
		count++
	}
	for {
		p := least(parts)
		if p == nil || p.seq > until {
			break
		}
		if _, err := out.Write(p.event); err != nil {
			return err
		}
		count++
		p.next()
	}
	end := binary.AppendUvarint([]byte{0}, count)
	if _, err := out.Write(end); err != nil {
		return err
	}
	_, err := w.Write(binary.LittleEndian.AppendUint32(nil, out.sum))
	return err
}

func (h *Header) write(w io.Writer) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = w.Write(slices.Concat([]byte(recordingMagic), line, []byte("\n")))
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// summed knows the checksum of what has passed.
type summed struct {
	w   io.Writer
	sum uint32
}

func (s *summed) Write(p []byte) (int, error) {
	s.sum = crc32.Update(s.sum, castagnoli, p)
	return s.w.Write(p)
}

// part is a copy of what one lane has, and a place in it.
type part struct {
	data  [][]byte
	seq   uint64 // of event; 0 at the end
	event []byte
}

// copies takes what the lanes are writing, then what they have filled. A chunk that
// is filled in between comes twice, and next passes over what it had before.
func (r *Recorder) copies() []*part {
	parts, writing := make([]*part, len(r.lanes)), make([][]byte, len(r.lanes))
	for i, l := range r.lanes {
		l.lock.Lock()
		parts[i], writing[i] = &part{}, bytes.Clone(l.data)
		l.lock.Unlock()
	}
	for n := uint64(0); ; n++ { // the lock is held for one chunk at a time
		r.lock.Lock()
		n = max(n, r.filled-uint64(r.count))
		if n >= r.filled {
			r.lock.Unlock()
			break
		}
		c := &r.full[(r.head+int(n-(r.filled-uint64(r.count))))%len(r.full)]
		parts[c.lane].data = append(parts[c.lane].data, bytes.Clone(c.data))
		r.lock.Unlock()
	}
	for i, p := range parts {
		p.data = append(p.data, writing[i])
		p.next()
	}
	return parts
}

// next goes on to the next event.
func (p *part) next() {
	last := p.seq
	for p.seq = 0; len(p.data) > 0; {
		if len(p.data[0]) == 0 {
			p.data = p.data[1:]
			continue
		}
		n := int(binary.LittleEndian.Uint16(p.data[0]))
		p.event = p.data[0][lengthBytes : lengthBytes+n]
		p.data[0] = p.data[0][lengthBytes+n:]
		if seq := seqOf(p.event); seq > last {
			p.seq = seq
			return
		}
	}
}

// seqOf is the Seq of an event in its binary form, which is its first field.
func seqOf(event []byte) uint64 {
	seq, _ := binary.Uvarint(event[4:])
	return seq
}

// least is the part whose event comes next, nil if there is none.
func least(parts []*part) (first *part) {
	for _, p := range parts {
		if p.seq > 0 && (first == nil || p.seq < first.seq) {
			first = p
		}
	}
	return first
}

// ReadRecording reads a file. If it was cut off, what it has is returned with an
// error that wraps ErrCutOff; other errors wrap ErrRecording or ErrEvent.
func ReadRecording(file []byte) (*Recording, error) {
	rest, ok := bytes.CutPrefix(file, []byte(recordingMagic))
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrRecording, recordingMagic)
	}
	line, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return nil, fmt.Errorf("%w: there is no header", ErrRecording)
	}
	r := &Recording{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r.Header); err != nil {
		return nil, fmt.Errorf("%w: its header: %w", ErrRecording, err)
	}
	last := uint64(0)
	for len(rest) > 0 && rest[0] != 0 {
		e, n, err := DecodeBinary(rest)
		if err != nil {
			if errors.Is(err, errShort) {
				return r, fmt.Errorf("%w behind event %d", ErrCutOff, last)
			}
			return nil, fmt.Errorf("behind event %d: %w", last, err)
		}
		if e.Seq <= last || e.Seq > max(last, r.Header.First-1)+1 {
			return nil, fmt.Errorf("%w: event %d follows %d", ErrRecording, e.Seq, last)
		}
		if e.Member == 0 {
			e.Member = r.Header.Member
		}
		last = e.Seq
		r.Events = append(r.Events, e)
		rest = rest[n:]
	}
	return r, r.end(file, rest)
}

// end looks at what stands behind the events.
func (r *Recording) end(file, rest []byte) error {
	if len(rest) == 0 {
		return fmt.Errorf("%w behind %d events", ErrCutOff, len(r.Events))
	}
	count, n := binary.Uvarint(rest[1:])
	switch sum := rest[1+max(n, 0):]; {
	case n <= 0 || len(sum) < crc32.Size:
		return fmt.Errorf("%w behind %d events", ErrCutOff, len(r.Events))
	case len(sum) > crc32.Size:
		return fmt.Errorf("%w: there is more behind its end", ErrRecording)
	case count != uint64(len(r.Events)):
		return fmt.Errorf("%w: %d events of %d", ErrRecording, len(r.Events), count)
	case binary.LittleEndian.Uint32(sum) != crc32.Checksum(file[:len(file)-crc32.Size], castagnoli):
		return fmt.Errorf("%w: its checksum differs", ErrRecording)
	}
	return nil
}
