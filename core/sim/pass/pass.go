// Package pass carries questions from one simulated member to another: what a client asks and only the leader can
// answer. Such a question has a connection of its own, so that nothing of it is lost without a word: who cannot be
// reached is an error, after a while.
package pass

import (
	"errors"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/sim/client"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/setup"
)

// question is one on its way, or its answer.
type question struct {
	from, to uint64 // members
	asked    uint64 // the request at the member that passes it on
	life     uint32 // of that
	id       uint64 // the request at the other, 0 = it is not there yet
	body     any
	answered bool
	response any
	err      error
}

// marked are the ids of requests that members make of each other.
const marked = 1 << 62

var errUnreachable = errors.New("pass: the other member cannot be reached")

// Passing is all questions on their way in one world.
type Passing struct {
	kind    clock.Kind
	clock   *clock.Clock
	net     *setup.Network
	servers func(id uint64) client.Server
	cut     func(from, to uint64) bool

	slab clock.Slab[question]
	last uint64
	open map[uint64]int32 // by id

	// Own, if set, takes the answers to questions that no member has asked for a client; false = it was one.
	Own func(asked uint64, response any, err error) bool
}

// New is none. The events of questions have a kind of their own, and their slot is the question's; cut tells whether
// nothing passes between two members.
func New(
	kind clock.Kind, c *clock.Clock, net *setup.Network, servers func(id uint64) client.Server,
	cut func(from, to uint64) bool,
) *Passing {
	return &Passing{kind: kind, clock: c, net: net, servers: servers, cut: cut, open: map[uint64]int32{}}
}

// On sends questions on their way.
func (p *Passing) On(n client.Server, all []api.Forward) {
	for _, f := range all {
		if to := p.servers(f.Peer); to != nil {
			slot := p.slab.Take()
			*p.slab.At(slot) = question{from: n.ID(), to: f.Peer, asked: f.ID, life: n.Life(), body: f.Body}
			p.travel(slot, to)
		}
	}
}

func (p *Passing) travel(slot int32, to client.Server) {
	p.clock.Push(clock.Event{
		At: p.clock.Now + int64(p.net.Base), Kind: p.kind, Slot: slot, Member: uint32(to.ID()), Life: to.Life(),
	})
}

// Arrives brings a question to the member that is to answer it, or an answer back.
func (p *Passing) Arrives(n client.Server, e *clock.Event) {
	q := p.slab.At(e.Slot)
	if q.answered {
		done := *q
		p.drop(e.Slot)
		if p.cut(done.to, done.from) {
			done.response, done.err = nil, errUnreachable
		}
		if p.Own == nil || !p.Own(done.asked, done.response, done.err) {
			n.Step(member.Input{Kind: member.Forwarded, ID: done.asked, Response: done.response, Err: done.err})
		}
		return
	}
	if p.cut(q.from, q.to) || !n.Runs() {
		p.Lost(e)
		return
	}
	p.last++
	q.id = marked | p.last
	p.open[q.id] = e.Slot
	n.Step(member.Input{Kind: member.Request, Call: &api.Call{
		ID: q.id, Body: q.body, Identity: api.Identity{Own: true, Forwarded: true},
	}})
}

// Back takes the answer to a question of another member; false if it is to a client's.
func (p *Passing) Back(a *api.Reply) bool {
	slot, ok := p.open[a.ID]
	if !ok {
		return a.ID&marked != 0
	}
	q := p.slab.At(slot)
	q.response, q.err = a.Response, a.Err
	p.back(slot)
	return true
}

// back sends an answer, if the process that asked still lives.
func (p *Passing) back(slot int32) {
	q := p.slab.At(slot)
	delete(p.open, q.id)
	q.answered = true
	from := p.servers(q.from)
	if from.Life() != q.life {
		p.drop(slot)
		return
	}
	p.travel(slot, from)
}

// Lost tells who asked that the other is not there. An answer that nobody waits for is dropped.
func (p *Passing) Lost(e *clock.Event) {
	q := p.slab.At(e.Slot)
	if q.answered {
		p.drop(e.Slot)
		return
	}
	q.err = errUnreachable
	p.back(e.Slot)
}

// End: a process that has ended answers nothing more.
func (p *Passing) End(n uint64) {
	for slot := range p.slab.Items {
		if q := &p.slab.Items[slot]; q.to == n && q.id != 0 && !q.answered {
			p.Lost(&clock.Event{Slot: int32(slot)})
		}
	}
}

func (p *Passing) drop(slot int32) {
	*p.slab.At(slot) = question{}
	p.slab.Give(slot)
}
