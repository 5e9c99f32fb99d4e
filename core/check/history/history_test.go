package history

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vitrine/core/check"
	"vitrine/core/check/fold"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

var errTimeout = errors.New("etcdserver: request timed out")

func put(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func del(key, end string) *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

func logEntry(t *testing.T, index uint64, r *pb.InternalRaftRequest) *raftpb.Entry {
	t.Helper()
	e := &raftpb.Entry{Index: &index, Term: new(uint64(2))}
	if r != nil {
		data, err := r.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		e.Data = data
	}
	return e
}

func get(key string) *pb.RangeRequest { return &pb.RangeRequest{Key: []byte(key)} }

// server is a right server: it executes requests one by one and writes the log.
type server struct {
	t       *testing.T
	state   *model.State
	log     *fold.Fold
	entries []*raftpb.Entry
	h       *History
}

func newServer(t *testing.T) *server {
	log := fold.New()
	return &server{t: t, state: model.New(), log: log, h: New(log)}
}

// do executes a request, and logs it if it can write.
func (s *server) do(request any) (any, error) {
	r := &pb.InternalRaftRequest{}
	switch body := request.(type) {
	case *pb.PutRequest:
		r.Put = body
	case *pb.DeleteRangeRequest:
		r.DeleteRange = body
	case *pb.TxnRequest:
		r.Txn = body
	case *pb.CompactionRequest:
		r.Compaction = body
	}
	if !readOnly(request) {
		s.entries = append(s.entries, logEntry(s.t, s.log.Index()+1, r))
		s.log.Entries(s.entries[len(s.entries)-1:])
	}
	return s.state.Apply(request)
}

// retold is the history with what a test has made of its operations.
func (s *server) retold() *History {
	log := fold.New()
	h := New(log)
	log.Entries(s.entries)
	for _, o := range s.h.ops {
		if op := h.Invoke(o.client, o.call, o.request); o.answered {
			h.Return(op, o.ret, o.response, o.err)
		}
	}
	return h
}

// call runs an operation that takes from call to ret and executes at once.
func (s *server) call(client int, call, ret trace.Instant, request any) any {
	op := s.h.Invoke(client, call, request)
	response, err := s.do(request)
	s.h.Return(op, ret, response, err)
	return response
}

func wantViolation(t *testing.T, err error, number int, text string) {
	t.Helper()
	var v check.Violation
	if !errors.As(err, &v) || v.Number != number || !strings.Contains(v.Text, text) {
		t.Errorf("got %v, want I%d with %q", err, number, text)
	}
}

// blindly is the history without the log.
func blindly(h *History) *History {
	b := New(nil)
	b.ops = h.ops
	return b
}

func TestLinearizableHistory(t *testing.T) {
	s := newServer(t)
	s.call(1, 0, 10, put("a", "1"))
	read := s.h.Invoke(2, 5, get("a")) // overlaps the next put, sees the state before
	response, _ := s.do(get("a"))
	s.call(1, 20, 30, put("a", "2"))
	s.h.Return(read, 40, response, nil)
	lost := s.h.Invoke(3, 41, put("b", "happened"))
	s.do(put("b", "happened"))
	s.h.Return(lost, 45, nil, errTimeout)
	never := s.h.Invoke(3, 46, put("b", "did not happen"))
	s.h.Return(never, 48, nil, errTimeout)
	s.h.Invoke(4, 47, put("c", "open"))
	s.call(1, 50, 60, get("b"))
	s.call(1, 61, 62, &pb.RangeRequest{Key: []byte("a"), Revision: 99})
	failed := s.h.Invoke(1, 63, get("b"))
	s.h.Return(failed, 64, nil, errTimeout)
	s.call(1, 65, 66, &pb.CompactionRequest{Revision: 3})
	s.call(1, 67, 68, &pb.RangeRequest{Key: []byte("a"), Revision: 2})
	if err := s.h.Check(); err != nil {
		t.Error(err)
	}
	blind := blindly(s.h) // without the log, too
	if err := blind.Check(); err != nil {
		t.Error(err)
	}
}

func TestUnlinearizableHistories(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		run  func(s *server)
	}{
		"a stale read": {"the other way round", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			stale, _ := s.do(get("a"))
			s.call(1, 20, 30, put("a", "2"))
			s.h.Return(s.h.Invoke(2, 40, get("a")), 50, stale, nil)
		}},
		"a stale read of another key": {"the other way round", func(s *server) {
			stale, _ := s.do(get("b"))
			s.call(1, 20, 30, put("a", "2"))
			s.h.Return(s.h.Invoke(2, 40, get("b")), 50, stale, nil)
		}},
		"a write lost": {"the log does not give", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.h.Return(s.h.Invoke(2, 20, get("a")), 30, &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 2}}, nil)
		}},
		"a value that nobody wrote": {"the log does not give", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.h.Return(s.h.Invoke(1, 20, get("a")), 30, &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 2}, Count: 1,
				Kvs: []*pb.KeyValue{{Key: []byte("a"), Value: []byte("2"), CreateRevision: 2, ModRevision: 2, Version: 1}}}, nil)
		}},
		"one revision for two": {"both told", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.h.Return(s.h.Invoke(2, 0, put("b", "1")), 10, &pb.PutResponse{Header: &pb.ResponseHeader{Revision: 2}}, nil)
		}},
		"a revision that never was": {"no order explains", func(s *server) {
			s.h.Return(s.h.Invoke(2, 0, put("b", "1")), 10, &pb.PutResponse{Header: &pb.ResponseHeader{Revision: 3}}, nil)
		}},
		"a write that happened twice": {"once more than anybody asked", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.do(put("a", "1"))
		}},
		"a refusal without a reason": {"no order explains", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.h.Return(s.h.Invoke(1, 20, &pb.RangeRequest{Key: []byte("a"), Revision: 2}), 30, nil, model.ErrFutureRev)
		}},
		"a read of the future": {"the other way round", func(s *server) {
			op := s.h.Invoke(2, 0, get("a"))
			r, _ := s.state.Clone().Apply(put("a", "1"))
			_ = r
			s.call(1, 20, 30, put("a", "1"))
			seen, _ := s.do(get("a"))
			s.h.Return(op, 10, seen, nil)
		}},
		"a serializable read of no state": {"matches no state", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.h.Return(s.h.Invoke(1, 20, &pb.RangeRequest{Key: []byte("a"), Serializable: true}), 30,
				&pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 2}}, nil)
		}},
		"a serializable read of no revision": {"never had", func(s *server) {
			s.call(1, 0, 10, put("a", "1"))
			s.h.Return(s.h.Invoke(1, 20, &pb.RangeRequest{Key: []byte("a"), Serializable: true}), 30,
				&pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 3}}, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c.run(s)
			number := invariant.Linearizable
			if strings.HasPrefix(name, "a serializable") {
				number = invariant.Serializable
			}
			wantViolation(t, s.h.Check(), number, c.want)
			// nobody can see that without the log
			if number == invariant.Linearizable && !strings.Contains(c.want, "once more") {
				wantViolation(t, blindly(s.h).Check(), number, "")
			}
		})
	}
}

