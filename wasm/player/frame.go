package player

import (
	"bytes"
	"encoding/json"
	"slices"

	"vitrine/core/sim"
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
	Leader  uint64  `json:"leader"`
	Term    uint64  `json:"term"`
	Commit  uint64  `json:"commit"`
	Events  uint64  `json:"events"`
	Tick    int64   `json:"tick"`
	Chosen  Choice  `json:"chosen"`

	Members    []sim.MemberState    `json:"members"` // without their logs
	Cuts       [][2]uint64          `json:"cuts"`    // directions that are cut
	Clients    []sim.ClientState    `json:"clients"`
	Requests   []sim.RequestState   `json:"requests"`
	Watches    []sim.WatchState     `json:"watches"`
	Invariants []sim.InvariantState `json:"invariants"`
	Violation  *sim.Violation       `json:"violation,omitempty"`
	Dials      sim.Dials            `json:"dials"`
	Feed       []Item               `json:"feed"` // lines since the last frame
	Replay     *ShowState           `json:"replay,omitempty"`
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
	f.Now, f.Seed, f.Epoch = int64(p.Shown()), p.cfg.Seed, p.epoch
	f.Playing, f.Speed, f.Skip, f.Boost, f.Behind = p.Playing, p.Speed, p.Skip, p.Boost, p.Behind
	f.Leader, f.Term, f.Commit, f.Events, f.Chosen = s.Leader, s.Term, s.Commit, s.Events, p.Chosen
	f.Tick = int64(p.cfg.TickEvery)
	f.Members = append(f.Members[:0], s.Members...)
	for i := range f.Members {
		f.Members[i].Log = nil
	}
	f.Cuts = f.Cuts[:0]
	if f.Cuts == nil {
		f.Cuts = make([][2]uint64, 0, 8) // an empty list, not null
	}
	for _, l := range s.Links {
		if l.Cut {
			f.Cuts = append(f.Cuts, [2]uint64{l.From, l.To})
		}
	}
	f.Clients, f.Watches, f.Invariants, f.Violation, f.Dials = s.Clients, s.Watches, s.Invariants, s.Violation, s.Dials
	if f.Requests == nil {
		f.Requests = make([]sim.RequestState, 0, requestsShown+4)
	}
	f.Requests = p.requests(f.Requests[:0])
	f.Replay = nil
	if p.show != nil {
		f.Replay = p.show.state(p.Shown())
	}
	f.Feed = append(f.Feed[:0], p.watch.feed.items...)
	p.watch.feed.items = p.watch.feed.items[:0]
	p.frame.out.Reset()
	if err := json.NewEncoder(&p.frame.out).Encode(f); err != nil {
		panic(err) // plain data always encodes
	}
	return p.frame.out.Bytes()
}

// requests picks the newest ones and the chosen one.
func (p *Player) requests(out []sim.RequestState) []sim.RequestState {
	all := p.State.Requests
	from := max(0, len(all)-requestsShown)
	for i := range all[:from] {
		if all[i].ID == p.Chosen.Request || all[i].Status == sim.StatusPending && all[i].Client == 0 {
			out = append(out, all[i])
		}
	}
	out = append(out, all[from:]...)
	for i := range out {
		out[i].Stations = p.watch.ways.merge(&out[i])
	}
	return out
}

// MessagesJSON is a list of what is on its way, for whoever reads it: a frame does
// not carry it.
func (p *Player) MessagesJSON() []byte { return marshal(p.State.Messages) }

// LogJSON is the window of a member's log.
func (p *Player) LogJSON(member uint64) []byte {
	if member == 0 || member > uint64(len(p.State.Members)) {
		return []byte("[]")
	}
	return marshal(p.State.Members[member-1].Log)
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
	*sim.State
	Playing  bool       `json:"playing"`
	Speed    float64    `json:"speed"`
	Selected Choice     `json:"selected"`
	Replay   *ShowState `json:"replay,omitempty"`
}

// StateJSON is the whole picture in JSON.
func (p *Player) StateJSON() []byte {
	state := p.State
	state.Requests = slices.Clone(p.State.Requests)
	for i := range state.Requests {
		state.Requests[i].Stations = p.watch.ways.merge(&state.Requests[i])
	}
	page := pageState{State: &state, Playing: p.Playing, Speed: p.Speed, Selected: p.Chosen}
	if p.show != nil {
		page.Replay = p.show.state(p.Shown())
	}
	return marshal(page)
}
