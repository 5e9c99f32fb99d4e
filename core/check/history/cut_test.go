package history

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// moment is a call, an effect or a return.
type moment struct {
	now  trace.Instant
	what int // 0 call, 1 effect, 2 return
	op   *pending
}

// drawMoments draws the operations of six clients, n in all, in the order of time.
func drawMoments(rnd *rand.Rand, n int) (moments []moment) {
	for client := range 6 {
		now := trace.Instant(client)
		for range n / 6 {
			p := &pending{call: now + trace.Instant(rnd.IntN(50))}
			p.at = p.call + trace.Instant(rnd.IntN(100))
			p.ret = p.at + trace.Instant(rnd.IntN(100))
			key := string(rune('a' + rnd.IntN(5)))
			switch rnd.IntN(8) {
			case 0, 1, 2:
				p.request = put(key, fmt.Sprint(rnd.IntN(1000)))
			case 3:
				p.request = del(key, "")
			case 4:
				p.request = &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("z"), Serializable: true}
			case 5:
				p.request = &pb.CompactionRequest{Revision: int64(rnd.IntN(n))}
			default:
				p.request = &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte("z")}
			}
			now = p.ret
			moments = append(moments, moment{p.call, 0, p}, moment{p.at, 1, p}, moment{p.ret, 2, p})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.now, b.now) })
	return moments
}

// pushed is what a watch of a and b hears of the last revision, nil if nothing.
func pushed(s *server) *pb.WatchResponse {
	rev := s.state.Revision()
	r := response(rev)
	s.state.Changes(rev, func(key string, _ int64, kv *pb.KeyValue) {
		switch {
		case key >= "c":
		case kv == nil:
			r.Events = append(r.Events, deleted(key, rev))
		default:
			r.Events = append(r.Events, &pb.Event{Kv: kv})
		}
	})
	if len(r.Events) == 0 {
		return nil
	}
	return r
}

// long plays concurrent clients for many operations, cutting now and then; lie,
// if it is not 0, falsifies one answer after so many moments.
func long(t *testing.T, seed uint64, n, lie int) (h *History, most int, err error) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	moments := drawMoments(rnd, n)
	s := newServer(t)
	h = s.h
	w := h.Watch(1, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c")})
	w.Opened(0, 2)
	numbers, answers, errs := map[*pending]int{}, map[*pending]any{}, map[*pending]error{}
	for i, m := range moments {
		switch m.what {
		case 0:
			numbers[m.op] = h.Invoke(0, m.now, m.op.request)
		case 1:
			if rnd.IntN(50) == 0 {
				break // the request is lost
			}
			before := s.state.Revision()
			answers[m.op], errs[m.op] = s.do(m.op.request)
			if s.state.Revision() > before {
				if r := pushed(s); r != nil {
					if err := w.Received(m.now, r); err != nil {
						t.Fatal(err)
					}
				}
			}
		case 2:
			if answers[m.op] == nil && errs[m.op] == nil || rnd.IntN(50) == 0 {
				errs[m.op], answers[m.op] = errTimeout, nil
			}
			if r, ok := answers[m.op].(*pb.RangeResponse); ok && lie > 0 && i > lie {
				r.Count++
				lie = 0
			}
			h.Return(numbers[m.op], m.now, answers[m.op], errs[m.op])
		}
		if i%100 == 99 {
			if err := h.Cut(m.now, 500, 300); err != nil {
				return h, most, err
			}
			most = max(most, h.Len())
		}
	}
	return h, most, h.Check()
}

func TestCutForgetsAndStillKnows(t *testing.T) {
	for seed := range uint64(5) {
		h, most, err := long(t, seed, 6000, 0)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if most > 1500 || h.dropped < 4000 || len(h.known.writes) > 1500 || len(h.marks) > 100 {
			t.Errorf("seed %d: at most %d operations kept, %d dropped, %d entries, %d marks", seed, most, h.dropped,
				len(h.known.writes), len(h.marks))
		}
	}
}

// Of four requests that are alike two were refused and two got no answer, of
// which one happens late: its place must not go to those that changed nothing.
func TestCutTellsLikesApart(t *testing.T) {
	s := newServer(t)
	again := func() *pb.PutRequest { return &pb.PutRequest{Key: []byte("a"), IgnoreValue: true} }
	s.call(1, 0, 1, again()) // refused: there is no such key
	s.call(1, 2, 3, again())
	lost := s.h.Invoke(1, 4, again())
	s.call(2, 5, 6, put("a", "1"))
	for now := trace.Instant(100); now < 1000; now += 100 {
		s.call(2, now, now+1, put("b", fmt.Sprint(now)))
		if err := s.h.Cut(now+2, 50, 2); err != nil {
			t.Fatal(err)
		}
		if now == 200 {
			s.do(again())
		}
	}
	s.h.Return(lost, 1000, nil, errTimeout)
	s.h.Return(s.h.Invoke(3, 1000, again()), 1001, nil, errTimeout)
	if err := s.h.Check(); err != nil {
		t.Error(err)
	}
}

// A read of the next revision is refused; it returns after a mark, and before the mark that revision is made.
func TestCutBetweenARefusalAndItsReturn(t *testing.T) {
	s := newServer(t)
	s.call(1, 0, 1, put("a", "1"))
	next := &pb.RangeRequest{Key: []byte("a"), Revision: 3}
	early := s.h.Invoke(2, 2, next)
	_, refusal := s.do(next)
	for at := trace.Instant(10); at < 200; at += 10 {
		s.call(1, at, at+1, put("a", fmt.Sprint(at)))
		if at == 20 {
			s.h.Return(early, 15, nil, refusal)
		}
		if err := s.h.Cut(at+2, 50, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.h.Check(); err != nil {
		t.Error(err)
	}
}

func TestLiesAreFoundAfterCuts(t *testing.T) {
	for seed := range uint64(5) {
		if _, _, err := long(t, seed, 3000, 7000); err == nil {
			t.Errorf("seed %d: a lie after many cuts went unnoticed", seed)
		}
	}
}

func TestClosedWatchesGo(t *testing.T) {
	s := newServer(t)
	s.h.Watch(1, &pb.WatchCreateRequest{Key: []byte("a")}).Closed()
	for i := range trace.Instant(10) {
		s.call(1, 10*i, 10*i+5, put("a", "1"))
		if err := s.h.Cut(10*i+6, 20, 2); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.h.watches) != 0 || s.h.Len() > 5 {
		t.Errorf("%d watches, %d operations", len(s.h.watches), s.h.Len())
	}
}

// TestAFloodIsToldAtOnce: nobody waits for the end of a run to hear that one change comes again and again.
func TestAFloodIsToldAtOnce(t *testing.T) {
	s := newServer(t)
	s.call(1, 0, 1, put("a", "1"))
	w := s.h.Watch(2, &pb.WatchCreateRequest{Key: []byte("a")})
	w.Opened(1, 0)
	for range flood + 1 {
		if err := w.Received(2, response(2, event("a", "1", 2, 2, 1))); err != nil {
			t.Fatal(err)
		}
	}
	err := w.Received(3, response(2, event("a", "1", 2, 2, 1)))
	wantViolation(t, err, invariant.WatchUnique, "events came of 1 changes")
}
