package store

import (
	"slices"

	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// applyLease performs a request about leases.
func (s *Store) applyLease(ctx ApplyContext, o *Outcome, req *pb.InternalRaftRequest, r *Result) (any, error) {
	switch {
	case req.LeaseGrant != nil:
		l, err := s.Leases.Grant(req.LeaseGrant.ID, req.LeaseGrant.TTL, s.batch)
		if err != nil {
			return nil, err
		}
		r.Leases = append(r.Leases, lease.Change{Kind: lease.Granted, Lease: l})
		s.trace.Emit(trace.Event{Kind: trace.LeaseGranted, Index: o.Index, A: uint64(l.ID), C: uint64(l.TTL)})
		return &pb.LeaseGrantResponse{Header: s.header(), ID: l.ID, TTL: l.TTL}, nil
	case req.LeaseRevoke != nil:
		if err := s.revoke(ctx, o, req.LeaseRevoke.ID, r); err != nil {
			return nil, err
		}
		return &pb.LeaseRevokeResponse{Header: s.header()}, nil
	}
	for _, c := range req.LeaseCheckpoint.Checkpoints {
		if s.Leases.Checkpoint(c.ID, c.Remaining_TTL, s.keepsCheckpoints(), s.batch) {
			l, _ := s.Leases.Get(c.ID)
			r.Leases = append(r.Leases, lease.Change{Kind: lease.Checkpointed, Lease: l})
			s.trace.Emit(trace.Event{Kind: trace.LeaseCheckpointed, Index: o.Index, A: uint64(l.ID), C: uint64(l.Remaining)})
		}
	}
	return &pb.LeaseCheckpointResponse{Header: s.header()}, nil
}

// revoke ends a lease with its keys, all of them in one revision, in their order.
func (s *Store) revoke(ctx ApplyContext, o *Outcome, id int64, r *Result) error {
	if !s.Leases.Exists(id) {
		return lease.ErrNotFound
	}
	w := s.KV.Begin(s.batch, ctx.WithPrev)
	keys := s.Leases.Keys(id)
	if mutant.On(mutant.RevokeUnordered) {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		w.Delete([]byte(key))
	}
	if c := w.End(); c != nil {
		r.Changes = append(r.Changes, *c)
	}
	r.Leases = append(r.Leases, lease.Change{Kind: lease.Revoked, Lease: lease.Lease{ID: id}})
	s.trace.Emit(trace.Event{
		Kind: trace.LeaseRevoked, Index: o.Index, A: uint64(id), B: o.ID, C: uint64(len(keys)), Rev: s.KV.Revision(),
	})
	return s.Leases.Revoke(id, s.batch)
}

// keepsCheckpoints: members before 3.6 do not write checkpoints down, so none does while there may be one.
func (s *Store) keepsCheckpoints() bool {
	v := s.Members.Version()
	return v != nil && v.Compare(membership.Version{Major: 3, Minor: 6}) >= 0
}

func (s *Store) header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: s.KV.Revision()} }
