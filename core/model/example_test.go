package model_test

import (
	"fmt"

	"vitrine/core/model"
	"vitrine/core/pb"
)

func Example() {
	s := model.New()
	create := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("lock"), Target: pb.Compare_VERSION,
			TargetUnion: &pb.Compare_Version{Version: 0}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("lock"),
			Value: []byte("me")}}}},
	}
	for range 2 {
		response, err := s.Apply(create)
		fmt.Println(response.(*pb.TxnResponse).Succeeded, s.Revision(), err)
	}
	_, err := s.Apply(&pb.RangeRequest{Key: []byte("lock"), Revision: 9})
	fmt.Println(err)
	// Output:
	// true 2 <nil>
	// false 2 <nil>
	// etcdserver: mvcc: required revision is a future revision
}
