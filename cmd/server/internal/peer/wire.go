package peer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"vitrine/core/limits"
)

// The messages of raft are generated for reflection; between members they are
// the hottest thing there is, so entries and messages are written and read
// here by hand. The bytes are those of proto.Marshal; a fuzz test says so.

func varintField(dst []byte, num protowire.Number, v *uint64) []byte {
	if v == nil {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.VarintType)
	return protowire.AppendVarint(dst, *v)
}

func sizeVarintField(v *uint64) int {
	if v == nil {
		return 0
	}
	return 1 + protowire.SizeVarint(*v)
}

func entrySize(e *raftpb.Entry) int {
	n := sizeVarintField(e.Term) + sizeVarintField(e.Index)
	if e.Type != nil {
		n += 1 + protowire.SizeVarint(uint64(*e.Type))
	}
	if e.Data != nil {
		n += 1 + protowire.SizeBytes(len(e.Data))
	}
	return n
}

func appendEntry(dst []byte, e *raftpb.Entry) []byte {
	if e.Type != nil {
		t := uint64(*e.Type)
		dst = varintField(dst, 1, &t)
	}
	dst = varintField(dst, 2, e.Term)
	dst = varintField(dst, 3, e.Index)
	if e.Data != nil {
		dst = protowire.AppendTag(dst, 4, protowire.BytesType)
		dst = protowire.AppendBytes(dst, e.Data)
	}
	return dst
}

func messageSize(m *raftpb.Message) int {
	if m.Snapshot != nil || len(m.Responses) > 0 {
		return proto.Size(m)
	}
	n := sizeVarintField(m.To) + sizeVarintField(m.From) + sizeVarintField(m.Term) + sizeVarintField(m.LogTerm) +
		sizeVarintField(m.Index) + sizeVarintField(m.Commit) + sizeVarintField(m.RejectHint) + sizeVarintField(m.Vote)
	if m.Type != nil {
		n += 1 + protowire.SizeVarint(uint64(*m.Type))
	}
	for _, e := range m.Entries {
		n += 1 + protowire.SizeBytes(entrySize(e))
	}
	if m.Reject != nil {
		n += 2
	}
	if m.Context != nil {
		n += 1 + protowire.SizeBytes(len(m.Context))
	}
	return n
}

func appendMessage(dst []byte, m *raftpb.Message) ([]byte, error) {
	if m.Snapshot != nil || len(m.Responses) > 0 {
		return proto.MarshalOptions{}.MarshalAppend(dst, m)
	}
	if m.Type != nil {
		t := uint64(*m.Type)
		dst = varintField(dst, 1, &t)
	}
	dst = varintField(dst, 2, m.To)
	dst = varintField(dst, 3, m.From)
	dst = varintField(dst, 4, m.Term)
	dst = varintField(dst, 5, m.LogTerm)
	dst = varintField(dst, 6, m.Index)
	for _, e := range m.Entries {
		dst = protowire.AppendTag(dst, 7, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(entrySize(e)))
		dst = appendEntry(dst, e)
	}
	dst = varintField(dst, 8, m.Commit)
	if m.Reject != nil {
		dst = protowire.AppendTag(dst, 10, protowire.VarintType)
		dst = protowire.AppendVarint(dst, protowire.EncodeBool(*m.Reject))
	}
	dst = varintField(dst, 11, m.RejectHint)
	if m.Context != nil {
		dst = protowire.AppendTag(dst, 12, protowire.BytesType)
		dst = protowire.AppendBytes(dst, m.Context)
	}
	return varintField(dst, 13, m.Vote), nil
}

var errMalformed = errors.New("peer: malformed message")

// fields walks over the fields of an encoded message. Varints come in v, bytes in b.
func fields(b []byte, visit func(num protowire.Number, typ protowire.Type, v uint64, b []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		var v uint64
		var sub []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			sub, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		if err := visit(num, typ, v, sub); err != nil {
			return err
		}
	}
	return nil
}

// entryRoom is an entry with room for what its pointers point at: one allocation instead of five.
type entryRoom struct {
	entry       raftpb.Entry
	term, index uint64
	typ         raftpb.EntryType
}

// decode fills the room; Data points into b.
func (r *entryRoom) decode(b []byte) error {
	return fields(b, func(num protowire.Number, typ protowire.Type, v uint64, sub []byte) error {
		switch {
		case num == 1 && typ == protowire.VarintType:
			r.typ = raftpb.EntryType(v)
			r.entry.Type = &r.typ
		case num == 2 && typ == protowire.VarintType:
			r.term = v
			r.entry.Term = &r.term
		case num == 3 && typ == protowire.VarintType:
			r.index = v
			r.entry.Index = &r.index
		case num == 4 && typ == protowire.BytesType:
			r.entry.Data = sub[:len(sub):len(sub)]
		}
		return nil
	})
}

type messageRoom struct {
	message raftpb.Message
	typ     raftpb.MessageType
	reject  bool
	// by field number: to, from, term, logTerm, index, commit, rejectHint, vote
	words    [14]uint64
	snapshot int // bytes of the encoded snapshot, of all the fields that have a part of it
}

// decodeMessage reads a message whose bytes stay with it. It refuses what takes much more memory than it has bytes.
func decodeMessage(b []byte) (*raftpb.Message, error) {
	r := &messageRoom{}
	m := &r.message
	word := func(num protowire.Number, v uint64) *uint64 {
		r.words[num] = v
		return &r.words[num]
	}
	err := fields(b, func(num protowire.Number, typ protowire.Type, v uint64, sub []byte) error {
		if typ == protowire.BytesType {
			return r.decodeBytes(num, sub)
		}
		if typ != protowire.VarintType {
			return nil
		}
		switch num {
		case 1:
			r.typ = raftpb.MessageType(v)
			m.Type = &r.typ
		case 2:
			m.To = word(num, v)
		case 3:
			m.From = word(num, v)
		case 4:
			m.Term = word(num, v)
		case 5:
			m.LogTerm = word(num, v)
		case 6:
			m.Index = word(num, v)
		case 8:
			m.Commit = word(num, v)
		case 10:
			r.reject = protowire.DecodeBool(v)
			m.Reject = &r.reject
		case 11:
			m.RejectHint = word(num, v)
		case 13:
			m.Vote = word(num, v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (r *messageRoom) decodeBytes(num protowire.Number, sub []byte) error {
	m := &r.message
	switch num {
	case 7:
		if len(m.Entries) == limits.MaxPeerEntries {
			return errTooLong
		}
		e := &entryRoom{}
		if err := e.decode(sub); err != nil {
			return err
		}
		m.Entries = append(m.Entries, &e.entry)
	case 9:
		if r.snapshot += len(sub); r.snapshot > limits.MaxSnapshotMessageBytes {
			return errTooLong
		}
		if m.Snapshot == nil {
			m.Snapshot = &raftpb.Snapshot{}
		}
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(sub, m.Snapshot); err != nil {
			return fmt.Errorf("%w: %w", errMalformed, err)
		}
	case 12:
		if len(sub) > limits.MaxMessageContext {
			return errTooLong
		}
		m.Context = sub[:len(sub):len(sub)]
	}
	return nil
}

// appendFrame writes a message with its length in front: the framing of the
// message stream and of a snapshot's header.
//
//	| 8 bytes, big endian: n | n bytes: raftpb.Message |
func appendFrame(dst []byte, m *raftpb.Message) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(messageSize(m)))
	return appendMessage(dst, m)
}
