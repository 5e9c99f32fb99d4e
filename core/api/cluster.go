package api

import (
	"fmt"
	"slices"
	"strings"

	"vitrine/core/duty"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// links is what a member knows of its connections to peers: it words timeouts, and decides whether it is safe to change
// the members.
type links struct {
	since   map[uint64]trace.Instant // connected without a break since; absent = not connected
	lead    uint64
	elected trace.Instant // when the current leader became known
}

// Heard: a message came from the peer, or a connection to it is whole.
func (b *Book) Heard(peer uint64) {
	if _, on := b.links.since[peer]; !on {
		b.links.since[peer] = b.now
	}
}

// Lost: a message to the peer could not be sent, or the connection to it is broken.
func (b *Book) Lost(peer uint64) { delete(b.links.since, peer) }

// connected tells whether this member has been connected since start to its leader or, as the leader, to a quorum.
// Without a leader there is nobody to be connected to, and the text of the timeout is the plain one.
func (b *Book) connected(start trace.Instant) bool {
	up := func(id uint64) bool {
		since, on := b.links.since[id]
		return id == b.cfg.MemberID || on && since <= start
	}
	switch lead := b.node.Leader(); lead {
	case 0:
		return true
	case b.cfg.MemberID:
		n, voters := 0, b.node.Voters()
		for _, id := range voters {
			if up(id) {
				n++
			}
		}
		return n > len(voters)/2
	default:
		return up(lead)
	}
}

// leaderSeen looks whether the leader has changed since the last time.
func (b *Book) leaderSeen() {
	lead := b.node.Leader()
	if lead == b.links.lead {
		return
	}
	b.links.lead = lead
	if lead == 0 {
		return
	}
	b.links.elected = b.now
	for _, p := range b.moving {
		if p.stage == moving && p.target == lead {
			b.answer(p, &pb.MoveLeaderResponse{}, nil)
		}
	}
	b.moving = drop(b.moving)
}

func (b *Book) moveLeader(p *pending, r *pb.MoveLeaderRequest) {
	switch {
	case !b.node.IsLeader():
		b.answer(p, nil, ErrNotLeader)
		return
	case !slices.Contains(b.node.Voters(), r.TargetID):
		b.answer(p, nil, ErrBadLeaderTransferee)
		return
	case r.TargetID == b.cfg.MemberID && !mutant.On(mutant.MoveSelfHangs):
		b.answer(p, &pb.MoveLeaderResponse{}, nil)
		return
	}
	b.node.TransferLeader(r.TargetID)
	if mutant.On(mutant.MoveAnsweredEarly) {
		b.answer(p, &pb.MoveLeaderResponse{}, nil)
		return
	}
	p.stage, p.target = moving, r.TargetID
	b.moving = append(b.moving, p)
}

func (b *Book) memberList() *pb.MemberListResponse {
	resp := &pb.MemberListResponse{}
	resp.Header = b.header(MemberList).Response()
	if b.members == nil {
		return resp
	}
	resp.Members = DescribeMembers(b.members.List())
	return resp
}

// status is what consensus knows of the answer to a StatusRequest, alarms included.
func (b *Book) status() *pb.StatusResponse {
	resp := &pb.StatusResponse{
		Leader: b.node.Leader(), RaftTerm: b.node.Term(), RaftIndex: b.node.Committed(),
		RaftAppliedIndex: b.node.AppliedIndex(), IsLearner: b.node.IsLearner(),
		DowngradeInfo: &pb.DowngradeInfo{},
	}
	if b.members != nil {
		if d := b.members.Downgrade(); d.Enabled {
			resp.DowngradeInfo = &pb.DowngradeInfo{Enabled: true, TargetVersion: d.Target}
		}
	}
	if resp.Leader == 0 {
		resp.Errors = append(resp.Errors, ErrNoLeader.Text)
	}
	for _, a := range b.alarms {
		resp.Errors = append(resp.Errors, alarmText(a))
	}
	return resp
}

// alarmText is protobuf's text of an alarm in its plain form: the library's own varies between builds.
func alarmText(a *pb.AlarmMember) string {
	var parts []string
	if a.MemberID != 0 {
		parts = append(parts, fmt.Sprintf("memberID:%d", a.MemberID))
	}
	if a.Alarm != pb.AlarmType_NONE {
		parts = append(parts, "alarm:"+a.Alarm.String())
	}
	return strings.Join(parts, " ")
}

// Propose takes a request of the member's own. It has no client, but it waits in the same books. Ends tells of its end.
func (b *Book) Propose(own duty.Proposal) {
	p := &pending{own: own.Duty, fence: own.Term, deadline: b.now + trace.Instant(b.cfg.timeout())}
	p.way.start = b.now
	b.deadlines.add(p)
	p.identity.Own = true
	p.who, _ = b.whoIs(&p.identity)
	b.write(p, own.Request)
	if r := own.Request.Compaction; r != nil {
		b.t.Emit(trace.Event{Kind: trace.CompactionDue, Rev: r.Revision, B: p.proposal, Term: own.Term})
	}
	if r := own.Request.LeaseRevoke; r != nil {
		b.t.Emit(trace.Event{Kind: trace.LeaseExpired, A: uint64(r.ID), B: p.proposal, Term: own.Term})
	}
}

// Ends are the requests of the member's own that are over since the last call. The slice is valid until the next input.
func (b *Book) Ends() []duty.End {
	ends := b.ends
	b.ends = b.ends[:0]
	return ends
}
