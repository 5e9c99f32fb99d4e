package wal

import (
	"encoding/binary"
	"hash/crc32"

	"vitrine/core/invariant"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// Types of records; the numbers are etcd's.
const (
	metadataRecord = 1
	entryRecord    = 2
	stateRecord    = 3
	crcRecord      = 4
	snapshotRecord = 5
)

// frameBytes is the size of the length field in front of each record.
const frameBytes = 8

func castagnoli(crc uint32, p []byte) uint32 {
	return crc32.Update(crc, crc32.MakeTable(crc32.Castagnoli), p)
}

// frame returns the length field of a record of n bytes and the number of
// zeros to put behind it. Records start at multiples of 8 bytes, so that a
// length field never straddles two sectors.
func frame(n int) (field uint64, padding int) {
	field, padding = uint64(n), -n&7
	if padding != 0 {
		field |= uint64(0x80|padding) << 56
	}
	return field, padding
}

func unframe(field uint64) (n int64, padding int) {
	if field>>63 != 0 {
		padding = int(field>>56) & 7
	}
	return int64(field & (1<<56 - 1)), padding
}

// encoder appends records to a buffer and carries the running checksum.
type encoder struct {
	buf     []byte
	scratch []byte
	crc     uint32
}

// record appends one record whose data is head followed by body. The checksum
// must stand in front of the data, so it is taken before anything is copied.
func (e *encoder) record(kind byte, head, body []byte) {
	e.crc = castagnoli(castagnoli(e.crc, head), body)
	e.frame(kind, head, body)
}

// syncPoint appends a checksum record that says: this is at offset in segment
// seq, and all before it was durable when it was written.
func (e *encoder) syncPoint(offset int64, seq uint64) {
	e.scratch = appendPlace(e.scratch[:0], offset, seq)
	e.frame(crcRecord, e.scratch, nil)
}

// first appends the checksum record that a segment begins with. It says where it
// stands, too, and with how many bytes the file was made.
func (e *encoder) first(seq uint64, made int64) {
	e.scratch = protowire.AppendVarint(appendPlace(e.scratch[:0], 0, seq), uint64(made))
	e.frame(crcRecord, e.scratch, nil)
}

// appendPlace appends the data of a sync point: where it stands. A copy of it
// elsewhere, in a stray block or in what a client wrote, is none.
func appendPlace(b []byte, offset int64, seq uint64) []byte {
	return protowire.AppendVarint(protowire.AppendVarint(b, uint64(offset)), seq)
}

// frame appends a record that bears the checksum of now.
func (e *encoder) frame(kind byte, head, body []byte) {
	start := len(e.buf)
	invariant.Assert(start%frameBytes == 0, "wal: a record begins within a frame")
	b := append(e.buf, zeros[:frameBytes]...) // the frame, filled in below
	b = append(b, 1<<3|byte(protowire.VarintType), kind, 2<<3|byte(protowire.VarintType))
	b = protowire.AppendVarint(b, uint64(e.crc))
	if head != nil || body != nil {
		b = append(b, 3<<3|byte(protowire.BytesType))
		b = protowire.AppendVarint(b, uint64(len(head)+len(body)))
		b = append(append(b, head...), body...)
	}
	field, padding := frame(len(b) - start - frameBytes)
	binary.LittleEndian.PutUint64(b[start:], field)
	invariant.Assert((len(b)+padding)%frameBytes == 0, "wal: a record ends within a frame")
	e.buf = append(b, zeros[:padding]...)
}

// entry appends an entry record, byte for byte what proto.Marshal makes of it.
func (e *encoder) entry(entry *raftpb.Entry) {
	head := appendOptional(e.scratch[:0], 1, (*int32)(entry.Type))
	head = appendOptional(head, 2, entry.Term)
	head = appendOptional(head, 3, entry.Index)
	if entry.Data != nil {
		head = append(head, 4<<3|byte(protowire.BytesType))
		head = protowire.AppendVarint(head, uint64(len(entry.Data)))
	}
	e.scratch = head
	e.record(entryRecord, head, entry.Data)
}

func (e *encoder) state(hs *raftpb.HardState) {
	head := appendOptional(e.scratch[:0], 1, hs.Term)
	head = appendOptional(head, 2, hs.Vote)
	head = appendOptional(head, 3, hs.Commit)
	e.scratch = head
	e.record(stateRecord, head, nil)
}

func appendOptional[T int32 | uint64](b []byte, number byte, v *T) []byte {
	if v == nil {
		return b
	}
	return protowire.AppendVarint(append(b, number<<3|byte(protowire.VarintType)), uint64(*v))
}

// record is a decoded record. data aliases the reader's buffer.
type record struct {
	kind uint64
	crc  uint32
	data []byte
}

// parseRecord decodes a record; ok is false when p is not one.
func parseRecord(p []byte) (rec record, ok bool) {
	for at := 0; at < len(p); {
		number, wire, n := protowire.ConsumeTag(p[at:])
		if n < 0 || number > protowire.MaxValidNumber {
			return rec, false
		}
		at += n
		switch {
		case number == 1 && wire == protowire.VarintType:
			rec.kind, n = protowire.ConsumeVarint(p[at:])
		case number == 2 && wire == protowire.VarintType:
			var crc uint64
			crc, n = protowire.ConsumeVarint(p[at:])
			rec.crc = uint32(crc)
		case number == 3 && wire == protowire.BytesType:
			rec.data, n = protowire.ConsumeBytes(p[at:])
		default:
			n = protowire.ConsumeFieldValue(number, wire, p[at:])
		}
		if n < 0 {
			return rec, false
		}
		at += n
	}
	return rec, true
}

// promisedLen returns the length that a record, of which p is the beginning,
// claims for itself by the lengths in its own header, and the length of that
// header; 0 if p has no data or no header that can be decoded.
func promisedLen(p []byte) (n int64, head int) {
	for _, number := range []protowire.Number{1, 2} {
		got, wire, n := protowire.ConsumeTag(p[head:])
		if n < 0 || got != number || wire != protowire.VarintType {
			return 0, 0
		}
		head += n
		if _, n = protowire.ConsumeVarint(p[head:]); n < 0 {
			return 0, 0
		}
		head += n
	}
	got, wire, tag := protowire.ConsumeTag(p[head:])
	if tag < 0 || got != 3 || wire != protowire.BytesType {
		return 0, 0
	}
	size, sizeLen := protowire.ConsumeVarint(p[head+tag:])
	if sizeLen < 0 || size > 1<<56 {
		return 0, 0
	}
	head += tag + sizeLen
	return int64(head) + int64(size), head
}
