package sim

import (
	"slices"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/client"
	"vitrine/core/sim/dice"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// Calls are what operators ask: how a member is, what its data hash to, who is one, which alarms are up, another
// leader.

// answerCall is what a driver adds to a read that the member has let through.
func (l *readLane) answerCall(r *api.ReadReady) (any, error) {
	n := l.of
	switch req := r.Body.(type) {
	case *pb.StatusRequest:
		s := r.Partial
		s.DbSize, s.DbSizeInUse, s.StorageVersion = n.backend.Store().Size(), n.backend.Store().SizeInUse(),
			n.store.StorageVersion()
		s.Version, s.DbSizeQuota = clusterVersion, n.store.Quota()
		return s, nil
	case *pb.HashKVRequest:
		hash, compacted, current, err := n.store.HashKV(req.Revision)
		if err != nil {
			return nil, err
		}
		rev := req.Revision
		if rev == 0 {
			rev = current
		}
		return &pb.HashKVResponse{Header: &pb.ResponseHeader{Revision: current}, Hash: hash, CompactRevision: compacted,
			HashRevision: rev}, nil
	case *pb.HashRequest:
		return &pb.HashResponse{Hash: contents(n)}, nil
	}
	return n.store.Read(r.Body)
}

// storeConfig is what every member's store is told.
func (w *World) storeConfig() store.Config {
	return store.Config{QuotaBytes: w.cfg.Quota, MinLeaseTTL: store.LeaseTTL(w.cfg.ElectionTicks, w.cfg.TickEvery)}
}

const clusterVersion = "3.7.0"

// contents is a hash of all that is in the database, durable or not.
func contents(n *node) uint32 {
	sum := uint64(0)
	for b := backend.Key; b <= backend.Cluster; b++ {
		n.backend.Range(b, nil, nil, 0, func(k, v []byte) bool {
			sum = dice.Mix(sum ^ trace.HashData(k))
			sum = dice.Mix(sum ^ trace.HashData(v))
			return true
		})
	}
	return uint32(sum)
}

// reply sends a member's answer on its way.
func (n *node) reply(a *api.Reply) {
	w := n.world
	if r := w.clients.Asked(n.id, a.ID); !w.passing.Back(a) && r != nil {
		answeredRightly(n, r, a.Response, a.Err)
		w.clients.Reply(n.id, a)
	}
}

// answeredRightly holds an answer to the member that gives it (I35).
func answeredRightly(n *node, r *client.Request, response any, err error) {
	w := n.world
	if !w.judge.Checks() {
		return
	}
	wrong := func(format string, args ...any) {
		w.judge.Broken(invariant.Identity, "member %d answers %q: "+format, append([]any{n.id, r.Words}, args...)...)
	}
	if m, ok := r.Body.(*pb.MoveLeaderRequest); ok {
		movedRightly(n, m, err, wrong)
	}
	if err != nil {
		return
	}
	h, ok := response.(interface{ GetHeader() *pb.ResponseHeader })
	if !ok || h.GetHeader() == nil {
		if _, moved := response.(*pb.MoveLeaderResponse); !moved {
			wrong("there is no header")
		}
		return
	}
	head, now := h.GetHeader(), n.member.Header()
	switch rev := n.store.KV.Revision(); {
	case head.ClusterId != now.ClusterID || head.MemberId != n.id:
		wrong("by the header it is member %d of cluster %x", head.MemberId, head.ClusterId)
	case head.RaftTerm < r.Met.Term || head.RaftTerm > now.RaftTerm:
		wrong("the header has term %d; it was %d when it was asked and is %d now", head.RaftTerm, r.Met.Term, now.RaftTerm)
	case r.Op == script.OpMembers, r.Op >= script.OpAddMember && r.Op <= script.OpRemove:
		if head.Revision != 0 {
			wrong("a list of members has no revision, not %d", head.Revision)
		}
	case head.Revision < r.Met.Rev || head.Revision > rev:
		wrong("the header has revision %d; it was %d when it was asked and is %d now", head.Revision, r.Met.Rev, rev)
	}
	toldRightly(n, response, wrong)
}

// toldRightly holds what a member tells of itself and of the others to what is so.
func toldRightly(n *node, response any, wrong func(format string, args ...any)) {
	w := n.world
	switch a := response.(type) {
	case *pb.StatusResponse:
		switch {
		case a.Leader != 0 && w.byID(a.Leader) == nil || a.IsLearner != n.member.Brief().Learner:
			wrong("the leader is %d, it is a learner: %t", a.Leader, a.IsLearner)
		case a.RaftAppliedIndex > a.RaftIndex:
			wrong("it has applied %d and knows of %d", a.RaftAppliedIndex, a.RaftIndex)
		case (a.Leader == 0) != slices.Contains(a.Errors, api.ErrNoLeader.Text):
			wrong("its leader is %d and its errors are %q", a.Leader, a.Errors)
		case a.DbSizeQuota != n.store.Quota() || a.DbSizeInUse > a.DbSize || a.Version != clusterVersion:
			wrong("it has %d bytes, %d in use, of %d, and version %s", a.DbSize, a.DbSizeInUse, a.DbSizeQuota, a.Version)
		}
	case *pb.MemberListResponse:
		ids := map[uint64]bool{}
		for _, m := range a.Members {
			ids[m.ID] = true
			if m.Name != "" && m.Name != nodeName(m.ID) || m.IsLearner && m.ID <= uint64(w.cfg.Members) {
				wrong("member %d is called %q", m.ID, m.Name)
			}
		}
		if len(ids) > max(len(w.nodes), len(w.roster.all())) {
			wrong("there are %d members", len(ids))
		}
	case *pb.HashKVResponse:
		w.judge.HashTold(n, a)
	}
}

// movedRightly holds the answer to a MoveLeader to who leads.
func movedRightly(n *node, m *pb.MoveLeaderRequest, err error, wrong func(format string, args ...any)) {
	leads := n.member.Leader() == n.id
	switch err {
	case nil:
		if n.member.Leader() != m.TargetID {
			wrong("it is done, but to it the leader is %d", n.member.Leader())
		}
	case error(api.ErrNotLeader):
		if leads {
			wrong("it is not the leader, and it is")
		}
	case error(api.ErrBadLeaderTransferee):
		if slices.Contains(n.store.Members.Voters(), m.TargetID) {
			wrong("member %d cannot lead", m.TargetID)
		}
	}
}
