package api

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vitrine/core/pb"
)

// each calls f with every operation that has a row, and an empty message for it.
func each(f func(o Operation, r *row, body any)) {
	for o := range operations {
		if r := &operations[o]; r.message != nil {
			f(Operation(o), r, reflect.New(r.message.Elem()).Interface())
		}
	}
}

// TestRowsAreComplete: what every operation must say of itself is said, and found again.
func TestRowsAreComplete(t *testing.T) {
	names := map[string]Operation{}
	each(func(o Operation, r *row, body any) {
		if r.name == "" || !strings.HasPrefix(r.method, "/etcdserverpb.") || r.route == nil || r.permission == nil {
			t.Errorf("the row of operation %d lacks something: %+v", o, r)
		}
		for _, name := range []string{o.String(), o.Method()} {
			if other, twice := names[name]; twice {
				t.Errorf("%v and %v have the name %s", o, other, name)
			}
			names[name] = o
		}
		if got := OperationOf(body); got != o && !r.shared {
			t.Errorf("a message of %v is taken for one of %v", o, got)
		}
		route := o.Route(body)
		if route == NoRoute {
			t.Errorf("%v has no route", o)
		}
		if writes := r.propose != nil || o == Authenticate; writes && r.metric == "" && o != Alarm ||
			!writes && r.metric != "" {
			t.Errorf("%v: proposed %v, metric %q", o, writes, r.metric)
		}
		if route == Propose && r.propose == nil {
			t.Errorf("%v is proposed and has no place in an entry", o)
		}
		if r.propose != nil {
			entry := &pb.InternalRaftRequest{}
			r.propose(entry, body)
			if op, asked := Asked(entry); op != o || asked != body {
				t.Errorf("an entry of %v is taken for one of %v", o, op)
			}
		}
		if o.Permission(body) == PermitKeys && r.need == nil {
			t.Errorf("%v is permitted by keys and says not which", o)
		}
	})
	if len(names) == 0 || OperationOf(nil) != NoOperation || OperationOf(&pb.LeaseGrantResponse{}) != NoOperation {
		t.Error("something is known of nothing")
	}
	if op, body := Asked(&pb.InternalRaftRequest{}); op != NoOperation || body != nil {
		t.Errorf("an entry that asks for nothing is one of %v", op)
	}
	if o := Operation(255); o.String() != "unknown" || o.Route(nil) != NoRoute || o.Permission(nil) != PermitRoot {
		t.Error("an operation without a row")
	}
}

// TestRoutes: what is read and what is written, and by which way.
func TestRoutes(t *testing.T) {
	local, linear := rng(&pb.RangeRequest{Key: b("a"), Serializable: true}), rng(&pb.RangeRequest{Key: b("a")})
	for _, c := range []struct {
		body any
		want Route
	}{
		{&pb.PutRequest{}, Propose}, {&pb.DeleteRangeRequest{}, Propose}, {&pb.CompactionRequest{}, Propose},
		{&pb.AlarmRequest{}, Propose},
		{&pb.RangeRequest{}, ReadIndex}, {&pb.RangeRequest{Serializable: true}, Serializable},
		{txn(put("a")), Propose}, {txn(linear, local), ReadIndex}, {txn(local), Serializable},
		{&pb.MemberListRequest{}, Local}, {&pb.MemberListRequest{Linearizable: true}, ReadIndex},
		{&pb.StatusRequest{}, Local}, {&pb.MoveLeaderRequest{}, Lead}, {&pb.DefragmentRequest{}, Driver},
		{&pb.WatchRequest{}, Stream},
	} {
		if got := OperationOf(c.body).Route(c.body); got != c.want {
			t.Errorf("%T %v: route %d, want %d", c.body, c.body, got, c.want)
		}
	}
}

