//go:build mutants

package replay

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"vitrine/core/mutant"
	"vitrine/core/sim"
)

// TestMutantsStoredSeeds runs for each mutant one seed that is known to find
// it, and the same seed without it. A seed that does not find it any more tells
// another story since the simulator has changed: bin/sim -mutants (built with
// -tags mutants) finds the next one.
func TestMutantsStoredSeeds(t *testing.T) {
	f, err := os.Open("testdata/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var name string
		var seed uint64
		var number int
		if _, err := fmt.Sscan(lines.Text(), &name, &seed, &number); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		seen[name] = true
		id, err := mutant.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		info := mutant.List()[id-1]
		v, err := TryMutant(info, seed)
		if err != nil {
			t.Fatal(err)
		}
		if v == nil || v.Number != number || !info.Convicted(number) {
			t.Errorf("%s, seed %d: %v, want I%d, which must be one of %v", name, seed, v, number, info.Convicts)
		}
		cfg := MutantConfig(info, seed)
		cfg.Mutant = ""
		if v := run(t, cfg); v != nil {
			t.Errorf("seed %d without %s: %v", seed, name, v)
		}
	}
	for _, info := range mutant.List() {
		if !seen[info.Name] {
			t.Errorf("%s has no seed in testdata/mutants.txt", info.Name)
		}
	}
}

func run(t *testing.T, cfg sim.Config) *sim.Violation {
	t.Helper()
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w.Run(MutantRun)
}

// TestTwoWorlds: a world with a bug and one without live side by side.
func TestTwoWorlds(t *testing.T) {
	cfg := MutantConfig(mutant.List()[mutant.AckUnheld-1], 1)
	sick, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Mutant = ""
	well, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for sick.StepEvent() && well.StepEvent() {
	}
	if sick.Violation() == nil || well.Violation() != nil {
		t.Errorf("with the bug %v, without it %v", sick.Violation(), well.Violation())
	}
}
