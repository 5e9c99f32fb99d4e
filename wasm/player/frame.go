package player

import (
	"bytes"
	"encoding/json"

	"vitrine/core/picture"
	"vitrine/wasm/scene"
)

// Frame is what the document around the stage is told, some times a second.
type Frame struct {
	Now     int64   `json:"now"`
	Seed    uint64  `json:"seed"`
	Epoch   int     `json:"epoch"` // counts resets; a new one means: forget the feed
	Playing bool    `json:"playing"`
	Speed   float64 `json:"speed"`
	Skip    bool    `json:"skip"`
	Boost   float64 `json:"boost"`
	Behind  bool    `json:"behind"`
	Pace    float64 `json:"pace"` // simulated seconds a second that passed of late
	Leader  uint64  `json:"leader"`
	Led     uint64  `json:"led"` // who led last, or leads
	Term    uint64  `json:"term"`
	Commit  uint64  `json:"commit"`
	Events  uint64  `json:"events"`
	Tick    int64   `json:"tick"`
	Chosen  Choice  `json:"chosen"`

	Members    []picture.Member   `json:"members"` // without their logs
	Conf       picture.Conf       `json:"conf"`    // who decides
	Founded    int                `json:"founded"` // with so many members, 0 = not known
	Fallen     []uint64           `json:"fallen"`  // those who do not run, the last to fall last
	Cuts       [][2]uint64        `json:"cuts"`    // directions that are cut
	Clients    []picture.Client   `json:"clients"`
	Requests   []picture.Request  `json:"requests"`
	Watches    []picture.Watch    `json:"watches"`
	Invariants []picture.Light    `json:"invariants"`
	Violation  *picture.Violation `json:"violation,omitempty"`
	Dials      any                `json:"dials,omitempty"` // of what can be acted on
	Feed       []Item             `json:"feed"`            // lines since the last frame
	Source     SourceState        `json:"source"`
	Raft       Raft               `json:"raft"`
	Numbers    Numbers            `json:"numbers"`
	Replay     *ShowState         `json:"replay,omitempty"`
	Leases     *scene.Shelf       `json:"leases,omitempty"` // those that the stage shows, if there are any
}

// SourceState is what the page is told of what it plays.
type SourceState struct {
	Kind  string      `json:"kind"` // Simulation or Recording
	Acts  bool        `json:"acts"` // it can be acted on
	End   int64       `json:"end"`  // where it ends by itself, 0 = nowhere
	Files []FileState `json:"files,omitempty"`
}

// numbers are those before the visitor's mark, and those since.
func (p *Player) numbers() Numbers {
	return Numbers{Was: p.was, Now: p.watch.tally.numbers(int64(p.source.Now()))}
}

// mark keeps the numbers so far, and counts anew.
func (p *Player) mark() {
	p.arrive()
	was := p.numbers().Now
	p.was = &was
	p.watch.tally.mark(int64(p.source.Now()))
}

type frameBuffer struct {
	frame Frame
	out   bytes.Buffer
}

// requestsShown bounds the list of requests in a frame.
const requestsShown = 14

