package model

import (
	"fmt"
	"strings"
	"testing"

	"vitrine/core/pb"
)

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func get(key, end string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func op(request any) *pb.RequestOp {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
	case *pb.PutRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
	case *pb.DeleteRangeRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
	case *pb.TxnRequest:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}
	}
	return &pb.RequestOp{}
}

func ops(requests ...any) (out []*pb.RequestOp) {
	for _, r := range requests {
		out = append(out, op(r))
	}
	return out
}

func with(r *pb.RangeRequest, set func(*pb.RangeRequest)) *pb.RangeRequest {
	set(r)
	return r
}

// show writes a response in a few characters: revision, then what it carries.
func show(response any) string {
	pairs := func(kvs []*pb.KeyValue) string {
		var out []string
		for _, kv := range kvs {
			s := fmt.Sprintf("%s=%s@%d/%d/%d", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version)
			if kv.Lease != 0 {
				s += fmt.Sprintf("+%d", kv.Lease)
			}
			out = append(out, s)
		}
		return strings.Join(out, " ")
	}
	switch r := response.(type) {
	case *pb.RangeResponse:
		more := ""
		if r.More {
			more = "+"
		}
		return fmt.Sprintf("r%d range %d%s [%s]", r.Header.GetRevision(), r.Count, more, pairs(r.Kvs))
	case *pb.PutResponse:
		prev := ""
		if r.PrevKv != nil {
			prev = " was " + pairs([]*pb.KeyValue{r.PrevKv})
		}
		return fmt.Sprintf("r%d put%s", r.Header.GetRevision(), prev)
	case *pb.DeleteRangeResponse:
		return fmt.Sprintf("r%d deleted %d [%s]", r.Header.GetRevision(), r.Deleted, pairs(r.PrevKvs))
	case *pb.CompactionResponse:
		return fmt.Sprintf("r%d compacted", r.Header.GetRevision())
	case *pb.LeaseGrantResponse:
		return fmt.Sprintf("r%d lease %d", r.Header.GetRevision(), r.ID)
	case *pb.LeaseRevokeResponse:
		return fmt.Sprintf("r%d revoked", r.Header.GetRevision())
	case *pb.TxnResponse:
		var parts []string
		for _, o := range r.Responses {
			switch u := o.Response.(type) {
			case *pb.ResponseOp_ResponseRange:
				parts = append(parts, show(u.ResponseRange))
			case *pb.ResponseOp_ResponsePut:
				parts = append(parts, show(u.ResponsePut))
			case *pb.ResponseOp_ResponseDeleteRange:
				parts = append(parts, show(u.ResponseDeleteRange))
			case *pb.ResponseOp_ResponseTxn:
				parts = append(parts, show(u.ResponseTxn))
			}
		}
		return fmt.Sprintf("r%d txn %v {%s}", r.Header.GetRevision(), r.Succeeded, strings.Join(parts, "; "))
	}
	return fmt.Sprint(response)
}

func ask(s *State, request any) string {
	response, err := s.Apply(request)
	if err != nil {
		return err.Error()
	}
	return show(response)
}

type step struct {
	request any
	want    string
}

func run(t *testing.T, steps []step) *State {
	t.Helper()
	s := New()
	for i, st := range steps {
		if got := ask(s, st.request); got != st.want {
			t.Errorf("step %d, %T %v:\n got %s\nwant %s", i, st.request, st.request, got, st.want)
		}
	}
	return s
}

