package store

import (
	"errors"
	"fmt"

	"vitrine/core/auth"
	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

var (
	// ErrUnknownRequest is a request that asks for nothing that this version knows.
	ErrUnknownRequest = errors.New("etcdserver: unknown request")
	// ErrBadEntry stops a member: an entry of the log cannot be read, or asks for what this build cannot do, so the
	// state after it is not known. The error's text goes on with the index and the reason.
	ErrBadEntry = errors.New("etcdserver: cannot apply raft entry")
)

// Apply applies committed entries in order. Those at or below the applied index were applied before and are skipped.
func (s *Store) Apply(ctx ApplyContext, entries []*raftpb.Entry) *Result {
	r := &Result{Outcomes: make([]Outcome, 0, len(entries)), Changes: make([]mvcc.Change, 0, len(entries))}
	applied := s.Backend.Applied()
	if mutant.On(mutant.EntryTwice) && len(entries) > 0 {
		applied.Index = entries[0].GetIndex() - 1
	}
	r.Index, r.Term = applied.Index, applied.Term
	for _, e := range entries {
		if e.GetIndex() <= applied.Index {
			continue
		}
		invariant.Assert(e.GetIndex() == r.Index+1 || r.Index == 0, "store: applied entries have no gap")
		if r.Err = s.applyEntry(ctx, e, r); r.Err != nil {
			break
		}
		invariant.Assert(e.GetTerm() >= r.Term, "store: the term of applied entries falls")
		r.Index, r.Term = e.GetIndex(), e.GetTerm()
	}
	invariant.Assert(r.Err != nil || r.Index == s.Backend.Applied().Index,
		"store: what was applied does not stand where it says")
	r.Revision, r.CompactRevision = s.KV.Revision(), s.KV.CompactRevision()
	r.Alarms = s.Alarms.active
	return r
}

// applyEntry turns one entry into one batch.
func (s *Store) applyEntry(ctx ApplyContext, e *raftpb.Entry, r *Result) error {
	position := backend.Applied{Index: e.GetIndex(), Term: e.GetTerm()}
	var id uint64
	switch {
	case e.GetType() == raftpb.EntryConfChange:
		cc := new(raftpb.ConfChange)
		if err := proto.Unmarshal(e.Data, cc); err != nil {
			return badEntry(e.GetIndex(), err)
		}
		id = cc.GetId()
		s.applyConfChange(position, cc, r)
	case e.GetType() != raftpb.EntryNormal:
		return badEntry(e.GetIndex(), fmt.Errorf("type %v", e.GetType()))
	case len(e.Data) == 0: // a new leader's first entry
		s.batch.Reset(position)
	default:
		req, err := s.decode(&ctx, e.Data)
		if err != nil {
			return badEntry(e.GetIndex(), err)
		}
		id = requestID(req)
		s.batch.Reset(position)
		if err := s.applyRequest(ctx, e.GetIndex(), id, req, r); err != nil {
			return badEntry(e.GetIndex(), err)
		}
	}
	if !s.versioned {
		s.setStorageVersion()
	}
	s.Backend.Write(s.batch)
	if s.trace.On() {
		s.trace.Emit(trace.Event{
			Kind: trace.EntryApplied, Index: e.GetIndex(), Term: e.GetTerm(), A: trace.HashData(e.Data),
			Rev: s.KV.Revision(), Request: id, B: uint64(s.KV.Keys()), C: uint64(s.Backend.Pending()),
		})
	}
	return nil
}

// decode reads the request in an entry. It is good until the next one is read; what it holds is good for longer.
func (s *Store) decode(ctx *ApplyContext, data []byte) (*pb.InternalRaftRequest, error) {
	if ctx.Decode != nil {
		return ctx.Decode(data)
	}
	if !mutant.On(mutant.EntryUncleared) {
		s.read.Reset()
	}
	return &s.read, pb.Unmarshal(data, &s.read)
}

// requestID finds the proposal's id; the field ID is of releases before 3.3.
func requestID(req *pb.InternalRaftRequest) uint64 {
	if req.ID != 0 {
		return req.ID
	}
	return req.GetHeader().GetID()
}

func (s *Store) applyConfChange(position backend.Applied, cc *raftpb.ConfChange, r *Result) {
	outcome, node := Outcome{ID: cc.GetId(), Index: position.Index}, cc.GetNodeId()
	if outcome.Err = s.Members.Validate(cc); outcome.Err != nil {
		s.batch.Reset(position)
		noConfChange(cc)
	} else {
		// The batch takes its position first, and that includes the configuration after the change.
		next := s.Members.Clone()
		_ = next.Apply(cc, s.batch) // what it writes there is of no use
		position.ConfState = next.ConfState()
		if mutant.On(mutant.ConfStateStale) && position.Index > 9 {
			position.ConfState = nil
		}
		s.batch.Reset(position)
		_ = s.Members.Apply(cc, s.batch)
		outcome.Response = s.Members.List()
		r.Members = s.Members.Clone()
	}
	s.traceChange(&outcome, node, cc)
	r.ConfChanges = append(r.ConfChanges, cc)
	r.Outcomes = append(r.Outcomes, outcome)
}

// traceChange tells the trace what a change of the members has done to one of them, or why it was refused.
func (s *Store) traceChange(o *Outcome, node uint64, cc *raftpb.ConfChange) {
	if !s.trace.On() {
		return
	}
	e := trace.Event{Kind: trace.MemberChanged, Index: o.Index, Peer: node, A: membership.Effect(cc)}
	if o.Err != nil {
		e.Text = o.Err.Error()
	}
	s.trace.Emit(e)
}

// applyRequest performs a request into the batch and notes its outcome. An error means that it cannot be done here, and
// nothing was. What the alarms refuse has no effect on any member.
func (s *Store) applyRequest(ctx ApplyContext, index, id uint64, req *pb.InternalRaftRequest, r *Result) error {
	wanted := ctx.Proposer == nil || ctx.Proposer(id)
	o := Outcome{ID: id, Index: index}
	if o.Err = s.Alarms.refuse(req); o.Err == nil {
		if err := capable(req); err != nil {
			return err
		}
		changes := len(r.Changes)
		s.permitted(ctx, wanted, req, &o, r)
		o.Wrote = len(r.Changes) > changes
	}
	o.Physical = o.Err == nil && req.GetCompaction().GetPhysical()
	r.Outcomes = append(r.Outcomes, o)
	return nil
}

// permitted performs a request if its asker may. Whoever the header names was named by a state that may have changed
// since; all members decide by the state at this entry.
func (s *Store) permitted(ctx ApplyContext, wanted bool, req *pb.InternalRaftRequest, o *Outcome, r *Result) {
	if o.Err = s.authorize(req); o.Err != nil {
		return
	}
	if wanted && !s.HasSpace(req) {
		r.OverQuota = true
	}
	if auth.Concerns(req) {
		s.applyAuth(o, req, r)
		return
	}
	o.Response, o.Err = s.perform(ctx, o, wanted, req, r)
}

func (s *Store) authorize(req *pb.InternalRaftRequest) error {
	if !s.Auth.Enabled() {
		return nil
	}
	id := auth.Identity{User: req.GetHeader().GetUsername(), Revision: req.GetHeader().GetAuthRevision()}
	return s.Auth.Allowed(id, auth.NeedOf(req, s.Leases))
}

// applyAuth performs a request about users and roles.
func (s *Store) applyAuth(o *Outcome, req *pb.InternalRaftRequest, r *Result) {
	o.Response, o.Tokens, o.Err = s.Auth.Apply(o.Index, req, s.batch)
	if o.Tokens.Changed {
		r.Auth = s.Auth.Clone()
	}
}

// perform is the switch over all kinds of requests. What it returns besides the effects depends on the request and the
// state alone, but for ranges that nobody waits for.
func (s *Store) perform(ctx ApplyContext, o *Outcome, wanted bool, req *pb.InternalRaftRequest, r *Result) (any,
	error) {
	switch {
	case req.ClusterVersionSet != nil, req.ClusterMemberAttrSet != nil, req.DowngradeInfoSet != nil:
		err := s.applyCluster(req)
		r.Members = s.Members.Clone()
		return nil, err
	case req.DowngradeVersionTest != nil: // etcd's own tests put it into logs
		return nil, nil
	case req.Range != nil:
		if !wanted {
			return nil, nil
		}
		return pb.Answer(s.KV.Range(req.Range))
	case req.Put != nil, req.DeleteRange != nil, req.Txn != nil:
		return s.applyWrite(ctx, wanted, req, r)
	case req.Compaction != nil:
		if err := s.KV.Compact(req.Compaction.Revision, s.batch); err != nil {
			return nil, err
		}
		return &pb.CompactionResponse{Header: &pb.ResponseHeader{Revision: s.KV.Revision()}}, nil
	case req.Alarm != nil:
		resp, changed := s.Alarms.apply(req.Alarm, s.batch)
		r.AlarmsChanged = r.AlarmsChanged || changed
		return resp, nil
	case req.LeaseGrant != nil, req.LeaseRevoke != nil, req.LeaseCheckpoint != nil:
		return s.applyLease(ctx, o, req, r)
	}
	invariant.Violated(s.trace, 0, "store: a request that was to be refused is applied")
	return nil, nil
}

// applyWrite performs a request that may write pairs, all of them at one revision.
func (s *Store) applyWrite(ctx ApplyContext, wanted bool, req *pb.InternalRaftRequest, r *Result) (any, error) {
	var resp any
	var err error
	w := s.KV.Begin(s.batch, ctx.WithPrev)
	switch {
	case req.Put != nil:
		resp, err = pb.Answer(w.Put(req.Put))
	case req.DeleteRange != nil:
		resp, err = pb.Answer(w.DeleteRange(req.DeleteRange))
	default:
		resp, err = pb.Answer(w.Txn(req.Txn, !wanted))
	}
	if c := w.End(); c != nil {
		r.Changes = append(r.Changes, *c)
	}
	return resp, err
}

// applyCluster performs the requests that members make of each other.
func (s *Store) applyCluster(req *pb.InternalRaftRequest) error {
	switch {
	case req.ClusterVersionSet != nil:
		v, err := membership.ParseVersion(req.ClusterVersionSet.Ver)
		if err != nil {
			return err
		}
		s.Members.SetVersion(v, s.batch)
		s.versioned = false
	case req.ClusterMemberAttrSet != nil:
		a := req.ClusterMemberAttrSet
		says := a.GetMemberAttributes()
		return s.Members.SetAttributes(a.Member_ID, says.GetName(), says.GetClientUrls(), s.batch)
	default:
		d := membership.Downgrade{Enabled: req.DowngradeInfoSet.Enabled}
		if d.Enabled {
			d.Target = req.DowngradeInfoSet.Ver
		}
		s.Members.SetDowngrade(d, s.batch)
	}
	return nil
}
