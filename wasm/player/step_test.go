package player_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/wasm/player"
)

// A step that finds nothing says so and stays near: a stable cluster has no new
// term for minutes.
func TestAStepStaysNear(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 5, Speed: 0.5})
	until(t, p, "a leader", leads)
	before := p.Shown()
	if reply := do(t, p, `{"cmd":"step","unit":"term"}`); !reply.Missed {
		t.Error("a stable cluster had a new term")
	}
	if d := time.Duration(p.Shown() - before); d > 5*time.Second {
		t.Errorf("to find nothing took %v", d)
	}
	for _, unit := range []string{"event", "message", "commit"} {
		if reply := do(t, p, `{"cmd":"step","unit":"`+unit+`"}`); reply.Missed {
			t.Errorf("there is no %s near", unit)
		}
	}
	do(t, p, `{"cmd":"pause"}`)
	until(t, p, "the leader still", func(s *picture.State) bool { return s.Leader != 0 })
	do(t, p, `{"cmd":"crash","member":`+string(rune('0'+p.State.Leader))+`}`)
	term := p.State.Term
	for range 4 {
		if reply := do(t, p, `{"cmd":"step","unit":"term"}`); !reply.Missed {
			break
		}
	}
	if p.State.Term <= term {
		t.Errorf("after a crash of the leader no step reaches a new term: %d", p.State.Term)
	}
}

// What the page says of the pace is what has passed, not what was asked for.
func TestPaceIsWhatPasses(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 2})
	for range 100 {
		p.Advance(16*time.Millisecond, still)
	}
	if math.Abs(p.Pace-2) > 0.05 {
		t.Errorf("at speed 2 the pace is %.2f", p.Pace)
	}
	do(t, p, `{"cmd":"speed","value":1000}`)
	now := time.Duration(0)
	slow := func() time.Duration { now += 3 * time.Millisecond; return now } // a machine that is soon behind
	for range 100 {
		p.Advance(16*time.Millisecond, slow)
	}
	if !p.Behind || p.Pace > 500 {
		t.Errorf("a slow machine is told to pass %.0f s a second", p.Pace)
	}
}

// Who fell last, and who led last, is known also of a run that was made again.
func TestWhoFellIsKnownAfterAStepBack(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 5, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"pause"}`)
	leader := p.State.Leader
	other := leader%5 + 1
	told := func() string {
		var f struct {
			Led    uint64
			Fallen []uint64
		}
		if err := json.Unmarshal(p.Frame(), &f); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(f.Led, f.Fallen)
	}
	want := func(what, tells string) {
		t.Helper()
		if got := told(); got != tells {
			t.Errorf("%s: the frame tells %s, want %s", what, got, tells)
		}
	}
	want("all run", fmt.Sprintf("%d []", leader))
	do(t, p, fmt.Sprintf(`{"cmd":"crash","member":%d,"keep":true}`, other))
	do(t, p, fmt.Sprintf(`{"cmd":"crash","member":%d}`, leader))
	if err := p.StepFor(1e8); err != nil {
		t.Fatal(err)
	}
	both := fmt.Sprintf("%d [%d %d]", leader, other, leader)
	want("two fell", both)
	for _, back := range []float64{5e7, 1e7} {
		do(t, p, fmt.Sprintf(`{"cmd":"seek","value":%f}`, p.Shown()-back))
		until(t, p, "that moment", func(*picture.State) bool { return !p.Restoring() })
		want("a step back", both)
	}
	do(t, p, fmt.Sprintf(`{"cmd":"restart","member":%d}`, leader))
	want("one began again", fmt.Sprintf("%d [%d]", leader, other))
}
