package check

import (
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// Message types as Event.Msg has them: raft's number and one.
const (
	msgAppResp     = 4 + 1
	msgVote        = 5 + 1
	msgVoteResp    = 6 + 1
	msgSnap        = 7 + 1
	msgTimeoutNow  = 14 + 1
	msgPreVoteResp = 18 + 1
)

// started handles MemberStarted: what the disk holds must include what it had
// synced (I6, I8, I9).
func (c *Checker) started(m *member, e *trace.Event) {
	c.startsFrom(e)
	log := end{e.C, e.A}
	if log.term != 0 && c.run(log.term) == nil {
		c.addRun(termRun{term: log.term, start: e.B + 1})
	}
	if m.seen {
		c.restarted(m, e, log)
	}
	if m.view.listing {
		c.listing--
	}
	*m = member{
		view: view{known: e.Index == 0, since: e.Index},
		id:   m.id, seen: true, log: log, durable: log, grants: m.grants,
		term: e.Term, hardTerm: e.Term, hardVote: e.Peer,
		commit: e.Index, applied: e.Index, backed: e.Index, rev: e.Rev,
	}
	if e.Peer != 0 {
		m.votedIn, m.votedFor = e.Term, e.Peer
	}
}

func (c *Checker) restarted(m *member, e *trace.Event, log end) {
	if e.Term < m.hardTerm {
		c.violate(invariant.VoteDurability, e, "member %d restarted in term %d though term %d was on its disk", m.id, e.Term,
			m.hardTerm)
	}
	if e.Term == m.hardTerm && m.hardVote != 0 && e.Peer != m.hardVote {
		c.violate(invariant.VoteDurability, e,
			"member %d restarted without its vote for %d in term %d, which was on its disk", m.id, m.hardVote, e.Term)
	}
	// What was synced but never committed may since have been overwritten, and what was overwritten may be
	// committed by a later leader. A write that nobody synced survives a crash or does not: the disk has the
	// old entries or the new ones.
	kept := end{index: min(m.durable.index, c.committed.index)}
	if r := m.replaced; r.index > 0 && r.index <= kept.index && !c.has(log, r) {
		kept.index = r.index - 1
	}
	kept.term = c.termAt(kept.index, m.durable)
	if kept.term == c.termAt(kept.index, c.committed) && !c.has(log, kept) {
		c.violate(invariant.AckedDurable, e,
			"member %d restarted with a log up to (%d, term %d), though (%d, term %d) was synced and is committed",
			m.id, log.index, log.term, kept.index, kept.term)
	}
	if e.Index < m.backed {
		c.violate(invariant.AtomicApply, e, "member %d restarted at applied index %d though %d was durable", m.id, e.Index,
			m.backed)
	}
}

// synced handles LogSynced: the one source of what is durable.
func (c *Checker) synced(m *member, e *trace.Event) {
	if e.C != 0 {
		if e.C < m.hardTerm || e.C == m.hardTerm && m.hardVote != 0 && e.B != m.hardVote {
			c.violate(invariant.VoteDurability, e, "member %d replaced (term %d, vote %d) on its disk by (term %d, vote %d)",
				m.id, m.hardTerm, m.hardVote, e.C, e.B)
		}
		m.hardTerm, m.hardVote = e.C, e.B
	}
	if e.Index == 0 {
		return
	}
	m.durable = end{e.Index, e.Term}
	if e.Term == 0 {
		m.durable.term = c.termAt(e.Index, m.log)
	}
	// A snapshot became the log, or the sync is of entries that another leader's have replaced in memory.
	if m.log.index < e.Index && m.snapshots > 0 && e.Index <= c.committed.index && c.has(c.committed, m.durable) {
		m.log = m.durable
	}
	if !c.has(m.durable, m.replaced) {
		m.replaced = end{}
	}
	for i := min(m.durable.index, m.log.index); !c.has(m.log, end{i, c.termAt(i, m.durable)}); i-- {
		m.replaced = end{i, c.termAt(i, m.durable)}
	}
}

// sent handles MessageSent: promises leave only when the disk can keep them.
func (c *Checker) sent(m *member, e *trace.Event) {
	if e.C&trace.Rejected != 0 {
		return
	}
	switch e.Msg {
	case msgVote: // who asks twice in a term, with a crash between, may lead it twice
		if m.hardTerm < e.Term || m.hardTerm == e.Term && m.hardVote != m.id {
			c.violate(invariant.VoteDurability, e, "member %d asks for votes in term %d, but its disk has (term %d, vote %d)",
				m.id, e.Term, m.hardTerm, m.hardVote)
		}
	case msgVoteResp:
		if m.hardTerm < e.Term || m.hardTerm == e.Term && m.hardVote != e.Peer {
			c.violate(invariant.VoteDurability, e,
				"member %d sent its vote for %d in term %d, but its disk has (term %d, vote %d)", m.id, e.Peer, e.Term, m.hardTerm,
				m.hardVote)
		}
	case msgAppResp:
		// One sync may carry an append of one term and its truncation by the next. The answer to the first then
		// leaves late, as if the network had held it: whoever still leads the old term may count it, because this
		// member had that entry when it last could vote.
		if m.durable.index < e.Index && e.Term >= m.hardTerm {
			c.violate(invariant.AckedDurable, e, "member %d acknowledged index %d to %d, but its disk has only %d", m.id,
				e.Index, e.Peer, m.durable.index)
		}
		if m.hardTerm < e.Term {
			c.violate(invariant.VoteDurability, e, "member %d acknowledged in term %d, but its disk has term %d", m.id, e.Term,
				m.hardTerm)
		}
	}
}

// config is a set of voters in force from an index on.
type config struct {
	index  uint64
	voters []uint64
}

// maxConfigs bounds the configurations that are remembered.
const maxConfigs = 16

// confChanged handles ConfChanged; every member reports the same change, the
// first counts.
func (c *Checker) confChanged(e *trace.Event) {
	last := &c.configs[len(c.configs)-1]
	if e.Index > 0 && e.Index <= last.index || e.Index == 0 && last.index > 0 {
		return
	}
	next := last
	if e.Index > 0 {
		if len(c.configs) == maxConfigs {
			c.configs = append(c.configs[:0], c.configs[1:]...)
		}
		c.configs = append(c.configs, config{e.Index, slices.Clone(c.configs[len(c.configs)-1].voters)})
		next = &c.configs[len(c.configs)-1]
	}
	at := slices.Index(next.voters, e.Peer)
	switch {
	case e.A == 0 && at < 0:
		next.voters = append(next.voters, e.Peer)
	case (e.A == 1 || e.A == 3) && at >= 0:
		next.voters = slices.Delete(next.voters, at, at+1)
	}
}

// acked handles RequestDone at a member: the entry that it acknowledges is on
// the disks of a quorum (I8). While the configuration changes, one of those in
// force since the entry will do.
func (c *Checker) acked(e *trace.Event) {
	if e.Index > c.committed.index {
		c.violate(invariant.AckedDurable, e, "member %d acknowledged index %d, but only %d is committed anywhere", e.Member,
			e.Index, c.committed.index)
		return
	}
	x := end{e.Index, c.termAt(e.Index, c.committed)}
	have, need, before := 0, 0, 0
	for i := len(c.configs) - 1; i >= 0 && before < 2; i-- { // a change counts where it is applied: the one before may do
		voters := c.configs[i].voters
		if have, need = c.holders(voters, x); have >= need {
			return
		}
		if c.configs[i].index <= e.Index {
			before++
		}
	}
	c.violate(invariant.AckedDurable, e,
		"member %d acknowledged (%d, term %d), which is on %d disks of the %d that make a quorum", e.Member, x.index, x.term,
		have, need)
}

// holders counts the voters whose disk has entry x, and says how many must.
// Without any known configuration every member counts.
func (c *Checker) holders(voters []uint64, x end) (have, need int) {
	n := len(voters)
	if n == 0 {
		n = len(c.members)
	}
	for _, m := range c.members {
		if (len(voters) == 0 || slices.Contains(voters, m.id)) && c.has(m.durable, x) {
			have++
		}
	}
	return have, n/2 + 1
}

// backendCommitted handles BackendCommitted: only what was applied can be durable (I9).
func (c *Checker) backendCommitted(m *member, e *trace.Event) {
	if e.Index > m.applied {
		c.violate(invariant.AtomicApply, e, "member %d made applied index %d durable, but has applied only %d", m.id, e.Index,
			m.applied)
	}
	if e.Index < m.backed {
		c.violate(invariant.AtomicApply, e, "the durable applied index of member %d fell from %d to %d", m.id, m.backed,
			e.Index)
	}
	m.backed = e.Index
	c.marks(e)
}