// TestGate: what a learner answers, what needs a leader, and that the server's own questions pass.
func TestGate(t *testing.T) {
	own := Identity{Own: true}
	get, stale := &pb.RangeRequest{Key: b("a")}, &pb.RangeRequest{Key: b("a"), Serializable: true}
	learner, headless := Gate{Learner: true, Leader: 1}, Gate{MaxTxnOps: 2}
	for _, c := range []struct {
		name string
		gate Gate
		call Call
		want error
	}{
		{"a range at a learner", learner, Call{Body: get}, ErrNotSupportedForLearner},
		{"its own range at a learner", learner, Call{Body: get, Identity: own}, nil},
		{"a stale range at a learner", learner, Call{Body: stale}, nil},
		{"a stale range in parts at a learner", learner, Call{Operation: RangeStream, Body: stale},
			ErrNotSupportedForLearner},
		{"status at a learner", learner, Call{Body: &pb.StatusRequest{}}, nil},
		{"a snapshot at a learner", learner, Call{Operation: Snapshot}, nil},
		{"a watch at a learner", learner, Call{Operation: Watch}, ErrNotSupportedForLearner},
		{"a put without a leader", headless, Call{Body: &pb.PutRequest{Key: b("a")}}, nil},
		{"a put that requires a leader", headless, Call{Body: &pb.PutRequest{Key: b("a")}, RequireLeader: true}, ErrNoLeader},
		{"a watch that requires a leader", headless, Call{Operation: Watch, RequireLeader: true}, ErrNoLeader},
		{"a put without a key", headless, Call{Body: &pb.PutRequest{}}, ErrEmptyKey},
		{"its own put without a key", headless, Call{Body: &pb.PutRequest{}, Identity: own}, ErrEmptyKey},
		{"a txn of many operations", headless, Call{Body: txn(put("a"), put("b"), put("c"))}, ErrTooManyOps},
		{"nothing", headless, Call{}, ErrUnknownMethod},
		{"a message of nobody's", headless, Call{Body: &pb.PutResponse{}}, ErrUnknownMethod},
	} {
		if got := c.gate.Admit(&c.call); (got == nil) != (c.want == nil) || got != nil && !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestNeeds: whoever may make a call must be allowed all keys that it touches on any of its paths.
func TestNeeds(t *testing.T) {
	deep := nested(ops(put("p")), ops(rng(&pb.RangeRequest{Key: b("r"), RangeEnd: b("s")})))
	watch := func(key, end string) *pb.WatchRequest {
		c := &pb.WatchCreateRequest{Key: b(key), RangeEnd: b(end)}
		return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: c}}
	}
	for _, c := range []struct {
		body any
		want string
	}{
		{&pb.RangeRequest{Key: b("a"), RangeEnd: b("b")}, "reads a b"},
		{&pb.PutRequest{Key: b("a")}, "writes a "}, {&pb.PutRequest{Key: b("a"), PrevKv: true}, "writes a , reads a "},
		{&pb.DeleteRangeRequest{Key: b("a"), RangeEnd: b("b"), PrevKv: true}, "writes a b, reads a b"},
		{&pb.TxnRequest{Compare: []*pb.Compare{{Key: b("c"), RangeEnd: b("d")}}, Success: ops(del("e", "f")),
			Failure: ops(deep)},
			"writes e f, writes p , reads c d, reads r s"},
		{watch("w", "x"), "reads w x"}, {watch("", "\x00"), "reads \x00 \x00"}, {&pb.WatchRequest{}, ""},
		{&pb.StatusRequest{}, "user"}, {&pb.AlarmRequest{}, "user"}, {&pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE},
			"root"},
		{&pb.CompactionRequest{}, "root"}, {&pb.AuthUserAddRequest{}, ""}, {&pb.AuthenticateRequest{}, ""},
		{&pb.PutResponse{}, "root"}, // nobody has classified it
	} {
		need := OperationOf(c.body).Need(c.body)
		var got []string
		for _, r := range need.Write {
			got = append(got, fmt.Sprintf("writes %s %s", r.Key, r.End))
		}
		for _, r := range need.Read {
			got = append(got, fmt.Sprintf("reads %s %s", r.Key, r.End))
		}
		if need.User {
			got = append(got, "user")
		}
		if need.Root {
			got = append(got, "root")
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%T %v: %s, want %s", c.body, c.body, text, c.want)
		}
	}
}

// TestCounts: the figures of the line about a slow call.
func TestCounts(t *testing.T) {
	three := &pb.TxnRequest{Success: ops(put("a")), Failure: ops(put("a"), put("b"))}
	for _, c := range []struct {
		request, response any
		want              []int64 // nil = none
	}{
		{&pb.RangeRequest{}, &pb.RangeResponse{Count: 3}, []int64{0, 3}}, {&pb.RangeRequest{}, nil, []int64{0, 0}},
		{&pb.PutRequest{}, nil, []int64{1, 0}}, {&pb.DeleteRangeRequest{}, &pb.DeleteRangeResponse{Deleted: 2},
			[]int64{0, 2}},
		{three, &pb.TxnResponse{Succeeded: true}, []int64{1, 0}}, {three, &pb.TxnResponse{}, []int64{2, 0}},
		{three, nil, []int64{1, 0}},
		{&pb.StatusRequest{}, &pb.StatusResponse{}, nil},
	} {
		requests, results, ok := OperationOf(c.request).Counts(c.request, c.response)
		if got := []int64{requests, results}; ok != (c.want != nil) || ok && !slices.Equal(got, c.want) {
			t.Errorf("%T %v: %v %v, want %v", c.request, c.response, got, ok, c.want)
		}
	}
}
