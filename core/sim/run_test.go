package sim

import (
	"testing"
	"time"

	"vitrine/core/trace"
)

func quiet(t *testing.T, change func(*Config)) *World {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func until(t *testing.T, w *World, at time.Duration) {
	t.Helper()
	if !w.RunUntil(trace.Instant(at), 0) {
		t.Fatalf("stopped at %v: %v\n%s", time.Duration(w.Now()), w.Violation(), w.Stack())
	}
}

func TestQuietClusterServes(t *testing.T) {
	w := quiet(t, nil)
	until(t, w, 10*time.Second)
	s := w.State()
	if s.Leader == 0 || s.Commit < 200 {
		t.Errorf("leader %d, commit %d", s.Leader, s.Commit)
	}
	if !w.Settle(SettleLimit) {
		t.Errorf("%v\n%s", w.Violation(), w.Stack())
	}
}

func TestFaultySeeds(t *testing.T) {
	for seed := range uint64(20) {
		w := quiet(t, func(c *Config) {
			c.Seed, c.Members, c.Faults, c.FaultsFor = seed, 3+2*int(seed%2), true, 20*time.Second
		})
		if v := w.Run(20 * time.Second); v != nil {
			t.Errorf("seed %d: %v at %v\n%s\n%v", seed, v, time.Duration(v.At), w.Stack(), w.Options())
		}
	}
}
