package story

import (
	"testing"
	"time"

	"vitrine/core/sim"
)

// TestStoryEndsWithTheViolation tells of a run that fails without any bug: a
// network that passes nothing cannot settle (I27).
func TestStoryEndsWithTheViolation(t *testing.T) {
	cfg := sim.DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Faults, cfg.FaultsFor, cfg.Network.Loss = 4, 5, true, 2*time.Second, 1
	events := new(Recorder)
	w, err := sim.New(cfg, events)
	if err != nil {
		t.Fatal(err)
	}
	v := w.Run(2 * time.Second)
	if v == nil || v.Number != 27 {
		t.Fatalf("I27 should break, got %v", v)
	}
	story := events.Story(v)
	if n := len(story.Lines); n == 0 || n > storyLines+50 || story.Lines[n-1].Kind != "violated" {
		t.Errorf("%d lines: %+v", n, story.Lines)
	}
	for i, line := range story.Lines {
		if line.Kind == "" || i > 0 && line.Seq <= story.Lines[i-1].Seq {
			t.Errorf("line %d: %+v", i, line)
		}
	}
}
