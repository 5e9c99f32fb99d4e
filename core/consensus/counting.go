package consensus

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// counting is what mutant.CommitByCounting remembers: whom it has told, in this
// term, what it takes for committed.
type counting struct {
	term uint64
	told []uint64
}

// countOldTerms is wrong on purpose: it tells a follower that whatever a majority
// holds is committed, also what an earlier term has left. Entries go one term at a
// time, and the word of the commit goes before those of the new term; both are
// allowed, and make the moment at which a majority has nothing of the new term.
func (n *Node) countOldTerms(m *raftpb.Message) {
	c := &n.counting
	if c.term != n.term {
		*c = counting{term: n.term}
	}
	for i, e := range m.Entries {
		if e.GetTerm() != m.Entries[0].GetTerm() {
			m.Entries = m.Entries[:i:i]
			break
		}
	}
	held := n.heldByMajority()
	if term, err := n.log.Term(held); err != nil || term == n.term || held <= m.GetCommit() ||
		slices.Contains(c.told, m.GetTo()) {
		return
	}
	m.Commit, m.Entries = new(held), nil
	c.told = append(c.told, m.GetTo())
}

// heldByMajority is the index up to which a majority has the leader's log.
func (n *Node) heldByMajority() uint64 {
	var matches []uint64
	n.raw.WithProgress(func(_ uint64, typ raft.ProgressType, pr tracker.Progress) {
		if typ == raft.ProgressTypePeer {
			matches = append(matches, pr.Match)
		}
	})
	if len(matches) == 0 {
		return 0
	}
	slices.Sort(matches)
	return matches[(len(matches)-1)/2]
}
