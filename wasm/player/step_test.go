package player_test

import (
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
