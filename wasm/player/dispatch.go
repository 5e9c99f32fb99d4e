package player

import (
	"fmt"
	"slices"

	"vitrine/core/script"
	"vitrine/core/sim"
)

// Reply answers a command.
type Reply struct {
	Request uint64 `json:"request,omitempty"` // the client request that it began
}

// order is what the player's own commands may say. All others go to the world.
type order struct {
	member  uint64
	link    [2]uint64
	request uint64
	value   float64
	unit    string
	on      bool
	seed    *uint64
	members int
	text    string
	name    string
	correct bool
}

// places are the fields of an order by name.
func (o *order) places() map[string]any {
	return map[string]any{
		"member": &o.member, "link": &o.link, "request": &o.request, "value": &o.value, "unit": &o.unit, "on": &o.on,
		"seed": &o.seed, "members": &o.members, "text": &o.text, "name": &o.name, "correct": &o.correct,
	}
}

// orders is the table of the player's own verbs.
var orders = map[string]func(p *Player, o *order) error{
	"play":   (*Player).play,
	"pause":  (*Player).pause,
	"step":   func(p *Player, o *order) error { return p.StepTo(o.unit) },
	"speed":  (*Player).setSpeed,
	"skip":   (*Player).setSkip,
	"reset":  (*Player).restart,
	"replay": (*Player).showReplay,
	"select": (*Player).choose,
}

// Dispatch does a command given in JSON: one of a world's verbs (package
// script), or one of the player's,
//
//	play, pause (without a member)        the clock
//	step    unit                          event, message, commit, term
//	speed   value                         simulated seconds a second
//	skip    on                            pass quickly through idle spans
//	reset   seed, members                 a new world; what is not given stays
//	replay  text, name, correct           a replay file, see Open; without a text the last one again
//	select  member | link | request      what the inspector shows
func (p *Player) Dispatch(data []byte) (Reply, error) {
	m, err := script.Decode(data)
	if err != nil {
		return Reply{}, err
	}
	do := orders[m.Cmd]
	if do == nil || m.Cmd == script.Pause && m.Has("member") { // the process of a member is the world's
		return p.command(&m)
	}
	var o order
	if err := m.Into(o.places()); err != nil {
		return Reply{}, err
	}
	return Reply{}, do(p, &o)
}

// command does a command to the world.
func (p *Player) command(m *script.Message) (Reply, error) {
	c, err := m.Command()
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

func (p *Player) play(*order) error {
	p.Playing = true
	return nil
}

func (p *Player) pause(*order) error {
	p.Playing = false
	return nil
}

func (p *Player) setSpeed(o *order) error {
	if !(o.value > 0) {
		return fmt.Errorf("speed: %v is not positive", o.value)
	}
	p.Speed = clampSpeed(o.value)
	return nil
}

func (p *Player) setSkip(o *order) error {
	p.Skip = o.on
	return nil
}

// showReplay plays a file, or the last one again.
func (p *Player) showReplay(o *order) error {
	if o.text == "" && p.show != nil {
		o.text, o.name = p.show.text, p.show.name
	}
	return p.Open(o.text, o.name, o.correct)
}

// restart makes a new world. What is not given stays.
func (p *Player) restart(o *order) error {
	cfg := config(Settings{Seed: p.cfg.Seed, Members: p.cfg.Members})
	if o.seed != nil {
		cfg.Seed = *o.seed
	}
	if o.members != 0 {
		cfg.Members = o.members
	}
	return p.reset(cfg)
}

// choose turns the visitor's eye. A member and a link exclude each other.
func (p *Player) choose(o *order) error {
	switch {
	case o.request != 0:
		if !slices.ContainsFunc(p.State.Requests, func(r sim.RequestState) bool { return r.ID == o.request }) {
			return fmt.Errorf("select: there is no request %d, or none any more", o.request)
		}
		p.Chosen.Request = o.request
	case o.link != [2]uint64{}:
		a, b := min(o.link[0], o.link[1]), max(o.link[0], o.link[1])
		if a == 0 || a == b || int(b) > len(p.State.Members) {
			return fmt.Errorf("select: there is no link %d-%d", o.link[0], o.link[1])
		}
		p.Chosen.Link = [2]uint64{a, b}
	default:
		if int(o.member) > len(p.State.Members) {
			return fmt.Errorf("select: there is no member %d", o.member)
		}
		p.Chosen.Member, p.Chosen.Link = o.member, [2]uint64{}
	}
	return nil
}
