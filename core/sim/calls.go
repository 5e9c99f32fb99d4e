package sim

import (
	"slices"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/dice"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// Calls are what operators ask: how a member is, what its data hash to, who the
// members are, which alarms are up, and to hand over leadership.

// call is a call of any kind. Alarms are raised by hand only where the seed wants
// that; who has been refused for one looks what is up and takes it down.
func (g *grammar) call() (script.Op, any) {
	some := uint64(1 + g.n(len(g.w.nodes)))
	switch g.n(10) {
	case 0, 1:
		return script.OpStatus, &pb.StatusRequest{}
	case 2:
		return script.OpHash, &pb.HashRequest{}
	case 3, 4:
		rev := g.past(16)
		if g.one(3) {
			rev = 0
		}
		return script.OpHashKV, &pb.HashKVRequest{Revision: rev}
	case 5:
		return script.OpMembers, &pb.MemberListRequest{Linearizable: g.one(2)}
	case 6, 7:
		if g.one(8) {
			some = uint64(len(g.w.nodes) + 1 + g.n(3)) // nobody
		}
		return script.OpMoveLeader, &pb.MoveLeaderRequest{TargetID: some}
	}
	r := &pb.AlarmRequest{MemberID: some, Alarm: pb.AlarmType_NOSPACE}
	if g.one(4) {
		r.Alarm = pb.AlarmType(g.n(3))
	}
	if g.w.load.Alarms && !g.one(3) {
		r.Action = pb.AlarmRequest_AlarmAction(1 + g.n(2))
	}
	return script.OpAlarm, r
}

// repair is what a client does that was refused for an alarm: it makes room, asks
// what is up, and takes it down.
func (c *client) repair() (script.Op, any) {
	switch {
	case len(c.alarms) > 0:
		a := c.alarms[0]
		c.alarms = c.alarms[1:]
		return script.OpAlarm, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: a.MemberID, Alarm: a.Alarm}
	case !c.cleared:
		c.cleared = true
		return script.OpCompact, &pb.CompactionRequest{Revision: max(1, c.lastRev), Physical: true}
	}
	c.refused, c.cleared = false, false
	return script.OpAlarm, &pb.AlarmRequest{}
}

// refusedFor notes what an answer tells a client of alarms.
func (c *client) refusedFor(answer any, err error) {
	if r, ok := answer.(*pb.AlarmResponse); ok && err == nil && len(r.Alarms) > 0 {
		c.alarms = r.Alarms
	}
	if err == error(api.ErrNoSpace) || err == error(api.ErrCorrupt) {
		c.refused = true
	}
}

// answerCall is what a driver adds to a read that the member has let through.
func (w *World) answerCall(n *node, r *api.ReadReady) (any, error) {
	switch req := r.Body.(type) {
	case *pb.StatusRequest:
		s := r.Partial
		s.DbSize, s.DbSizeInUse, s.StorageVersion = n.backend.Store().Size(), n.backend.Store().SizeInUse(), n.store.StorageVersion()
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
		return &pb.HashKVResponse{Header: &pb.ResponseHeader{Revision: current}, Hash: hash, CompactRevision: compacted, HashRevision: rev}, nil
	case *pb.HashRequest:
		return &pb.HashResponse{Hash: n.contents()}, nil
	}
	return n.store.Read(r.Body)
}

// storeConfig is what every member's store is told.
func (w *World) storeConfig() store.Config { return store.Config{QuotaBytes: w.cfg.Quota} }

const clusterVersion = "3.7.0"

// contents is a hash of all that is in the database, durable or not.
func (n *node) contents() uint32 {
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

// arrival is what a request meets at its member.
type arrival struct {
	term uint64
	rev  int64
	at   int64
	life uint32
}

// answeredRightly holds an answer to the member that gives it (I35).
func (w *World) answeredRightly(n *node, r *request, response any, err error) {
	if !w.judge.Checks() {
		return
	}
	wrong := func(format string, args ...any) {
		w.judge.Broken(invariant.Identity, "member %d answers %q: "+format, append([]any{n.id, r.words}, args...)...)
	}
	if m, ok := r.body.(*pb.MoveLeaderRequest); ok {
		w.movedRightly(n, m, err, wrong)
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
	case head.RaftTerm < r.met.term || head.RaftTerm > now.RaftTerm:
		wrong("the header has term %d; it was %d when it was asked and is %d now", head.RaftTerm, r.met.term, now.RaftTerm)
	case r.op == script.OpMembers:
		if head.Revision != 0 {
			wrong("a list of members has no revision, not %d", head.Revision)
		}
	case head.Revision < r.met.rev || head.Revision > rev:
		wrong("the header has revision %d; it was %d when it was asked and is %d now", head.Revision, r.met.rev, rev)
	}
	w.toldRightly(n, response, wrong)
}

// toldRightly holds what a member tells of itself and of the others to what is so.
func (w *World) toldRightly(n *node, response any, wrong func(format string, args ...any)) {
	switch a := response.(type) {
	case *pb.StatusResponse:
		switch {
		case a.Leader != 0 && w.byID(a.Leader) == nil || a.IsLearner:
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
			if m.Name != "" && m.Name != nodeName(m.ID) || m.IsLearner {
				wrong("member %d is called %q", m.ID, m.Name)
			}
		}
		if len(ids) > len(w.nodes) {
			wrong("there are %d members", len(ids))
		}
	case *pb.HashKVResponse:
		w.judge.HashTold(n.id, a)
	}
}

// movedRightly holds the answer to a MoveLeader to who leads.
func (w *World) movedRightly(n *node, m *pb.MoveLeaderRequest, err error, wrong func(format string, args ...any)) {
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
		if w.byID(m.TargetID) != nil {
			wrong("member %d cannot lead", m.TargetID)
		}
	}
}
