package check

import (
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// grant is a pre-vote that was sent to a member for a term.
type grant struct{ term, by uint64 }

// maxGrants bounds the pre-votes that are remembered for a member; the oldest
// go first. It is some terms of the largest cluster.
const maxGrants = 64

// preVoted handles a MsgPreVoteResp on its way to m. Its term is the one that m
// would stand for. It may arrive late, in another life of m, and a life that
// never made a term durable asks for that term again.
func (c *Checker) preVoted(m *member, e *trace.Event) {
	g := grant{e.Term, e.Member}
	if e.C&trace.Rejected != 0 || e.Member == m.id || slices.Contains(m.grants, g) {
		return
	}
	if len(m.grants) == maxGrants {
		m.grants = append(m.grants[:0], m.grants[maxGrants/4:]...)
	}
	m.grants = append(m.grants, g)
}

// candidate handles a member that stands for election: it raises the term for
// everybody, so a majority must have said before that it would vote for it, or
// the leader must have asked for it. Whoever comes back from a long absence
// then disturbs nobody (raft thesis 9.6; the standing half of I27).
func (c *Checker) candidate(m *member, e *trace.Event) {
	told := m.told
	m.told = false
	if told || c.options.NoPreVote {
		return
	}
	n := len(c.configs[len(c.configs)-1].voters)
	switch {
	case m.view.known:
		n = len(m.view.voters)
	case n == 0:
		n = len(c.members)
	}
	// A late grant for the term before counts too: raft takes it, because that is
	// the term in which a pre-candidate still is. And it takes one for a later term,
	// for which an earlier life asked that lost its term with its disk's last writes.
	by := []uint64{m.id}
	for _, g := range m.grants {
		if g.term+1 >= e.Term && !slices.Contains(by, g.by) {
			by = append(by, g.by)
		}
	}
	if have := len(by); have < n/2+1 {
		c.violate(invariant.Liveness, e, "member %d stands for election in term %d with the pre-votes of %d of %d", m.id,
			e.Term, have, n)
	}
}
