package store_test

import (
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/store"

	"go.etcd.io/raft/v3/raftpb"
)

func ExampleStore() {
	b, _ := backend.New(backend.NewMem())
	s, err := store.Open(b, store.Config{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	request := &pb.InternalRaftRequest{
		Header: &pb.RequestHeader{ID: 42},
		Put:    &pb.PutRequest{Key: []byte("k"), Value: []byte("v")},
	}
	data, _ := request.MarshalVT()
	index, term := uint64(1), uint64(1)

	for range 2 { // the second time it is applied already
		r := s.Apply(store.ApplyContext{}, []*raftpb.Entry{{Index: &index, Term: &term, Data: data}})
		for _, o := range r.Outcomes {
			fmt.Println("request", o.ID, "revision", o.Response.(*pb.PutResponse).Header.Revision, o.Err)
		}
		fmt.Println("applied", s.Backend.Applied().Index, "revision", r.Revision)
	}
	// Output:
	// request 42 revision 2 <nil>
	// applied 1 revision 2
	// applied 1 revision 2
}
