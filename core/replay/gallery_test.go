//go:build mutants

package replay

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/sim"
	"vitrine/core/story"
)

// TestGallery: what ships with the page breaks as it says, with the same hash,
// and the correct core lives through it. After a change of the core,
// bin/sim -gallery assets/replays renews the files.
func TestGallery(t *testing.T) {
	files, err := filepath.Glob("../../assets/replays/*.replay")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d replays, %v; want at least 10", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		events := new(story.Recorder)
		w, err := r.World(events)
		if err != nil {
			t.Fatal(err)
		}
		v := r.Run(w)
		if v == nil || v.Number != r.Violated || w.HashText() != r.Hash {
			t.Errorf("%s: %v, hash %s; it says I%d, hash %s", file, v, w.HashText(), r.Violated, r.Hash)
			continue
		}
		if told := events.Story(v); len(told.Lines) < 3 || len(told.Events) == 0 ||
			told.Lines[len(told.Lines)-1].Kind != "violated" {
			t.Errorf("%s: the story: %+v", file, told.Lines)
		}
		r.Config.Mutant = ""
		if w, err = r.World(); err != nil {
			t.Fatal(err)
		}
		if v := r.Run(w); v != nil {
			t.Errorf("%s: the correct core: %v", file, v)
		}
		if ops, _ := r.Count(); ops > 40 || len(data) > MaxShared {
			t.Errorf("%s: %d operations, %d bytes", file, ops, len(data))
		}
	}
}

// TestShrinkPlantedBugs holds the shrinker to its figures: fewer than 40
// operations and, in the middle of them, fewer than 5 faults.
func TestShrinkPlantedBugs(t *testing.T) {
	var allOps, allFaults []int
	for _, name := range []string{"vote-forgotten", "fsync-lies", "quorum-off-by-one", "apply-before-commit",
		"applied-first", "txn-stale-compare", "client-retries"} {
		id, err := mutant.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		r := failing(t, mutant.List()[id-1])
		small, err := new(Shrinker).Shrink(r)
		if err != nil {
			t.Fatal(err)
		}
		ops, faults := small.Count()
		t.Logf("%-22s I%-2d %d operations, %d faults, %d members", name, small.Violated, ops, faults, small.Config.Members)
		allOps, allFaults = append(allOps, ops), append(allFaults, faults)
		if small.Violated != r.Violated {
			t.Errorf("%s: I%d became I%d", name, r.Violated, small.Violated)
		}
	}
	slices.Sort(allOps)
	slices.Sort(allFaults)
	if ops, faults := allOps[len(allOps)/2], allFaults[len(allFaults)/2]; ops >= 40 || faults >= 5 {
		t.Errorf("%d operations and %d faults in the median", ops, faults)
	}
}

func failing(t *testing.T, info mutant.Info) *Replay {
	t.Helper()
	for seed := range uint64(60) {
		cfg := MutantConfig(info, seed+1)
		cfg.FaultsFor = 20 * time.Second
		w, err := sim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if v := w.Run(20 * time.Second); v != nil {
			return Of(w, 20*time.Second)
		}
	}
	t.Fatalf("%s survives", info.Name)
	return nil
}
