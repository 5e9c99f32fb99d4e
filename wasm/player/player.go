package player

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/trace"
	"vitrine/wasm/scene"
)

// Settings are what a visitor can choose before a run; the address of the page
// may name them.
type Settings struct {
	Seed    uint64  `json:"seed"`
	Members int     `json:"members"`
	Speed   float64 `json:"speed"`
	Raft
}

// Raft is how elections are held.
type Raft struct {
	Election      int  `json:"election"` // ticks of the shortest election timeout, 0 = etcd's ten
	NoPreVote     bool `json:"noPreVote"`
	NoCheckQuorum bool `json:"noCheckQuorum"`
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
	State   picture.State // the picture of the last frame
	Playing bool
	Speed   float64
	Skip    bool    // pass quickly through idle spans
	Boost   float64 // how much quicker right now, 1 = not at all
	Behind  bool    // the machine cannot keep up with the speed
	Pace    float64 // simulated seconds a second that passed of late
	Chosen  Choice

	opener  Opener
	again   Open // makes the present source once more
	source  Source
	facts   Facts
	picture *picture.Picture
	watch   *watcher
	epoch   int     // tells worlds apart
	worlds  int     // there have been
	mine    *stash  // the visitor's own, while another is shown
	target  float64 // simulated time to show, ns; never behind the world
	heat    scene.Heat
	said    map[uint64]string // the visitor's requests in words
	replay  float64           // after a restore: run to here before anything is shown
	told    bool              // the failure of a replay is in the feed
	file    replayFile
	frame   frameBuffer
	shelf   scene.Shelf
	was     *Tally // before the visitor's mark
}

// Choice is what the visitor looks at.
type Choice struct {
	Member  uint64    `json:"member"`
	Link    [2]uint64 `json:"link"`
	Request uint64    `json:"request"`
}

// New starts playing a new world.
func New(opener Opener, s Settings) (*Player, error) {
	p := &Player{opener: opener, Playing: true, Skip: true, Boost: 1, Speed: clampSpeed(s.Speed)}
	if err := p.reset(opener.World(s)); err != nil {
		return nil, err
	}
	return p, nil
}

func clampSpeed(speed float64) float64 {
	if !(speed > 0) {
		return 0.02
	}
	return math.Max(MinSpeed, math.Min(MaxSpeed, speed))
}

// reset replaces the source. On an error the old one stays.
func (p *Player) reset(open Open) error {
	watch := newWatcher()
	var folded *picture.Picture
	source, err := open(func(f Facts) trace.Sink {
		folded = picture.New(f.Picture)
		watch.feed.show(f.Show)
		return both{folded, watch}
	})
	if err != nil {
		return err
	}
	p.worlds++
	p.epoch = p.worlds
	p.watch, p.picture, p.source, p.again, p.facts = watch, folded, source, open, source.Facts()
	p.target, p.Boost = float64(source.Now()), 1
	p.heat, p.Chosen, p.replay, p.told, p.said = scene.Heat{}, Choice{}, 0, false, map[uint64]string{}
	p.shelf = scene.Shelf{}
	if p.facts.Speed != 0 {
		p.Speed = clampSpeed(p.facts.Speed)
	}
	if show := p.facts.Show; show != nil {
		p.replay = float64(show.Start)
		p.Playing, p.Skip = true, true
	}
	p.refresh()
	return nil
}

// Play plays another source. On an error the old one stays.
func (p *Player) Play(open Open) error {
	mine := p.keep()
	if err := p.reset(open); err != nil {
		return err
	}
	p.file, p.Playing, p.Skip, p.mine = replayFile{}, true, true, mine
	return nil
}

// both are two sinks, of which the second may look at the first.
type both struct{ first, second trace.Sink }

// Emit implements trace.Sink.
func (b both) Emit(e *trace.Event) {
	b.first.Emit(e)
	b.second.Emit(e)
}

// controls are the present source's, if it can be acted on.
func (p *Player) controls() (Controls, error) {
	c, ok := p.source.(Controls)
	if !ok {
		return nil, ErrRecorded
	}
	return c, nil
}

// ErrRecorded: what has happened cannot be acted on.
var ErrRecorded = errors.New("this is a recording of what has happened: nothing can be done to it")

// Shown is the simulated time to draw, ns.
func (p *Player) Shown() float64 { return math.Max(p.target, float64(p.source.Now())) }

// Advance lets real time pass. now tells the real time; it bounds the work.
func (p *Player) Advance(passed time.Duration, now func() time.Duration) {
	p.cool(passed)
	if p.replay > 0 {
		p.catchUp(now)
	}
	if p.Playing && p.State.Violation == nil {
		before := p.Shown()
		p.run(float64(min(passed, maxFrame)), now)
		p.measure(p.Shown()-before, float64(passed))
	}
	p.refresh()
}

// measure notes the pace of the last half second or so: what the machine does, not
// what it was asked for.
func (p *Player) measure(shown, passed float64) {
	if passed > 0 {
		p.Pace += (shown/passed - p.Pace) * (1 - math.Exp(-passed/0.4e9))
	}
}

