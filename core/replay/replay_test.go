package replay

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/core/trace"
)

func faulty(seed uint64) sim.Config {
	cfg := sim.DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Faults, cfg.FaultsFor = seed, 3, true, 8*time.Second
	return cfg
}

func quiet(t *testing.T) *sim.World {
	t.Helper()
	w, err := sim.New(sim.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func until(t *testing.T, w *sim.World, at time.Duration) {
	t.Helper()
	if !w.RunUntil(trace.Instant(at), 0) {
		t.Fatalf("stopped at %v: %v\n%s", time.Duration(w.Now()), w.Violation(), w.Stack())
	}
}

func TestSameSeedSameHash(t *testing.T) {
	var hashes []string
	for _, seed := range []uint64{5, 6, 5} {
		w, err := sim.New(faulty(seed))
		if err != nil {
			t.Fatal(err)
		}
		w.Run(8 * time.Second)
		hashes = append(hashes, w.HashText())
	}
	if hashes[0] != hashes[2] {
		t.Errorf("seed 5 has hash %s, then %s", hashes[0], hashes[2])
	}
	if hashes[0] == hashes[1] {
		t.Errorf("seeds 5 and 6 have one hash %s", hashes[0])
	}
}

// TestReplayRepeatsDrawnFaults turns drawn runs into lists of decisions, by way
// of text, and repeats them.
func TestReplayRepeatsDrawnFaults(t *testing.T) {
	for seed := uint64(10); seed < 16; seed++ {
		w, err := sim.New(faulty(seed))
		if err != nil {
			t.Fatal(err)
		}
		w.Run(8 * time.Second)
		text, err := Of(w, 8*time.Second).Format()
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		again, err := r.World()
		if err != nil {
			t.Fatal(err)
		}
		again.Run(r.For)
		if again.HashText() != r.Hash {
			t.Errorf("seed %d: hash %s, replayed %s; commands:\n%s", seed, r.Hash, again.HashText(), text)
		}
		if !reflect.DeepEqual(w.Commands(), again.Commands()) {
			t.Errorf("seed %d: the replay did other things", seed)
		}
	}
}

// TestReplayRepeatsAVisitor mixes commands with steps of all sizes, as a page
// does, and replays what was recorded.
func TestReplayRepeatsAVisitor(t *testing.T) {
	cfg := sim.DefaultConfig()
	cfg.Network = sim.Teaching()
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	do := func(line string) {
		t.Helper()
		c, err := script.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	until(t, w, 3*time.Second)
	do("put key=x value=1")
	do("put key=x value=2 member=2")
	w.StepEvent()
	do("pause member=3")
	for range 100 {
		w.StepEvent()
		do("get key=x member=1")
	}
	do("cut from=1 to=2,3")
	until(t, w, 5*time.Second)
	do("resume member=3")
	do("heal")
	do("crash member=2")
	until(t, w, 6*time.Second)
	do("restart member=2")
	w.Run(8 * time.Second)
	if v := w.Violation(); v != nil {
		t.Fatal(v)
	}
	again, err := Of(w, 8*time.Second).World()
	if err != nil {
		t.Fatal(err)
	}
	again.Run(8 * time.Second)
	if again.HashText() != w.HashText() {
		t.Errorf("hash %s, replayed %s", w.HashText(), again.HashText())
	}
}

func TestReplayFileErrors(t *testing.T) {
	w := quiet(t)
	good, err := Of(w, time.Second).Format()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"replay 1", "replay 99"}, {"hash ", "hash x"}, {"for ", "for ever "}, {`"members":3`, `"members":77`},
		{"seed", "sneed"}, {"config", "command 1 explode\nconfig"},
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q for %q is accepted", change[1], change[0])
		}
	}
}

func FuzzParse(f *testing.F) {
	w, err := sim.New(faulty(3))
	if err != nil {
		f.Fatal(err)
	}
	w.RunUntil(trace.Instant(time.Second), 0)
	text, err := Of(w, time.Second).Format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse([]byte(text))
		if err != nil {
			return
		}
		again, err := r.Format()
		if err != nil {
			t.Fatal(err)
		}
		r2, err := Parse(again)
		if err != nil || !reflect.DeepEqual(r, r2) {
			t.Fatalf("%q\nparses as %+v, writes %q, parses as %+v: %v", text, r, again, r2, err)
		}
	})
}
