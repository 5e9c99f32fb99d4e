package mvcc

import (
	"encoding/binary"
	"errors"

	"vitrine/core/invariant"
	"vitrine/core/pb"
)

// fields is a stored KeyValue taken apart without copying: key and value are
// parts of the bytes that were parsed.
type fields struct {
	key, value            []byte
	created, mod, version int64
	lease                 int64
}

var errRecord = errors.New("mvcc: malformed KeyValue")

// parseKeyValue reads the protobuf form of a KeyValue. Unknown fields are
// skipped, as protobuf asks for.
func parseKeyValue(data []byte) (f fields, err error) {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 || tag>>3 == 0 {
			return f, errRecord
		}
		data = data[n:]
		var num uint64
		var blob []byte
		switch tag & 7 {
		case 0, 2:
			if num, n = binary.Uvarint(data); n <= 0 {
				return f, errRecord
			}
			data = data[n:]
			if tag&7 == 2 {
				if num > uint64(len(data)) {
					return f, errRecord
				}
				blob, data = data[:num:num], data[num:]
			}
		case 1, 5:
			size := 8 >> (tag & 4 >> 2)
			if len(data) < size {
				return f, errRecord
			}
			data = data[size:]
		default:
			return f, errRecord
		}
		switch tag {
		case 1<<3 | 2:
			f.key = blob
		case 2 << 3:
			f.created = int64(num)
		case 3 << 3:
			f.mod = int64(num)
		case 4 << 3:
			f.version = int64(num)
		case 5<<3 | 2:
			f.value = blob
		case 6 << 3:
			f.lease = int64(num)
		}
	}
	return f, nil
}

// fill makes kv of the fields. The key's bytes are the index's own; the value
// is copied behind arena, since the bucket's memory may go away under an
// answer. It returns the arena.
func (f *fields) fill(kv *pb.KeyValue, key, arena []byte) []byte {
	kv.Key = key
	if n := len(f.value); n > 0 {
		arena = append(arena, f.value...)
		kv.Value = arena[len(arena)-n : len(arena) : len(arena)]
	}
	kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease = f.created, f.mod, f.version, f.lease
	return arena
}

// record marshals kv behind its revision, so that a write makes one allocation
// for both the bucket's key and its value.
func record(rev Revision, dead bool, kv *pb.KeyValue) (key, value []byte) {
	size := kv.SizeVT()
	n := revisionBytes
	if dead {
		n = tombstoneBytes
	}
	buf := make([]byte, n+size)
	AppendRevision(buf[:0], rev)
	if dead {
		buf[revisionBytes] = tombstoneMark
	}
	_, err := kv.MarshalToSizedBufferVT(buf[n:])
	invariant.Assert(err == nil, "mvcc: a pair cannot be encoded") // it has plain fields only
	return buf[:n:n], buf[n:]
}
