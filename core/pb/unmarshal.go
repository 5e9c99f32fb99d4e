package pb

import (
	"encoding/binary"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A Message is what clients, members and the log speak: any message of this package but those of the files (wal, snap).
type Message interface {
	proto.Message
	MarshalVT() ([]byte, error)
	MarshalToSizedBufferVT([]byte) (int, error)
	SizeVT() int
	UnmarshalVT([]byte) error
	shape() int
}

// Unmarshal reads b into an empty message. It accepts and refuses exactly what proto.Unmarshal does, and the message is
// the same: whatever enters a member's log must mean the same to all members, also to etcd's. UnmarshalVT alone is
// milder (varints beyond 64 bits, text that is not UTF-8, any depth of nesting) and stricter (a known field of another
// wire type). Where a glance at the bytes shows nothing unusual it reads them; the rest is left to proto.Unmarshal,
// whose errors name what is wrong and which gives up at MaxDepth messages inside one another.
func Unmarshal(b []byte, m Message) error {
	if plain(b, m.shape(), MaxDepth) {
		return m.UnmarshalVT(b)
	}
	return proto.Unmarshal(b, m)
}

// Check tells whether Unmarshal would read b as a message of m's type. It leaves m alone.
func Check(b []byte, m Message) error {
	if plain(b, m.shape(), MaxDepth) {
		return nil
	}
	return proto.Unmarshal(b, m.ProtoReflect().New().Interface())
}

// MaxDepth is how many messages may be inside one another, the outermost counted.
const MaxDepth = protowire.DefaultRecursionLimit

// shape is what a message's fields look like on the wire, in the order of their numbers.
type shape []field

type field struct {
	number uint32
	form   form
	of     uint8 // the shape of what is inside, for formMessage
}

// form is how a field is written. formForeign is left to the standard decoder.
type form uint8

const (
	formForeign form = iota
	formVarint
	formVarints // repeated: packed, or one by one
	formBytes
	formText
	formMessage
)

// plain tells whether b is an encoding of the given shape without anything on which decoders could differ: known fields
// only, in their own wire types, at most depth messages deep.
func plain(b []byte, shape, depth int) bool {
	if depth == 0 {
		return false
	}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		f := shapes[shape].find(tag >> 3)
		if f == nil {
			return false
		}
		b = b[n:]
		if tag&7 == uint64(protowire.VarintType) {
			if _, n = binary.Uvarint(b); n <= 0 || f.form != formVarint && f.form != formVarints {
				return false
			}
			b = b[n:]
			continue
		}
		size, n := binary.Uvarint(b)
		if tag&7 != uint64(protowire.BytesType) || n <= 0 || size > uint64(len(b)-n) {
			return false
		}
		b = b[n:]
		if !f.plain(b[:size], depth) {
			return false
		}
		b = b[size:]
	}
	return true
}

// plain judges the bytes that stand behind a length.
func (f *field) plain(b []byte, depth int) bool {
	switch f.form {
	case formBytes:
		return true
	case formText:
		return utf8.Valid(b)
	case formMessage:
		return plain(b, int(f.of), depth-1)
	case formVarints:
		for len(b) > 0 {
			_, n := binary.Uvarint(b)
			if n <= 0 {
				return false
			}
			b = b[n:]
		}
		return true
	}
	return false
}

// find looks a field up. Most messages number their fields 1, 2, 3 ...
func (s shape) find(number uint64) *field {
	if i := number - 1; i < uint64(len(s)) && uint64(s[i].number) == number {
		return &s[i]
	}
	for i := range s {
		if uint64(s[i].number) == number {
			return &s[i]
		}
	}
	return nil
}
