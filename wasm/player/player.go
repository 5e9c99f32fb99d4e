package player

import (
	"fmt"
	"math"
	"time"

	"vitrine/core/replay"
	"vitrine/core/script"
	"vitrine/core/sim"
	"vitrine/core/trace"
	"vitrine/wasm/scene"
)

// World is the part of sim.World that is played.
type World interface {
	Now() trace.Instant
	NextAt() trace.Instant
	Do(script.Command) (request uint64, err error)
	Schedule(script.Timed) error
	RunUntil(t trace.Instant, maxEvents int) (reached bool)
	StepEvent() bool
	replay.Source // what a file of the run is made of
	Heal()
	StateInto(*sim.State)
}

// Open makes a world whose events the sink sees.
type Open func(sim.Config, trace.Sink) (World, error)

// Simulate opens a real simulated world.
func Simulate(cfg sim.Config, sink trace.Sink) (World, error) { return sim.New(cfg, sink) }

// Settings are what a visitor can choose before a run; the address of the page
// may name them.
type Settings struct {
	Seed    uint64  `json:"seed"`
	Members int     `json:"members"`
	Speed   float64 `json:"speed"`
}

// Limits of the speed, simulated seconds a second, and how much faster spans
// pass in which nothing happens, or only heartbeats do.
const (
	MinSpeed  = 0.001
	MaxSpeed  = 1000
	idleBoost = 50
	beatBoost = 8
	slowMax   = 0.5 // above this speed no message can be followed by eye
)

// Per frame: no more real time than this is caught up with, so that a stalled
// tab does not leap. Events run in slices between two looks at the clock, for
// half of the time that frames take, within bounds: where drawing is slow, more
// of the world fits between two pictures.
const (
	maxFrame  = 250 * time.Millisecond
	budget    = 8 * time.Millisecond
	maxBudget = 60 * time.Millisecond
	sliceSize = 32
)

// Player plays one world at a time.
type Player struct {
	State   sim.State // the picture of the last frame
	Playing bool
	Speed   float64
	Skip    bool    // pass quickly through idle spans
	Boost   float64 // how much quicker right now, 1 = not at all
	Behind  bool    // the machine cannot keep up with the speed
	Chosen  Choice

	open   Open
	cfg    sim.Config
	world  World
	watch  *watcher
	epoch  int     // counts worlds
	target float64 // simulated time to show, ns; never behind the world
	heat   scene.Heat
	wires  []scene.Wire
	said   map[uint64]string // the visitor's requests in words
	replay float64           // after a restore: run to here before anything is shown
	show   *show             // the replay file that is played, if it is one
	frame  frameBuffer
}

// Choice is what the visitor looks at.
type Choice struct {
	Member  uint64    `json:"member"`
	Link    [2]uint64 `json:"link"`
	Request uint64    `json:"request"`
}

// New starts playing a new world.
func New(open Open, s Settings) (*Player, error) {
	p := &Player{open: open, Playing: true, Skip: true, Boost: 1, Speed: clampSpeed(s.Speed)}
	if err := p.reset(config(s)); err != nil {
		return nil, err
	}
	return p, nil
}

// config is the page's world: a network slow enough to follow by eye, a few
// clients with a light load.
func config(s Settings) sim.Config {
	cfg := sim.DefaultConfig()
	cfg.Seed = s.Seed
	if s.Members > 0 {
		cfg.Members = s.Members
	}
	cfg.Network = sim.Teaching()
	cfg.Disk.Fsync = 6 * time.Millisecond
	cfg.Disk.Write = time.Millisecond
	cfg.Workload.Clients, cfg.Workload.Rate, cfg.Workload.Keys, cfg.Workload.Watches = 3, 4, 4, 1
	cfg.Judged = 50 // soon, so that the lights are of now
	cfg.LogWindow = 24
	return cfg
}

func clampSpeed(speed float64) float64 {
	if !(speed > 0) {
		return 0.02
	}
	return math.Max(MinSpeed, math.Min(MaxSpeed, speed))
}

// reset replaces the world. On an error the old one stays.
func (p *Player) reset(cfg sim.Config) error {
	watch := newWatcher(cfg.Members)
	world, err := p.open(cfg, watch)
	if err != nil {
		return err
	}
	p.epoch++
	p.watch = watch
	p.cfg, p.world, p.target, p.Boost = cfg, world, 0, 1
	p.heat, p.Chosen, p.replay, p.show, p.said = scene.Heat{}, Choice{}, 0, nil, map[uint64]string{}
	p.refresh()
	return nil
}

// Config of the world being played.
func (p *Player) Config() sim.Config { return p.cfg }

// Shown is the simulated time to draw, ns.
func (p *Player) Shown() float64 { return math.Max(p.target, float64(p.world.Now())) }

// Advance lets real time pass. now tells the real time; it bounds the work.
func (p *Player) Advance(passed time.Duration, now func() time.Duration) {
	p.cool(passed)
	if p.replay > 0 {
		p.catchUp(now)
	}
	if p.Playing && p.State.Violation == nil {
		p.run(float64(min(passed, maxFrame)), now)
	}
	p.refresh()
}

