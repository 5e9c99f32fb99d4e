package checkup

import (
	"bytes"
	"errors"

	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/vfs"
)

// WrongPair is a write that changes the value of one of the live pairs in a database, behind the back of whoever keeps
// it: a page that was written by somebody else, and whose checksum is right. The bits say which; false = none of the
// pairs is there yet.
func WrongPair(db backend.StoreView, live []*pb.KeyValue, bits uint64) (op backend.Op, ok bool) {
	var all []backend.Op
	db.Range(backend.Key, nil, nil, func(k, v []byte) bool {
		kv := new(pb.KeyValue)
		if kv.UnmarshalVT(v) != nil || !among(live, kv) {
			return true
		}
		kv.Value = bytes.Clone(kv.Value)
		if len(kv.Value) == 0 {
			kv.Value = []byte{0}
		}
		kv.Value[bits>>32%uint64(len(kv.Value))] ^= 1 << (bits >> 16 % 8)
		if data, err := kv.MarshalVT(); err == nil {
			all = append(all, backend.Op{Bucket: backend.Key, Key: bytes.Clone(k), Value: data})
		}
		return true
	})
	if len(all) == 0 {
		return op, false
	}
	return all[bits%uint64(len(all))], true
}

func among(live []*pb.KeyValue, kv *pb.KeyValue) bool {
	for _, l := range live {
		if l.ModRevision == kv.ModRevision && bytes.Equal(l.Key, kv.Key) {
			return true
		}
	}
	return false
}

// Rewrite performs a write on a database that no process has open.
func Rewrite(disk vfs.FS, path string, op backend.Op) error {
	db, err := backend.OpenMemFile(disk, path)
	if err != nil {
		return err
	}
	return errors.Join(db.Commit([]backend.Op{op}), db.Close())
}
