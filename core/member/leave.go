package member

import (
	"fmt"

	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/trace"
)

// A member that has applied its own removal goes on for a moment, so that others hear of the entry from it, and then
// stops for good. If it leads, it hands over first: the others need not wait for an election.

// leave looks whether this member is still one after a change.
func (m *Member) leave(ms *membership.Members) {
	if ms == nil || m.leaving || !ms.IsRemoved(m.cfg.ID) || mutant.On(mutant.RemovedGoesOn) {
		return
	}
	m.leaving, m.leaves = true, m.now+trace.Instant(limits.LeaveDelay)
	m.t.Emit(trace.Event{Kind: trace.MemberLeft, Peer: m.cfg.ID})
	m.node.TransferLeader(0)
}

func (m *Member) tick(now trace.Instant) {
	if m.leaving && now >= m.leaves {
		m.halt = fmt.Errorf("member %x has stopped: %w", m.cfg.ID, ErrRemoved)
		return
	}
	m.node.Tick()
	m.lessor.Advance(now, limits.LeaseClocksPerTick)
	m.hub.Tick(now)
}

// expelled: a peer says that this member was removed, while this member was away. A member that is alone has nobody who
// could have done that.
func (m *Member) expelled(by uint64) {
	if m.leaving || len(m.book.Members().List()) == 1 || mutant.On(mutant.RemovedGoesOn) {
		return
	}
	m.t.Emit(trace.Event{Kind: trace.MemberLeft, Peer: by})
	m.halt = fmt.Errorf("member %x has stopped: %w (says member %x)", m.cfg.ID, ErrRemoved, by)
}

// connected notes whether a peer can be reached, for those who ask before the members are changed.
func (m *Member) connected(peer uint64, ok bool) {
	if ok {
		m.book.Heard(peer)
		return
	}
	m.book.Lost(peer)
}