func TestPutGetDelete(t *testing.T) {
	prev := put("a", "3")
	prev.PrevKv = true
	gone := del("a", "c")
	gone.PrevKv = true
	run(t, []step{
		{get("a", ""), "r1 range 0 []"},
		{put("a", "1"), "r2 put"},
		{put("b", "1"), "r3 put"},
		{put("a", "2"), "r4 put"},
		{prev, "r5 put was a=2@2/4/2"},
		{get("a", "c"), "r5 range 2 [a=3@2/5/3 b=1@3/3/1]"},
		{get("a", "\x00"), "r5 range 2 [a=3@2/5/3 b=1@3/3/1]"},
		{get("b", "a"), "r5 range 0 []"},
		{del("x", ""), "r5 deleted 0 []"},
		{gone, "r6 deleted 2 [a=3@2/5/3 b=1@3/3/1]"},
		{get("\x00", "\x00"), "r6 range 0 []"},
		{put("a", "4"), "r7 put"},
		{get("a", ""), "r7 range 1 [a=4@7/7/1]"},
		{with(get("a", "c"), func(r *pb.RangeRequest) { r.Revision = 3 }), "r7 range 2 [a=1@2/2/1 b=1@3/3/1]"},
		{with(get("a", ""), func(r *pb.RangeRequest) { r.Revision = 8 }), string(ErrFutureRev)},
		{with(get("a", ""), func(r *pb.RangeRequest) { r.Revision = -8 }), "r7 range 1 [a=4@7/7/1]"},
	})
}

func TestRangeOptions(t *testing.T) {
	all := func(set func(*pb.RangeRequest)) *pb.RangeRequest { return with(get("\x00", "\x00"), set) }
	run(t, []step{
		{put("c", "x"), "r2 put"}, {put("a", "z"), "r3 put"}, {put("b", "y"), "r4 put"}, {put("c", "w"), "r5 put"},
		{all(func(r *pb.RangeRequest) { r.Limit = 2 }), "r5 range 3+ [a=z@3/3/1 b=y@4/4/1]"},
		{all(func(r *pb.RangeRequest) { r.Limit = 3 }), "r5 range 3 [a=z@3/3/1 b=y@4/4/1 c=w@2/5/2]"},
		{all(func(r *pb.RangeRequest) { r.CountOnly, r.Limit = true, 1 }), "r5 range 3 []"},
		{all(func(r *pb.RangeRequest) { r.KeysOnly = true }), "r5 range 3 [a=@3/3/1 b=@4/4/1 c=@2/5/2]"},
		{all(func(r *pb.RangeRequest) { r.SortOrder, r.Limit = pb.RangeRequest_DESCEND, 1 }), "r5 range 3+ [c=w@2/5/2]"},
		{all(func(r *pb.RangeRequest) { r.SortTarget = pb.RangeRequest_VALUE }),
			"r5 range 3 [c=w@2/5/2 b=y@4/4/1 a=z@3/3/1]"},
		{all(func(r *pb.RangeRequest) { r.SortTarget, r.SortOrder = pb.RangeRequest_MOD, pb.RangeRequest_DESCEND }),
			"r5 range 3 [c=w@2/5/2 b=y@4/4/1 a=z@3/3/1]"},
		{all(func(r *pb.RangeRequest) { r.SortTarget, r.SortOrder = pb.RangeRequest_CREATE, pb.RangeRequest_ASCEND }),
			"r5 range 3 [c=w@2/5/2 a=z@3/3/1 b=y@4/4/1]"},
		{all(func(r *pb.RangeRequest) { r.SortTarget, r.SortOrder = pb.RangeRequest_VERSION, pb.RangeRequest_DESCEND }),
			"r5 range 3 [c=w@2/5/2 a=z@3/3/1 b=y@4/4/1]"},
		// A target without an order sorts the first limit+1 keys only.
		{all(func(r *pb.RangeRequest) { r.SortTarget, r.Limit = pb.RangeRequest_CREATE, 1 }), "r5 range 3+ [a=z@3/3/1]"},
		{all(func(r *pb.RangeRequest) { r.MinModRevision = 4 }), "r5 range 3 [b=y@4/4/1 c=w@2/5/2]"},
		{all(func(r *pb.RangeRequest) { r.MaxModRevision, r.Limit = 4, 1 }), "r5 range 3+ [a=z@3/3/1]"},
		{all(func(r *pb.RangeRequest) { r.MinCreateRevision, r.MaxCreateRevision = 3, 3 }), "r5 range 3 [a=z@3/3/1]"},
		{all(func(r *pb.RangeRequest) { r.SortOrder = 7 }), string(ErrInvalidSort)},
		{&pb.RangeRequest{}, string(ErrEmptyKey)},
	})
}

