package judge

import (
	"slices"

	"vitrine/core/api"
	"vitrine/core/invariant"
	"vitrine/core/pb"
)

// A Question is what a member was asked, and how far it was by then.
type Question struct {
	Words string
	Body  any
	Term  uint64
	Rev   int64
}

// Facts are what is so about the cluster that members tell of.
type Facts struct {
	Version string
	First   int // members at the beginning, none of them a learner
	Most    int // members that there can be
	Name    func(id uint64) string
	Known   func(id uint64) bool // there is such a machine
}

// Answered holds an answer to the member that gives it (I35).
func (j *Judge) Answered(n Member, q *Question, response any, err error, f *Facts) {
	if !j.Checks() {
		return
	}
	wrong := func(format string, args ...any) {
		j.Broken(invariant.Identity, "member %d answers %q: "+format, append([]any{n.ID(), q.Words}, args...)...)
	}
	if m, ok := q.Body.(*pb.MoveLeaderRequest); ok {
		moved(n, m, err, wrong)
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
	head, now := h.GetHeader(), n.Member().Header()
	switch rev := n.Store().KV.Revision(); {
	case head.ClusterId != now.ClusterID || head.MemberId != n.ID():
		wrong("by the header it is member %d of cluster %x", head.MemberId, head.ClusterId)
	case head.RaftTerm < q.Term || head.RaftTerm > now.RaftTerm:
		wrong("the header has term %d; it was %d when it was asked and is %d now", head.RaftTerm, q.Term, now.RaftTerm)
	case aboutMembers(q.Body):
		if head.Revision != 0 {
			wrong("a list of members has no revision, not %d", head.Revision)
		}
	case head.Revision < q.Rev || head.Revision > rev:
		wrong("the header has revision %d; it was %d when it was asked and is %d now", head.Revision, q.Rev, rev)
	}
	j.told(n, response, f, wrong)
}

// aboutMembers tells whether the answer is a list of members.
func aboutMembers(body any) bool {
	switch body.(type) {
	case *pb.MemberListRequest, *pb.MemberAddRequest, *pb.MemberRemoveRequest, *pb.MemberPromoteRequest:
		return true
	}
	return false
}

// told holds what a member tells of itself and of the others to what is so.
func (j *Judge) told(n Member, response any, f *Facts, wrong func(format string, args ...any)) {
	switch a := response.(type) {
	case *pb.StatusResponse:
		switch {
		case a.Leader != 0 && !f.Known(a.Leader) || a.IsLearner != n.Member().Brief().Learner:
			wrong("the leader is %d, it is a learner: %t", a.Leader, a.IsLearner)
		case a.RaftAppliedIndex > a.RaftIndex:
			wrong("it has applied %d and knows of %d", a.RaftAppliedIndex, a.RaftIndex)
		case (a.Leader == 0) != slices.Contains(a.Errors, api.ErrNoLeader.Text):
			wrong("its leader is %d and its errors are %q", a.Leader, a.Errors)
		case a.DbSizeQuota != n.Store().Quota() || a.DbSizeInUse > a.DbSize || a.Version != f.Version:
			wrong("it has %d bytes, %d in use, of %d, and version %s", a.DbSize, a.DbSizeInUse, a.DbSizeQuota, a.Version)
		}
	case *pb.MemberListResponse:
		for _, m := range a.Members {
			if m.Name != "" && m.Name != f.Name(m.ID) || m.IsLearner && m.ID <= uint64(f.First) {
				wrong("member %d is called %q", m.ID, m.Name)
			}
		}
		if len(a.Members) > f.Most {
			wrong("there are %d members", len(a.Members))
		}
	case *pb.HashKVResponse:
		j.HashTold(n, a)
	}
}

// moved holds the answer to a MoveLeader to who leads.
func moved(n Member, m *pb.MoveLeaderRequest, err error, wrong func(format string, args ...any)) {
	leader := n.Member().Leader()
	switch err {
	case nil:
		if leader != m.TargetID {
			wrong("it is done, but to it the leader is %d", leader)
		}
	case error(api.ErrNotLeader):
		if leader == n.ID() {
			wrong("it is not the leader, and it is")
		}
	case error(api.ErrBadLeaderTransferee):
		if slices.Contains(n.Store().Members.Voters(), m.TargetID) {
			wrong("member %d cannot lead", m.TargetID)
		}
	}
}
