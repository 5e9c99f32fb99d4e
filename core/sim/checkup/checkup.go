package checkup

import (
	"errors"
	"time"

	"vitrine/core/api"
	"vitrine/core/audit"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/sim/client"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/judge"
	"vitrine/core/sim/pass"
	"vitrine/core/sim/setup"
)

// Checkups are all comparisons in one world.
type Checkups struct {
	due     clock.Kind // of an event: it is time to look
	heard   clock.Kind // so: a member has an answer to a question of its own
	waited  clock.Kind // so: a member that is to start waits no more
	clock   *clock.Clock
	host    client.Host
	passing *pass.Passing
	judge   *judge.Judge
	every   [looks]time.Duration
	start   bool // members that start look, too

	books map[uint64]*book  // by member
	asked map[uint64]asking // by request
	last  uint64
}

// What a leader looks at.
const (
	leading     = iota // the newest revision
	compactions        // the sums that compactions have left
	looks

	starting = looks // the newest revision, before a member starts
)

// book is what the process of a member knows.
type book struct {
	life        uint32
	compactions audit.Compactions
	looks       [looks + 1]look
	refuse      func(error) // what follows a look before a start
	enter       func()
}

// look is one comparison under way.
type look struct {
	began   int64 // 0 = there is none
	serial  uint64
	own     audit.Hash
	answers []audit.Answer
	open    int // so many are still to come
}

// asking is a question of a member, and what comes of its answer.
type asking struct {
	member uint64
	life   uint32
	hear   func(response any, err error)
	answer any
	err    error
}

// mark is in the ids of the questions.
const mark = 1 << 61

// patience is how long a member waits for the others.
const patience = int64(5 * time.Second)

var errSilent = errors.New("checkup: the member has not answered")

// New is none under way.
func New(
	due, heard, waited clock.Kind, c *clock.Clock, h client.Host, p *pass.Passing, j *judge.Judge, every *setup.Audits,
) *Checkups {
	u := &Checkups{due: due, heard: heard, waited: waited, start: every.Start, clock: c, host: h, passing: p, judge: j,
		every: [looks]time.Duration{every.Leading, every.Compactions},
		books: map[uint64]*book{}, asked: map[uint64]asking{}}
	p.Own = u.passed
	for what := range looks {
		u.later(what)
	}
	return u
}

func (u *Checkups) later(what int) {
	if every := u.every[what]; every > 0 {
		u.clock.PushFirst(clock.Event{At: u.clock.Now + int64(every), Kind: u.due, A: uint64(what)})
	}
}

// Due has all who lead look, or think that they lead.
func (u *Checkups) Due(e *clock.Event) {
	what := int(e.A)
	u.later(what)
	for id, a := range u.asked { // of processes that have ended nobody hears
		if n := u.host.Server(a.member); n == nil || n.Life() != a.life {
			delete(u.asked, id)
		}
	}
	for _, id := range u.host.Members() {
		if n := u.host.Server(id); n != nil && n.Runs() && n.Member().Leader() == id {
			u.begin(n, what)
		}
	}
}

// book is what is known to the present process of a member.
func (u *Checkups) book(n client.Server) *book {
	b := u.books[n.ID()]
	if b == nil || b.life != n.Life() {
		b = &book{life: n.Life()}
		u.books[n.ID()] = b
	}
	return b
}

// AtStart has a member that has read its disk, and does nothing else yet, compare itself with the others; then it
// refuses to start, or enters the cluster. False = that is not done here.
func (u *Checkups) AtStart(n client.Server, refuse func(error), enter func()) bool {
	own, err := audit.Ask(n.Store(), audit.Question(0))
	if !u.start || err != nil {
		return false
	}
	b := u.book(n)
	b.refuse, b.enter = refuse, enter
	u.clock.Push(clock.Event{At: u.clock.Now + patience, Kind: u.waited, Member: uint32(n.ID()), Life: n.Life()})
	u.ask(n, b, starting, audit.HashOf(own))
	return true
}

// Waited is the moment in which a member that is to start waits for the others no more.
func (u *Checkups) Waited(e *clock.Event) {
	n := u.host.Server(uint64(e.Member))
	if b := u.books[n.ID()]; n.Life() == e.Life && b.looks[starting].began > 0 {
		u.complete(n, b, starting)
	}
}

func (u *Checkups) begin(n client.Server, what int) {
	b := u.book(n)
	if l := &b.looks[what]; l.began > 0 {
		if u.clock.Now-l.began > patience {
			l.serial = 0 // what comes now comes too late
			u.complete(n, b, what)
		}
		return
	}
	if what == leading {
		if own, err := audit.Ask(n.Store(), audit.Question(0)); err == nil {
			u.ask(n, b, what, audit.HashOf(own))
		}
		return
	}
	b.compactions.Begin(audit.Kept(n.Store().KV))
	u.next(n, b)
}