func TestPutRefusals(t *testing.T) {
	keepValue := &pb.PutRequest{Key: []byte("a"), IgnoreValue: true}
	keepLease := &pb.PutRequest{Key: []byte("a"), Value: []byte("2"), IgnoreLease: true}
	leased := put("a", "1")
	leased.Lease = 7
	run(t, []step{
		{put("", ""), string(ErrEmptyKey)},
		{&pb.PutRequest{Key: []byte("a"), Value: []byte("1"), IgnoreValue: true}, string(ErrValueProvided)},
		{&pb.PutRequest{Key: []byte("a"), Lease: 1, IgnoreLease: true}, string(ErrLeaseProvided)},
		{keepValue, string(ErrKeyNotFound)},
		{keepLease, string(ErrKeyNotFound)},
		{leased, string(ErrLeaseNotFound)},
		{&pb.LeaseGrantRequest{ID: 7, TTL: 10}, "r1 lease 7"},
		{&pb.LeaseGrantRequest{ID: 7, TTL: 10}, string(ErrLeaseExist)},
		{&pb.LeaseGrantRequest{ID: 8, TTL: 9_000_000_001}, string(ErrLeaseTTL)},
		{leased, "r2 put"},
		{keepLease, "r3 put"},
		{get("a", ""), "r3 range 1 [a=2@2/3/2+7]"},
		{keepValue, "r4 put"},
		{get("a", ""), "r4 range 1 [a=2@2/4/3]"},
		{leased, "r5 put"},
		{put("b", "stays"), "r6 put"},
		{&pb.LeaseRevokeRequest{ID: 7}, "r7 revoked"},
		{get("\x00", "\x00"), "r7 range 1 [b=stays@6/6/1]"},
		{&pb.LeaseRevokeRequest{ID: 7}, string(ErrLeaseNotFound)},
		{&pb.LeaseGrantRequest{ID: 9, TTL: 10}, "r7 lease 9"},
		{&pb.LeaseRevokeRequest{ID: 9}, "r7 revoked"},
	})
}

func TestTxn(t *testing.T) {
	version := func(key string, result pb.Compare_CompareResult, n int64) *pb.Compare {
		return &pb.Compare{Key: []byte(key), Target: pb.Compare_VERSION, Result: result,
			TargetUnion: &pb.Compare_Version{Version: n}}
	}
	value := func(key, end string, result pb.Compare_CompareResult, v string) *pb.Compare {
		return &pb.Compare{Key: []byte(key), RangeEnd: []byte(end), Target: pb.Compare_VALUE, Result: result,
			TargetUnion: &pb.Compare_Value{Value: []byte(v)}}
	}
	create := []*pb.Compare{version("a", pb.Compare_EQUAL, 0)}
	past := with(get("a", ""), func(r *pb.RangeRequest) { r.Revision = 2 })
	future := with(get("a", ""), func(r *pb.RangeRequest) { r.Revision = 4 })
	run(t, []step{
		{&pb.TxnRequest{}, "r1 txn true {}"},
		{&pb.TxnRequest{Compare: create, Success: ops(put("a", "1")), Failure: ops(get("a", ""))}, "r2 txn true {r2 put}"},
		{&pb.TxnRequest{Compare: create, Success: ops(put("a", "1")), Failure: ops(get("a", ""))},
			"r2 txn false {r2 range 1 [a=1@2/2/1]}"},
		{&pb.TxnRequest{Success: ops(get("a", ""), put("b", "2"), get("a", "z"), del("a", ""), get("a", "z"), past)},
			"r3 txn true {r2 range 1 [a=1@2/2/1]; r3 put; r3 range 2 [a=1@2/2/1 b=2@3/3/1]; r3 deleted 1 []; " +
				"r3 range 1 [b=2@3/3/1]; r3 range 1 [a=1@2/2/1]}"},
		{&pb.TxnRequest{Success: ops(put("c", "1"), future)}, string(ErrFutureRev)},
		{get("c", ""), "r3 range 0 []"},
		// Compares of nested transactions look at the state before the outer one.
		{&pb.TxnRequest{Success: ops(put("c", "1"),
			&pb.TxnRequest{Compare: []*pb.Compare{version("c", pb.Compare_GREATER, 0)}, Success: ops(del("b", "")),
				Failure: ops(put("d", "1"))})},
			"r4 txn true {r4 put; r0 txn false {r4 put}}"},
		{&pb.TxnRequest{Compare: []*pb.Compare{value("nothing", "", pb.Compare_NOT_EQUAL, "x")}}, "r4 txn false {}"},
		{&pb.TxnRequest{Compare: []*pb.Compare{value("c", "e", pb.Compare_EQUAL, "1")}}, "r4 txn true {}"},
		{&pb.TxnRequest{Compare: []*pb.Compare{value("b", "e", pb.Compare_LESS, "2")}}, "r4 txn false {}"},
		{&pb.TxnRequest{Compare: []*pb.Compare{version("nothing", pb.Compare_LESS, 1)}}, "r4 txn true {}"},
		{&pb.TxnRequest{Success: []*pb.RequestOp{{}}}, string(ErrKeyNotFound)},
		{&pb.TxnRequest{Compare: []*pb.Compare{{}}}, string(ErrEmptyKey)},
		{&pb.TxnRequest{Success: ops(put("x", "1"), put("x", "2"))}, string(ErrDuplicateKey)},
		{&pb.TxnRequest{Failure: ops(put("x", "1"), del("a", "z"))}, string(ErrDuplicateKey)},
		{&pb.TxnRequest{Success: ops(del("a", "z"), del("b", ""))}, "r5 txn true {r5 deleted 3 []; r5 deleted 0 []}"},
		{&pb.TxnRequest{Success: ops(&pb.TxnRequest{Success: ops(put("x", "1")), Failure: ops(put("x", "2"))})},
			"r6 txn true {r0 txn true {r6 put}}"},
		{&pb.TxnRequest{Success: ops(put("x", "1"), &pb.TxnRequest{Failure: ops(put("x", "2"))})}, string(ErrDuplicateKey)},
		{&pb.TxnRequest{Success: ops(put("x", "1"), &pb.TxnRequest{Failure: ops(del("w", "y"))})}, string(ErrDuplicateKey)},
	})
}

