package player

import (
	"fmt"
	"slices"

	"vitrine/core/picture"
	"vitrine/core/script"
)

// Reply answers a command.
type Reply struct {
	Request uint64 `json:"request,omitempty"` // the client request that it began
	Missed  bool   `json:"missed,omitempty"`  // the step that was asked for is not in reach
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
	share   *float64

	election *int
	preVote  *bool
	quorum   *bool

	missed bool // what a step was to reach: its answer
}

// places are the fields of an order by name.
func (o *order) places() map[string]any {
	return map[string]any{
		"member": &o.member, "link": &o.link, "request": &o.request, "value": &o.value, "unit": &o.unit, "on": &o.on,
		"seed": &o.seed, "members": &o.members, "text": &o.text, "name": &o.name, "correct": &o.correct,
		"election": &o.election, "preVote": &o.preVote, "checkQuorum": &o.quorum,
		"share": &o.share,
	}
}

// orders is the table of the player's own verbs.
var orders = map[string]func(p *Player, o *order) error{
	"play":   (*Player).play,
	"pause":  (*Player).pause,
	"step":   (*Player).step,
	"speed":  (*Player).setSpeed,
	"skip":   (*Player).setSkip,
	"reset":  (*Player).restart,
	"replay": (*Player).showReplay,
	"select": (*Player).choose,
	"seek":   (*Player).seek,
	"close":  func(p *Player, _ *order) error { return p.Close() },
	"mark":   func(p *Player, _ *order) error { p.mark(); return nil },
}

// Dispatch does a command given in JSON: one of a world's verbs (package
// script), or one of the player's,
//
//	play, pause (without a member)        the clock
//	step    unit                          event, message, commit, term
//	speed   value                         simulated seconds a second
//	skip    on                            pass quickly through idle spans
//	reset   seed, members, election,      a new world; what is not given stays
//	        preVote, checkQuorum
//	replay  text, name, correct           a replay file, see Open; without a text the last one again
//	seek    value | share                 goes to a moment of a recording, ns, back to one of a simulation, or to a share
//	                                      of a replay
//	close                                 ends a replay or a recording: back to the visitor's own world
//	mark                                  keeps the numbers so far, and counts anew
//	select  member | link | request      what the inspector shows
func (p *Player) Dispatch(data []byte) (Reply, error) {
	m, err := script.Decode(data)
	if err != nil {
		return Reply{}, err
	}
	do := orders[m.Cmd]
	if do == nil || m.Cmd == script.Pause && m.Has("member") { // the process of a member is the world's
		p.arrive()
		return p.command(&m)
	}
	var o order
	if err := m.Into(o.places()); err != nil {
		return Reply{}, err
	}
	err = do(p, &o)
	return Reply{Missed: o.missed}, err
}

// command does a command to the source.
func (p *Player) command(m *script.Message) (Reply, error) {
	c, err := p.controls()
	if err != nil {
		return Reply{}, err
	}
	request, err := c.Do(m)
	if err != nil {
		return Reply{}, err
	}
	p.facts = p.source.Facts()
	if request != 0 {
		p.Chosen.Request = request
	}
	p.refresh()
	return Reply{Request: request}, nil
}

func (p *Player) play(*order) error {
	p.Playing = true
	return nil
}

func (p *Player) pause(*order) error {
	p.Playing = false
	return nil
}

func (p *Player) step(o *order) error {
	p.arrive()
	found, err := p.StepTo(o.unit)
	o.missed = err == nil && !found
	return err
}

func (p *Player) seek(o *order) error {
	if o.share != nil {
		return p.SeekShare(*o.share)
	}
	return p.Seek(o.value)
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

// showReplay plays a file, or what is played once more.
func (p *Player) showReplay(o *order) error {
	if o.text != "" {
		return p.Open(o.text, o.name, o.correct)
	}
	if p.file.text == "" {
		return p.reset(p.again)
	}
	return p.Open(p.file.text, p.file.name, o.correct)
}

// restart makes a new world. What is not given stays.
func (p *Player) restart(o *order) error {
	s := Settings{Seed: p.facts.Seed, Members: p.facts.Members, Raft: p.facts.Raft}
	if o.seed != nil {
		s.Seed = *o.seed
	}
	if o.members != 0 {
		s.Members = o.members
	}
	if o.election != nil {
		s.Election = *o.election
	}
	if o.preVote != nil {
		s.NoPreVote = !*o.preVote
	}
	if o.quorum != nil {
		s.NoCheckQuorum = !*o.quorum
	}
	if err := p.reset(p.opener.World(s)); err != nil {
		return err
	}
	p.file, p.mine = replayFile{}, nil
	return nil
}

// choose turns the visitor's eye. A member and a link exclude each other.
func (p *Player) choose(o *order) error {
	switch {
	case o.request != 0:
		if !slices.ContainsFunc(p.State.Requests, func(r picture.Request) bool { return r.ID == o.request }) {
			return fmt.Errorf("select: there is no request %d, or none any more", o.request)
		}
		p.Chosen.Request = o.request
	case o.link != [2]uint64{}:
		a, b := min(o.link[0], o.link[1]), max(o.link[0], o.link[1])
		if a == b || !p.knows(a) || !p.knows(b) {
			return fmt.Errorf("select: there is no link %d-%d", o.link[0], o.link[1])
		}
		p.Chosen.Link = [2]uint64{a, b}
	default:
		if o.member != 0 && !p.knows(o.member) {
			return fmt.Errorf("select: there is no member %d", o.member)
		}
		p.Chosen.Member, p.Chosen.Link = o.member, [2]uint64{}
	}
	return nil
}

func (p *Player) knows(id uint64) bool {
	return slices.ContainsFunc(p.State.Members, func(m picture.Member) bool { return m.ID == id })
}
