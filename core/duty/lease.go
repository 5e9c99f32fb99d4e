package duty

import (
	"vitrine/core/lease"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// leaseExpiry revokes the leases that have run out, while the member leads. Each is an entry of the term in which it
// had run out, or none: a leader that is not the leader any more must not end what its successor has extended.
type leaseExpiry struct {
	clock   *lease.Lessor
	ids     []int64
	revoked uint64
}

func (x *leaseExpiry) due(s *State) *pb.InternalRaftRequest {
	if !s.runs(x.clock) {
		return nil
	}
	if x.ids = x.clock.Expired(x.ids[:0], s.Now, 1); len(x.ids) == 0 {
		return nil
	}
	return &pb.InternalRaftRequest{LeaseRevoke: &pb.LeaseRevokeRequest{ID: x.ids[0]}}
}

// ended: what was refused, or lost, comes again.
func (x *leaseExpiry) ended(e End) {
	if e.Applied && !e.Refused {
		x.revoked++
	}
}

// checkpoints write down what is left of the leases that nobody renews.
type checkpoints struct {
	clock    *lease.Lessor
	last     trace.Instant
	underWay []lease.Lease
}

func (c *checkpoints) due(s *State) *pb.InternalRaftRequest {
	if !s.runs(c.clock) || s.Now < c.last+trace.Instant(limits.Tick) {
		return nil
	}
	c.underWay = c.clock.Checkpoints(c.underWay[:0], s.Now, limits.LeaseCheckpointBatch)
	if len(c.underWay) == 0 {
		return nil
	}
	c.last = s.Now
	r := &pb.LeaseCheckpointRequest{}
	for _, l := range c.underWay {
		r.Checkpoints = append(r.Checkpoints, &pb.LeaseCheckpoint{ID: l.ID, Remaining_TTL: l.Remaining})
	}
	return &pb.InternalRaftRequest{LeaseCheckpoint: r}
}

func (c *checkpoints) ended(e End) {
	if e.Applied && !e.Refused {
		return
	}
	for _, l := range c.underWay {
		c.clock.Planned(c.last, l.ID)
	}
}

// runs tells whether the clock of leases is this member's to read.
func (s *State) runs(clock *lease.Lessor) bool {
	if mutant.On(mutant.RevokeUnfenced) {
		return clock != nil && clock.Term() != 0
	}
	return clock != nil && clock.Term() != 0 && s.Leading && clock.Term() == s.Term
}