func TestTxnSize(t *testing.T) {
	many := func(n int) (out []*pb.RequestOp) {
		for range n {
			out = append(out, op(get("a", "")))
		}
		return out
	}
	nested := func(outer, inner int) *pb.TxnRequest {
		return &pb.TxnRequest{Success: append(many(outer-1), op(&pb.TxnRequest{Failure: many(inner)}))}
	}
	for _, c := range []struct {
		request *pb.TxnRequest
		want    error
	}{
		{&pb.TxnRequest{Success: many(128), Failure: many(128)}, nil},
		{&pb.TxnRequest{Success: many(129)}, ErrTooManyOps},
		{nested(100, 28), nil},
		{nested(100, 29), ErrTooManyOps},
	} {
		if err := Validate(c.request, 128); err != c.want {
			t.Errorf("%d operations: %v, want %v", len(c.request.Success), err, c.want)
		}
	}
}

func TestCompact(t *testing.T) {
	at := func(rev int64) *pb.RangeRequest {
		return with(get("\x00", "\x00"), func(r *pb.RangeRequest) { r.Revision = rev })
	}
	compact := func(rev int64) *pb.CompactionRequest { return &pb.CompactionRequest{Revision: rev} }
	s := run(t, []step{
		{put("a", "1"), "r2 put"}, {put("b", "1"), "r3 put"}, {put("a", "2"), "r4 put"}, {del("b", ""), "r5 deleted 1 []"},
		{put("a", "3"), "r6 put"},
		{compact(7), string(ErrFutureRev)},
		{compact(5), "r6 compacted"},
		{compact(5), string(ErrCompacted)},
		{at(4), string(ErrCompacted)},
		{at(5), "r6 range 1 [a=2@2/4/2]"},
		{at(6), "r6 range 1 [a=3@2/6/3]"},
		{&pb.TxnRequest{Success: ops(at(-1))}, string(ErrCompacted)},
		{put("b", "2"), "r7 put"},
		{at(0), "r7 range 2 [a=3@2/6/3 b=2@7/7/1]"},
	})
	var history []string
	s.History(func(key string, rev, sub int64, kv *pb.KeyValue) bool {
		history = append(history, fmt.Sprintf("%s@%d.%d %t", key, rev, sub, kv != nil))
		return true
	})
	if got, want := strings.Join(history, ", "), "a@4.0 true, a@6.0 true, b@7.0 true"; got != want {
		t.Errorf("history %s, want %s", got, want)
	}
}

