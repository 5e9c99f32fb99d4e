package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The binary form of an event; fields that are 0 take no room:
//
//	+------+-----+--------------+----------------------------------+----------------+
//	| kind | msg | present: u16 | present fields, each a uvarint   | text           |
//	| 1 B  | 1 B | bit i: field | in the order of setNumbers       | uvarint length |
//	|      |     | little-end.  | (Now and Rev zigzag)             | + bytes        |
//	+------+-----+--------------+----------------------------------+----------------+
//
// It has one encoding only: the decoder refuses a present field that is 0 and a
// uvarint longer than needed. So equal files are equal streams.

const textBit = 1 << 12 // of the present bits, after the 12 numbers

// MaxText is the longest text that the decoders accept, in bytes. Keys and
// errors are bounded by what a request may carry; this is far above.
const MaxText = 16 << 20

// ErrEvent is the root of all decoding errors of this package.
var ErrEvent = errors.New("trace: malformed event")

// errShort is of a src that ends before the event does.
var errShort = malformed("it is cut short")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEvent, fmt.Sprintf(format, args...))
}

// setNumbers sets the numeric fields, in the order of the binary form.
func (e *Event) setNumbers(n *[12]uint64) {
	e.Seq, e.Cause, e.Now, e.Member, e.Peer, e.Term = n[0], n[1], Instant(unzigzag(n[2])), n[3], n[4], n[5]
	e.Index, e.Rev, e.Request, e.A, e.B, e.C = n[6], unzigzag(n[7]), n[8], n[9], n[10], n[11]
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// AppendBinary appends the binary form of e to dst.
func AppendBinary(dst []byte, e *Event) []byte {
	dst, present := appendHead(dst, e, e.Seq)
	if e.Text != "" {
		*present |= textBit >> 8
		dst = binary.AppendUvarint(dst, uint64(len(e.Text)))
		dst = append(dst, e.Text...)
	}
	return dst
}

// appendHead appends all but the text of e, with seq as its number. The second half
// of the bits of present fields is returned apart: the text is not in them yet.
func appendHead(dst []byte, e *Event, seq uint64) ([]byte, *byte) {
	at, present := len(dst), uint16(0)
	dst = append(dst, byte(e.Kind), e.Msg, 0, 0)
	for i, n := range [12]uint64{seq, e.Cause, zigzag(int64(e.Now)), e.Member, e.Peer, e.Term,
		e.Index, zigzag(e.Rev), e.Request, e.A, e.B, e.C} {
		if n == 0 {
			continue
		}
		present |= 1 << i
		for ; n >= 0x80; n >>= 7 {
			dst = append(dst, byte(n)|0x80)
		}
		dst = append(dst, byte(n))
	}
	dst[at+2], dst[at+3] = byte(present), byte(present>>8)
	return dst, &dst[at+3]
}

// DecodeBinary reads one event from the front of src and returns the number of
// bytes it took. Errors wrap ErrEvent.
func DecodeBinary(src []byte) (Event, int, error) {
	if len(src) < 4 {
		return Event{}, 0, errShort
	}
	e := Event{Kind: Kind(src[0]), Msg: src[1]}
	if !e.Kind.Valid() {
		return Event{}, 0, malformed("unknown kind %d", src[0])
	}
	if int(e.Msg) >= len(messages) {
		return Event{}, 0, malformed("unknown message type %d", e.Msg)
	}
	present := uint16(src[2]) | uint16(src[3])<<8
	if present >= textBit<<1 {
		return Event{}, 0, malformed("unknown fields %#x", present)
	}
	at := 4
	var numbers [12]uint64
	for rest := present &^ textBit; rest != 0; rest &= rest - 1 {
		n, size, err := canonicalUvarint(src[at:])
		if err != nil {
			return Event{}, 0, err
		}
		numbers[bits.TrailingZeros16(rest)] = n
		at += size
	}
	e.setNumbers(&numbers)
	if present&textBit != 0 {
		n, size, err := canonicalUvarint(src[at:])
		if err != nil {
			return Event{}, 0, err
		}
		at += size
		if n > MaxText {
			return Event{}, 0, malformed("text of %d bytes", n)
		}
		if n > uint64(len(src)-at) {
			return Event{}, 0, errShort
		}
		e.Text = string(src[at : at+int(n)])
		at += int(n)
	}
	return e, at, nil
}

// canonicalUvarint reads a uvarint that is not 0 and not longer than it must be.
func canonicalUvarint(src []byte) (uint64, int, error) {
	n, size := binary.Uvarint(src)
	if size == 0 {
		return 0, 0, errShort
	}
	if size < 0 {
		return 0, 0, malformed("a number of more than 64 bits")
	}
	if n == 0 || size > 1 && src[size-1] == 0 {
		return 0, 0, malformed("number in more bytes than it needs")
	}
	return n, size, nil
}
