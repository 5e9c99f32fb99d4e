package player_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/replay"
	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/wasm/player"
	"vitrine/wasm/world"
)

// file makes a replay of a short run with commands; change may spoil its world.
func file(t *testing.T, change func(*sim.Config), commands ...string) string {
	t.Helper()
	cfg := sim.DefaultConfig()
	cfg.Network = sim.Teaching()
	if change != nil {
		change(&cfg)
	}
	r := &replay.Replay{Config: cfg, For: 3 * time.Second}
	for i, line := range commands {
		c, err := script.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		r.Commands = append(r.Commands, script.Timed{At: int64(2*time.Second) + int64(i), Command: c})
	}
	w, err := r.World()
	if err != nil {
		t.Fatal(err)
	}
	r.Run(w)
	text, err := replay.Of(w, r.For).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOpenPlaysAFileToItsEnd(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 5, Speed: 1})
	text := file(t, nil, "put key=x value=1", "crash member=1")
	if err := p.Open(text, "mine", false); err != nil {
		t.Fatal(err)
	}
	f := frame(t, p)
	if f.Replay == nil || f.Replay.Name != "mine" || f.Replay.Violated != 0 || len(f.Members) != 3 || !f.Playing {
		t.Errorf("%+v", f.Replay)
	}
	p.Speed = 1
	until(t, p, "the crash", func(s *picture.State) bool { return !s.Members[0].Alive })
	do(t, p, `{"cmd":"reset"}`)
	if frame(t, p).Replay != nil {
		t.Error("a new world is still a replay")
	}
}

func TestOpenStopsAtTheViolation(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 5, Speed: 1})
	text := file(t, func(c *sim.Config) { c.Network.Loss = 1 })
	if err := p.Open(text, "deaf", false); err != nil {
		t.Fatal(err)
	}
	f0 := frame(t, p).Replay
	since := f0.Since
	if f0.Start >= since || f0.Seconds < 3.9 || f0.Seconds > 20 {
		t.Errorf("it starts at %v, the violation is at %v, to watch it takes %.1f s", time.Duration(f0.Start),
			time.Duration(since), f0.Seconds)
	}
	for range 2000 {
		p.Speed = 1
		p.Advance(50*time.Millisecond, still)
		if !p.Playing {
			break
		}
		if p.Shown() >= float64(f0.Start) && p.Shown() < float64(since) && p.State.Violation != nil {
			t.Fatal("the violation shows before its time")
		}
	}
	f := frame(t, p)
	if p.Playing || f.Violation == nil || f.Violation.Number != 27 || !f.Replay.Over || p.Shown() != float64(since) {
		t.Fatalf("playing: %v, %+v, at %v: %+v", p.Playing, f.Violation, time.Duration(p.Shown()), f.Replay)
	}
	if last := f.Feed[len(f.Feed)-1]; last.Kind != "violated" || !last.Lit {
		t.Errorf("the feed ends with %+v", last)
	}
	for _, i := range f.Invariants {
		if i.OK == (i.ID == "I27") {
			t.Errorf("light %+v", i)
		}
	}
	memory := p.Memory()
	q := play(t, player.Settings{Seed: 1, Members: 5, Speed: 1})
	if err := q.Restore(memory); err != nil || frame(t, q).Replay == nil {
		t.Errorf("a replay does not survive the loss of the page: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	p := play(t, player.Settings{Seed: 1, Members: 5, Speed: 1})
	good := file(t, nil, "put key=x value=1")
	hash := good[strings.Index(good, "hash "):][:21]
	for _, x := range []struct{ text, want string }{
		{strings.Replace(good, hash, "hash 0123456789abcdef", 1), "not the same build"},
		{strings.Replace(good, hash, "violated 8 never", 1), "not the same build"},
		{strings.Replace(good, "for ", "for 999", 1), "too long"},
		{good + strings.Repeat("# long\n", 20_000), "too many"},
		{"vitrine replay 99\n", "line 1"},
		{"", "no configuration"},
	} {
		err := p.Open(x.text, "x", false)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("want %q, got %v", x.want, err)
		}
		if x.want == "not the same build" && !errors.Is(err, world.ErrOtherBuild) {
			t.Errorf("%v is not world.ErrOtherBuild", err)
		}
	}
	if len(p.State.Members) != 5 || frame(t, p).Replay != nil {
		t.Error("a refused file has replaced the world")
	}
}

func TestSaveCanBeOpened(t *testing.T) {
	p := play(t, player.Settings{Seed: 7, Members: 3, Speed: 1})
	until(t, p, "a leader", leads)
	do(t, p, `{"cmd":"put","key":"x","value":"1"}`)
	do(t, p, `{"cmd":"crash","member":1}`)
	if err := p.StepFor(float64(time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		do(t, p, `{"cmd":"step","unit":"event"}`)
	}
	text, err := p.Save(false)
	if err != nil || !strings.Contains(string(text), "crash member=1") || !strings.Contains(string(text), p.Hash()) {
		t.Fatalf("%v\n%s", err, text)
	}
	if test, err := p.Save(true); err != nil || !strings.Contains(string(test), "func TestReplaySeed7(") {
		t.Errorf("%v\n%s", err, test)
	}
	if err := p.Open(string(text), "again", false); err != nil {
		t.Error(err)
	}
}