// run advances the world by passed nanoseconds at the present speed.
func (p *Player) run(passed float64, now func() time.Duration) {
	begin := now()
	p.Boost = p.pace(passed)
	p.target = math.Min(p.target+passed*p.Speed*p.Boost, math.Max(p.target, p.end()))
	p.watch.woke = false
	slice := sliceSize
	if p.Boost > 1 {
		slice = 1 // stop where something begins
	}
	p.Behind = false
	limit := min(max(time.Duration(passed/2), budget), maxBudget)
	for !p.runUntil(trace.Instant(p.target), slice) {
		if p.Boost > 1 && p.watch.woke {
			p.target, p.Boost = float64(p.world.Now()), 1
			return
		}
		if now()-begin > limit {
			p.target, p.Behind = float64(p.world.Now()), true
			return
		}
		if p.world.NextAt() > trace.Instant(p.target) || p.watch.violated {
			return
		}
	}
}

// pace is how much quicker than the set speed time may run now. It rises
// gently and falls at once.
func (p *Player) pace(passed float64) float64 {
	if !p.Skip || p.Speed > slowMax {
		return 1
	}
	aim := float64(idleBoost)
	if beat, busy := p.activity(); busy {
		return 1
	} else if beat {
		aim = beatBoost
	}
	aim = math.Min(aim, math.Max(1, 1.5/p.Speed))
	return math.Min(aim, p.Boost+(aim-1)*passed/300e6)
}

// activity tells whether something is on its way that is worth watching, or
// heartbeats at least.
func (p *Player) activity() (beat, busy bool) {
	for i := range p.State.Messages {
		switch m := &p.State.Messages[i]; m.Type {
		case "MsgHeartbeat", "MsgHeartbeatResp":
			beat = true
		default:
			return true, true
		}
	}
	for i := range p.State.Members {
		if d := p.State.Members[i].Disk; d == "writing" || d == "syncing" {
			return true, true
		}
	}
	client := float64(p.cfg.Network.Client) * 1.5
	for i, w := range p.wires {
		if p.State.Requests[i].Status != sim.StatusPending {
			continue
		}
		if w.Answered > 0 || w.Arrived == 0 && p.target-w.Sent < client {
			return true, true
		}
	}
	return beat, false
}

// refresh takes a new picture of the world.
func (p *Player) refresh() {
	p.world.StateInto(&p.State)
	p.wires = p.wires[:0]
	for i := range p.State.Requests {
		r := &p.State.Requests[i]
		if r.Client == 0 {
			r.Text = p.words(r)
		}
		w, known := p.watch.wires[r.ID]
		if !known {
			w = scene.Wire{Sent: float64(r.Issued)}
		}
		p.wires = append(p.wires, w)
	}
	p.judge()
}

// words are the visitor's request as briefly as the clients' are: "put x 42"
// rather than the command it came from.
func (p *Player) words(r *sim.RequestState) string {
	if text, ok := p.said[r.ID]; ok {
		return text
	}
	text := r.Op + " " + r.Key
	if c, err := script.Parse(r.Text); err == nil && c.Cmd == script.Put {
		text += " " + c.Value
	}
	p.said[r.ID] = text
	return text
}

// cool lets the traffic of each link fade, and adds what came in.
func (p *Player) cool(passed time.Duration) {
	keep := float32(math.Exp(-passed.Seconds() / 0.45))
	for i := range p.heat {
		for j := range p.heat[i] {
			p.heat[i][j] = min(1, p.heat[i][j]*keep+p.watch.traffic[i][j])
			p.watch.traffic[i][j] = 0
		}
	}
}

// Fill sets the parts of a view that the player knows.
func (p *Player) Fill(v *scene.View) {
	v.State, v.Now = &p.State, p.Shown()
	v.Tick, v.Client = float64(p.cfg.TickEvery), float64(p.cfg.Network.Client)
	v.Selected, v.Link, v.Request = p.Chosen.Member, p.Chosen.Link, p.Chosen.Request
	v.Heat, v.Wires = &p.heat, p.wires
	v.Followed = nil
	if r := p.watch.ways.find(p.Chosen.Request); r != nil && !r.done {
		v.Followed = r
	}
	v.Lit, v.LitMembers = nil, nil
	if p.show != nil && len(p.show.lit) > 0 {
		v.Lit, v.LitMembers = p.show.lit, p.show.members
	}
}

// Hash is the running hash of all events.
func (p *Player) Hash() string { return p.world.HashText() }

// longestStep bounds what one call may ask for: it returns when the time is over.
const longestStep = time.Hour

// StepFor advances simulated time by exactly so many nanoseconds, however long
// that takes.
func (p *Player) StepFor(ns float64) error {
	if !(ns >= 0 && ns <= float64(longestStep)) {
		return fmt.Errorf("step: %v ns are not between 0 and %v", ns, longestStep)
	}
	p.target = p.Shown() + math.Round(ns)
	p.runUntil(trace.Instant(p.target), 0)
	p.refresh()
	return nil
}

// stepBound keeps a step in a world where its event never comes.
const stepBound = 50_000

// StepTo advances to the next event of a kind: "event", "message" (a delivery
// that is no heartbeat), "commit", "term".
func (p *Player) StepTo(unit string) error {
	reached, ok := units[unit]
	if !ok {
		return fmt.Errorf("step: unknown unit %q: want event, message, commit or term", unit)
	}
	p.watch.seen = [unitCount]bool{}
	for range stepBound {
		if p.show != nil && p.world.NextAt() > p.show.until {
			p.runUntil(p.show.until, 0) // the end of a file heals the world
		}
		if !p.world.StepEvent() || reached == unitEvent || p.watch.seen[reached] {
			break
		}
	}
	p.target = math.Max(p.target, float64(p.world.Now()))
	p.Playing = false
	p.refresh()
	return nil
}