// run advances the world by passed nanoseconds at the present speed.
func (p *Player) run(passed float64, now func() time.Duration) {
	begin := now()
	var until float64
	p.Boost, until = p.pace(passed)
	p.target = math.Min(p.target+passed*p.Speed*p.Boost, math.Max(p.target, math.Min(p.end(), until)))
	p.watch.woke = false
	slice := sliceSize
	searching := p.Boost > 1 && math.IsInf(until, 1)
	if searching {
		slice = 1 // stop where something begins
	}
	p.Behind = false
	limit := min(max(time.Duration(passed/2), budget), maxBudget)
	for !p.source.RunUntil(trace.Instant(p.target), slice) {
		if searching && p.watch.woke {
			p.target, p.Boost = float64(p.source.Now()), 1
			return
		}
		if now()-begin > limit {
			p.target, p.Behind = float64(p.source.Now()), true
			return
		}
		if p.source.NextAt() > trace.Instant(p.target) || p.watch.violated {
			return
		}
	}
}

// pace is how much quicker than the set speed time may run now, and until when at
// most. It rises gently and falls at once. Of a story it is known where the deeds are.
func (p *Player) pace(passed float64) (boost, until float64) {
	show := p.facts.Show
	if show != nil && p.Skip && show.Failure.Number != 0 && p.Shown() < float64(show.Failure.Since) {
		if span, quick := show.quick(p.Shown()); quick {
			return math.Max(1, float64(span.To-span.From)/1e9/span.Seconds/p.facts.Speed), float64(span.To)
		}
		return 1, math.Inf(1)
	}
	return p.idle(passed), math.Inf(1)
}

