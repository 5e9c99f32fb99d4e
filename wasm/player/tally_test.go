package player_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/wasm/player"
)

func numbers(t *testing.T, p *player.Player) player.Numbers {
	t.Helper()
	var f struct{ Numbers player.Numbers }
	if err := json.Unmarshal(p.Frame(), &f); err != nil {
		t.Fatal(err)
	}
	return f.Numbers
}

// What is counted is what happened, and a mark divides it in two.
func TestNumbersBeforeAndSinceAMark(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 5, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"pause"}`)
	do(t, p, `{"cmd":"set","name":"rate","value":"0"}`)
	step := func(d time.Duration) {
		t.Helper()
		if err := p.StepFor(float64(d)); err != nil {
			t.Fatal(err)
		}
	}
	step(6 * time.Second) // what was asked before is answered
	if n := numbers(t, p); n.Was != nil || n.Now.Elections != 1 || n.Now.Leaderless <= 0 || n.Now.Leaderless > 2e9 {
		t.Errorf("a world that has one leader tells %+v", n)
	}
	do(t, p, `{"cmd":"mark"}`)
	marked, commit := int64(p.Shown()), p.State.Commit
	const puts = 5
	for i := range puts {
		do(t, p, fmt.Sprintf(`{"cmd":"put","key":"k","value":"%d","member":%d}`, i, p.State.Leader))
		step(200 * time.Millisecond)
	}
	do(t, p, `{"cmd":"get","key":"k"}`)
	step(200 * time.Millisecond)
	n := numbers(t, p)
	if n.Was == nil || n.Was.Elections != 1 || n.Was.Over != marked {
		t.Fatalf("before the mark: %+v", n.Was)
	}
	now := n.Now
	if now.Since != marked || now.Over != int64(p.Shown())-marked || now.Writes.Count != puts || now.Reads.Count != 1 ||
		now.Failed != 0 || now.Elections != 0 || now.Leaderless != 0 || now.Entries != p.State.Commit-commit {
		t.Errorf("since the mark: %+v", now)
	}
	if now.Syncs < puts*3 || now.Messages < puts*8 {
		t.Errorf("%d puts took %d syncs and %d messages", puts, now.Syncs, now.Messages)
	}
	for _, r := range p.State.Requests {
		took := r.Done - r.Issued
		if r.Op == "get" && r.Client == 0 && (now.Reads.P50 < took*15/16 || now.Reads.P50 > took*17/16) {
			t.Errorf("the read took %d, and is told as %d", took, now.Reads.P50)
		}
	}

	// A step back counts from the mark, too.
	before := now
	do(t, p, fmt.Sprintf(`{"cmd":"seek","value":%f}`, p.Shown()))
	until(t, p, "that moment", func(*picture.State) bool { return !p.Restoring() })
	if again := numbers(t, p); again.Now != before || again.Was == nil {
		t.Errorf("the run made again tells %+v, not %+v", again.Now, before)
	}

	// A crash of the leader: time without one, and another one.
	do(t, p, fmt.Sprintf(`{"cmd":"crash","member":%d}`, p.State.Leader))
	step(5 * time.Second)
	if after := numbers(t, p).Now; after.Elections != 1 || after.Leaderless < 5e8 || after.Leaderless > 4e9 {
		t.Errorf("after a crash of the leader: %+v", after)
	}
	do(t, p, `{"cmd":"reset","members":3}`)
	if n := numbers(t, p); n.Was == nil || n.Now.Since != 0 || n.Now.Writes.Count != 0 {
		t.Errorf("a new world beside the numbers of the old one: %+v", n)
	}
}
