package secret

import (
	"encoding/base64"
	"time"

	"vitrine/core/api"
	"vitrine/core/auth"
	"vitrine/core/member"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/setup"
	"vitrine/core/store"
)

// Owner is the machine of a member that gives out work.
type Owner interface {
	ID() uint64
	Life() uint32
	Step(in member.Input)
	Store() *store.Store
}

// Lane does what members leave to their drivers. A server is at as many passwords at a time as half of its processors
// can be; a simulated member is at one, and each takes a while, which faults can make long. Which keys hang on leases
// has nothing to do with that, and is known at once.
type Lane struct {
	of    Owner
	kind  clock.Kind // of its events; A = 1 for a password or a token
	clock *clock.Clock
	dice  *dice.Dice
	cfg   *setup.Config
	took  time.Duration // the mean
	keys  []auth.Work
	queue []auth.Work // it is at the first
}

// NewLane is one without work.
func NewLane(of Owner, kind clock.Kind, c *clock.Clock, cfg *setup.Config) *Lane {
	return &Lane{of: of, kind: kind, clock: c, cfg: cfg, dice: dice.New(cfg.Seed, dice.Secrets, of.ID()).At(&c.Now),
		took: cfg.Workload.Logins.Work}
}

// TakesFor sets the mean time that a password takes from now on; less than nothing = as configured.
func (l *Lane) TakesFor(mean time.Duration) {
	if l.took = mean; mean < 0 {
		l.took = l.cfg.Workload.Logins.Work
	}
}

// Work begins something, or puts it behind what is under way. Questions for keys are answered after a wait.
func (l *Lane) Work(w *auth.Work, wait int64) {
	if w.Kind == auth.LeaseKeys {
		l.keys = append(l.keys, *w)
		l.push(wait, 0)
		return
	}
	if l.queue = append(l.queue, *w); len(l.queue) == 1 {
		l.next()
	}
}

// longest bounds how long a password takes, in means.
const longest = 2

func (l *Lane) next() { l.push(int64(min(l.dice.Exp(l.took), longest*l.took))+1, 1) }

func (l *Lane) push(wait int64, what uint64) {
	l.clock.Push(clock.Event{At: l.clock.Now + wait, Kind: l.kind, Member: uint32(l.of.ID()), Life: l.of.Life(), A: what})
}

// Worked reports what is done, when its event comes.
func (l *Lane) Worked(e *clock.Event) {
	var done auth.Done
	if e.A == 0 {
		done = auth.Done{ID: l.keys[0].ID, Keys: l.of.Store().Leases.KeysOf(l.keys[0].Lease)}
		l.keys = l.keys[1:]
	} else {
		done = l.secret(&l.queue[0])
		if l.queue = l.queue[1:]; len(l.queue) > 0 {
			l.next()
		}
	}
	l.of.Step(member.Input{Kind: member.WorkDone, Done: &done})
}

// secret is what a server does with bcrypt and its keys.
func (l *Lane) secret(w *auth.Work) auth.Done {
	d := auth.Done{ID: w.ID}
	switch w.Kind {
	case auth.Hash:
		d.Text = base64.StdEncoding.EncodeToString([]byte(Hash(w.Password, l.dice.Uint64())))
	case auth.Compare:
		if d.OK = Right(string(w.Hash), w.Password); d.OK && !l.cfg.Workload.Logins.Signed {
			d.Text = Text(auth.TokenLetters, auth.TokenPrefixLength, l.dice.IntN)
		}
	case auth.Sign:
		d.Text = Sign(Claims{User: w.User, Revision: w.Revision, Until: l.clock.Now + int64(l.cfg.Workload.Logins.TTL)})
	}
	return d
}

// Compared is when the passwords that it is at are done, at the latest; 0 = it is at none. (One that it began while
// they took longer may take longer.)
func (l *Lane) Compared() int64 {
	if len(l.queue) == 0 {
		return 0
	}
	return l.clock.Now + int64(len(l.queue))*longest*int64(l.took)
}

// Forget drops all: the process has ended.
func (l *Lane) Forget() { l.keys, l.queue = nil, nil }

// Verify reads a token that is signed, as the way in of a server does.
func (l *Lane) Verify(who api.Identity) api.Identity {
	if who.Token == "" || !l.cfg.Workload.Logins.Signed {
		return who
	}
	c, ok := Read(who.Token)
	if who.Forged = !ok || l.clock.Now > c.Until; !who.Forged {
		who.Signed = auth.Identity{User: c.User, Revision: c.Revision}
	}
	return who
}
