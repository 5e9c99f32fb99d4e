package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/core/limits"
)

// kind tells the two streams of a peer apart.
type kind int

const (
	messages kind = iota // /raft/stream/message
	appends              // /raft/stream/msgapp
	kinds
)

func (k kind) path() string {
	if k == appends {
		return "/raft/stream/msgapp"
	}
	return "/raft/stream/message"
}

func (k kind) String() string {
	if k == appends {
		return "stream MsgApp v2"
	}
	return "stream Message"
}

// An encoder appends messages in the framing of one stream. It has the state of that stream, and no other.
type encoder interface {
	append(dst []byte, m *raftpb.Message) ([]byte, error)
	heartbeat(dst []byte) []byte
}

// A decoder is an encoder's other end. A nil message is a link heartbeat. What the message takes of the intake's room
// is given back by the next call, or by release.
type decoder interface {
	next() (*raftpb.Message, error)
	release()
}

func (k kind) encoder() encoder {
	if k == appends {
		return &appendEncoder{}
	}
	return messageEncoder{}
}

// decoder reads a stream of peer from to this member until ctx ends.
func (k kind) decoder(ctx context.Context, r *bufio.Reader, in *intake, self, from uint64) decoder {
	f := frames{ctx: ctx, r: r, claim: claim{of: in}}
	if k == appends {
		return &appendDecoder{frames: f, self: self, from: from}
	}
	return &messageDecoder{f}
}

// readLength judges a length before anything is made of it.
func readLength(r io.Reader, limit uint64) (int, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint64(b[:])
	if n > limit {
		return 0, errTooLong
	}
	return int(n), nil
}

// frames reads what both streams have in common.
type frames struct {
	ctx context.Context
	r   *bufio.Reader
	claim
}

func (f *frames) message() (*raftpb.Message, error) {
	n, err := readLength(f.r, uint64(f.of.limit))
	if err != nil {
		return nil, err
	}
	b, err := f.readPiece(f.ctx, f.r, n)
	if err != nil {
		return nil, err
	}
	return decodeMessage(b)
}

// messageEncoder writes frames of length and message. Its link heartbeat is a
// MsgHeartbeat from nobody to nobody, which raft never sends.
type messageEncoder struct{}

func (messageEncoder) append(dst []byte, m *raftpb.Message) ([]byte, error) {
	return appendFrame(dst, m)
}

func (messageEncoder) heartbeat(dst []byte) []byte {
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 2, 1<<3, byte(raftpb.MsgHeartbeat))
}

type messageDecoder struct{ frames }

func (d *messageDecoder) next() (*raftpb.Message, error) {
	d.release()
	m, err := d.message()
	if err == nil && m.GetType() == raftpb.MsgHeartbeat && m.GetFrom() == 0 && m.GetTo() == 0 {
		return nil, nil
	}
	return m, err
}

// The append stream knows three frames. A compact one carries an append whose
// term and position follow from the frame before: only entries and commit.
//
//	heartbeat | 0 |
//	compact   | 1 | 8: number of entries | (8: n | n: raftpb.Entry)* | 8: commit |
//	full      | 2 | 8: n | n: raftpb.Message |
const (
	frameHeartbeat = 0
	frameCompact   = 1
	frameFull      = 2
)

type appendEncoder struct{ term, index uint64 }

func (e *appendEncoder) heartbeat(dst []byte) []byte { return append(dst, frameHeartbeat) }

func (e *appendEncoder) append(dst []byte, m *raftpb.Message) ([]byte, error) {
	if e.index == m.GetIndex() && e.term == m.GetLogTerm() && m.GetLogTerm() == m.GetTerm() {
		dst = append(dst, frameCompact)
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(m.Entries)))
		for _, entry := range m.Entries {
			dst = binary.BigEndian.AppendUint64(dst, uint64(entrySize(entry)))
			dst = appendEntry(dst, entry)
		}
		e.index += uint64(len(m.Entries))
		return binary.BigEndian.AppendUint64(dst, m.GetCommit()), nil
	}
	e.term, e.index = after(m)
	return appendFrame(append(dst, frameFull), m)
}

// after is where a stream stands once m has passed.
func after(m *raftpb.Message) (term, index uint64) {
	if n := len(m.Entries); n > 0 {
		return m.GetTerm(), m.Entries[n-1].GetIndex()
	}
	return m.GetTerm(), m.GetIndex()
}

type appendDecoder struct {
	frames
	self, from uint64
	term       uint64
	index      uint64
}

func (d *appendDecoder) next() (*raftpb.Message, error) {
	d.release()
	frame, err := d.r.ReadByte()
	if err != nil {
		return nil, err
	}
	switch frame {
	case frameHeartbeat:
		return nil, nil
	case frameCompact:
		return d.compact()
	case frameFull:
		m, err := d.message()
		if err != nil {
			return nil, err
		}
		d.term, d.index = after(m)
		return m, nil
	}
	return nil, fmt.Errorf("peer: unknown frame %d in the append stream", frame)
}

func (d *appendDecoder) compact() (*raftpb.Message, error) {
	n, err := readLength(d.r, limits.MaxPeerEntries)
	if err != nil {
		return nil, err
	}
	r := &messageRoom{typ: raftpb.MsgApp}
	r.words = [14]uint64{2: d.self, 3: d.from, 4: d.term, 5: d.term, 6: d.index}
	m := &r.message
	m.Type, m.To, m.From, m.Term, m.LogTerm, m.Index = &r.typ, &r.words[2], &r.words[3], &r.words[4], &r.words[5],
		&r.words[6]
	total := 0
	for range n {
		size, err := readLength(d.r, uint64(d.of.limit-total))
		if err != nil {
			return nil, err
		}
		if total += size; total > smallMessage {
			// As much as it can become: a claim that grew in steps could wait for others that do the same.
			if err := d.take(d.ctx, int64(d.of.limit)); err != nil {
				return nil, err
			}
		}
		b, err := d.readPiece(d.ctx, d.r, size)
		if err != nil {
			return nil, err
		}
		entry := &entryRoom{}
		if err := entry.decode(b); err != nil {
			return nil, err
		}
		m.Entries = append(m.Entries, &entry.entry)
	}
	d.index += uint64(n)
	var commit [8]byte
	if _, err := io.ReadFull(d.r, commit[:]); err != nil {
		return nil, err
	}
	r.words[8] = binary.BigEndian.Uint64(commit[:])
	m.Commit = &r.words[8]
	return m, nil
}
