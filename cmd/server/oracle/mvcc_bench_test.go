package oracle

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/txn"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

const benchKeys = 100_000

func benchKey(i int) []byte { return fmt.Appendf(nil, "/registry/pods/%08d", i%benchKeys) }

// benchRequests is what both stores are asked; etcd gets its twin.
func benchRequests(kind string) []proto.Message {
	var all []proto.Message
	for i := range 1000 {
		key := benchKey(i * 7919)
		switch kind {
		case "put":
			all = append(all, &pb.PutRequest{Key: key, Value: make([]byte, 256)})
		case "get":
			all = append(all, &pb.RangeRequest{Key: key})
		case "range100":
			from := i * 99 % (benchKeys - 100)
			all = append(all, &pb.RangeRequest{Key: benchKey(from), RangeEnd: benchKey(from + 100)})
		}
	}
	return all
}

// BenchmarkStores runs the stores alone, both on bbolt, without fsync: no
// server, no raft, no WAL.
func BenchmarkStores(b *testing.B) {
	for _, kind := range []string{"put", "get", "range100"} {
		reqs := benchRequests(kind)
		b.Run(kind+"/vitrine", func(b *testing.B) { benchOurs(b, reqs) })
		b.Run(kind+"/etcd", func(b *testing.B) { benchTheirs(b, reqs) })
	}
}

func benchOurs(b *testing.B, reqs []proto.Message) {
	db, err := bolt.Open(b.TempDir()+"/db", bolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	be, err := backend.New(db)
	if err != nil {
		b.Fatal(err)
	}
	defer be.Close()
	s, err := mvcc.Open(be, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	batch, index := backend.NewBatch(), uint64(0)
	put := func(r *pb.PutRequest) {
		index++
		batch.Reset(backend.Applied{Index: index, Term: 1})
		w := s.Begin(batch, false)
		if _, err := w.Put(r); err != nil {
			b.Fatal(err)
		}
		w.End()
		be.Write(batch)
		if be.Pending() >= 10_000 {
			if err := be.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := range benchKeys {
		put(&pb.PutRequest{Key: benchKey(i), Value: make([]byte, 256)})
	}
	be.Flush()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		switch r := reqs[i%len(reqs)].(type) {
		case *pb.PutRequest:
			put(r)
		case *pb.RangeRequest:
			if resp, err := s.Range(r); err != nil || resp.Count == 0 {
				b.Fatal(resp, err)
			}
		}
	}
}

func benchTheirs(b *testing.B, reqs []proto.Message) {
	e := newTheirs(b)
	twins := make([]proto.Message, len(reqs))
	for i, r := range reqs {
		switch r.(type) {
		case *pb.PutRequest:
			twins[i] = cross(b, r, &etcdpb.PutRequest{})
		case *pb.RangeRequest:
			twins[i] = cross(b, r, &etcdpb.RangeRequest{})
		}
	}
	for i := range benchKeys {
		e.ask(&etcdpb.PutRequest{Key: benchKey(i), Value: make([]byte, 256)})
	}
	e.kv.Commit()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := e.ask(twins[i%len(twins)]); err != nil {
			b.Fatal(err)
		}
	}
}

func (e *theirs) ask(req proto.Message) (err error) {
	switch r := req.(type) {
	case *etcdpb.PutRequest:
		_, _, err = txn.Put(context.Background(), zap.NewNop(), e.lessor, e.kv, r)
	case *etcdpb.RangeRequest:
		_, _, err = txn.Range(context.Background(), zap.NewNop(), e.kv, r, true)
	}
	return err
}
