package player

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"vitrine/core/mutant"
	"vitrine/core/replay"
	"vitrine/core/sim"
	"vitrine/core/story"
	"vitrine/core/trace"
)

// show is a replay that is being played. It was run once in the dark before, to
// see that it ends as recorded and what led to its end.
type show struct {
	text    string // the file
	name    string
	mutant  string
	correct bool // without the planted bug
	failure sim.Violation
	start   float64
	lit     map[uint64]bool // the events of the story; for look-ups only
	members []uint64        // where they are
	told    bool            // the violation is in the feed
	until   trace.Instant   // then everything heals, and the cluster must settle
	healed  bool
}

// ShowState is what the page is told of the replay that is being played.
type ShowState struct {
	Name     string `json:"name"`
	Mutant   string `json:"mutant,omitempty"`
	Correct  bool   `json:"correct"`
	Violated int    `json:"violated"` // the invariant that breaks in the file, 0 = none
	Text     string `json:"text"`
	Since    int64  `json:"since"` // when
	Start    int64  `json:"start"` // where the page begins to show it
	Over     bool   `json:"over"`  // the moment has passed
}

// What a replay may ask of a page.
const (
	longestReplay = 10 * time.Minute
	leadIn        = 2 * time.Second // before the violation
)

// ErrOtherBuild: a replay does not end as recorded. To show it would be to tell
// a false story.
var ErrOtherBuild = errors.New("not the same build")

// Open plays a replay file: from two seconds before the violation, or from the
// beginning. With correct it runs the same decisions on the core without the
// planted bug. On an error the present world stays.
func (p *Player) Open(text, name string, correct bool) error {
	if len(text) > replay.MaxShared {
		return fmt.Errorf("replay: %d bytes are too many: a page opens files of up to %d", len(text), replay.MaxShared)
	}
	r, err := replay.Parse([]byte(text))
	if err != nil {
		return err
	}
	if r.For > longestReplay {
		return fmt.Errorf("replay: %v are too long: a page opens runs of up to %v", r.For, longestReplay)
	}
	if correct {
		r.Config.Mutant = ""
	} else if r.Config.Mutant != "" && !mutant.Enabled {
		return fmt.Errorf("replay: it needs the planted bug %q, and this page was built without", r.Config.Mutant)
	}
	s := &show{text: text, name: name, mutant: r.Config.Mutant, correct: correct, lit: map[uint64]bool{}}
	told, err := s.rehearse(r)
	if err != nil {
		return err
	}
	cfg := r.Config
	cfg.LogWindow = 24
	if err := p.reset(cfg); err != nil {
		return err
	}
	for _, c := range r.Commands {
		if err := p.world.Schedule(c); err != nil {
			return err
		}
	}
	p.show = s
	if s.until = trace.Instant(r.For); r.Open {
		s.until = math.MaxInt64
	}
	p.watch.feed.story = told
	s.start = math.Max(0, float64(s.failure.Since-int64(leadIn)))
	p.replay = s.start
	p.Speed = clampSpeed(float64(cfg.Network.Base+cfg.Network.Jitter) / 3e8)
	p.Playing, p.Skip = true, true
	return nil
}

// rehearse runs a replay once and compares its end with what the file says. It
// returns the lines of the story by event.
func (s *show) rehearse(r *replay.Replay) (map[uint64]story.Line, error) {
	events := new(story.Recorder)
	w, err := r.World(events)
	if err != nil {
		return nil, err
	}
	v := r.Run(w)
	number := 0
	if v != nil {
		number = v.Number
	}
	s.failure = sim.Violation{Number: r.Violated, Text: r.Text, At: r.At, Since: r.Since}
	switch {
	case s.correct && v != nil:
		return nil, fmt.Errorf("replay: I%d breaks on the correct core too: %w", v.Number, v)
	case s.correct:
		return nil, nil
	case r.Hash != "" && w.HashText() != r.Hash || number != r.Violated:
		by := ""
		if r.Commit != "" {
			by = ", written by commit " + r.Commit
		}
		return nil, fmt.Errorf("%w: the file%s says hash %s, this run has %s", ErrOtherBuild, by, r.Hash, w.HashText())
	case v == nil:
		return nil, nil
	}
	s.failure = *v
	led := events.Story(v)
	for _, seq := range led.Events {
		s.lit[seq] = true
	}
	s.members = led.Members
	lines := map[uint64]story.Line{}
	for _, line := range led.Lines {
		lines[line.Seq] = line
	}
	return lines, nil
}

// state is what the page is told.
func (s *show) state(now float64) *ShowState {
	return &ShowState{
		Name: s.name, Mutant: s.mutant, Correct: s.correct, Violated: s.failure.Number, Text: s.failure.Text,
		Since: s.failure.Since, Start: int64(s.start), Over: s.failure.Number != 0 && now >= float64(s.failure.Since),
	}
}

// runUntil is the world's, and heals it where the file of a show ends: an answer
// that is wrong may come only after that.
func (p *Player) runUntil(t trace.Instant, maxEvents int) bool {
	if s := p.show; s != nil && !s.healed && t >= s.until {
		if !p.world.RunUntil(s.until, maxEvents) {
			return false
		}
		s.healed = true
		p.world.Heal()
	}
	return p.world.RunUntil(t, maxEvents)
}

// end is the moment at which a show stops by itself: at its violation.
func (p *Player) end() float64 {
	if p.show == nil || p.show.correct || p.show.failure.Number == 0 {
		return math.Inf(1)
	}
	return float64(p.show.failure.Since)
}

// judge shows a violation when its moment has come. What only the judgement of
// the whole history finds, the world itself does not know yet.
func (p *Player) judge() {
	if p.Shown() < p.end() {
		return
	}
	v := p.show.failure
	known := p.State.Violation != nil
	if !known {
		p.State.Violation = &v
		for i := range p.State.Invariants {
			if inv := &p.State.Invariants[i]; inv.ID == fmt.Sprintf("I%d", v.Number) {
				inv.OK = false
			}
		}
	}
	if p.show.told {
		return
	}
	p.show.told, p.Playing = true, false
	if !known {
		p.watch.feed.add(Item{story.Line{Seq: v.Seq, At: v.Since, Kind: "violated", Text: v.Text}, true})
	}
}

// Save is the run so far as a replay file, or as a Go test of one.
func (p *Player) Save(test bool) ([]byte, error) {
	p.world.RunUntil(p.world.Now(), 0) // a step may have stopped within a moment
	r := replay.Of(p.world, time.Duration(p.world.Now()))
	r.Open, r.Commit = true, revision()
	if test {
		return r.GoTest(fmt.Sprintf("seed %d", p.cfg.Seed))
	}
	data, err := r.Format()
	if err == nil && len(data) > replay.MaxShared {
		err = fmt.Errorf("replay: the file would have %d bytes, and a page opens no more than %d", len(data), replay.MaxShared)
	}
	return data, err
}

// revision is the commit of this build, if the toolchain knows it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) > 12 {
			return s.Value[:12]
		}
	}
	return ""
}
