package client

import (
	"testing"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/judge"
	"vitrine/core/sim/setup"
	"vitrine/core/trace"

	"google.golang.org/protobuf/proto"
)

// forms counts what a transaction is made of.
type forms struct {
	deepest, nested, siblings, mixed, ranged, twice, refused int
	targets                                                  [5]int
	results                                                  [4]int
}

func (f *forms) look(t *pb.TxnRequest, depth int) {
	f.deepest = max(f.deepest, depth)
	for _, c := range t.Compare {
		f.targets[c.Target]++
		f.results[c.Result]++
		if len(c.RangeEnd) > 0 {
			f.ranged++
		}
	}
	if len(t.Success) > 0 && len(t.Failure) > 0 &&
		(t.Success[0].GetRequestRange() == nil) != (t.Failure[0].GetRequestRange() == nil) {
		f.mixed++
	}
	for _, branch := range [][]*pb.RequestOp{t.Success, t.Failure} {
		inner := 0
		for _, op := range branch {
			if n := op.GetRequestTxn(); n != nil {
				inner++
				f.look(n, depth+1)
			}
		}
		f.nested += inner
		if inner > 1 {
			f.siblings++
		}
		if len(branch) == 3 && branch[0].GetRequestTxn() != nil && branch[2].GetRequestTxn() != nil || len(branch) > 1 &&
			branch[0].GetRequestDeleteRange() != nil && branch[1].GetRequestPut() != nil {
			f.twice++
		}
	}
}

// nobody is a world without members that answer.
type nobody struct{}

func (nobody) Members() []uint64       { return []uint64{1, 2, 3} }
func (nobody) Server(uint64) Server    { return nil }
func (nobody) Emit(trace.Event) uint64 { return 0 }
func (nobody) Decided(script.Command)  {}

// TestGrammar: every form comes, and survives its way through the text of a
// command.
func TestGrammar(t *testing.T) {
	cfg := setup.Default()
	now := new(clock.Clock)
	cfg.Workload.Explicit = true
	p := New(nobody{}, &cfg, &cfg.Network, now, nil, judge.New(now, trace.NewStream(), judge.Options{}))
	p.Begin()
	c := p.clients[1]
	c.LastRev = 50
	var f forms
	for i := range uint64(3000) {
		g := &grammar{p, c, i << 32}
		txn := g.txn()
		f.look(txn, 0)
		if api.Validate(txn, limits.MaxTxnOps) != nil {
			f.refused++
		}
		for _, body := range []proto.Message{txn, g.read()} {
			cmd := script.Of(body)
			again, err := script.Parse(cmd.String())
			if err != nil {
				t.Fatalf("%s: %v", cmd.String(), err)
			}
			_, back, err := again.Body(0)
			if err != nil || !proto.Equal(back.(proto.Message), body) {
				t.Fatalf("%s:\n%v\nbecame %v, %v", cmd.String(), body, back, err)
			}
		}
	}
	if f.deepest < maxNesting || f.nested == 0 || f.siblings == 0 || f.mixed == 0 || f.ranged == 0 || f.twice == 0 ||
		f.refused == 0 || f.refused > 600 {
		t.Errorf("%+v", f)
	}
	for _, n := range append(f.targets[:], f.results[:]...) {
		if n == 0 {
			t.Errorf("a target or a result never came: %+v", f)
		}
	}
}
