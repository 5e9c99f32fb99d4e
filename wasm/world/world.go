// Package world opens simulated clusters for the page. It is the only part of the
// page that knows the simulator: the player sees a source of events that can be
// acted on.
package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"vitrine/core/inspect"
	"vitrine/core/mutant"
	"vitrine/core/picture"
	"vitrine/core/replay"
	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/core/sim/judge"
	"vitrine/core/story"
	"vitrine/core/trace"
	"vitrine/wasm/player"
)

// Opener implements player.Opener.
type Opener struct{}

// World is the page's own world: a network slow enough to follow by eye, a few
// clients with a light load.
func (Opener) World(s player.Settings) player.Open { return opens(config(s), nil, nil) }

func config(s player.Settings) sim.Config {
	cfg := sim.DefaultConfig()
	cfg.Seed = s.Seed
	if s.Members > 0 {
		cfg.Members = s.Members
	}
	if s.Election != 0 {
		cfg.ElectionTicks = s.Election
	}
	cfg.NoPreVote, cfg.NoCheckQuorum = s.NoPreVote, s.NoCheckQuorum
	cfg.Network = sim.Teaching()
	cfg.Disk.Fsync = 6 * time.Millisecond
	cfg.Disk.Write = time.Millisecond
	cfg.Workload.Clients, cfg.Workload.Rate, cfg.Workload.Keys, cfg.Workload.Watches = 3, 4, 4, 1
	cfg.Judged = 50 // soon, so that the lights are of now
	cfg.Hashes = true
	return cfg
}

// world is a simulated cluster as a source, with controls.
type world struct {
	*sim.World
	facts  player.Facts
	until  trace.Instant // of a replay: then everything heals, and the cluster must settle
	healed bool
}

// window is how many entries of each log the page shows.
const window = 24

func opens(cfg sim.Config, commands []script.Timed, change func(*world)) player.Open {
	return func(sink func(player.Facts) trace.Sink) (player.Source, error) {
		w := &world{until: math.MaxInt64, facts: player.Facts{
			Kind: player.Simulation, Seed: cfg.Seed, Members: cfg.Members,
			Tick: int64(cfg.TickEvery), Client: int64(cfg.Network.Client),
			Raft:    player.Raft{Election: cfg.ElectionTicks, NoPreVote: cfg.NoPreVote, NoCheckQuorum: cfg.NoCheckQuorum},
			Picture: picture.Options{Window: window, Lights: judge.Lights()},
		}}
		if change != nil {
			change(w)
		}
		var err error
		if w.World, err = sim.New(cfg, sink(w.facts)); err != nil {
			return nil, err
		}
		for _, c := range commands {
			if err := w.Schedule(c); err != nil {
				return nil, err
			}
		}
		return w, nil
	}
}

// Facts implements player.Source.
func (w *world) Facts() player.Facts { return w.facts }

// RunUntil is the simulator's, and heals the world where the file of a replay ends:
// an answer that is wrong may come only after that.
func (w *world) RunUntil(t trace.Instant, maxEvents int) bool {
	if !w.healed && t >= w.until {
		if !w.World.RunUntil(w.until, maxEvents) {
			return false
		}
		w.healed = true
		w.Heal()
	}
	return w.World.RunUntil(t, maxEvents)
}

// StepEvent is the simulator's, and heals as RunUntil does.
func (w *world) StepEvent() bool {
	if w.NextAt() > w.until {
		w.RunUntil(w.until, 0)
	}
	return w.World.StepEvent()
}

// Do implements player.Controls.
func (w *world) Do(m *script.Message) (uint64, error) {
	c, err := m.Command()
	if err != nil {
		return 0, err
	}
	request, err := w.World.Do(c)
	if err != nil {
		return 0, err
	}
	if n, err := sim.Preset(c.Value); err == nil && c.Name == "network" {
		w.facts.Client = int64(n.Client)
	}
	return request, nil
}

// Inspect implements player.Inside.
func (w *world) Inspect(member uint64, tab string, query []byte) (json.RawMessage, error) {
	if tab == "message" {
		return w.message(query)
	}
	s, err := w.Inside(member)
	if err != nil {
		return nil, err
	}
	return inspect.JSON(s, tab, query)
}

// Leases implements player.Lender.
func (w *world) Leases(member uint64, limit int) (*inspect.Promises, error) {
	s, err := w.Inside(member)
	if err != nil {
		return nil, err
	}
	return inspect.Leases(s, inspect.Query{Limit: limit})
}

// message looks at one that is on its way.
func (w *world) message(query []byte) (json.RawMessage, error) {
	var q struct {
		ID uint64 `json:"id"`
	}
	if err := json.Unmarshal(query, &q); err != nil {
		return nil, err
	}
	m := w.Flying(q.ID)
	if m == nil {
		return nil, fmt.Errorf("inspect: message %d is not on its way any more", q.ID)
	}
	return json.Marshal(inspect.MessageOf(m))
}

// Dials implements player.Controls.
func (w *world) Dials() any { return w.World.Dials() }

// memory is a run that a visitor has made: what it was built from, and what he did.
type memory struct {
	Config   sim.Config     `json:"config"`
	Commands []script.Timed `json:"commands"`
}

// Memory implements player.Controls.
func (w *world) Memory(until trace.Instant) (json.RawMessage, error) {
	m := memory{Config: w.Config()}
	for _, c := range w.Commands() {
		if !c.Fault && trace.Instant(c.At) < until {
			m.Commands = append(m.Commands, c)
		}
	}
	return json.Marshal(m)
}

