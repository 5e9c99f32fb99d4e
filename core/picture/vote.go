package picture

import (
	"slices"

	"vitrine/core/trace"
)

// Why a member does not vote for a candidate.
const (
	WhyLeader = "leader" // it hears a leader, For, and does not answer
	WhyLog    = "log"    // its own log is newer
	WhyVoted  = "voted"  // it has voted for For in this term
	WhyTerm   = "term"   // it is in a later term
)

// refusal notes at the candidate that a member does not vote for it. Of an answer
// that says no, the reason follows from what both have in their logs and from whom
// the member has voted for.
func (p *Picture) refusal(e *trace.Event) {
	c := p.member(e.Peer)
	r := Refusal{ID: e.Member, Why: WhyLeader, For: e.A, At: int64(e.Now)}
	if e.Kind != trace.VoteIgnored {
		r.Why, r.For = p.member(e.Member).whyNot(c)
	}
	c.refusals = slices.DeleteFunc(c.refusals, func(o Refusal) bool { return o.ID == r.ID })
	c.refusals = append(c.refusals, r)
}

func (m *member) whyNot(c *member) (why string, whom uint64) {
	mine, theirs := m.log.memory, c.log.memory
	switch {
	case mine != nil && theirs != nil && (mine.term > theirs.term ||
		mine.term == theirs.term && mine.index > theirs.index):
		return WhyLog, 0
	case m.Vote != 0 && m.Vote != c.ID:
		return WhyVoted, m.Vote
	}
	return WhyTerm, 0
}

// refuses tells whether a message says no to a candidate.
func refuses(e *trace.Event) bool {
	return e.C&trace.Rejected != 0 && (e.Msg == msgVoteResp || e.Msg == msgPreVoteResp)
}
