package player

import (
	"errors"
	"fmt"
	"math"

	"vitrine/core/picture"
	"vitrine/core/story"
)

// replayFile is a replay file that is played.
type replayFile struct {
	text, name string
	correct    bool
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

	Seconds float64 `json:"seconds"` // how long it takes to watch
	At      float64 `json:"at"`      // how far one has come
}

// Open plays a replay file: from before the first deed of its story, or from the
// beginning. With correct it runs the same decisions on the core without the
// planted bug. On an error the present source stays. Close leads back to it.
func (p *Player) Open(text, name string, correct bool) error {
	mine := p.keep()
	if err := p.reset(p.opener.Replay(text, name, correct)); err != nil {
		return err
	}
	p.file, p.mine = replayFile{text, name, correct}, mine
	return nil
}

// SeekShare goes to a share of a replay, from 0, its first scene, to 1. It is run
// again for that: what a visitor has done to it is undone.
func (p *Player) SeekShare(share float64) error {
	s := p.facts.Show
	if s == nil || len(s.Plan) == 0 {
		return errors.New("seek: no replay is shown")
	}
	if !(share >= 0 && share <= 1) {
		return fmt.Errorf("seek: %v is no share from 0 to 1", share)
	}
	to := float64(s.moment(share * s.Seconds()))
	if to < p.Shown() {
		chosen, speed, playing := p.Chosen, p.Speed, p.Playing || p.Shown() >= p.end()
		if err := p.reset(p.again); err != nil {
			return err
		}
		p.Chosen, p.Speed, p.Playing = chosen, speed, playing
	}
	p.replay = to
	return nil
}

// Showing is what the page is told, nil if no replay is played.
func (p *Player) Showing() *ShowState {
	s := p.facts.Show
	if s == nil {
		return nil
	}
	return &ShowState{
		Seconds: s.Seconds(), At: s.at(p.Shown()),
		Name: s.Name, Mutant: s.Mutant, Correct: s.Correct, Violated: s.Failure.Number, Text: s.Failure.Text,
		Since: s.Failure.Since, Start: s.Start, Over: s.Failure.Number != 0 && p.Shown() >= float64(s.Failure.Since),
	}
}

// fails is the failure that a replay stops at, nil if it does not.
func (p *Player) fails() *picture.Violation {
	if s := p.facts.Show; s != nil && !s.Correct && s.Failure.Number != 0 {
		return &s.Failure
	}
	return nil
}

// end is the moment at which what is played stops by itself.
func (p *Player) end() float64 {
	switch v := p.fails(); {
	case v != nil:
		return float64(v.Since)
	case p.facts.End != 0:
		return float64(p.facts.End)
	}
	return math.Inf(1)
}

// judge stops at the end, and shows a violation when its moment has come: what
// only the judgement of the whole history finds, the events have not told yet.
func (p *Player) judge() {
	if p.Shown() < p.end() {
		return
	}
	v := p.fails()
	if v == nil {
		p.Playing = false
		return
	}
	known := p.State.Violation != nil
	if !known {
		p.State.Violation = v
		for i := range p.State.Invariants {
			if inv := &p.State.Invariants[i]; inv.ID == fmt.Sprintf("I%d", v.Number) {
				inv.OK = false
			}
		}
	}
	if p.told {
		return
	}
	p.told, p.Playing = true, false
	if !known {
		p.watch.feed.add(Item{story.Line{Seq: v.Seq, At: v.Since, Kind: "violated", Text: v.Text}, true})
	}
}

// Save is the run so far as a replay file, or as a Go test of one.
func (p *Player) Save(test bool) ([]byte, error) {
	c, err := p.controls()
	if err != nil {
		return nil, err
	}
	return c.Save(test)
}