// Frame returns the next frame in JSON; the bytes are valid until the next call.
func (p *Player) Frame() []byte {
	f, s := &p.frame.frame, &p.State
	f.Now, f.Seed, f.Epoch = int64(p.Shown()), p.facts.Seed, p.epoch
	f.Playing, f.Speed, f.Skip, f.Boost, f.Behind = p.Playing, p.Speed, p.Skip, p.Boost, p.Behind
	f.Pace = p.Pace
	f.Leader, f.Term, f.Commit, f.Events, f.Chosen = s.Leader, s.Term, s.Commit, s.Events, p.Chosen
	f.Tick, f.Raft, f.Numbers = p.facts.Tick, p.facts.Raft, p.numbers()
	f.Members = append(f.Members[:0], s.Members...)
	for i := range f.Members {
		f.Members[i].Log = []picture.Entry{}
	}
	f.Conf, f.Founded = s.Conf, p.facts.Members
	f.Led, f.Fallen = p.watch.terms.led(), append(f.Fallen[:0], p.watch.fallen...)
	list(&f.Fallen)
	f.Cuts = f.Cuts[:0]
	if f.Cuts == nil {
		f.Cuts = make([][2]uint64, 0, 8) // an empty list, not null
	}
	for _, l := range s.Links {
		if l.Cut {
			f.Cuts = append(f.Cuts, [2]uint64{l.From, l.To})
		}
	}
	f.Clients, f.Watches, f.Invariants, f.Violation = s.Clients, s.Watches, s.Invariants, s.Violation
	if f.Requests == nil {
		f.Requests = make([]picture.Request, 0, requestsShown+4)
	}
	f.Requests = p.requests(f.Requests[:0])
	f.Dials = nil
	c, err := p.controls()
	if err == nil {
		f.Dials = c.Dials()
	}
	f.Source = SourceState{Kind: p.facts.Kind, Acts: err == nil, End: int64(p.facts.End), Files: p.facts.Files}
	f.Replay = p.Showing()
	f.Leases = nil
	if p.look(); p.shelf.Count > 0 {
		f.Leases = &p.shelf
	}
	f.Feed = append(f.Feed[:0], p.watch.feed.items...)
	list(&f.Feed)
	p.watch.feed.items = p.watch.feed.items[:0]
	p.frame.out.Reset()
	if err := json.NewEncoder(&p.frame.out).Encode(f); err != nil {
		panic(err) // plain data always encodes
	}
	return p.frame.out.Bytes()
}

// requests picks the newest ones, the chosen one, and all of the visitor's; of old ones that are not chosen without
// their way.
func (p *Player) requests(out []picture.Request) []picture.Request {
	all := p.State.Requests
	from := max(0, len(all)-requestsShown)
	for i := range all[:from] {
		chosen := all[i].ID == p.Chosen.Request
		if !chosen && all[i].Client != 0 {
			continue
		}
		out = append(out, all[i])
		if !chosen && all[i].Status != picture.StatusPending {
			out[len(out)-1].Stations = []picture.Station{}
		}
	}
	return append(out, all[from:]...)
}

// MessagesJSON is a list of what is on its way, for whoever reads it: a frame does
// not carry it.
func (p *Player) MessagesJSON() []byte { return marshal(p.State.Messages) }

// LogJSON is the window of a member's log.
func (p *Player) LogJSON(member uint64) []byte {
	for i := range p.State.Members {
		if m := &p.State.Members[i]; m.ID == member {
			return marshal(m.Log)
		}
	}
	return []byte("[]")
}

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data always encodes
	}
	return out
}

// pageState is what state() of the scripting interface answers.
type pageState struct {
	*picture.State
	Seed     uint64      `json:"seed"`
	Hash     string      `json:"hash,omitempty"` // running hash of all events of a simulation, 16 hex digits
	Dials    any         `json:"dials,omitempty"`
	Source   SourceState `json:"source"`
	Playing  bool        `json:"playing"`
	Speed    float64     `json:"speed"`
	Selected Choice      `json:"selected"`
	Raft     Raft        `json:"raft"`
	Numbers  Numbers     `json:"numbers"`
	Replay   *ShowState  `json:"replay,omitempty"`
}

// StateJSON is the whole picture in JSON.
func (p *Player) StateJSON() []byte {
	page := pageState{
		State: &p.State, Seed: p.facts.Seed, Hash: p.Hash(), Playing: p.Playing, Speed: p.Speed, Selected: p.Chosen,
		Raft: p.facts.Raft, Numbers: p.numbers(),
		Replay: p.Showing(), Source: SourceState{Kind: p.facts.Kind, End: int64(p.facts.End), Files: p.facts.Files},
	}
	if c, err := p.controls(); err == nil {
		page.Dials, page.Source.Acts = c.Dials(), true
	}
	return marshal(page)
}
