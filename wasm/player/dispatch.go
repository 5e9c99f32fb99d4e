package player

import (
	"encoding/json"
	"fmt"

	"vitrine/core/sim"
)

// Reply answers a command.
type Reply struct {
	Request uint64 `json:"request,omitempty"` // the client request that it began
}

// order is a command to the player itself. All others go to the world.
type order struct {
	Cmd     string    `json:"cmd"`
	Member  uint64    `json:"member"`
	Link    [2]uint64 `json:"link"`
	Request uint64    `json:"request"`
	Value   float64   `json:"value"`
	Unit    string    `json:"unit"`
	On      bool      `json:"on"`
	Seed    *uint64   `json:"seed"`
	Members int       `json:"members"`
	Text    string    `json:"text"`
	Name    string    `json:"name"`
	Correct bool      `json:"correct"`
}

// Dispatch does a command given in JSON: one of the simulator's
// (sim.Command), or
//
//	play, pause (without a member)        the clock
//	step    unit                          event, message, commit, term
//	speed   value                         simulated seconds a second
//	skip    on                            pass quickly through idle spans
//	reset   seed, members                 a new world; what is not given stays
//	replay  text, name, correct           a replay file, see Open; without a text the last one again
//	select  member | link | request      what the inspector shows
func (p *Player) Dispatch(data []byte) (Reply, error) {
	var head struct {
		Cmd    string `json:"cmd"`
		Member uint64 `json:"member"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Reply{}, fmt.Errorf("command: %w", err)
	}
	switch head.Cmd {
	case "play", "step", "speed", "skip", "reset", "select", "replay":
		return Reply{}, p.order(data)
	case "pause":
		if head.Member == 0 {
			return Reply{}, p.order(data)
		}
	}
	c, err := sim.ParseJSON(data)
	if err != nil {
		return Reply{}, err
	}
	request, err := p.world.Do(c)
	if err != nil {
		return Reply{}, err
	}
	if n, err := sim.Preset(c.Value); err == nil && c.Name == "network" {
		p.cfg.Network.Client = n.Client
	}
	if request != 0 {
		p.Chosen.Request = request
	}
	p.refresh()
	return Reply{request}, nil
}

func (p *Player) order(data []byte) error {
	var o order
	if err := json.Unmarshal(data, &o); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	switch o.Cmd {
	case "play":
		p.Playing = true
	case "pause":
		p.Playing = false
	case "step":
		return p.StepTo(o.Unit)
	case "speed":
		if !(o.Value > 0) {
			return fmt.Errorf("speed: %v is not positive", o.Value)
		}
		p.Speed = clampSpeed(o.Value)
	case "skip":
		p.Skip = o.On
	case "select":
		return p.choose(o)
	case "replay":
		if o.Text == "" && p.show != nil {
			o.Text, o.Name = p.show.text, p.show.name
		}
		return p.Open(o.Text, o.Name, o.Correct)
	case "reset":
		cfg := config(Settings{Seed: p.cfg.Seed, Members: p.cfg.Members})
		if o.Seed != nil {
			cfg.Seed = *o.Seed
		}
		if o.Members != 0 {
			cfg.Members = o.Members
		}
		return p.reset(cfg)
	}
	return nil
}

// choose turns the visitor's eye. A member and a link exclude each other.
func (p *Player) choose(o order) error {
	switch {
	case o.Request != 0:
		p.Chosen.Request = o.Request
	case o.Link != [2]uint64{}:
		a, b := min(o.Link[0], o.Link[1]), max(o.Link[0], o.Link[1])
		if a == 0 || a == b || int(b) > len(p.State.Members) {
			return fmt.Errorf("select: there is no link %d-%d", o.Link[0], o.Link[1])
		}
		p.Chosen.Link = [2]uint64{a, b}
	default:
		if int(o.Member) > len(p.State.Members) {
			return fmt.Errorf("select: there is no member %d", o.Member)
		}
		p.Chosen.Member, p.Chosen.Link = o.Member, [2]uint64{}
	}
	return nil
}