// idle is how much quicker time may run because nothing happens.
func (p *Player) idle(passed float64) float64 {
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
		switch m := &p.State.Messages[i]; {
		case m.Held != 0: // it goes nowhere
		case m.Type == "MsgHeartbeat" || m.Type == "MsgHeartbeatResp":
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
	client := float64(p.facts.Client) * 1.5
	for i := range p.State.Requests {
		r := &p.State.Requests[i]
		if r.Status != picture.StatusPending {
			continue
		}
		if w := r.Wire; w.Answered > 0 || w.Arrived == 0 && p.target-float64(w.Sent) < client {
			return true, true
		}
	}
	return beat, false
}

// refresh takes a new picture.
func (p *Player) refresh() {
	p.picture.Into(&p.State, p.source.Now())
	lists(&p.State)
	p.present()
	for i := range p.State.Requests {
		if r := &p.State.Requests[i]; r.Client == 0 {
			r.Text = p.words(r)
		}
	}
	p.judge()
}

// lists makes of lists that there are not empty ones: JSON has another word for what there is not, which whoever reads
// lists would have to know of.
func lists(s *picture.State) {
	list(&s.Members)
	list(&s.Conf.Voters)
	list(&s.Conf.Learners)
	list(&s.Links)
	list(&s.Messages)
	list(&s.Clients)
	list(&s.Requests)
	list(&s.Watches)
	list(&s.Invariants)
	for i := range s.Members {
		m := &s.Members[i]
		list(&m.Votes)
		list(&m.Refusals)
		list(&m.Progress)
		list(&m.Log)
	}
	for i := range s.Requests {
		list(&s.Requests[i].Stations)
	}
	for i := range s.Watches {
		list(&s.Watches[i].Events)
		list(&s.Watches[i].Pushes)
	}
}

func list[T any](s *[]T) {
	if *s == nil {
		*s = []T{}
	}
}

// present leaves those out of the picture who are no members of the cluster and whose process is gone, and what was
// chosen of them.
func (p *Player) present() {
	s := &p.State
	stays := func(id uint64) bool {
		i := slices.IndexFunc(s.Members, func(m picture.Member) bool { return m.ID == id })
		return i >= 0 && s.Present(&s.Members[i])
	}
	s.Links = slices.DeleteFunc(s.Links, func(l picture.Link) bool { return !stays(l.From) || !stays(l.To) })
	at := 0
	for i := range s.Members {
		if s.Present(&s.Members[i]) { // the others' slices are kept for the next picture
			s.Members[at], s.Members[i] = s.Members[i], s.Members[at]
			at++
		}
	}
	s.Members = s.Members[:at]
	if p.Chosen.Member != 0 && !p.knows(p.Chosen.Member) {
		p.Chosen.Member = 0
	}
	if p.Chosen.Link != [2]uint64{} && !(p.knows(p.Chosen.Link[0]) && p.knows(p.Chosen.Link[1])) {
		p.Chosen.Link = [2]uint64{}
	}
}

// words are the visitor's request as briefly as the clients' are: "put x 42"
// rather than the command it came from.
func (p *Player) words(r *picture.Request) string {
	if text, ok := p.said[r.ID]; ok {
		return text
	}
	text := r.Op
	if c, err := script.Parse(r.Text); err == nil {
		switch c.Cmd {
		case script.Put:
			text += " " + c.Key + " " + c.Value
		case script.AddMember, script.AddLearner, script.Promote, script.Remove:
			text = c.Cmd + " S" + strconv.FormatInt(c.ID, 10)
		default:
			if about := subject(&c); about != "" {
				text += " " + about
			}
		}
	}
	p.said[r.ID] = text
	return text
}

// subject is what a command is about: a key, a name, a lease, or a revision.
func subject(c *script.Command) string {
	switch {
	case len(c.If) > 0:
		return c.If[0].Key
	case c.Key != "" || c.Name != "":
		return cmp.Or(c.Key, c.Name)
	case c.Lease != 0 || c.Rev != 0:
		return strconv.FormatInt(cmp.Or(c.Lease, c.Rev), 10)
	}
	return ""
}

// cool lets the traffic of each link fade, and adds what came in.
func (p *Player) cool(passed time.Duration) {
	keep := float32(math.Exp(-passed.Seconds() / 0.45))
	for link, heat := range p.heat {
		p.heat[link] = heat * keep
	}
	for link, more := range p.watch.traffic {
		p.heat[link] = min(1, p.heat[link]+more)
		delete(p.watch.traffic, link)
	}
}

// Fill sets the parts of a view that the player knows.
func (p *Player) Fill(v *scene.View) {
	v.State, v.Now = &p.State, p.Shown()
	v.Tick, v.Client = float64(p.facts.Tick), float64(p.facts.Client)
	v.Selected, v.Link, v.Request = p.Chosen.Member, p.Chosen.Link, p.Chosen.Request
	v.Heat, v.Leases = p.heat, p.shelf
	v.Followed = nil
	if p.Chosen.Request != 0 {
		v.Followed = following{p.picture, p.Chosen.Request}
	}
	v.Lit, v.LitMembers = nil, nil
	if show := p.facts.Show; show != nil && len(show.Lit) > 0 {
		v.Lit, v.LitMembers = show.Lit, show.Members
	}
}

// following is the request that the visitor looks at.
type following struct {
	picture *picture.Picture
	request uint64
}

// Carries implements scene.Follower.
func (f following) Carries(m *picture.Message) bool { return f.picture.Carries(f.request, m) }

// Hash is the running hash of all events of a simulation, "" for what has none.
func (p *Player) Hash() string {
	if c, err := p.controls(); err == nil {
		return c.HashText()
	}
	return ""
}

// longestStep bounds what one call may ask for: it returns when the time is over.
const longestStep = time.Hour

// StepFor advances simulated time by exactly so many nanoseconds, however long
// that takes.
func (p *Player) StepFor(ns float64) error {
	if !(ns >= 0 && ns <= float64(longestStep)) {
		return fmt.Errorf("step: %v ns are not between 0 and %v", ns, longestStep)
	}
	p.arrive()
	p.target = p.Shown() + math.Round(ns)
	p.source.RunUntil(trace.Instant(p.target), 0)
	p.refresh()
	return nil
}

// Seek goes to a moment of a recording, or back to one of a simulation.
func (p *Player) Seek(ns float64) error {
	switch {
	case p.facts.Show != nil:
		return errors.New("seek: in a replay it takes a share")
	case p.facts.Kind != Recording:
		return p.back(ns)
	case !(ns >= 0 && ns <= float64(p.facts.End)):
		return fmt.Errorf("seek: %v ns are not between 0 and %v", ns, p.facts.End)
	}
	if ns < p.Shown() {
		chosen, speed, playing, epoch := p.Chosen, p.Speed, p.Playing, p.epoch
		if err := p.reset(p.again); err != nil {
			return err
		}
		p.Chosen, p.Speed, p.Playing = chosen, speed, playing
		p.epoch = epoch // the same stream
	}
	p.source.RunUntil(trace.Instant(ns), 0)
	p.target = ns
	p.refresh()
	return nil
}

// A step looks so far ahead and no further, in events and in simulated time: whoever
// steps wants to see what is near.
const (
	stepBound = 50_000
	stepReach = 5 * time.Second
)

// StepTo advances to the next event of a kind: "event", "message" (a delivery
// that is no heartbeat), "commit", "term". It reports whether there was one in reach.
func (p *Player) StepTo(unit string) (found bool, err error) {
	reached, ok := units[unit]
	if !ok {
		return false, fmt.Errorf("step: unknown unit %q: want event, message, commit or term", unit)
	}
	p.Playing = false
	p.watch.seen = [unitCount]bool{}
	last := trace.Instant(math.Min(p.Shown()+float64(stepReach), math.Max(p.Shown(), p.end())))
	for range stepBound {
		if p.source.NextAt() > last || !p.source.StepEvent() {
			break
		}
		if found = reached == unitEvent || p.watch.seen[reached]; found {
			break
		}
	}
	p.target = math.Max(p.target, float64(p.source.Now()))
	p.refresh()
	return found, nil
}
