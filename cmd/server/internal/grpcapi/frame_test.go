package grpcapi

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc/mem"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// respond lets a hub make the responses for events with values of the given sizes, all of one revision.
func respond(sizes []int) []*watch.Response {
	hub := watch.NewHub(watch.Config{}, nil)
	hub.Reset(0, 1, 0)
	hub.Open(1)
	create := &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l")}
	hub.Request(0, 1, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	change := mvcc.Change{Rev: 2}
	for i, n := range sizes {
		kv := &pb.KeyValue{Key: fmt.Appendf(nil, "k%04d", i), Value: bytes.Repeat([]byte{byte(i)}, n), CreateRevision: 2,
			ModRevision: 2, Version: 1}
		change.Events = append(change.Events, mvcc.Event{Event: &pb.Event{Kv: kv}})
	}
	hub.Publish(0, []mvcc.Change{change}, 2, 0)
	var responses []*watch.Response
	pushes, _ := hub.Drain(nil, nil)
	for _, p := range pushes {
		responses = append(responses, p.Response)
	}
	return responses
}

// A frame has the bytes of the response, however its events are cut, and large events are not copied.
func TestFrameIsTheResponse(t *testing.T) {
	header := &pb.ResponseHeader{ClusterId: 1 << 60, MemberId: 1 << 50, RaftTerm: 7}
	pool := mem.DefaultBufferPool()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var sizes []int
		for range 1 + r.IntN(40) {
			sizes = append(sizes, []int{1 + r.IntN(50), r.IntN(2 * sharedBytes), sharedBytes + r.IntN(100_000)}[r.IntN(3)])
		}
		for _, response := range respond(sizes) {
			want := response.AppendWire(nil, header)
			f := frameOf(pool, response, header)
			if got := f.data.Materialize(); !bytes.Equal(got, want) || f.size != len(want) {
				t.Fatalf("sizes %d: %d bytes, want %d", sizes, f.size, len(want))
			}
			f.data.Free()
		}
	}
	large := respond([]int{1_000_000})
	first, second := frameOf(pool, large[1], header), frameOf(pool, large[1], header)
	if a, b := first.data[1].ReadOnlyData(), second.data[1].ReadOnlyData(); &a[0] != &b[0] {
		t.Error("a large event is copied for each client")
	}
}
