package api

import (
	"fmt"
	"slices"
	"strings"

	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// links is what a member notices of its peers: it words timeouts, nothing else depends on it.
type links struct {
	since   map[uint64]trace.Instant // heard from without a break since; absent = not connected
	lead    uint64
	elected trace.Instant // when the current leader became known
}

// Heard: a message came from the peer.
func (s *Server) Heard(peer uint64) {
	if _, on := s.links.since[peer]; !on {
		s.links.since[peer] = s.now
	}
}

// Lost: a message to the peer could not be sent.
func (s *Server) Lost(peer uint64) { delete(s.links.since, peer) }

// connected tells whether this member has been connected since start to its leader or, as the leader, to a quorum.
// Without a leader there is nobody to be connected to, and the text of the timeout is the plain one.
func (s *Server) connected(start trace.Instant) bool {
	up := func(id uint64) bool {
		since, on := s.links.since[id]
		return id == s.cfg.MemberID || on && since <= start
	}
	switch lead := s.node.Leader(); lead {
	case 0:
		return true
	case s.cfg.MemberID:
		n, voters := 0, s.node.Voters()
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
func (s *Server) leaderSeen() {
	lead := s.node.Leader()
	if lead == s.links.lead {
		return
	}
	s.links.lead = lead
	if lead == 0 {
		return
	}
	s.links.elected = s.now
	for _, p := range s.moving {
		if p.stage == moving && p.target == lead {
			s.answer(p, &pb.MoveLeaderResponse{}, nil)
		}
	}
	s.moving = drop(s.moving)
}

func (s *Server) moveLeader(p *pending, r *pb.MoveLeaderRequest) {
	switch {
	case !s.node.IsLeader():
		s.answer(p, nil, ErrNotLeader)
		return
	case !slices.Contains(s.node.Voters(), r.TargetID):
		s.answer(p, nil, ErrBadLeaderTransferee)
		return
	case r.TargetID == s.cfg.MemberID && !mutant.On(mutant.MoveSelfHangs):
		s.answer(p, &pb.MoveLeaderResponse{}, nil)
		return
	}
	s.node.TransferLeader(r.TargetID)
	if mutant.On(mutant.MoveAnsweredEarly) {
		s.answer(p, &pb.MoveLeaderResponse{}, nil)
		return
	}
	p.stage, p.target = moving, r.TargetID
	s.moving = append(s.moving, p)
}

func (s *Server) memberList() *pb.MemberListResponse {
	resp := &pb.MemberListResponse{}
	h := s.header(MemberList)
	resp.Header = &pb.ResponseHeader{ClusterId: h.ClusterID, MemberId: h.MemberID, RaftTerm: h.RaftTerm}
	if s.members == nil {
		return resp
	}
	for _, m := range s.members.List() {
		resp.Members = append(resp.Members, &pb.Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.IsLearner,
		})
	}
	return resp
}

// status is what consensus knows of the answer to a StatusRequest, alarms included.
func (s *Server) status() *pb.StatusResponse {
	resp := &pb.StatusResponse{
		Leader: s.node.Leader(), RaftTerm: s.node.Term(), RaftIndex: s.node.Committed(),
		RaftAppliedIndex: s.node.AppliedIndex(), IsLearner: s.node.IsLearner(),
		DowngradeInfo: &pb.DowngradeInfo{},
	}
	if s.members != nil {
		if d := s.members.Downgrade(); d.Enabled {
			resp.DowngradeInfo = &pb.DowngradeInfo{Enabled: true, TargetVersion: d.Target}
		}
	}
	if resp.Leader == 0 {
		resp.Errors = append(resp.Errors, ErrNoLeader.Text)
	}
	for _, a := range s.alarms {
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

// propose makes a request of the member's own. It has no client, but it waits in the same books.
func (s *Server) propose(own ownKind, r *pb.InternalRaftRequest) {
	p := &pending{own: own, deadline: s.now + trace.Instant(s.cfg.timeout())}
	p.way.start = s.now
	s.deadlines.add(p)
	s.write(p, r)
}

// publish tells the cluster this member's name and client URLs, again and again until that is in the log: etcd serves
// no client before.
func (s *Server) publish() {
	if s.published || s.publishing || s.node.Leader() == 0 || s.now < s.publishAt {
		return
	}
	s.publishing, s.publishAt = true, s.now+trace.Instant(s.cfg.electionTimeout())
	s.propose(publication, &pb.InternalRaftRequest{ClusterMemberAttrSet: &pb.ClusterMemberAttrSetRequest{
		Member_ID:        s.cfg.MemberID,
		MemberAttributes: &pb.Attributes{Name: s.cfg.Name, ClientUrls: s.cfg.ClientURLs},
	}})
}

// setVersion: the first thing that a leader of a cluster without a version does, once something of its term is applied.
func (s *Server) setVersion(appliedTerm uint64) {
	if s.cfg.ClusterVersion == "" || !s.node.IsLeader() || appliedTerm != s.node.Term() || s.versionTerm == appliedTerm {
		return
	}
	s.versionTerm = appliedTerm
	if s.members != nil && s.members.Version() != nil {
		return
	}
	s.propose(clusterVersion, &pb.InternalRaftRequest{
		ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: s.cfg.ClusterVersion},
	})
}

// Versions takes the least release of all members' servers, nil if not all are known. The leader lets the cluster's
// version rise to it.
func (s *Server) Versions(least *membership.Version) {
	if s.members == nil || !s.node.IsLeader() || s.versioning {
		return
	}
	next := nextVersion(s.members.Version(), least, s.members.Downgrade())
	if next == nil {
		return
	}
	s.versioning = true
	s.propose(clusterVersion, &pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: next.ToMinor().String()}})
}

// nextVersion is what the cluster's version should become, by etcd's rules; nil = what it is. A cluster starts with the
// lowest there is if it cannot know better.
func nextVersion(current, least *membership.Version, down membership.Downgrade) *membership.Version {
	switch {
	case current == nil && least == nil:
		return new(membership.MinVersion)
	case current == nil:
		return least
	case least == nil:
		return nil
	case down.Enabled: // is not carried out by this version, and must not be undone
		return nil
	case current.Major == least.Major && current.Minor < least.Minor:
		return least
	}
	return nil
}

// oneBelow: a cluster goes down one minor version at a time.
func oneBelow(v, from membership.Version) bool {
	return v.Major == from.Major && v.Minor == from.Minor-1
}

// raiseSpaceAlarm: a write from here went over the quota, so the cluster refuses further ones until space is made.
func (s *Server) raiseSpaceAlarm() {
	if mutant.On(mutant.SpaceAlarmForgotten) {
		return
	}
	if s.alarming || slices.ContainsFunc(s.alarms, func(a *pb.AlarmMember) bool {
		return a.MemberID == s.cfg.MemberID && a.Alarm == pb.AlarmType_NOSPACE
	}) {
		return
	}
	s.alarming = true
	s.propose(spaceAlarm, &pb.InternalRaftRequest{Alarm: &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, MemberID: s.cfg.MemberID, Alarm: pb.AlarmType_NOSPACE,
	}})
}

// ownEnded: a request of the member's own is over, well or not, and may be made again.
func (s *Server) ownEnded(p *pending) {
	switch p.own {
	case publication:
		s.publishing = false
	case spaceAlarm:
		s.alarming = false
	case clusterVersion:
		s.versioning = false
		if p.index == 0 { // it was never applied
			s.versionTerm = 0
		}
	}
}
