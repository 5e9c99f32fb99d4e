package player

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

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
		return Reply{}, inWords(err)
	}
	switch head.Cmd {
	case "":
		return Reply{}, errors.New("command: cmd is missing")
	case "play", "step", "speed", "skip", "reset", "select", "replay":
		return Reply{}, p.order(data)
	case "pause":
		if head.Member == 0 {
			return Reply{}, p.order(data)
		}
	}
	if err := unknownField(data, sim.Command{}); err != nil {
		return Reply{}, err
	}
	c, err := sim.ParseJSON(data)
	if err != nil {
		return Reply{}, inWords(err)
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
		return inWords(err)
	}
	if err := unknownField(data, o); err != nil {
		return err
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

// inWords says what is wrong with the JSON of a command to somebody who has never
// seen its Go type.
func inWords(err error) error {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) || kind.Field == "" {
		return fmt.Errorf("command: %w", err)
	}
	want := "another kind of value"
	switch kind.Type.Kind() {
	case reflect.Uint64:
		want = "a whole number that is not negative"
	case reflect.Int, reflect.Int64:
		want = "a whole number"
	case reflect.Float64:
		want = "a number"
	case reflect.String:
		want = "a text"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	}
	return fmt.Errorf("command: %s is %s, and should be %s", kind.Field, kind.Value, want)
}

// unknownField finds a field that a command does not have: most often a slip of
// the keyboard that would otherwise do something else in silence.
func unknownField(data []byte, command any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return inWords(err)
	}
	known := map[string]bool{}
	for f := range reflect.TypeOf(command).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !known[name] {
			return fmt.Errorf("command: there is no field %q", name)
		}
	}
	return nil
}

// choose turns the visitor's eye. A member and a link exclude each other.
func (p *Player) choose(o order) error {
	switch {
	case o.Request != 0:
		if !slices.ContainsFunc(p.State.Requests, func(r sim.RequestState) bool { return r.ID == o.Request }) {
			return fmt.Errorf("select: there is no request %d, or none any more", o.Request)
		}
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
