package replay

import (
	"errors"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"

	"vitrine/core/sim"
)

// hopeless is a run that fails without any bug: a network that passes nothing
// cannot settle (I27), whatever clients and faults do besides.
func hopeless(t *testing.T) *Replay {
	t.Helper()
	cfg := faulty(4)
	cfg.Members, cfg.FaultsFor, cfg.Network.Loss = 5, 2*time.Second, 1
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if v := w.Run(2 * time.Second); v == nil || v.Number != 27 {
		t.Fatalf("I27 should break, got %v", v)
	}
	return Of(w, 2*time.Second)
}

func TestShrinkLeavesWhatMatters(t *testing.T) {
	r := hopeless(t)
	states := 0
	s := Shrinker{AtLeast: 2, Progress: func(ShrinkState) { states++ }}
	small, err := s.Shrink(r)
	if err != nil {
		t.Fatal(err)
	}
	ops, faults := small.Count()
	if small.Violated != 27 || ops != 0 || faults != 0 || small.Config.Members != 2 || small.Config.Network.Loss != 1 ||
		small.For > 100*time.Millisecond {
		t.Errorf("I%d with %d operations, %d faults, %v, %+v", small.Violated, ops, faults, small.For, small.Config)
	}
	if states == 0 || s.Trials() < states || s.Stopped() {
		t.Errorf("%d steps in %d trials, stopped: %v", states, s.Trials(), s.Stopped())
	}
	w, err := small.World()
	if err != nil {
		t.Fatal(err)
	}
	if v := small.Run(w); v == nil || v.Number != 27 || w.HashText() != small.Hash || v.At != small.At {
		t.Errorf("the small run gives %v, hash %s; it says hash %s", v, w.HashText(), small.Hash)
	}
	again, err := (&Shrinker{AtLeast: 2}).Shrink(r)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := format(t, small), format(t, again); a != b {
		t.Errorf("the same file was shrunk to\n%s\nand to\n%s", a, b)
	}
}

func format(t *testing.T, r *Replay) string {
	t.Helper()
	text, err := r.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestShrinkStopsWhenAsked(t *testing.T) {
	left := 5
	s := Shrinker{Stop: func() bool { left--; return left < 0 }}
	small, err := s.Shrink(hopeless(t))
	if err != nil || small.Violated != 27 || !s.Stopped() || s.Trials() != 5 {
		t.Errorf("after %d trials: %v, %v", s.Trials(), small, err)
	}
}

func TestShrinkWantsAFailure(t *testing.T) {
	w := quiet(t)
	w.Run(time.Second)
	if _, err := new(Shrinker).Shrink(Of(w, time.Second)); !errors.Is(err, ErrNoFailure) {
		t.Errorf("a good run is shrunk: %v", err)
	}
}

func TestGoTestOfARun(t *testing.T) {
	w := quiet(t)
	w.Run(time.Second)
	r := Of(w, time.Second)
	for _, x := range []struct {
		mutant   string
		violated int
		want     []string
		not      string
	}{
		{"", 0, []string{"func TestReplayMyRun(", "w.HashText() != r.Hash", "v != nil", r.Hash}, "go:build"},
		{"", 16, []string{"func TestReplayMyRun(", "v != nil"}, "w.HashText()"},
		{"vote-forgotten", 6, []string{"//go:build mutants\n\npackage", "v.Number != 6", "w.HashText()"}, "w.Stack"},
	} {
		c := *r
		c.Config.Mutant, c.Violated, c.Text = x.mutant, x.violated, "text"
		text, err := c.GoTest("my run")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "x_test.go", text, 0); err != nil {
			t.Error(err)
		}
		for _, want := range x.want {
			if !strings.Contains(string(text), want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if strings.Contains(string(text), x.not) {
			t.Errorf("%q in\n%s", x.not, text)
		}
	}
}

func TestOpenReplayDoesNotSettle(t *testing.T) {
	w := quiet(t)
	until(t, w, time.Second)
	r := Of(w, time.Second)
	r.Open = true
	read, err := Parse([]byte(format(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := read.World()
	if err != nil {
		t.Fatal(err)
	}
	if read.Run(again); again.HashText() != w.HashText() || again.Now() != w.Now() {
		t.Errorf("at %d with hash %s, was at %d with %s", again.Now(), again.HashText(), w.Now(), w.HashText())
	}
}
