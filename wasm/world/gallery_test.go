//go:build mutants

package world_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/core/replay"
	"vitrine/wasm/player"
	"vitrine/wasm/world"
)

// Every exhibit begins before its deed and turns red while one watches, in the same
// time on the core without the bug; closing it gives the visitor's world back.
func TestEveryExhibitIsSeen(t *testing.T) {
	files, err := filepath.Glob("../../assets/replays/*.replay")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d exhibits, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".replay")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, correct := range []bool{false, true} {
			p, err := player.New(world.Opener{}, player.Settings{Seed: 3, Members: 5, Speed: 0.5})
			if err != nil {
				t.Fatal(err)
			}
			for range 200 {
				p.Advance(16*time.Millisecond, still)
			}
			mine, now := p.Hash(), p.Shown()
			if err := p.Open(string(text), name, correct); err != nil {
				t.Fatal(name, err)
			}
			seconds := watch(t, p, name, correct)
			t.Logf("%s (correct: %v) is seen in %.1f s", name, correct, seconds)
			if seconds < 3 || seconds > 20 {
				t.Errorf("%s (correct: %v) takes %.1f s", name, correct, seconds)
			}
			begins(t, p, name, string(text))
			if _, err := p.Dispatch([]byte(`{"cmd":"close"}`)); err != nil {
				t.Error(name, err)
			}
			if p.Hash() != mine || p.Shown() != now || p.Speed != 0.5 || len(p.State.Members) != 5 {
				t.Errorf("%s: closing gives back hash %s at %.0f with speed %v", name, p.Hash(), p.Shown(), p.Speed)
			}
		}
	}
}

func still() time.Duration { return 0 }

// watch looks until the moment has come, and says how long that was.
func watch(t *testing.T, p *player.Player, name string, correct bool) (seconds float64) {
	t.Helper()
	const frame = 16 * time.Millisecond
	far := -1.0
	for range 3000 {
		p.Advance(frame, still)
		s := p.Showing()
		if s.At < far-1e-9 {
			t.Fatalf("%s: it goes back from %.2f s to %.2f s", name, far, s.At)
		}
		far = s.At
		if s.Over {
			break
		}
		seconds += frame.Seconds()
	}
	s := p.Showing()
	if !s.Over || !correct && (p.State.Violation == nil || p.Playing) || correct && p.State.Violation != nil {
		t.Fatalf("%s (correct: %v): over %v after %.1f s, violation %v", name, correct, s.Over, seconds, p.State.Violation)
	}
	if s.At != s.Seconds {
		t.Errorf("%s: at its end it is at %.2f s of %.2f", name, s.At, s.Seconds)
	}
	return seconds
}

// begins checks that nothing was done to the world before it is shown.
func begins(t *testing.T, p *player.Player, name, text string) {
	t.Helper()
	r, err := replay.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Commands {
		if c.Cmd != "set" && c.At < p.Showing().Start {
			t.Errorf("%s begins at %v, after %s at %v", name, time.Duration(p.Showing().Start), c.Cmd, time.Duration(c.At))
		}
	}
}