// Again makes a remembered run once more.
func (Opener) Again(data json.RawMessage) player.Open {
	var m memory
	if err := json.Unmarshal(data, &m); err != nil {
		return refuse(err)
	}
	return opens(m.Config, m.Commands, nil)
}

func refuse(err error) player.Open {
	return func(func(player.Facts) trace.Sink) (player.Source, error) { return nil, err }
}

// Save implements player.Controls.
func (w *world) Save(test bool) ([]byte, error) {
	w.RunUntil(w.Now(), 0) // a step may have stopped within a moment
	r := replay.Of(w.World, time.Duration(w.Now()))
	r.Open, r.Commit = true, revision()
	if test {
		return r.GoTest(fmt.Sprintf("seed %d", w.facts.Seed))
	}
	data, err := r.Format()
	if err == nil && len(data) > replay.MaxShared {
		err = fmt.Errorf("replay: the file would have %d bytes, and a page opens no more than %d", len(data),
			replay.MaxShared)
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

// What a replay may ask of a page.
const longestReplay = 10 * time.Minute

// ErrOtherBuild: a replay does not end as recorded. To show it would be to tell
// a false story.
var ErrOtherBuild = errors.New("not the same build")

// Replay is the run of a file. It is run once in the dark before, to see that it
// ends as recorded and what led to its end.
func (Opener) Replay(text, name string, correct bool) player.Open {
	r, err := parse(text, correct)
	if err != nil {
		return refuse(err)
	}
	show := &player.Show{Name: name, Mutant: r.Config.Mutant, Correct: correct, Lit: map[uint64]bool{}}
	if err := rehearse(show, r); err != nil {
		return refuse(err)
	}
	end := show.Failure.Since
	if show.Failure.Number == 0 {
		end = int64(r.For)
	}
	speed := show.Direct(deeds(show, r, text), end, int64(r.Config.Network.Base+r.Config.Network.Jitter))
	return opens(r.Config, r.Commands, func(w *world) {
		if !r.Open {
			w.until = trace.Instant(r.For)
		}
		w.facts.Show, w.facts.Speed = show, speed
	})
}

// deeds are the moments of a replay that one must have seen: what was done to the
// world, what of it led to the violation, and that. What came before the first thing
// done is no part of it, nor what settles the world after the end of the file.
func deeds(show *player.Show, r *replay.Replay, text string) (all []int64) {
	if show.Failure.Number == 0 {
		return nil
	}
	since, first := show.Failure.Since, int64(0)
	for i := range r.Commands {
		if c := &r.Commands[i]; c.Cmd != script.Set && c.At <= since {
			if len(all) == 0 {
				first = c.At
			}
			all = append(all, c.At)
		}
	}
	for _, line := range told(show, text) {
		if line.Kind != "turned" && line.At >= first && line.At <= min(since, int64(r.For)) {
			all = append(all, line.At)
		}
	}
	slices.Sort(all) // the lines came in no order
	return append(all, since)
}

// told is the story of a replay; that of the correct core is the story of the bug.
func told(show *player.Show, text string) map[uint64]story.Line {
	if !show.Correct || !mutant.Enabled {
		return show.Lines
	}
	r, err := parse(text, false)
	if err != nil {
		return nil
	}
	bug := &player.Show{Lit: map[uint64]bool{}}
	if err := rehearse(bug, r); err != nil {
		return nil
	}
	return bug.Lines
}

func parse(text string, correct bool) (*replay.Replay, error) {
	if len(text) > replay.MaxShared {
		return nil, fmt.Errorf("replay: %d bytes are too many: a page opens files of up to %d", len(text), replay.MaxShared)
	}
	r, err := replay.Parse([]byte(text))
	switch {
	case err != nil:
		return nil, err
	case r.For > longestReplay:
		return nil, fmt.Errorf("replay: %v are too long: a page opens runs of up to %v", r.For, longestReplay)
	case correct:
		r.Config.Mutant = ""
	case r.Config.Mutant != "" && !mutant.Enabled:
		return nil, fmt.Errorf("replay: it needs the planted bug %q, and this page was built without", r.Config.Mutant)
	}
	return r, nil
}

// rehearse runs a replay once and compares its end with what the file says.
func rehearse(s *player.Show, r *replay.Replay) error {
	events := new(story.Recorder)
	w, err := r.World(events)
	if err != nil {
		return err
	}
	v := r.Run(w)
	number := 0
	if v != nil {
		number = v.Number
	}
	s.Failure = picture.Violation{Number: r.Violated, Text: r.Text, At: r.At, Since: r.Since}
	switch {
	case s.Correct && v != nil:
		return fmt.Errorf("replay: I%d breaks on the correct core too: %w", v.Number, v)
	case s.Correct:
		return nil
	case r.Hash != "" && w.HashText() != r.Hash || number != r.Violated:
		by := ""
		if r.Commit != "" {
			by = ", written by commit " + r.Commit
		}
		return fmt.Errorf("%w: the file%s says hash %s, this run has %s", ErrOtherBuild, by, r.Hash, w.HashText())
	case v == nil:
		return nil
	}
	s.Failure = picture.Violation{Number: v.Number, Text: v.Text, At: v.At, Since: v.Since, Seq: v.Seq}
	led := events.Story(v)
	for _, seq := range led.Events {
		s.Lit[seq] = true
	}
	s.Members, s.Lines = led.Members, map[uint64]story.Line{}
	for _, line := range led.Lines {
		s.Lines[line.Seq] = line
	}
	return nil
}
