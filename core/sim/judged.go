package sim

import (
	"time"

	"vitrine/core/backend"
	"vitrine/core/member"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/judge"
	"vitrine/core/store"
)

// Violation is the first broken invariant of a run.
type Violation = judge.Violation

// A node as its judge sees it.

// ID implements judge.Member.
func (n *node) ID() uint64 { return n.id }

// Runs implements judge.Member.
func (n *node) Runs() bool { return n.process == running }

// Store implements judge.Member.
func (n *node) Store() *store.Store { return n.store }

// Member implements judge.Member.
func (n *node) Member() *member.Member { return n.member }

// Size implements judge.Member.
func (n *node) Size() int64 { return n.backend.Store().Size() }

// SlowestSync implements judge.Member.
func (n *node) SlowestSync() time.Duration { return n.slowest }

// Durable implements judge.Member.
func (n *node) Durable() uint64 {
	if n.backend != nil {
		return n.backend.Durable().Index
	}
	return n.durable
}

// Database is what is committed to the database of a member: of one that is down,
// what its disk holds.
func (n *node) Database() (backend.StoreView, error) {
	if n.backend != nil {
		return n.backend.Store().View()
	}
	db, err := backend.ReadMemFile(n.fs, n.layout().DB())
	if err != nil {
		return nil, err
	}
	return db.View()
}

// Totals are how many requests of all clients were answered, how many failed, and
// the newest revision of any member that is up.
func (w *World) Totals() (done, failed int, revision int64) {
	for _, c := range w.clients.Clients() {
		done, failed = done+c.Done, failed+c.Failed
	}
	for _, n := range w.nodes {
		if n.store != nil {
			revision = max(revision, n.store.KV.Revision())
		}
	}
	return done, failed, revision
}

// judged are all members, for the judge.
func (w *World) judged() []judge.Member {
	all := make([]judge.Member, len(w.nodes))
	for i, n := range w.nodes {
		all[i] = n
	}
	return all
}

const inspectEvery = 5 * second

// inspectLater has the judge look at all members in a while.
func (w *World) inspectLater() {
	w.clock.PushFirst(clock.Event{At: w.clock.Now + inspectEvery, Kind: evInspect})
}

// SameStory compares two worlds that ran the same seed to its end, and returns
// the broken promise if they differ.
func (w *World) SameStory(again *World) *Violation { return w.judge.SameStory(w.Hash(), again.Hash()) }