// next looks at the next compaction.
func (u *Checkups) next(n client.Server, b *book) {
	b.looks[compactions] = look{}
	if own, ok := b.compactions.Next(); ok {
		u.ask(n, b, compactions, own)
	}
}

// ask asks all other members for their hash at the revision of an own one.
func (u *Checkups) ask(n client.Server, b *book, what int, own audit.Hash) {
	serial := u.last + 1
	l := &b.looks[what]
	*l = look{began: u.clock.Now, serial: serial, own: own}
	var questions []api.Forward
	for _, m := range n.Store().Members.List() {
		if m.ID == n.ID() {
			continue
		}
		at := len(l.answers)
		l.answers = append(l.answers, audit.Answer{Member: m.ID, Err: errSilent})
		id := u.note(n, func(response any, err error) {
			if l.serial != serial {
				return
			}
			if l.answers[at].Err = err; err == nil {
				l.answers[at].Hash = audit.HashOf(response.(*pb.HashKVResponse))
			}
			if l.open--; l.open == 0 {
				u.complete(n, b, what)
			}
		})
		questions = append(questions, api.Forward{ID: id, Peer: m.ID, Body: audit.Question(own.Revision)})
	}
	if l.open = len(questions); l.open == 0 {
		u.complete(n, b, what)
		return
	}
	u.passing.On(n, questions)
}

// complete judges the answers that there are.
func (u *Checkups) complete(n client.Server, b *book, what int) {
	l := &b.looks[what]
	if what == compactions {
		culprits, _ := b.compactions.Judge(n.ID(), l.answers)
		for _, c := range culprits {
			u.raise(n, what, c)
		}
		u.next(n, b)
		return
	}
	before, answers := l.own, l.answers
	*l = look{}
	if what == starting {
		verdict := audit.AtStart(n.ID(), before, audit.Lives(n.Store().KV), answers)
		u.judge.Compared(n.ID(), before, answers, verdict)
		if verdict != nil {
			b.refuse(verdict)
			return
		}
		b.enter()
		return
	}
	// What the others had has been committed before; after this read this member has it, too.
	u.askOwn(n, &pb.MemberListRequest{Linearizable: true}, func(_ any, err error) {
		if err != nil {
			return
		}
		after, err := audit.Ask(n.Store(), audit.Question(0))
		if err != nil {
			return
		}
		if c := audit.WhileLeading(n.ID(), before, audit.HashOf(after), answers); c != nil {
			u.raise(n, what, *c)
		}
	})
}

// raise names a member to all.
func (u *Checkups) raise(n client.Server, what int, c audit.Culprit) {
	u.judge.Accused(n.ID(), c, what == leading)
	u.askOwn(n, c.Alarm(), func(any, error) {})
}

// askOwn asks the member itself.
func (u *Checkups) askOwn(n client.Server, body any, hear func(response any, err error)) {
	n.Step(member.Input{Kind: member.Request, Call: &api.Call{
		ID: u.note(n, hear), Body: body, Identity: api.Identity{Own: true},
	}})
}

func (u *Checkups) note(n client.Server, hear func(response any, err error)) (id uint64) {
	u.last++
	id = mark | u.last
	u.asked[id] = asking{member: n.ID(), life: n.Life(), hear: hear}
	return id
}

// Back takes the answer of a member to its own question; false if it is somebody else's. It is heard in a moment: the
// member is in the middle of something.
func (u *Checkups) Back(n client.Server, r *api.Reply) bool {
	if r.ID&mark == 0 {
		return false
	}
	if a, ok := u.asked[r.ID]; ok {
		a.answer, a.err = r.Response, r.Err
		u.asked[r.ID] = a
		u.clock.Push(clock.Event{At: u.clock.Now + 1, Kind: u.heard, A: r.ID, Member: uint32(n.ID()), Life: n.Life()})
	}
	return true
}

// Heard is the moment.
func (u *Checkups) Heard(e *clock.Event) {
	a := u.asked[e.A]
	u.hear(e.A, a.answer, a.err)
}

// passed takes what another member has answered; false if that was not asked here.
func (u *Checkups) passed(id uint64, response any, err error) bool {
	if id&mark == 0 {
		return false
	}
	u.hear(id, response, err)
	return true
}

func (u *Checkups) hear(id uint64, response any, err error) {
	if a, ok := u.asked[id]; ok {
		delete(u.asked, id)
		a.hear(response, err)
	}
}
