package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// leader is who won a term.
type leader struct{ term, member uint64 }

// maxLeaders bounds the terms whose winner is remembered.
const maxLeaders = 1024

// commit is the furthest entry that was committed while a term was current.
type commit struct {
	term uint64 // of whoever committed
	last end
}

// maxCommits bounds the terms whose commits are remembered apart; the oldest
// are contained in the newer ones.
const maxCommits = 64

// role handles RoleChanged (I1).
func (c *Checker) role(m *member, e *trace.Event) {
	m.leading = e.A == 2
	m.cut = 0
	if e.Term != 0 {
		c.term(m, e)
	}
	if e.A == 1 {
		c.candidate(m, e)
	}
	if !m.leading {
		return
	}
	c.wins(m, e)
	for i := len(c.leaders) - 1; i >= 0; i-- {
		if l := c.leaders[i]; l.term == e.Term {
			if l.member != m.id {
				c.violate(invariant.ElectionSafety, e, "members %d and %d are both leader of term %d", l.member, m.id, e.Term)
			}
			return
		}
	}
	if len(c.leaders) == maxLeaders {
		c.leaders = append(c.leaders[:0], c.leaders[maxLeaders/4:]...)
	}
	c.leaders = append(c.leaders, leader{e.Term, m.id})
}

// term handles a new term of a member (I6).
func (c *Checker) term(m *member, e *trace.Event) {
	if e.Term < m.term {
		c.violate(invariant.VoteDurability, e, "the term of member %d fell from %d to %d", m.id, m.term, e.Term)
	}
	m.term = e.Term
}

// voted handles VoteCast (I6).
func (c *Checker) voted(m *member, e *trace.Event) {
	switch {
	case e.Term < m.votedIn:
		c.violate(invariant.VoteDurability, e, "member %d voted in term %d after it had voted in term %d", m.id, e.Term,
			m.votedIn)
	case e.Term == m.votedIn && e.Peer != m.votedFor:
		c.violate(invariant.VoteDurability, e, "member %d voted for %d and for %d in term %d", m.id, m.votedFor, e.Peer,
			e.Term)
	}
	m.votedIn, m.votedFor = e.Term, e.Peer
}

// leaderComplete is called with the log that the leader of a new term has before
// its first own entry: everything committed in earlier terms must be in it (I4).
func (c *Checker) leaderComplete(m *member, e *trace.Event, log end) {
	for i := len(c.commits) - 1; i >= 0; i-- {
		k := c.commits[i]
		if k.term >= e.Term {
			continue // a leader may be elected late, by votes from before
		}
		if !c.has(log, k.last) {
			c.violate(invariant.LeaderCompleteness, e,
				"the leader of term %d begins after (%d, term %d) without (%d, term %d), committed in term %d",
				e.Term, log.index, log.term, k.last.index, k.last.term, k.term)
		}
		return
	}
}

// commitAdvanced handles CommitAdvanced (I4, I5, I7).
func (c *Checker) commitAdvanced(m *member, e *trace.Event) {
	if e.Index < m.commit {
		c.violate(invariant.Monotonic, e, "commit of member %d fell from %d to %d", m.id, m.commit, e.Index)
	}
	if e.Index > m.log.index {
		if m.snapshots == 0 || e.Index > c.committed.index {
			c.violate(invariant.Monotonic, e, "member %d knows %d to be committed, but its log ends at %d", m.id, e.Index,
				m.log.index)
		}
		m.log = end{e.Index, c.termAt(e.Index, c.committed)}
	}
	m.commit, m.commitKnown = e.Index, true
	term := e.Term
	if term == 0 {
		term = m.term
	}
	c.note(e, term, end{e.Index, c.termAt(e.Index, m.log)})
}

// note records that last was committed while term was current.
func (c *Checker) note(e *trace.Event, term uint64, last end) {
	if last.index <= c.committed.index {
		if !c.has(c.committed, last) {
			c.violate(invariant.StateMachineSafety, e, "(%d, term %d) and (%d, term %d) are both committed",
				last.index, last.term, last.index, c.termAt(last.index, c.committed))
		}
		return
	}
	if c.committed.index > 0 && !c.has(last, c.committed) {
		c.violate(invariant.StateMachineSafety, e,
			"the log committed up to (%d, term %d) does not hold the committed (%d, term %d)",
			last.index, last.term, c.committed.index, c.committed.term)
	}
	c.committed = last
	i := len(c.commits)
	for i > 0 && c.commits[i-1].term >= term {
		i--
	}
	if i < len(c.commits) && c.commits[i].term == term {
		c.commits[i].last = last
	} else {
		c.commits = append(c.commits, commit{})
		copy(c.commits[i+1:], c.commits[i:])
		c.commits[i] = commit{term, last}
		if len(c.commits) > maxCommits {
			c.commits = append(c.commits[:0], c.commits[1:]...)
		}
	}
	// Leaders of later terms that began before this commit must have it too.
	for i := len(c.runs) - 1; i >= 0 && c.runs[i].term > term; i-- {
		if r := c.runs[i]; !c.has(end{r.start - 1, r.before}, last) {
			c.violate(invariant.LeaderCompleteness, e,
				"(%d, term %d) was committed in term %d, but the leader of term %d began without it",
				last.index, last.term, term, r.term)
		}
	}
}
