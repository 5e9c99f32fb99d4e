package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/replay"
	"vitrine/core/sim"
)

// exhibit is one planted bug that the page shows: a replay file of its name.
type exhibit struct {
	Mutant string `json:"mutant"`
}

// gallerySeeds is how many seeds an exhibit may take.
const gallerySeeds = 400

// galleryTries is how many failing seeds are shrunk for an exhibit; the smallest
// is shown.
const galleryTries = 4

// renewGallery makes the replays of a gallery again, for the core as it is now,
// and sees that the correct core survives the same decisions. Where an old file
// still breaks its invariant, only its hash is renewed.
func (p *program) renewGallery() int {
	data, err := os.ReadFile(filepath.Join(p.gallery, "index.json"))
	if err != nil {
		return p.fail(err)
	}
	var all []exhibit
	if err := json.Unmarshal(data, &all); err != nil {
		return p.fail(err)
	}
	if !mutant.Enabled {
		return p.fail(errors.New("-gallery: this binary carries no mutants; build it with -tags mutants"))
	}
	status := 0
	fmt.Fprintf(p.stdout, "%-28s %4s  %11s  %9s  %8s  %8s  %s\n", "planted bug", "", "operations", "faults", "members",
		"seconds", "trials")
	for _, x := range all {
		if err := p.renew(x.Mutant, filepath.Join(p.gallery, x.Mutant+".replay")); err != nil {
			fmt.Fprintf(p.stderr, "sim: %s: %v\n", x.Mutant, err)
			status = 1
		}
	}
	return status
}

func (p *program) renew(name, file string) error {
	id, err := mutant.Find(name)
	if err != nil {
		return err
	}
	info := mutant.List()[id-1]
	start := time.Now()
	if old, err := read(file); err == nil {
		if again, v := repeat(old); v != nil && v.Number == old.Violated {
			ops, faults := again.Count()
			fmt.Fprintf(p.stdout, "%-28s I%-3d  %11d  %9d  %8d  %8.1f  as before\n", name, v.Number, ops, faults,
				again.Config.Members, time.Since(start).Seconds())
			if again.Hash == old.Hash {
				return nil
			}
			return p.hang(file, again)
		}
	}
	var best *replay.Replay
	for seed, found := uint64(1), 0; seed <= gallerySeeds && found < galleryTries; seed++ {
		failing, err := hunt(info, seed)
		if err != nil {
			return err
		}
		if failing == nil {
			continue
		}
		found++
		small, err := p.shrinkForTheEye(name, failing)
		if err != nil {
			return err
		}
		if best == nil || decisions(small) < decisions(best) {
			best = small
		}
	}
	if best == nil {
		return fmt.Errorf("it survives %d seeds", gallerySeeds)
	}
	return p.hang(file, best)
}

func decisions(r *replay.Replay) int { return len(r.Commands) }

// shrinkForTheEye keeps three members and a network that can be followed.
func (p *program) shrinkForTheEye(name string, failing *replay.Replay) (*replay.Replay, error) {
	start := time.Now()
	s := replay.Shrinker{AtLeast: 3, Slow: true, Stop: func() bool { return time.Since(start) > p.within }}
	whole, err := replay.Explicit(failing)
	if err != nil {
		return nil, err
	}
	small, err := s.Shrink(failing)
	if err != nil {
		return nil, err
	}
	ops, faults := small.Count()
	ops0, faults0 := whole.Count()
	fmt.Fprintf(p.stdout, "%-28s I%-3d  %5d → %3d  %4d → %2d  %8d  %8.1f  %d\n", name, small.Violated, ops0, ops, faults0,
		faults, small.Config.Members, time.Since(start).Seconds(), s.Trials())
	return small, nil
}

// hang writes an exhibit if the correct core survives it.
func (p *program) hang(file string, r *replay.Replay) error {
	correct := *r
	correct.Config.Mutant = ""
	if _, v := repeat(&correct); v != nil {
		return fmt.Errorf("the correct core breaks I%d too: %w", v.Number, v)
	}
	return write(file, r)
}

// repeat runs a replay and returns it with what came of it.
func repeat(r *replay.Replay) (*replay.Replay, *sim.Violation) {
	w, err := r.World()
	if err != nil {
		return nil, nil
	}
	v := r.Run(w)
	again := replay.Of(w, r.For)
	again.Commands = r.Commands
	return again, v
}

// hunt runs a seed, shortly and for long, and returns the run if the bug is
// found; on every other seed in a network slow enough for the eye.
func hunt(info mutant.Info, seed uint64) (*replay.Replay, error) {
	for _, length := range []time.Duration{20 * time.Second, replay.MutantRun} {
		cfg := replay.MutantConfig(info, seed)
		cfg.Members, cfg.FaultsFor = 3, length
		if seed%2 == 1 {
			cfg.Network = sim.Teaching()
		}
		w, err := sim.New(cfg)
		if err != nil {
			return nil, err
		}
		if v := w.Run(length); v != nil {
			return replay.Of(w, length), nil
		}
	}
	return nil, nil
}