func TestSerializableReadsMayBeOld(t *testing.T) {
	s := newServer(t)
	s.call(1, 0, 10, put("a", "1"))
	request := &pb.RangeRequest{Key: []byte("a"), Serializable: true}
	old, _ := s.do(request)
	s.call(1, 20, 30, put("a", "2"))
	s.h.Return(s.h.Invoke(2, 40, request), 50, old, nil)
	s.h.Return(s.h.Invoke(2, 60, &pb.RangeRequest{Key: []byte("a"), Revision: 3, Serializable: true}), 70, nil,
		model.ErrFutureRev)
	if err := s.h.Check(); err != nil {
		t.Error(err)
	}
}

// pending is an operation of the random history.
type pending struct {
	call, at, ret trace.Instant
	request       any
}

// randomHistory runs concurrent clients on a right server; each operation takes
// effect somewhere between its call and its return. Some answers get lost.
func randomHistory(t *testing.T, seed uint64, n int, lost float64) *server {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var all []pending
	for client := range 8 {
		now := trace.Instant(client)
		for range n / 8 {
			key := string(rune('a' + rnd.IntN(5)))
			p := pending{call: now + trace.Instant(rnd.IntN(50))}
			p.at = p.call + trace.Instant(rnd.IntN(100))
			p.ret = p.at + trace.Instant(rnd.IntN(100))
			now = p.ret
			switch rnd.IntN(6) {
			case 0, 1:
				p.request = put(key, fmt.Sprint(rnd.IntN(3)))
			case 2:
				p.request = &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(key + "z"), PrevKv: true}
			case 3:
				p.request = &pb.TxnRequest{
					Compare: []*pb.Compare{{Key: []byte(key), Target: pb.Compare_VALUE,
						TargetUnion: &pb.Compare_Value{Value: []byte("1")}}},
					Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put("x"+key, "t")}}},
					Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: get("x" + key)}}},
				}
			default:
				p.request = &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte("z")}
			}
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b pending) int { return cmp.Compare(a.at, b.at) })
	s := newServer(t)
	for _, p := range all {
		op := s.h.Invoke(0, p.call, p.request)
		if rnd.Float64() < lost/2 {
			continue // it never arrived
		}
		response, err := s.do(p.request)
		if rnd.Float64() < lost/2 {
			err = errTimeout
		}
		s.h.Return(op, p.ret, response, err)
	}
	return s
}

