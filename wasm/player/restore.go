package player

import (
	"encoding/json"
	"fmt"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/core/trace"
)

// Memory is what makes a run again: seed, configuration, commands. The page
// keeps it for the case that the browser takes the graphics context away,
// which reloads the page.
type Memory struct {
	Config   sim.Config     `json:"config"`
	Commands []script.Timed `json:"commands"`
	Now      int64          `json:"now"`
	Speed    float64        `json:"speed"`
	Playing  bool           `json:"playing"`
	Skip     bool           `json:"skip"`
	Chosen   Choice         `json:"chosen"`
	Replay   string         `json:"replay,omitempty"` // the file, if one is played
	Name     string         `json:"name,omitempty"`
	Correct  bool           `json:"correct,omitempty"`
}

// Memory of the present run in JSON.
func (p *Player) Memory() []byte {
	m := Memory{Config: p.cfg, Now: int64(p.world.Now()), Speed: p.Speed, Playing: p.Playing, Skip: p.Skip, Chosen: p.Chosen}
	if p.show != nil {
		m.Replay, m.Name, m.Correct = p.show.text, p.show.name, p.show.correct
	}
	for _, c := range p.world.Commands() {
		if !c.Fault && p.show == nil {
			m.Commands = append(m.Commands, c)
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain data always encodes
	}
	return out
}

// Restore makes the remembered run again. It is under way when Restore
// returns: Advance brings it to its moment before it goes on.
func (p *Player) Restore(data []byte) error {
	var m Memory
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	restart := func() error { return p.reset(m.Config) }
	if m.Replay != "" {
		restart = func() error { return p.Open(m.Replay, m.Name, m.Correct) }
	}
	if err := restart(); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for _, c := range m.Commands {
		if err := p.world.Schedule(c); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	p.Speed, p.Playing, p.Skip, p.Chosen = clampSpeed(m.Speed), m.Playing, m.Skip, m.Chosen
	p.replay = float64(m.Now)
	return nil
}

// catchUp runs towards the moment that is being restored.
func (p *Player) catchUp(now func() time.Duration) {
	begin := now()
	for !p.runUntil(trace.Instant(p.replay), sliceSize) {
		if now()-begin > 4*budget || p.watch.violated {
			return
		}
	}
	p.target, p.replay = p.replay, 0
}
