package story

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/core/trace"
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

// lines keeps what a teller says of a run.
type lines struct {
	*Teller
	told []Line
}

func (l *lines) Emit(e *trace.Event) {
	if line, ok := l.Tell(e); ok {
		l.told = append(l.told, line)
	}
}

// Who calls an election while the others hear their leader is told why nothing comes of it, and who asks what of
// whom when it fails.
func TestRefusalsAreTold(t *testing.T) {
	told := &lines{Teller: NewTeller()}
	cfg := sim.DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Workload.Rate = 7, 5, 0
	w, err := sim.New(cfg, told)
	if err != nil {
		t.Fatal(err)
	}
	w.Run(3 * time.Second)
	leader := uint64(0)
	for _, l := range told.told {
		switch l.Kind {
		case "leader":
			leader = l.Member
		case "memberAdded":
			t.Errorf("a member that was there from the beginning is told as new: %+v", l)
		}
	}
	other := leader%5 + 1
	for _, line := range []string{
		fmt.Sprintf("campaign member=%d", other), "get key=x rev=99", "set name=jitter value=25.891357ms",
	} {
		c, err := script.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	told.told = nil
	w.Run(time.Second)
	ignored, failed := map[uint64]bool{}, Line{}
	for _, l := range told.told {
		switch l.Kind {
		case "voteIgnored":
			ignored[l.Member] = l.Peer == other && slices.Equal(l.From, []uint64{leader})
		case "requestFailed":
			if l.Asks == "get key=x rev=99" {
				failed = l
			}
		}
	}
	if len(ignored) != 4 || !ignored[leader] {
		t.Errorf("%d asks in vain while %d leads: %v", other, leader, ignored)
	}
	if failed.Client != 0 || failed.Member == 0 || failed.Request == 0 {
		t.Errorf("a request that fails: %+v", failed)
	}
}

func TestSettingsAreRounded(t *testing.T) {
	for line, want := range map[string]string{
		"set name=jitter value=25.891357ms": "25.9ms", "set name=loss value=0.123456": "0.123", "set name=fsync value=0": "0",
		"set name=latency value=1.5s": "1.5s", "set name=network value=lan": "lan",
	} {
		l, ok := NewTeller().Tell(&trace.Event{Kind: trace.Command, Text: line})
		if !ok || l.Kind != "set" || l.Text != want {
			t.Errorf("%s is told as %+v", line, l)
		}
	}
}