func TestRandomHistories(t *testing.T) {
	for seed := range uint64(20) {
		s := randomHistory(t, seed, 400, 0.2)
		if err := s.h.Check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		blind := blindly(randomHistory(t, seed, 48, 0.1).h)
		if err := blind.Check(); err != nil {
			t.Fatalf("seed %d without the log: %v", seed, err)
		}
	}
}

// One wrong answer among hundreds is found, whatever it is.
func TestRandomLies(t *testing.T) {
	found := 0
	for seed := range uint64(16) {
		s := randomHistory(t, seed, 400, 0.1)
		rnd := rand.New(rand.NewPCG(seed, 2))
		var op *operation
		for op == nil || op.outcome() != succeeded {
			op = &s.h.ops[rnd.IntN(len(s.h.ops))]
		}
		switch r := op.response.(type) {
		case *pb.RangeResponse:
			r.Count++
		case *pb.PutResponse:
			r.Header.Revision++
		case *pb.DeleteRangeResponse:
			r.Deleted++
		case *pb.TxnResponse:
			r.Succeeded = !r.Succeeded
		}
		if err := s.retold().Check(); err == nil {
			t.Errorf("seed %d: a lie in %T went unnoticed", seed, op.response)
		} else {
			found++
		}
	}
	if found != 16 {
		t.Errorf("%d of 16 found", found)
	}
}

func event(key, value string, create, mod, version int64) *pb.Event {
	return &pb.Event{Kv: &pb.KeyValue{Key: []byte(key), Value: []byte(value), CreateRevision: create, ModRevision: mod,
		Version: version}}
}

func deleted(key string, mod int64) *pb.Event {
	return &pb.Event{Type: pb.Event_DELETE, Kv: &pb.KeyValue{Key: []byte(key), ModRevision: mod}}
}

func response(rev int64, events ...*pb.Event) *pb.WatchResponse {
	return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: rev}, Events: events}
}

// watched is a log with revisions 2 to 6: a, b, {a, c}, -b, a.
func watched(t *testing.T) *server {
	s := newServer(t)
	s.do(put("a", "1"))
	s.do(put("b", "1"))
	s.do(&pb.TxnRequest{Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestPut{RequestPut: put("a", "2")}},
		{Request: &pb.RequestOp_RequestPut{RequestPut: put("c", "1")}},
	}})
	s.do(del("b", ""))
	s.do(put("a", "3"))
	return s
}