func TestClonesAreApart(t *testing.T) {
	s := run(t, []step{{put("a", "1"), "r2 put"}})
	c := s.Clone()
	if !s.Equal(c) {
		t.Error("a clone differs")
	}
	if got := ask(c, put("a", "2")); got != "r3 put" {
		t.Error(got)
	}
	if got := ask(s, get("a", "")); got != "r2 range 1 [a=1@2/2/1]" {
		t.Errorf("the original changed: %s", got)
	}
	ask(s, put("a", "3"))
	if s.Equal(c) {
		t.Error("states with different values are equal")
	}
	_, next, err := Apply(s, del("a", ""))
	if err != nil || next.Revision() != 4 || s.Revision() != 3 {
		t.Errorf("Apply changed its argument: %d, %d, %v", s.Revision(), next.Revision(), err)
	}
}

func TestRefusal(t *testing.T) {
	if !Refusal(fmt.Errorf("%s", ErrCompacted)) || Refusal(fmt.Errorf("etcdserver: request timed out")) {
		t.Error("refusals are known by their text")
	}
}

// TestAlarms raises alarms and takes them down, and asks what they let through.
func TestAlarms(t *testing.T) {
	s := New()
	alarm := func(action pb.AlarmRequest_AlarmAction, member uint64, kind pb.AlarmType) int {
		resp, err := s.Apply(&pb.AlarmRequest{Action: action, MemberID: member, Alarm: kind})
		if err != nil {
			t.Fatal(err)
		}
		return len(resp.(*pb.AlarmResponse).Alarms)
	}
	put := &pb.PutRequest{Key: []byte("a")}
	nested := &pb.TxnRequest{Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}},
	}}}}}
	holds := func(request any, want error) {
		t.Helper()
		if _, err := s.Clone().Apply(request); err != want {
			t.Errorf("%T: %v, want %v", request, err, want)
		}
	}
	if n := alarm(pb.AlarmRequest_ACTIVATE, 2, pb.AlarmType_NOSPACE) + alarm(pb.AlarmRequest_ACTIVATE, 2,
		pb.AlarmType_NOSPACE); n != 2 {
		t.Errorf("raised twice: %d answers", n)
	}
	before := s.Clone()
	holds(put, ErrNoSpace)
	holds(nested, ErrNoSpace)
	holds(&pb.DeleteRangeRequest{Key: []byte("a")}, nil)
	holds(&pb.RangeRequest{Key: []byte("a")}, nil)
	alarm(pb.AlarmRequest_ACTIVATE, 1, pb.AlarmType_CORRUPT)
	holds(&pb.DeleteRangeRequest{Key: []byte("a")}, ErrCorrupt)
	holds(&pb.CompactionRequest{Revision: 1}, ErrCorrupt)
	holds(put, ErrCorrupt)
	if all, some := alarm(pb.AlarmRequest_GET, 0, pb.AlarmType_NONE),
		alarm(pb.AlarmRequest_GET, 0, pb.AlarmType_CORRUPT); all != 2 || some != 1 {
		t.Errorf("%d alarms, %d of a kind", all, some)
	}
	if n := alarm(pb.AlarmRequest_DEACTIVATE, 1, pb.AlarmType_CORRUPT) + alarm(pb.AlarmRequest_DEACTIVATE, 1,
		pb.AlarmType_NOSPACE); n != 1 {
		t.Errorf("%d alarms were taken down of one that was up", n)
	}
	alarm(pb.AlarmRequest_DEACTIVATE, 2, pb.AlarmType_NOSPACE)
	holds(put, nil)
	if len(before.Alarms()) != 1 {
		t.Errorf("an older state has %d alarms", len(before.Alarms()))
	}
}
