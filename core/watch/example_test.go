package watch_test

import (
	"fmt"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

func ExampleHub() {
	h := watch.NewHub(watch.Config{}, nil)
	h.Reset(0, 1, 0) // an empty store is at revision 1
	h.Open(7)
	h.Request(0, 7, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c")},
	}})
	h.Publish(0, []mvcc.Change{{Rev: 2, Events: []mvcc.Event{{
		Event: &pb.Event{Kv: &pb.KeyValue{Key: []byte("b"), Value: []byte("1"), CreateRevision: 2, ModRevision: 2,
			Version: 1}},
	}}}}, 2, 0)

	pushes, _ := h.Drain(nil, nil)
	for _, p := range pushes {
		m := p.Response.Message(&pb.ResponseHeader{MemberId: 1})
		fmt.Printf("stream %d watch %d revision %d created %v", p.Stream, m.WatchId, m.Header.Revision, m.Created)
		for _, ev := range m.Events {
			fmt.Printf(" %s=%s", ev.Kv.Key, ev.Kv.Value)
		}
		fmt.Println()
	}
	h.Sent(7, len(pushes))
	// Output:
	// stream 7 watch 0 revision 1 created true
	// stream 7 watch 0 revision 2 created false b=1
}
