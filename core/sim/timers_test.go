package sim

import (
	"testing"
	"time"

	"vitrine/core/script"
	"vitrine/core/trace"
)

func idle(t *testing.T, change func(*Config)) *World {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Workload.Rate, cfg.Network = 7, 5, 0, Teaching()
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.RunUntil(trace.Instant(5*time.Second), 0)
	if w.Leader() == 0 {
		t.Fatal("nobody leads after 5 s")
	}
	return w
}

func later(w *World, d time.Duration) { w.RunUntil(w.Now()+trace.Instant(d), 0) }

func mustDo(t *testing.T, w *World, line string) {
	t.Helper()
	c, err := script.Parse(line)
	if err == nil {
		_, err = w.Do(c)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

// TestEqualTimersElectNobody: with timers that all run out at once, votes are split for ever; what raft draws decides.
func TestEqualTimersElectNobody(t *testing.T) {
	w := idle(t, nil)
	mustDo(t, w, "set name=spread value=0")
	for _, n := range w.nodes { // each draws anew with a new term
		campaign(n, nil, 0)
		later(w, time.Second)
	}
	mustDo(t, w, "crash member="+string(rune('0'+w.Leader())))
	later(w, 20*time.Second)
	if leader := w.Leader(); leader != 0 {
		t.Errorf("with equal timers member %d leads", leader)
	}
	for _, n := range w.nodes {
		if n.alive() && n.timeout != n.electionTicks {
			t.Errorf("member %d waits for %d ticks instead of %d", n.id, n.timeout, n.electionTicks)
		}
	}
	mustDo(t, w, "set name=spread value=1")
	later(w, 20*time.Second)
	if w.Leader() == 0 || w.Dials().Spread != 1 {
		t.Error("nobody leads although timeouts differ again")
	}
}

// TestOneMemberIsTurned: its clock, its disk, and how long it applies.
func TestOneMemberIsTurned(t *testing.T) {
	w := idle(t, nil)
	follower := w.Leader()%5 + 1
	id := string(rune('0' + follower))
	mustDo(t, w, "set name=apply value=400ms member="+id)
	mustDo(t, w, "set name=fsync value=1ms member="+id)
	mustDo(t, w, "clock value=2 member="+id)
	for _, d := range w.Dials().Members {
		turned := d.Apply == int64(400*time.Millisecond) && d.Fsync == int64(time.Millisecond) && d.Clock == 2
		if turned != (d.ID == follower) {
			t.Errorf("member %d: %+v", d.ID, d)
		}
	}
	mustDo(t, w, "put key=x value=1")
	later(w, 200*time.Millisecond)
	for _, n := range w.nodes {
		if slow := n.store.KV.Keys() == 0; slow != (n.id == follower) {
			t.Errorf("member %d has applied the write: %v", n.id, !slow)
		}
	}
	mustDo(t, w, "set name=apply value=0s")
	if w.Dials().Members[follower-1].Apply != 0 {
		t.Error("what is set for all is not set for one")
	}
}

// TestWithoutPreVoteTermsClimb: a member that hears nobody raises its term, unless it asks first; and a leader that
// hears nobody leads on, unless it checks.
func TestWithoutPreVoteTermsClimb(t *testing.T) {
	for _, pre := range []bool{true, false} {
		w := idle(t, func(c *Config) { c.NoPreVote = !pre })
		follower := w.byID(w.Leader()%5 + 1)
		before := follower.member.Status().Term
		mustDo(t, w, "isolate member="+string(rune('0'+follower.id)))
		later(w, 20*time.Second)
		if climbed := follower.member.Status().Term > before; climbed == pre {
			t.Errorf("pre-vote %v: the term of a member alone goes from %d to %d", pre, before, follower.member.Status().Term)
		}
	}
	for _, check := range []bool{true, false} {
		w := idle(t, func(c *Config) { c.NoCheckQuorum = !check })
		old := w.leader()
		mustDo(t, w, "isolate member="+string(rune('0'+old.id)))
		later(w, 5*time.Second)
		if leads := old.member.Leader() == old.id; leads == check {
			t.Errorf("check of the quorum %v: a leader alone leads on: %v", check, leads)
		}
	}
}

// TestNothingBreaksWithoutPreVote: neither makes raft unsafe.
func TestNothingBreaksWithoutPreVote(t *testing.T) {
	for seed := range uint64(6) {
		cfg := DefaultConfig()
		cfg.Seed, cfg.Faults, cfg.FaultsFor = seed, true, 15*time.Second
		cfg.NoPreVote, cfg.NoCheckQuorum = seed%2 == 0, seed%3 != 0
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(15 * time.Second); v != nil {
			t.Errorf("seed %d, pre-vote off %v, check off %v: %v", seed, cfg.NoPreVote, cfg.NoCheckQuorum, v)
		}
	}
}
