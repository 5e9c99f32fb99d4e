package sim

import (
	"testing"
	"time"
)

// TestClientsBecomeDecisions turns everything that drawn clients and faults do
// into a list, by way of text, and repeats it: the events must be the same.
func TestClientsBecomeDecisions(t *testing.T) {
	for seed := uint64(30); seed < 38; seed++ {
		cfg := faulty(seed)
		cfg.Members, cfg.Record = 3+2*int(seed%2), true
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(8 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
		text, err := w.Replay(8 * time.Second).Format()
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseReplay(text)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Config.Workload.Explicit || r.Config.Faults || len(r.Commands) < 20 {
			t.Fatalf("seed %d: %d decisions, config %+v", seed, len(r.Commands), r.Config)
		}
		again, err := r.World()
		if err != nil {
			t.Fatal(err)
		}
		again.Run(r.For)
		if again.HashText() != r.Hash || len(again.skipped) > 0 {
			t.Errorf("seed %d: hash %s, from decisions %s; %d were not possible", seed, r.Hash, again.HashText(), len(again.skipped))
		}
	}
}
