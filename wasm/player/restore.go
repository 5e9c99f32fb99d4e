package player

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"vitrine/core/trace"
)

// Memory is what makes a run again. The page keeps it for the case that the
// browser takes the graphics context away, which reloads the page. A recording is
// not remembered: its files may be large.
type Memory struct {
	World   json.RawMessage `json:"world,omitempty"`
	Now     int64           `json:"now"`
	Speed   float64         `json:"speed"`
	Playing bool            `json:"playing"`
	Skip    bool            `json:"skip"`
	Chosen  Choice          `json:"chosen"`
	Replay  string          `json:"replay,omitempty"` // the file, if one is played
	Name    string          `json:"name,omitempty"`
	Correct bool            `json:"correct,omitempty"`
}

// Memory of the present run in JSON.
func (p *Player) Memory() []byte {
	// A run that is being made again is remembered at the moment to which it is on its way.
	now := max(int64(p.source.Now()), int64(p.replay))
	m := Memory{Now: now, Speed: p.Speed, Playing: p.Playing, Skip: p.Skip, Chosen: p.Chosen}
	m.Replay, m.Name, m.Correct = p.file.text, p.file.name, p.file.correct
	if c, err := p.controls(); err == nil && m.Replay == "" {
		m.World, err = c.Memory(math.MaxInt64)
		if err != nil {
			panic(err) // plain data always encodes
		}
	}
	return marshal(m)
}

// Restore makes the remembered run again. It is under way when Restore
// returns: Advance brings it to its moment before it goes on.
func (p *Player) Restore(data []byte) error {
	var m Memory
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	var err error
	switch {
	case m.Replay != "":
		err = p.Open(m.Replay, m.Name, m.Correct)
	case m.World != nil:
		err = p.reset(p.opener.Again(m.World))
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	p.Speed, p.Playing, p.Skip, p.Chosen = clampSpeed(m.Speed), m.Playing, m.Skip, m.Chosen
	p.replay = float64(m.Now)
	return nil
}

// back makes the run again up to a moment that was. What was done from then on is forgotten. It is under way when back
// returns, as in Restore.
func (p *Player) back(ns float64) error {
	c, err := p.controls()
	if err != nil {
		return err
	}
	if !(ns >= 0 && ns <= p.Shown()) {
		return fmt.Errorf("seek: %v ns are no moment of this run, which has come to %.0f", ns, p.Shown())
	}
	world, err := c.Memory(trace.Instant(ns))
	if err != nil {
		return err
	}
	chosen, speed, skip, mark := p.Chosen, p.Speed, p.Skip, p.watch.tally.from
	if err := p.reset(p.opener.Again(world)); err != nil {
		return err
	}
	if mark > 0 && float64(mark) <= ns {
		p.watch.tally.mark(mark)
	}
	chosen.Request = 0 // it may have been made later
	p.Chosen, p.Speed, p.Skip, p.Playing, p.replay = chosen, speed, skip, false, ns
	return nil
}

// arrive brings a run that is made again to its moment at once: what is to be done is not meant for an earlier one.
func (p *Player) arrive() {
	if p.replay > 0 {
		p.catchUp(func() time.Duration { return 0 })
	}
}

// Restoring tells whether a run is made again and has not come to its moment yet.
func (p *Player) Restoring() bool { return p.replay > 0 }

// catchUp runs towards the moment that is being restored.
func (p *Player) catchUp(now func() time.Duration) {
	begin := now()
	for !p.source.RunUntil(trace.Instant(p.replay), sliceSize) {
		if p.watch.violated {
			p.replay = 0 // there it ends
			return
		}
		if now()-begin > 4*budget {
			return
		}
	}
	p.target, p.replay = p.replay, 0
}
