package check_test

import (
	"fmt"

	"vitrine/core/check"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// A checker listens to the stream and speaks up at the event that breaks a rule.
func ExampleChecker() {
	checker := check.New(check.Options{})
	stream := trace.NewStream(checker)
	checker.OnViolation = check.Report(stream) // the violation becomes an event, too
	for _, e := range []trace.Event{
		{Kind: trace.RoleChanged, Member: 1, Term: 2, A: 2},
		{Kind: trace.RoleChanged, Member: 3, Term: 2, A: 2},
	} {
		stream.Emit(&e)
	}
	fmt.Println(checker.Violations()[0], checker.Holds(check.ElectionSafety), stream.Seq())
	// Output: invariant I1 violated: members 1 and 3 are both leader of term 2 false 3
}

// A read that was told an older revision than a write that had returned before
// it began: no order explains that.
func ExampleHistory() {
	h := check.NewHistory()
	header := func(rev int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: rev} }
	put := h.Invoke(1, 10, &pb.PutRequest{Key: []byte("k"), Value: []byte("v")})
	h.Return(put, 20, &pb.PutResponse{Header: header(2)}, nil)
	get := h.Invoke(2, 30, &pb.RangeRequest{Key: []byte("k")})
	h.Return(get, 40, &pb.RangeResponse{Header: header(1)}, nil)
	fmt.Println(h.Check())
	// Output: invariant I16 violated: operation 0 (put "k" = "v") is at revision 2 and operation 1 (get "k".."" rev 0) at 1, but in time they are the other way round
}
