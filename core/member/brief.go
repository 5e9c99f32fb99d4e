package member

import (
	"vitrine/core/lease"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

// Brief is the part of Status that is free: a driver can publish it after every Poll.
type Brief struct {
	Term, Lead, Commit, Applied uint64
	Revision                    int64
	Leading, Learner, Published bool
}

// Brief is the member's state as of the last Poll. It does not allocate.
func (m *Member) Brief() Brief {
	return Brief{
		Term: m.node.Term(), Lead: m.node.Leader(), Commit: m.node.Committed(), Applied: m.node.AppliedIndex(),
		Revision: m.book.Revision(), Leading: m.node.IsLeader(), Learner: m.node.IsLearner(), Published: m.duties.Published(),
	}
}

// Leases are all leases as this member's clock has them, for whoever judges it. Expiry 0 = it does not count.
func (m *Member) Leases() []lease.Status { return m.lessor.All() }

// LeaseCounts are the renewals that this member has granted, and the leases that it has revoked because they had run
// out.
func (m *Member) LeaseCounts() (renewed, revoked uint64) {
	return m.lessor.Renewed(), m.duties.Revoked()
}

// Counts are the watch hub's, for metrics. It visits every stream.
func (m *Member) Counts() watch.Counts { return m.hub.Counts() }

// LeaseTerm is the term in which this member's clock of leases runs, 0 if it does not.
func (m *Member) LeaseTerm() uint64 { return m.lessor.Term() }

// Pins are the watchers, where they stand. It visits all of them.
func (m *Member) Pins() []watch.Pin { return m.hub.Pins() }

// Kept are durable entries of the log from index from on, at most limit of them.
func (m *Member) Kept(from uint64, limit int) []*raftpb.Entry { return m.node.Kept(from, limit) }