func TestWatches(t *testing.T) {
	a1, b1, a2, c1, bx, a3 := event("a", "1", 2, 2, 1), event("b", "1", 3, 3, 1), event("a", "2", 2, 4, 2),
		event("c", "1", 4, 4, 1), deleted("b", 5), event("a", "3", 2, 6, 3)
	created := func(rev int64) *pb.WatchResponse {
		return &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: rev}, Created: true}
	}
	fragment := func(r *pb.WatchResponse) *pb.WatchResponse { r.Fragment = true; return r }
	with := func(e *pb.Event, prev *pb.KeyValue) *pb.Event {
		return &pb.Event{Type: e.Type, Kv: e.Kv, PrevKv: prev}
	}
	gone := &pb.WatchResponse{Header: &pb.ResponseHeader{}, Canceled: true, CompactRevision: 3}
	type open int64 // a stream begins
	for name, c := range map[string]struct {
		request *pb.WatchCreateRequest
		want    string // "" = nothing to complain about
		items   []any
		number  int // of the promise that is broken
	}{
		"from the beginning": {&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z")}, "",
			[]any{open(2), created(6), response(6, a1, b1), response(6, a2, c1, bx), response(6, a3), response(6)}, 0},
		"from now": {&pb.WatchCreateRequest{Key: []byte("a")}, "",
			[]any{open(0), created(3), response(4, a2), response(6, a3)}, 0},
		"fragments": {&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z")}, "",
			[]any{open(4), created(6), fragment(response(4, a2)), response(4, c1), response(6, bx, a3)}, 0},
		"resumed": {&pb.WatchCreateRequest{Key: []byte("a")}, "",
			[]any{open(2), created(2), response(2, a1), open(3), created(6), response(6, a2, a3)}, 0},
		"filtered": {&pb.WatchCreateRequest{Key: []byte("\x00"), RangeEnd: []byte("\x00"),
			Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}}, "",
			[]any{open(2), created(6), response(6, bx), response(6)}, 0},
		"history gone": {&pb.WatchCreateRequest{Key: []byte("a")}, "", []any{open(2), created(6), gone}, 0},
		"with previous pairs": {&pb.WatchCreateRequest{Key: []byte("a"), PrevKv: true}, "",
			[]any{open(2), created(6), response(6, a1, with(a2, a1.Kv), with(a3, a2.Kv))}, 0},

		"out of order": {&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z")}, "never came",
			[]any{open(2), created(6), response(6, b1, a1)}, invariant.WatchResumable},
		"twice": {&pb.WatchCreateRequest{Key: []byte("a")}, "when 3 was next",
			[]any{open(2), created(6), response(6, a1), response(6, a1)}, invariant.WatchUnique},
		"a gap": {&pb.WatchCreateRequest{Key: []byte("a")}, "never came",
			[]any{open(2), created(6), response(6, a1), response(6, a3)}, invariant.WatchReliable},
		"a torn revision": {&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z")}, "torn",
			[]any{open(4), created(6), response(4, a2), response(4, c1)}, invariant.WatchAtomic},
		"a gap at the resumption": {&pb.WatchCreateRequest{Key: []byte("a")}, "never came",
			[]any{open(2), created(2), response(2, a1), open(3), created(6), response(6, a3)}, invariant.WatchResumable},
		"resumed too late": {&pb.WatchCreateRequest{Key: []byte("a")}, "resumed at 5",
			[]any{open(2), created(2), response(2, a1), open(5)}, invariant.WatchResumable},
		"an early promise": {&pb.WatchCreateRequest{Key: []byte("a")}, "promised to be at 4",
			[]any{open(2), created(6), response(6, a1), response(4)}, invariant.WatchBookmarkable},
		"a broken promise": {&pb.WatchCreateRequest{Key: []byte("b")}, "when 6 was next",
			[]any{open(4), created(4), response(5, bx), response(5), response(6, bx)}, invariant.WatchBookmarkable},
		"another value": {&pb.WatchCreateRequest{Key: []byte("a")}, "differs from the log",
			[]any{open(2), created(6), response(6, event("a", "9", 2, 2, 1))}, invariant.WatchReliable},
		"an event of nothing": {&pb.WatchCreateRequest{Key: []byte("a")}, "is not in the log",
			[]any{open(7), created(6), response(8, event("a", "9", 2, 8, 1))}, invariant.WatchReliable},
		"another key": {&pb.WatchCreateRequest{Key: []byte("a")}, "never came",
			[]any{open(2), created(6), response(6, b1)}, invariant.WatchResumable},
		"a wrong previous pair": {&pb.WatchCreateRequest{Key: []byte("a"), PrevKv: true}, "previous pair",
			[]any{open(4), created(6), response(6, with(a2, b1.Kv))}, invariant.WatchFilter},
		"no previous pair": {&pb.WatchCreateRequest{Key: []byte("a"), PrevKv: true},
			"without its previous pair", []any{open(4), created(6), response(6, a2)}, invariant.WatchFilter},
		"an unwanted pair": {&pb.WatchCreateRequest{Key: []byte("a")}, "nobody asked",
			[]any{open(4), created(6), response(6, with(a2, a1.Kv))}, invariant.WatchFilter},
		"canceled for nothing": {&pb.WatchCreateRequest{Key: []byte("a")}, "needed only 4",
			[]any{open(4), created(6), gone}, invariant.WatchResumable},
		"time goes back": {&pb.WatchCreateRequest{Key: []byte("a")}, "when 5 was next",
			[]any{open(2), created(6), response(6, a1, a2), response(6, a1)}, invariant.WatchOrdered},
		"a gap later": {&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("z")}, "never came",
			[]any{open(2), created(6), response(6, a1), response(6, a2, c1)}, invariant.WatchReliable},
		"the present instead of the future": {&pb.WatchCreateRequest{Key: []byte("a")}, "when 6 was next",
			[]any{open(6), created(3), response(4, a2)}, invariant.WatchFilter},
		"another key than asked for": {&pb.WatchCreateRequest{Key: []byte("c")}, "nothing that was asked for",
			[]any{open(2), created(6), response(6, a1)}, invariant.WatchFilter},
		"a header too old": {&pb.WatchCreateRequest{Key: []byte("a")}, "under a header",
			[]any{open(4), created(6), response(3, a2)}, invariant.WatchBookmarkable},
	} {
		t.Run(name, func(t *testing.T) {
			s := watched(t)
			w := s.h.Watch(1, c.request)
			for i, item := range c.items {
				switch x := item.(type) {
				case open:
					w.Opened(trace.Instant(i), int64(x))
				case *pb.WatchResponse:
					if err := w.Received(trace.Instant(i), x); err != nil {
						t.Fatal(err)
					}
				}
			}
			err := s.h.Check()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantViolation(t, err, c.number, c.want)
		})
	}
}

