package checkup

import (
	"bytes"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// TestWrongPair: one live pair gets another value, under its own key, and can still be read.
func TestWrongPair(t *testing.T) {
	db := backend.NewMem()
	old := &pb.KeyValue{Key: []byte("a"), Value: []byte("1"), CreateRevision: 2, ModRevision: 2, Version: 1}
	live := &pb.KeyValue{Key: []byte("a"), Value: []byte("2"), CreateRevision: 2, ModRevision: 3, Version: 2}
	empty := &pb.KeyValue{Key: []byte("b"), CreateRevision: 4, ModRevision: 4, Version: 1}
	var ops []backend.Op
	for _, kv := range []*pb.KeyValue{old, live, empty} {
		data, err := kv.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		key := mvcc.AppendRevision(nil, mvcc.Revision{Main: kv.ModRevision})
		ops = append(ops, backend.Op{Bucket: backend.Key, Key: key, Value: data})
	}
	if err := db.Commit(ops); err != nil {
		t.Fatal(err)
	}
	view, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := WrongPair(view, nil, 7); ok {
		t.Error("a pair that is not live was chosen")
	}
	chosen := map[string]bool{}
	for bits := range uint64(64) {
		op, ok := WrongPair(view, []*pb.KeyValue{live, empty}, bits*0x9e3779b97f4a7c15)
		kv := new(pb.KeyValue)
		if err := kv.UnmarshalVT(op.Value); err != nil || !ok {
			t.Fatal(err, ok)
		}
		was := live
		if string(kv.Key) == "b" {
			was = empty
		}
		if bytes.Equal(kv.Value, was.Value) || kv.ModRevision != was.ModRevision || kv.Version != was.Version ||
			!bytes.Equal(op.Key, mvcc.AppendRevision(nil, mvcc.Revision{Main: was.ModRevision})) {
			t.Errorf("%v became %v under %x", was, kv, op.Key)
		}
		chosen[string(kv.Key)] = true
	}
	if len(chosen) != 2 {
		t.Errorf("only %v were chosen", chosen)
	}
}
