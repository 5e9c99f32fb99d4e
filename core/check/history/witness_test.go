package history

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"github.com/anishathalye/porcupine"
)

// searched is the verdict of the search alone, and the witness's.
func searched(t *testing.T, h *History) (search, witness bool) {
	t.Helper()
	l := h.known
	candidates := h.candidates(l)
	if narrow(candidates) != nil {
		return false, false
	}
	ops := make([]porcupine.Operation, len(candidates))
	for i, c := range candidates {
		ops[i] = porcupine.Operation{Input: c, Call: int64(c.call), Return: int64(c.ret)}
	}
	return porcupine.CheckOperations(kvModel(), ops), l.witness(candidates) == nil
}

// The log explains what a right server answers, so that nothing is searched.
func TestWitnessOfRightHistories(t *testing.T) {
	for seed := range uint64(20) {
		if search, witness := searched(t, randomHistory(t, seed, 400, 0.2).h); !search || !witness {
			t.Errorf("seed %d: search %t, witness %t", seed, search, witness)
		}
	}
}

// The witness excuses what the search excuses, and nothing else.
func TestWitnessIsJust(t *testing.T) {
	wrong := 0
	for seed := range uint64(400) {
		s := randomHistory(t, seed, 48, 0.2)
		rnd := rand.New(rand.NewPCG(seed, 4))
		for range 1 + rnd.IntN(2) {
			falsify(&s.h.ops[rnd.IntN(len(s.h.ops))], rnd)
		}
		search, witness := searched(t, s.retold())
		if witness && !search {
			t.Errorf("seed %d: the witness holds, yet no order exists", seed)
		}
		if search && !witness {
			t.Errorf("seed %d: there is an order, and the witness does not know it", seed)
		}
		if !search {
			wrong++
		}
	}
	if wrong < 150 {
		t.Errorf("only %d of 400 histories are wrong", wrong)
	}
}

// falsify changes an answer or a time.
func falsify(o *operation, rnd *rand.Rand) {
	if o.answered && rnd.IntN(3) == 0 { // long before or after
		shift := trace.Instant(rnd.IntN(4000) - 2000)
		o.call, o.ret = o.call+shift, o.ret+shift
		return
	}
	if o.outcome() != succeeded {
		o.answered, o.response, o.err = true, nil, model.ErrCompacted
		return
	}
	switch r := o.response.(type) {
	case *pb.RangeResponse:
		r.Count += int64(rnd.IntN(2))
		r.Header = &pb.ResponseHeader{Revision: r.Header.Revision + int64(rnd.IntN(3)) - 1}
	case *pb.PutResponse:
		r.Header = &pb.ResponseHeader{Revision: r.Header.Revision + int64(rnd.IntN(3)) - 1}
	case *pb.DeleteRangeResponse:
		r.Deleted += int64(rnd.IntN(2))
	case *pb.TxnResponse:
		r.Succeeded = !r.Succeeded
	}
}

// Refusals, reads of the past and compactions in between have a witness, too.
func TestWitnessOfRefusals(t *testing.T) {
	s := newServer(t)
	for i := range trace.Instant(40) {
		s.call(1, 100*i, 100*i+10, put("a", fmt.Sprint(i)))
	}
	past := func(rev int64) *pb.RangeRequest { return &pb.RangeRequest{Key: []byte("a"), Revision: rev} }
	slow := s.h.Invoke(2, 4000, past(10)) // answered before the compaction that it overlaps
	answer, err := s.do(past(10))
	s.call(1, 4010, 4020, &pb.CompactionRequest{Revision: 20})
	s.h.Return(slow, 4030, answer, err)
	for i, request := range []any{
		past(10), past(20), past(99), &pb.CompactionRequest{Revision: 20}, &pb.CompactionRequest{Revision: 99},
		&pb.RangeRequest{},
		&pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: past(5)}},
			{Request: &pb.RequestOp_RequestPut{RequestPut: put("b", "1")}}}},
		&pb.PutRequest{Key: []byte("z"), IgnoreValue: true},
		put("c", "1"),
	} {
		now := trace.Instant(5000 + 100*i)
		s.call(1, now, now+10, request)
	}
	if search, witness := searched(t, s.h); !search || !witness {
		t.Errorf("search %t, witness %t", search, witness)
	}
	s.h.Return(s.h.Invoke(1, 9000, past(10)), 9010, answer, nil) // again, after the compaction
	if search, witness := searched(t, s.h); search || witness {
		t.Errorf("a read of what is gone: search %t, witness %t", search, witness)
	}
}

// Porcupine alone needs exponential time for many open operations that look
// alike; the log tells at once.
func TestManyOpenOperations(t *testing.T) {
	s := newServer(t)
	for i := range trace.Instant(40) {
		s.h.Invoke(int(i), i, put("a", "same"))
	}
	for range 20 {
		s.do(put("a", "same"))
	}
	s.call(99, 100, 110, get("a"))
	l := s.h.known
	if candidates := s.h.candidates(l); len(candidates) != 41 || l.witness(candidates) != nil {
		t.Errorf("%d candidates without a witness", len(candidates))
	}
}
