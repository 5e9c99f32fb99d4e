package client

import (
	"strconv"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/judge"
	"vitrine/core/sim/setup"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// Server is a member as its clients meet it.
type Server interface {
	ID() uint64
	Life() uint32 // counts its starts and ends: a connection does not outlive one
	Runs() bool
	Paused() bool
	Hold(e clock.Event) // keeps an event for the time after a pause
	Step(in member.Input)
	Member() *member.Member // while it runs, as its store
	Store() *store.Store
	Led() int64     // when it last had a leader
	Resumed() int64 // when it was last paused no more
	Tick() int64    // its clock's idea of Config.TickEvery
	Defragment() bool
	Verify(who api.Identity) api.Identity // reads a token that is signed
}

// Host is the world that clients live in.
type Host interface {
	Members() []uint64       // the endpoints, in order
	Server(id uint64) Server // nil if there is no such member
	Emit(e trace.Event) uint64
	Decided(c script.Command) // what a client has decided by itself, where that is recorded
}

// The kinds of the events that are the clients'.
const (
	Arrive      clock.Kind = iota + 100 // a request reaches its endpoint; slot in Pool.requests
	Answer                              // an answer reaches its client
	ClientTimer                         // a client's patience ends, or its backoff does
	Turn                                // a watching client changes its mind; A = client
	Think                               // a client thinks of its next operation; A = client
	WatchArrive                         // a watch request or close reaches a member
	WatchPush                           // watch responses reach their client
	kinds
)

// Pool is all clients of a world: the visitor, whose requests are commands, and the
// simulated ones.
type Pool struct {
	host  Host
	cfg   *setup.Config
	net   *setup.Network // as it is set now
	clock *clock.Clock
	chaos *chaos.Chaos
	judge *judge.Judge
	wire  *dice.Dice // between clients and members

	deeds   map[string]deed
	load    workload
	clients []*Client
	founded int  // steps of making users that are done, or under way
	guarded bool // somebody has asked for all of them, and clients log in
	settled bool // nobody reads slowly any more
	words   passwords

	requests  clock.Slab[Request]
	call      api.Call // of the request that is arriving; a member keeps what it needs of it
	requestID uint64
	values    uint64
	byRequest map[uint64]int32 // unfinished requests; for look-ups only
	open      []int32          // the same, oldest first
	retired   [keptRequests]int32
	finished  int

	streams
}

// streams are the watch streams of all clients.
type streams struct {
	p        *Pool
	pushes   clock.Slab[pushed]
	watchers []*Watcher
	streamID uint64
	byID     map[uint64]*Stream // by the present connection: for look-ups, and for what no order can change
	opened   []*Stream          // reused
	asks     clock.Slab[asked]
	text     []byte // reused
}

// New makes the clients of a world; net is what its network is set to at any time.
func New(
	h Host, cfg *setup.Config, net *setup.Network, c *clock.Clock, x *chaos.Chaos, j *judge.Judge,
) *Pool {
	p := &Pool{
		host: h, cfg: cfg, net: net, clock: c, chaos: x, judge: j,
		wire: dice.New(cfg.Seed, dice.Wire, 0).At(&c.Now), load: newWorkload(cfg.Workload), deeds: deeds(),
		words:     passwords{},
		byRequest: map[uint64]int32{}, streams: streams{byID: map[uint64]*Stream{}},
	}
	p.streams.p, p.load.p = p, p
	return p
}

// Happens makes an event of the clients happen.
func (p *Pool) Happens(e *clock.Event) {
	switch e.Kind {
	case Arrive:
		p.arrive(p.host.Server(uint64(e.Member)), e)
	case Answer:
		p.answered(e)
	case ClientTimer:
		p.clientTimer(e)
	case Think:
		p.load.thought(e)
	case Turn:
		p.load.turn(e)
	case WatchArrive:
		p.watchArrives(p.host.Server(uint64(e.Member)), e)
	case WatchPush:
		p.pushArrives(e)
	}
}

// Owns reports whether an event is the clients'.
func Owns(e *clock.Event) bool { return e.Kind >= Arrive && e.Kind < kinds }

// Void tells clients that an event that was on its way to them or held by a member
// comes to nothing, since the member has ended.
func (p *Pool) Void(e *clock.Event) {
	switch e.Kind {
	case Arrive:
		p.refuse(e)
	case WatchArrive:
		p.streamRefused(e)
	}
}

// latency draws the way between a client and a member: one number.
func (p *Pool) latency() int64 {
	return int64(p.net.Client/2 + p.wire.Exp(p.net.Client/2))
}

// Number is the client of that number, nil if there is none; 0 is the visitor.
func (p *Pool) Number(n int) *Client {
	if n < 0 || n >= len(p.clients) {
		return nil
	}
	return p.clients[n]
}

// Clients are all of them; nobody changes the list.
func (p *Pool) Clients() []*Client { return p.clients }

// Open is how many requests have no answer yet.
func (p *Pool) Open() int { return len(p.open) }

// Requests tells of the last finished requests and of all that are open.
func (p *Pool) Requests(tell func(r *Request)) {
	kept := min(p.finished, keptRequests)
	for i := range kept {
		tell(p.requests.At(p.retired[(p.finished-kept+i)%keptRequests]))
	}
	for _, slot := range p.open {
		tell(p.requests.At(slot))
	}
	for _, wt := range p.watchers {
		if wt.slot >= 0 {
			tell(p.requests.At(wt.slot))
		}
	}
}

// Request is the request at a place. The pointer is good until the next is made.
func (p *Pool) Request(slot int32) *Request { return p.requests.At(slot) }

// Unfinished is the request of that id, nil if it is over.
func (p *Pool) Unfinished(id uint64) *Request {
	if slot, ok := p.byRequest[id]; ok {
		return p.requests.At(slot)
	}
	return nil
}

// Watchers are the watches that are open, and the last ones that were.
func (p *Pool) Watchers() []*Watcher { return p.watchers }

// Rate is how much the clients do, operations a simulated second.
func (p *Pool) Rate() float64 { return p.load.Rate }

// SetRate changes that.
func (p *Pool) SetRate(rate float64) {
	p.load.setRate(rate)
	p.load.wake()
}

// Rest ends the load. A reader that is slow on purpose is a fault and heals with the
// others: else it could be more behind than it can read while the cluster settles.
func (p *Pool) Rest() { p.load.off, p.settled = true, true }

// Unread is when the slowest reader of a watch will have read what is on its way to
// it: its own slowness is no fault of the cluster.
func (p *Pool) Unread() int64 {
	last := p.clock.Now
	for _, s := range p.byID {
		last = max(last, s.arrival)
	}
	return last
}

// Pushed tells of the responses that are on their way to watch streams.
func (p *Pool) Pushed(tell func(r *pb.WatchResponse)) {
	for i := range p.pushes.Items {
		if r := p.pushes.Items[i].response; r != nil {
			tell(r)
		}
	}
}

// Probe is a value that no other request writes.
func (p *Pool) Probe() []byte { return strconv.AppendUint([]byte("p"), p.requestID, 10) }
