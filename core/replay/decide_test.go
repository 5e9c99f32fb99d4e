package replay

import (
	"testing"
	"time"

	"vitrine/core/sim"
)

// TestClientsBecomeDecisions turns everything that drawn clients and faults do
// into a list, by way of text, and repeats it: the events must be the same.
func TestClientsBecomeDecisions(t *testing.T) {
	for seed := uint64(30); seed < 38; seed++ {
		cfg := faulty(seed)
		cfg.Members, cfg.Record = 3+2*int(seed%2), true
		w, err := sim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(8 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
		text, err := Of(w, 8*time.Second).Format()
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(text)
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
		if again.HashText() != r.Hash || len(again.Skipped()) > 0 {
			t.Errorf("seed %d: hash %s, from decisions %s; %d were not possible", seed, r.Hash, again.HashText(),
				len(again.Skipped()))
		}
	}
}

// TestNewFaultsAreReplayed: what was drawn is a decision; without the dice the
// same decisions give the same events.
func TestNewFaultsAreReplayed(t *testing.T) {
	happened := map[string]bool{}
	for seed := range uint64(6) {
		cfg := sim.DefaultConfig()
		cfg.Seed, cfg.Faults, cfg.FaultsFor, cfg.Record = seed, true, 15*time.Second, true
		w, err := sim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(15 * time.Second); v != nil {
			t.Fatalf("seed %d: %v", seed, v)
		}
		for _, c := range w.Commands() {
			happened[c.Cmd] = true
		}
		r := Of(w, 15*time.Second)
		again, err := r.World()
		if err != nil {
			t.Fatal(err)
		}
		if r.Run(again); again.HashText() != w.HashText() {
			t.Errorf("seed %d: the replay gives %s, the run %s", seed, again.HashText(), w.HashText())
		}
	}
	for _, verb := range []string{"fail", "rot", "clock"} {
		if !happened[verb] {
			t.Errorf("no run has a %s", verb)
		}
	}
}
