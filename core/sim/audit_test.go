package sim

import (
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3"

	"vitrine/core/pb"
	"vitrine/core/sim/settle"
	"vitrine/core/trace"
)

// changed counts the pairs that are changed on a disk.
type changed int

// Emit implements trace.Sink.
func (c *changed) Emit(e *trace.Event) {
	if e.Kind == trace.Fault && e.Text == settle.PairChanged {
		*c++
	}
}

// TestWrongPairIsFound: in each of the ways in which a leader looks, the member that has another pair than the others
// is named and replaced, and the alarm is down in the end.
func TestWrongPairIsFound(t *testing.T) {
	for _, audits := range []Audits{
		{Leading: time.Second, Wrong: true}, {Compactions: time.Second, Wrong: true},
		{Leading: 3 * time.Second, Compactions: time.Second, Wrong: true},
	} {
		for seed := range uint64(4) {
			cfg, pairs := DefaultConfig(), changed(0)
			cfg.Seed, cfg.Members, cfg.Audits = seed, 3+int(seed%3), audits
			w, err := New(cfg, &pairs)
			if err != nil {
				t.Fatal(err)
			}
			if v := w.Run(5 * time.Second); v != nil {
				t.Fatalf("seed %d, %+v: %v", seed, audits, v)
			}
			left := w.leader().store
			if pairs != 1 || len(w.nodes) != cfg.Members+1 || len(left.Members.List()) != cfg.Members ||
				left.Alarms.Active(pb.AlarmType_CORRUPT) {
				t.Errorf("seed %d, %+v: %d pairs were changed, there are %d machines and %d members, alarms: %v", seed, audits,
					pairs, len(w.nodes), len(left.Members.List()), left.Alarms.List(pb.AlarmType_NONE))
			}
		}
	}
}

// TestWrongPairKeepsAMemberDown: a member whose database was changed while it was down does not start again, says with
// whom it differs, and another machine takes its place.
func TestWrongPairKeepsAMemberDown(t *testing.T) {
	for seed := range uint64(4) {
		cfg, pairs := DefaultConfig(), changed(0)
		cfg.Seed, cfg.Members, cfg.Audits = seed, 3+int(seed%3), Audits{Start: true, Wrong: true}
		w, err := New(cfg, &pairs)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(5 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
		refused := 0
		for _, n := range w.nodes {
			if n.process == stopped && strings.Contains(n.reason, "found data inconsistency with peers ") {
				refused++
			}
		}
		if left := w.leader().store; pairs != 1 || refused != 1 || len(left.Members.List()) != cfg.Members {
			t.Errorf("seed %d: %d pairs were changed, %d members refuse to start, there are %d", seed, pairs, refused,
				len(left.Members.List()))
		}
	}
}

// reign follows the member whose pair was changed while it was down.
type reign struct {
	member         uint64
	started, leads bool
}

// Emit implements trace.Sink.
func (r *reign) Emit(e *trace.Event) {
	switch {
	case e.Kind == trace.Fault && e.Text == settle.PairChanged:
		r.member = e.Member
	case r.member == 0 || e.Member != r.member:
	case e.Kind == trace.MemberStarted:
		r.started = true
	case e.Kind == trace.RoleChanged && e.A == uint64(raft.StateLeader):
		r.leads = r.leads || r.started
	}
}

// TestWrongPairLeads: a member that has met nobody with its history starts with its wrong pair, and may lead. It
// compares the others with itself then, so the alarm names one of those, and another machine takes its own place.
func TestWrongPairLeads(t *testing.T) {
	led := 0
	for seed := range uint64(60) {
		cfg, r := DefaultConfig(), reign{}
		cfg.Seed, cfg.Members, cfg.Audits = seed, 3+int(seed%3), Audits{Start: true, Leading: time.Second, Wrong: true}
		// The newest revision is compacted before the pair is saved: the others answer with what that has left.
		cfg.Retention.Period, cfg.CommitEvery = 300*time.Millisecond, 3*time.Second
		w, err := New(cfg, &r)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(3 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
		if r.leads {
			led++
		}
	}
	if led == 0 {
		t.Error("none of the members with a wrong pair led")
	}
}

// TestWrongPairIsFoundByTheNextSum: where compactions are compared, a member that has started since, or that has taken
// one over with the next, remembers no sum. So there is another compaction, and the member is found by that.
func TestWrongPairIsFoundByTheNextSum(t *testing.T) {
	for seed := range uint64(80) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Members = seed, 3+int(seed%3)
		cfg.Audits = Audits{Compactions: time.Second, Wrong: true, Start: seed%2 == 0}
		cfg.Workload.Users, cfg.Workload.Logins = true, Logins{TTL: 3 * time.Second, Work: 20 * time.Millisecond}
		cfg.Retention.Revisions, cfg.Retention.Every = 15, time.Duration(60+seed)*time.Millisecond
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(3 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
	}
}

// TestSoundMembersAreNotAccused: who compares and finds nothing raises no alarm, and the cluster stays as it is.
func TestSoundMembersAreNotAccused(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Audits, cfg.Workload.Mix.Compact = Audits{Leading: time.Second, Compactions: time.Second}, 20
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if v := w.Run(20 * time.Second); v != nil || len(w.nodes) != cfg.Members {
		t.Fatalf("%v; there are %d machines", v, len(w.nodes))
	}
}
