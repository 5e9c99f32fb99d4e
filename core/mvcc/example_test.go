package mvcc_test

import (
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

func Example() {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		panic(err)
	}
	s, err := mvcc.Open(b, nil, nil)
	if err != nil {
		panic(err)
	}
	batch := backend.NewBatch()
	for i, value := range []string{"1", "2"} {
		batch.Reset(backend.Applied{Index: uint64(i + 1), Term: 1})
		w := s.Begin(batch, false)
		if _, err := w.Put(&pb.PutRequest{Key: []byte("a"), Value: []byte(value)}); err != nil {
			panic(err)
		}
		change := w.End()
		b.Write(batch)
		fmt.Println("revision", change.Rev, change.Events[0].Type)
	}
	for _, rev := range []int64{0, 2} {
		resp, err := s.Range(&pb.RangeRequest{Key: []byte("a"), Revision: rev})
		if err != nil {
			panic(err)
		}
		kv := resp.Kvs[0]
		fmt.Printf("%s=%s created %d, modified %d, version %d\n", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision,
			kv.Version)
	}
	// Output:
	// revision 2 PUT
	// revision 3 PUT
	// a=2 created 2, modified 3, version 2
	// a=1 created 2, modified 2, version 1
}
