package history_test

import (
	"fmt"
	"strings"

	"vitrine/core/check/history"
	"vitrine/core/pb"
)

// A read that was told an older revision than a write that had returned before
// it began: no order explains that.
func ExampleHistory() {
	h := history.New(nil)
	header := func(rev int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: rev} }
	put := h.Invoke(1, 10, &pb.PutRequest{Key: []byte("k"), Value: []byte("v")})
	h.Return(put, 20, &pb.PutResponse{Header: header(2)}, nil)
	get := h.Invoke(2, 30, &pb.RangeRequest{Key: []byte("k")})
	h.Return(get, 40, &pb.RangeResponse{Header: header(1)}, nil)
	first, second, _ := strings.Cut(h.Check().Error(), " and ")
	fmt.Println(first)
	fmt.Println(second)
	// Output:
	// invariant I16 violated: operation 0 (put "k" = "v") is at revision 2
	// operation 1 (get "k".."" rev 0) at 1, but in time they are the other way round
}
