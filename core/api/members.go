package api

import (
	"slices"
	"time"

	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Changes of the members go into the log as changes of raft's configuration, in etcd's format. raft takes one at a
// time, and drops a second one silently, so that each waits here until the one before it is over.

func checkMemberAdd(r *pb.MemberAddRequest, _ int) *Error {
	if _, err := membership.PeerURLs(r.PeerURLs); err != nil {
		return ErrMemberBadURLs
	}
	return nil
}

// changeMembers proposes what a client wants of the members, if it may be.
func (b *Book) changeMembers(p *pending) {
	var cc *raftpb.ConfChange
	var err *Error
	switch r := p.body.(type) {
	case *pb.MemberAddRequest: // its id follows from its URLs and the time
		urls, _ := membership.PeerURLs(r.PeerURLs) // they have passed the gate
		id := b.cfg.NewID(urls, b.clock())
		cc = membership.Adding(&membership.Member{ID: id, PeerURLs: urls, IsLearner: r.IsLearner})
		err = b.mayAdd(r.IsLearner)
	case *pb.MemberRemoveRequest:
		cc, err = membership.Removing(r.ID), b.mayRemove(r.ID)
	case *pb.MemberUpdateRequest:
		cc = membership.Updating(r.ID, r.PeerURLs)
	}
	if err != nil {
		b.answer(p, nil, err)
		return
	}
	b.configure(p, cc)
}

// clock is the time of the wall in seconds, as far as the member can know it.
func (b *Book) clock() int64 {
	return int64(b.cfg.Began/1000) + int64(time.Duration(b.now)/time.Second)
}

// connectedFor counts the members, this one among them, to which this one has been connected for so long.
func (b *Book) connectedFor(ids []uint64, long time.Duration) int {
	n := 0
	for _, id := range ids {
		if since, on := b.links.since[id]; id == b.cfg.MemberID || on && since < b.now-trace.Instant(long) {
			n++
		}
	}
	return n
}

// mayAdd tells why a member must not be added now, nil if it may be: the voters that this member reaches must be a
// quorum also with one more.
func (b *Book) mayAdd(learner bool) *Error {
	if b.cfg.LooseReconfig {
		return nil
	}
	if !learner && !b.members.MayAdd() {
		return ErrMemberNotEnoughStarted
	}
	voters := b.members.Voters()
	if len(voters) > 1 && b.connectedFor(voters, limits.HealthInterval) < (len(voters)+1)/2+1 {
		return ErrUnhealthy
	}
	return nil
}

// mayRemove tells why a member must not be removed now. One that cannot be reached is not missed.
func (b *Book) mayRemove(id uint64) *Error {
	if m := b.members.Get(id); b.cfg.LooseReconfig || m != nil && m.IsLearner {
		return nil
	}
	if !b.members.MayRemove(id) {
		return ErrMemberNotEnoughStarted
	}
	if _, on := b.links.since[id]; !on && id != b.cfg.MemberID {
		return nil
	}
	voters := b.members.Voters()
	if b.connectedFor(voters, limits.HealthInterval)-1 < (len(voters)-1)/2+1 {
		return ErrUnhealthy
	}
	return nil
}

// promote lets a learner vote, at the leader, when it is nearly as far as the leader is.
func (b *Book) promote(p *pending) {
	if p.index == 0 {
		p.index = b.node.Committed()
	}
	if b.node.AppliedIndex() < p.index { // the learner may be among what is not applied yet
		b.wait(p)
		return
	}
	id := p.body.(*pb.MemberPromoteRequest).ID
	if err := b.mayPromote(id); err != nil {
		b.answer(p, nil, err)
		return
	}
	b.configure(p, membership.Promoting(id))
}

func (b *Book) mayPromote(id uint64) *Error {
	match, own, ok := b.node.Matches(id)
	switch {
	case !ok:
		return ErrMemberNotFound
	case match*100 < own*limits.LearnerReadyPercent && !mutant.On(mutant.LearnerRushed):
		return ErrLearnerNotReady
	case !b.cfg.LooseReconfig && !b.members.MayPromote():
		return ErrMemberNotEnoughStarted
	}
	return nil
}

// promoted takes the leader's answer to a promotion that was passed on to it. Where it is none the question is put
// again: also a promotion that has happened is told by its second answer, which is that there is no such learner.
func (b *Book) promoted(p *pending, response any, err error) {
	r, ok := response.(*pb.MemberPromoteResponse)
	switch known := AsError(err); {
	case err == nil && ok:
		b.answerWrite(p, &pb.MemberPromoteResponse{Members: r.Members})
	case known == ErrLearnerNotReady, known == ErrMemberNotFound, known == ErrMemberNotLearner:
		b.answer(p, nil, known)
	default:
		b.wait(p)
	}
}

// configure queues a change of the configuration.
func (b *Book) configure(p *pending, cc *raftpb.ConfChange) {
	p.proposal = b.ids.Next()
	cc.Id = new(p.proposal)
	data, err := proto.Marshal(cc)
	if err == nil && len(data) > b.cfg.MaxRequestBytes {
		err = ErrRequestTooLarge
	}
	if err != nil {
		b.answer(p, nil, AsError(err))
		return
	}
	p.stage, p.data, p.change = queued, data, true
	b.queueBytes += len(data)
	b.proposals[p.proposal] = p
	b.changing = append(b.changing, p)
}

// tellChange tells the trace whom a proposed change concerns, and what it does.
func tellChange(e *trace.Event, data []byte) {
	cc := &raftpb.ConfChange{}
	if proto.Unmarshal(data, cc) == nil {
		e.Peer, e.C = cc.GetNodeId(), membership.Effect(cc)+1
	}
}

// changeNext hands raft the change that is next.
func (b *Book) changeNext() {
	if len(b.changing) == 0 || b.changing[0].stage != queued || !b.canPropose() {
		return
	}
	if p := b.changing[0]; b.node.ProposeConfChange(p.data) == nil {
		b.taken([]*pending{p})
	}
}

// configured makes the answer to a change of members of the list of them, and leaves other answers as they are.
func (b *Book) configured(p *pending, response any) any {
	list, ok := response.([]*membership.Member)
	if !ok {
		if p.op == Downgrade {
			return b.downgradeAnswer()
		}
		return response
	}
	members := DescribeMembers(list)
	switch r := p.body.(type) {
	case *pb.MemberAddRequest:
		urls, _ := membership.PeerURLs(r.PeerURLs)
		added := &pb.Member{PeerURLs: urls, IsLearner: r.IsLearner}
		if at := slices.IndexFunc(list, func(m *membership.Member) bool { return slices.Equal(m.PeerURLs, urls) }); at >= 0 {
			added.ID = list[at].ID
		}
		return &pb.MemberAddResponse{Member: added, Members: members}
	case *pb.MemberRemoveRequest:
		return &pb.MemberRemoveResponse{Members: members}
	case *pb.MemberUpdateRequest:
		return &pb.MemberUpdateResponse{Members: members}
	}
	return &pb.MemberPromoteResponse{Members: members}
}

// DescribeMembers writes members as clients read of them.
func DescribeMembers(list []*membership.Member) []*pb.Member {
	members := make([]*pb.Member, len(list))
	for i, m := range list {
		members[i] = &pb.Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.IsLearner,
		}
	}
	return members
}
