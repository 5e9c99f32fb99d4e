package watch

import (
	"fmt"
	"testing"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// benchmarkPublish publishes one put at a time to a hub with streams of watchers and writes every response.
func benchmarkPublish(b *testing.B, streams, perStream int, create func(i int) *pb.WatchCreateRequest) {
	h := NewHub(Config{}, nil)
	h.Reset(0, 1, 0)
	header, wire := &pb.ResponseHeader{ClusterId: 1 << 60, MemberId: 1 << 61, RaftTerm: 3}, make([]byte, 0, 4096)
	for s := range streams {
		h.Open(uint64(s + 1))
		for i := range perStream {
			h.Request(0, uint64(s+1),
				&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create(s*perStream + i)}})
		}
	}
	var pushes []Push
	sent := 0
	write := func() {
		for {
			pushes, _ = h.Drain(pushes[:0], nil)
			for _, p := range pushes {
				wire = p.Response.AppendWire(wire[:0], header)
				h.Sent(p.Stream, 1)
			}
			if sent += len(pushes); len(pushes) == 0 {
				return
			}
		}
	}
	write()
	value := make([]byte, 256)
	b.ReportAllocs()
	b.ResetTimer()
	sent = 0
	for i := range b.N {
		rev := int64(i + 2)
		kv := &pb.KeyValue{Key: []byte("/registry/pods/a"), Value: value, CreateRevision: 2, ModRevision: rev, Version: rev}
		h.Publish(0, []mvcc.Change{{Rev: rev, Events: []mvcc.Event{{Event: &pb.Event{Kv: kv}, HasPrev: true, Prev: kv}}}},
			rev, 0)
		write()
	}
	b.ReportMetric(float64(sent)/float64(b.N), "pushes/op")
}

func BenchmarkPublish(b *testing.B) {
	one := func(int) *pb.WatchCreateRequest { return &pb.WatchCreateRequest{Key: []byte("/registry/pods/a")} }
	others := func(i int) *pb.WatchCreateRequest {
		return &pb.WatchCreateRequest{Key: fmt.Appendf(nil, "/registry/%06d/", i),
			RangeEnd: fmt.Appendf(nil, "/registry/%06d0", i)}
	}
	prefix := func(int) *pb.WatchCreateRequest {
		return &pb.WatchCreateRequest{Key: []byte("/registry/"), RangeEnd: []byte("/registry0"), PrevKv: true}
	}
	b.Run("nobody", func(b *testing.B) { benchmarkPublish(b, 0, 0, one) })
	b.Run("one", func(b *testing.B) { benchmarkPublish(b, 1, 1, one) })
	b.Run("10000 others", func(b *testing.B) { benchmarkPublish(b, 100, 100, others) })
	b.Run("1000 of the key", func(b *testing.B) { benchmarkPublish(b, 100, 10, one) })
	b.Run("10000 of the key on one stream", func(b *testing.B) { benchmarkPublish(b, 1, 10_000, one) })
	b.Run("1000 of the prefix with prev", func(b *testing.B) { benchmarkPublish(b, 1000, 1, prefix) })
}