// TestWatchOfTheFuture: a watch may begin at a revision that there is not yet. What is made until then is none of its
// business, and a verdict names the moment of the deed.
func TestWatchOfTheFuture(t *testing.T) {
	for _, early := range []bool{false, true} {
		s := watched(t)
		w := s.h.Watch(1, &pb.WatchCreateRequest{Key: []byte("a")})
		w.Opened(1, 8)
		s.do(put("a", "4"))
		if early {
			if err := w.Received(2, response(7, event("a", "4", 2, 7, 4))); err != nil {
				t.Fatal(err)
			}
		}
		s.do(put("a", "5"))
		if err := w.Received(3, response(8, event("a", "5", 2, 8, 5))); err != nil {
			t.Fatal(err)
		}
		err := s.h.Check()
		if !early {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantViolation(t, err, invariant.WatchFilter, "when 8 was next")
		if v := (check.Violation{}); errors.As(err, &v) && v.Now != 2 {
			t.Errorf("it is said to have happened at %d", v.Now)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	t := &testing.T{}
	s := randomHistory(t, 1, 3000, 0.05)
	for b.Loop() {
		if err := s.h.Check(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/3000, "ns/op-of-history")
}

// Two deletes that are alike find nothing at one revision, a compaction between
// them; the answer is the second's, whoever comes first in the log.
func TestLikesThatChangeNothing(t *testing.T) {
	s := newServer(t)
	s.call(1, 0, 1, put("a", "1"))
	s.call(1, 2, 3, put("a", "2"))
	missing := &pb.DeleteRangeRequest{Key: []byte("b")}
	lost := s.h.Invoke(1, 4, missing)
	s.do(missing)
	s.call(2, 5, 6, &pb.CompactionRequest{Revision: 2})
	s.call(2, 7, 8, missing)
	s.h.Return(lost, 9, nil, errTimeout)
	if err := s.h.Check(); err != nil {
		t.Error(err)
	}
}

// TestWhatMembersProposeThemselves: a leader compacts by itself, and after that a client asks for the same and gets no
// answer. What is in the log is the leader's.
func TestWhatMembersProposeThemselves(t *testing.T) {
	for _, told := range []bool{true, false} {
		s := newServer(t)
		s.call(1, 0, 1, put("a", "1"))
		r := &pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 77}, Compaction: &pb.CompactionRequest{Revision: 2}}
		if told {
			s.h.Own(77)
		}
		s.log.Entries([]*raftpb.Entry{logEntry(t, s.log.Index()+1, r)})
		if _, err := s.state.Apply(r.Compaction); err != nil {
			t.Fatal(err)
		}
		s.call(1, 2, 3, put("a", "2"))
		s.h.Return(s.h.Invoke(2, 4, &pb.CompactionRequest{Revision: 2}), 5, nil, errTimeout)
		if err := s.h.Check(); err != nil != !told {
			t.Errorf("told whose it is: %v, and finds %v", told, err)
		}
	}
}

// TestCompactedRevision: a transaction that deletes, puts and deletes a key makes
// three events at revision 3, of which a compaction there keeps the last.
func TestCompactedRevision(t *testing.T) {
	inner := func(ops ...*pb.RequestOp) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: ops}}}
	}
	wipe := func(end string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del("a", end)}}
	}
	again := inner(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put("a", "2")}})
	gone, back := deleted("a", 3), event("a", "2", 3, 3, 1)
	for _, c := range []struct {
		name    string
		compact int64
		later   bool // than the events
		events  []*pb.Event
		right   bool
	}{
		{"all", 3, false, []*pb.Event{gone, back, gone}, true},
		{"the last two", 3, false, []*pb.Event{back, gone}, true},
		{"the last", 3, false, []*pb.Event{gone}, true},
		{"not the last", 3, false, []*pb.Event{gone, back}, false},
		{"the last, and nothing was compacted", 2, false, []*pb.Event{gone}, false},
		{"the last, and the others were compacted later", 3, true, []*pb.Event{gone}, false},
	} {
		s := newServer(t)
		do := func(requests ...any) {
			for _, r := range requests {
				if _, err := s.do(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		compaction := &pb.CompactionRequest{Revision: c.compact}
		do(put("a", "1"), &pb.TxnRequest{Success: []*pb.RequestOp{wipe("\x00"), again, inner(wipe(""))}}, put("b", "1"))
		if !c.later {
			do(compaction)
		}
		w := s.h.Watch(1, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 3})
		w.Opened(1, 3)
		if err := w.Received(2, response(3, c.events...)); err != nil {
			t.Fatal(err)
		}
		if c.later {
			do(compaction)
		}
		if err := w.Received(3, response(4)); err != nil {
			t.Fatal(err)
		}
		if err := s.h.Check(); (err == nil) != c.right {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
