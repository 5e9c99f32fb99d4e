package api

import (
	"errors"
	"fmt"
	"testing"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

func b(s string) []byte { return []byte(s) }

func put(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: b(key)}}}
}

func del(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &pb.DeleteRangeRequest{Key: b(key), RangeEnd: b(end)},
	}}
}

func rng(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func nested(then, otherwise []*pb.RequestOp) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: then, Failure: otherwise}}}
}

func ops(list ...*pb.RequestOp) []*pb.RequestOp { return list }

func txn(list ...*pb.RequestOp) *pb.TxnRequest { return &pb.TxnRequest{Success: list} }

// deep nests n txns, each with one put besides.
func deep(n int) *pb.TxnRequest {
	t := txn(put("k0"))
	for i := range n {
		t = txn(put(fmt.Sprint("k", i+1)), &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: t}})
	}
	return t
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		body any
		want error
	}{
		{"range", &pb.RangeRequest{Key: b("a")}, nil},
		{"range without a key", &pb.RangeRequest{}, ErrEmptyKey},
		{"range in no order", &pb.RangeRequest{Key: b("a"), SortOrder: 7}, ErrInvalidSortOption},
		{"range by nothing", &pb.RangeRequest{Key: b("a"), SortTarget: -1}, ErrInvalidSortOption},
		{"inverted range", &pb.RangeRequest{Key: b("b"), RangeEnd: b("a")}, nil},
		{"put", &pb.PutRequest{Key: b("a")}, nil},
		{"put without a key", &pb.PutRequest{Value: b("v")}, ErrEmptyKey},
		{"put that ignores its value", &pb.PutRequest{Key: b("a"), Value: b("v"), IgnoreValue: true}, ErrValueProvided},
		{"put that ignores its lease", &pb.PutRequest{Key: b("a"), Lease: 1, IgnoreLease: true}, ErrLeaseProvided},
		{"delete without a key", &pb.DeleteRangeRequest{RangeEnd: b("z")}, ErrEmptyKey},
		{"compare without a key", &pb.TxnRequest{Compare: []*pb.Compare{{}}}, ErrEmptyKey},
		{"empty operation", txn(&pb.RequestOp{}), ErrKeyNotFound},
		{"no operation", txn(nil), ErrKeyNotFound},
		{"operation without a request", txn(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{}}), ErrEmptyKey},
		{"bad range in a txn", txn(rng(&pb.RangeRequest{})), ErrEmptyKey},
		{"empty txn", txn(), nil},
		{"as many operations as allowed", txn(put("1"), put("2"), put("3"), put("4")), nil},
		{"one more", txn(put("1"), put("2"), put("3"), put("4"), put("5")), ErrTooManyOps},
		{"nested as deep as allowed", deep(1), nil},
		{"one level more", deep(2), ErrTooManyOps},

		{"a key twice", txn(put("a"), put("a")), ErrDuplicateKey},
		{"a key in both branches", &pb.TxnRequest{Success: ops(put("a")), Failure: ops(put("a"))}, nil},
		{"put and delete", txn(put("a"), del("a", "")), ErrDuplicateKey},
		{"delete and put", txn(del("a", ""), put("a")), ErrDuplicateKey},
		{"put in a deleted range", txn(del("a", "c"), put("b")), ErrDuplicateKey},
		{"put at the end of a deleted range", txn(del("a", "c"), put("c")), nil},
		{"put after everything from a key on was deleted", txn(del("a", "\x00"), put("b")), nil}, // as etcd
		{"deletes may overlap", txn(del("a", "c"), del("b", "d")), nil},
		{"the same key in both branches of a nested txn", txn(nested(ops(put("a")), ops(put("a")))), nil},
		{"a key beside a nested txn", txn(put("a"), nested(ops(put("a")), nil)), ErrDuplicateKey},
		{"a key beside a nested else", txn(put("a"), nested(nil, ops(put("a")))), ErrDuplicateKey},
		{"a key in two nested txns", txn(nested(ops(put("a")), nil), nested(nil, ops(put("a")))), ErrDuplicateKey},
		{"a nested delete and a put above", txn(put("a"), nested(ops(del("a", "")), nil)), ErrDuplicateKey},
		{"a nested put and a delete above", txn(del("a", "b"), nested(nil, ops(put("a")))), ErrDuplicateKey},
		{"both branches put what is deleted above", txn(del("a", ""), nested(ops(put("a")), ops(put("a")))), ErrDuplicateKey},
		{"a nested delete before a sibling's put", txn(nested(ops(del("a", "")), nil), nested(ops(put("a")), nil)),
			ErrDuplicateKey},
		{"a nested delete after a sibling's put", txn(nested(ops(put("a")), nil), nested(ops(del("a", "")), nil)), nil},
		{"nothing", nil, ErrUnknownMethod},
	} {
		if got := Validate(c.body, 4); !errors.Is(got, c.want) && (got != nil || c.want != nil) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestValidateStream(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *pb.RangeRequest
		want error
	}{
		{"plain", &pb.RangeRequest{Key: b("a")}, nil},
		{"key order", &pb.RangeRequest{Key: b("a"), SortOrder: pb.RangeRequest_ASCEND}, nil},
		{"no order by value", &pb.RangeRequest{Key: b("a"), SortTarget: pb.RangeRequest_VALUE}, nil},
		{"descending", &pb.RangeRequest{Key: b("a"), SortOrder: pb.RangeRequest_DESCEND}, ErrStreamSortOrder},
		{"by value", &pb.RangeRequest{Key: b("a"), SortOrder: pb.RangeRequest_ASCEND, SortTarget: pb.RangeRequest_VALUE},
			ErrStreamSortOrder},
		{"filtered", &pb.RangeRequest{Key: b("a"), MinModRevision: 1}, ErrStreamFilters},
		{"without a key", &pb.RangeRequest{}, ErrEmptyKey},
	} {
		got := Gate{}.Admit(&Call{Operation: RangeStream, Body: c.r})
		if (got == nil) != (c.want == nil) || got != nil && !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestReadOnly(t *testing.T) {
	linear, local := rng(&pb.RangeRequest{Key: b("a")}), rng(&pb.RangeRequest{Key: b("a"), Serializable: true})
	for _, c := range []struct {
		name                   string
		r                      *pb.TxnRequest
		readOnly, serializable bool
	}{
		{"ranges", txn(local, linear), true, false},
		{"serializable ranges", txn(local, local), true, true},
		{"a range in the other branch", &pb.TxnRequest{Success: ops(local), Failure: ops(linear)}, true, false},
		{"a put", txn(local, put("a")), false, false},
		{"a nested txn of ranges", txn(nested(ops(local), nil)), false, false}, // goes through the log, as in etcd
		{"compares alone", &pb.TxnRequest{Compare: []*pb.Compare{{Key: b("a")}}}, true, true},
	} {
		if got := pb.ReadOnly(c.r); got != c.readOnly {
			t.Errorf("%s: read-only %v", c.name, got)
		}
		if got := pb.Serializable(c.r); got != c.serializable {
			t.Errorf("%s: serializable %v", c.name, got)
		}
	}
}

func TestAsError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want *Error
	}{
		{mvcc.ErrCompacted, ErrCompacted},
		{fmt.Errorf("wrapped: %w", mvcc.ErrFutureRev), ErrFutureRev},
		{ErrNoLeader, ErrNoLeader},
	} {
		if got := AsError(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
	if got := AsError(errors.New("something else")); got.Code != Unknown || got.Text != "something else" {
		t.Errorf("an unknown error: %v", got)
	}
	if AsError(nil) != nil {
		t.Error("no error has become one")
	}
}

func TestFinish(t *testing.T) {
	h := Header{ClusterID: 1, MemberID: 2, RaftTerm: 3, Revision: 4}
	r, err := Range.finish(&pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 9}}, h, nil)
	if got := r.(*pb.RangeResponse).Header; err != nil || got.Revision != 9 || got.ClusterId != 1 || got.MemberId != 2 ||
		got.RaftTerm != 3 {
		t.Errorf("header %v, %v", got, err)
	}
	r, _ = Status.finish(&pb.StatusResponse{}, h, nil)
	if got := r.(*pb.StatusResponse).Header; got.Revision != 4 {
		t.Errorf("header %v", got)
	}
	if r, err := Put.finish(nil, h, mvcc.ErrCompacted); r != nil || !errors.Is(err, ErrCompacted) {
		t.Errorf("%v, %v", r, err)
	}
}

func FuzzValidate(f *testing.F) {
	for _, t := range []*pb.TxnRequest{txn(put("a"), put("a")), deep(3),
		txn(nested(ops(del("a", "b")), ops(put("a"))), rng(nil))} {
		data, _ := t.MarshalVT()
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &pb.TxnRequest{}
		if r.UnmarshalVT(data) != nil {
			return
		}
		err := Validate(r, 128)
		if err == nil && len(r.Success) > 128 {
			t.Error("too many operations")
		}
		if err == nil && pb.ReadOnly(r) {
			for _, op := range r.Success {
				if op.GetRequestRange() == nil {
					t.Error("a read-only txn has an operation that is no range")
				}
			}
		}
	})
}
