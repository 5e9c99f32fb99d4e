package member_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// add asks a member to add another, which is to be found at a URL, and returns its id.
func (c *cluster) add(id uint64, url string, learner bool) uint64 {
	c.t.Helper()
	r := get[*pb.MemberAddResponse](c, id, &pb.MemberAddRequest{PeerURLs: []string{url}, IsLearner: learner})
	at := slices.IndexFunc(r.Members, func(m *pb.Member) bool { return m.ID == r.Member.ID })
	if at < 0 || r.Members[at].IsLearner != learner || r.Members[at].PeerURLs[0] != url || r.Header.Revision != 0 {
		c.t.Fatalf("%v is not there, or is another: %v", r.Member, r.Members)
	}
	return r.Member.ID
}

func (c *cluster) refused(id uint64, body any, want error) {
	c.t.Helper()
	if _, err := c.do(id, body); !errors.Is(err, want) {
		c.t.Errorf("%T at member %x: %v, want %v", body, id, err, want)
	}
}

// settled is a cluster whose members have known one another for a while.
func settled(t *testing.T, n int, cfg func(*member.Config)) *cluster {
	c := newCluster(t, n, cfg)
	c.elect(1)
	c.connect()
	c.tick(60)
	return c
}

// TestLearnerBecomesVoter: added, it has the log soon, answers little, is promoted when it has caught up, at a
// follower's request, too, and then counts.
func TestLearnerBecomesVoter(t *testing.T) {
	c := settled(t, 3, nil)
	c.put(1, "a", "1")
	id := c.add(2, "http://10.0.0.4:2380", true)
	second := &pb.MemberAddRequest{PeerURLs: []string{"http://10.0.0.5:2380"}, IsLearner: true}
	c.refused(1, second, api.ErrTooManyLearners)
	for range 100 {
		c.put(1, "b", "2")
	}
	c.refused(1, &pb.MemberPromoteRequest{ID: id}, api.ErrLearnerNotReady)
	late := c.ask(3, &pb.MemberPromoteRequest{ID: id}) // passed on
	c.run()
	c.wantErr(3, late, api.ErrLearnerNotReady)
	m := c.join(id)
	c.tick(20)
	if !m.member.Status().Learner || m.store.KV.Revision() != c.machine(1).store.KV.Revision() {
		t.Fatalf("the learner has come to revision %d: %+v", m.store.KV.Revision(), m.member.Status())
	}
	c.refused(id, &pb.RangeRequest{Key: []byte("a")}, api.ErrNotSupportedForLearner)
	c.refused(1, &pb.MemberPromoteRequest{ID: 2}, api.ErrMemberNotLearner)
	c.refused(1, &pb.MemberPromoteRequest{ID: 99}, api.ErrMemberNotFound)
	r := get[*pb.MemberPromoteResponse](c, 3, &pb.MemberPromoteRequest{ID: id})
	if len(r.Members) != 4 || r.Header.MemberId != 3 {
		t.Errorf("the answer of a follower: %v", r)
	}
	c.tick(1)
	if got := m.member.Status(); got.Learner || len(got.ConfState.Voters) != 4 {
		t.Errorf("after its promotion: %+v", got)
	}
	c.refused(1, &pb.MemberPromoteRequest{ID: id}, api.ErrMemberNotLearner)
	get[*pb.MoveLeaderResponse](c, c.leader(), &pb.MoveLeaderRequest{TargetID: id})
	c.put(2, "c", "3")
	c.converged()
}

// TestLateLearner: what it needs is not in the log any more, so it gets a database.
func TestLateLearner(t *testing.T) {
	c := settled(t, 3, func(cfg *member.Config) { cfg.CatchUpEntries, cfg.CompactEntries = 5, 5 })
	for range 50 {
		c.put(1, "a", "1")
	}
	m := c.join(c.add(1, "http://10.0.0.4:2380", true))
	c.tick(30)
	if m.store.KV.Revision() != c.machine(1).store.KV.Revision() || len(m.images) == 0 {
		t.Errorf("the learner is at revision %d and got %d databases", m.store.KV.Revision(), len(m.images))
	}
	if ms := m.store.Members; len(ms.Learners()) != 1 || len(ms.Voters()) != 3 {
		t.Errorf("it knows %v", ms.List())
	}
	m.crash()
	m.start()
	c.tick(5)
	c.converged()
}

// TestRemovedMembers stop by themselves: one that hears of it by its log, a leader, who hands over first, and one that
// was away.
func TestRemovedMembers(t *testing.T) {
	c := settled(t, 5, nil)
	c.refused(1, &pb.MemberRemoveRequest{ID: 77}, api.ErrMemberNotFound)
	if r := get[*pb.MemberRemoveResponse](c, 2, &pb.MemberRemoveRequest{ID: 3}); len(r.Members) != 4 {
		t.Errorf("%d members after a removal", len(r.Members))
	}
	c.refused(1, &pb.MemberRemoveRequest{ID: 3}, api.ErrMemberNotFound)
	c.tick(3) // the entry's commit may come with a heartbeat
	if c.machine(3).member.Status().Halt != nil {
		t.Error("a removed member stops before others can hear of it from it")
	}
	c.tick(12)
	if halt := c.machine(3).member.Status().Halt; !errors.Is(halt, member.ErrRemoved) {
		t.Errorf("removed: %v", halt)
	}
	get[*pb.MemberRemoveResponse](c, 1, &pb.MemberRemoveRequest{ID: 1})
	c.tick(1)
	if lead := c.machine(2).member.Status().Lead; lead == 1 || lead == 0 {
		t.Errorf("the leader was removed, and 2 follows %d", lead)
	}
	c.tick(15)
	if halt := c.machine(1).member.Status().Halt; !errors.Is(halt, member.ErrRemoved) {
		t.Errorf("the leader was removed: %v", halt)
	}
	c.isolate(5, true)
	c.leader()
	get[*pb.MemberRemoveResponse](c, 2, &pb.MemberRemoveRequest{ID: 5})
	c.tick(15)
	away := c.machine(5)
	if away.member.Status().Halt != nil {
		t.Error("nobody has told it")
	}
	away.step(member.Input{Kind: member.Expelled, Peer: 2})
	c.run()
	if halt := away.member.Status().Halt; !errors.Is(halt, member.ErrRemoved) {
		t.Errorf("told by another: %v", halt)
	}
	c.put(2, "a", "1")
}

// TestStrictReconfiguration: what would leave no quorum is refused, unless nobody is to look.
func TestStrictReconfiguration(t *testing.T) {
	url := func(n string) *pb.MemberAddRequest {
		return &pb.MemberAddRequest{PeerURLs: []string{"http://10.0.0." + n + ":2380"}}
	}
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.tick(2)
	c.refused(1, url("4"), api.ErrUnhealthy) // connected for less than five seconds
	c.refused(1, &pb.MemberRemoveRequest{ID: 2}, api.ErrUnhealthy)
	c.connect()
	c.tick(60)
	c.refused(1, url("3"), api.ErrPeerURLExist)
	c.refused(1, &pb.MemberAddRequest{PeerURLs: []string{"ftp://x"}}, api.ErrMemberBadURLs)
	c.refused(1, &pb.MemberUpdateRequest{ID: 9, PeerURLs: []string{"http://x:1"}}, api.ErrMemberNotFound)
	r := get[*pb.MemberUpdateResponse](c, 2, &pb.MemberUpdateRequest{ID: 2, PeerURLs: []string{"http://x:1"}})
	if r.Members[1].ID != 2 || r.Members[1].PeerURLs[0] != "http://x:1" {
		t.Errorf("updated: %v", r.Members)
	}
	c.add(1, "http://10.0.0.4:2380", false) // these never start
	c.add(1, "http://10.0.0.5:2380", false)
	c.refused(1, url("6"), api.ErrMemberNotEnoughStarted)
	loose := settled(t, 3, func(cfg *member.Config) { cfg.LooseReconfig = true })
	loose.add(1, "http://10.0.0.4:2380", false)
	loose.step(1, member.Input{Kind: member.PeerConnected, Peer: 2})
	loose.step(1, member.Input{Kind: member.PeerConnected, Peer: 3})
	loose.add(1, "http://10.0.0.5:2380", false)
}

// TestLoneMember may get a second, but cannot leave.
func TestLoneMember(t *testing.T) {
	c := settled(t, 1, nil)
	c.refused(1, &pb.MemberRemoveRequest{ID: 1}, api.ErrMemberNotEnoughStarted)
	id := c.add(1, "http://10.0.0.2:2380", false)
	c.join(id)
	c.tick(20)
	c.put(id, "a", "1")
	c.converged()
}

// TestChangesWaitForOneAnother: raft takes one at a time, and the second is neither lost nor does it hold up writes.
func TestChangesWaitForOneAnother(t *testing.T) {
	c := settled(t, 3, nil)
	c.isolate(1, true)
	first := c.ask(1, &pb.MemberUpdateRequest{ID: 1, PeerURLs: []string{"http://a:1"}})
	second := c.ask(1, &pb.MemberUpdateRequest{ID: 1, PeerURLs: []string{"http://b:1"}})
	write := c.ask(1, &pb.PutRequest{Key: []byte("a")})
	c.isolate(1, false)
	c.tick(2)
	for _, id := range []uint64{first, second, write} {
		c.wantErr(1, id, nil)
	}
	if m := c.machine(2).store.Members.Get(1); m.PeerURLs[0] != "http://b:1" {
		t.Errorf("the last change is %v", m.PeerURLs)
	}
}

// TestDowngrade: asked for, noted, not asked for twice, canceled.
func TestDowngrade(t *testing.T) {
	c := settled(t, 3, nil)
	ask := func(action pb.DowngradeRequest_DowngradeAction, version string) *pb.DowngradeRequest {
		return &pb.DowngradeRequest{Action: action, Version: version}
	}
	c.refused(2, ask(pb.DowngradeRequest_VALIDATE, "3"), api.ErrWrongDowngradeVersionFormat)
	c.refused(2, ask(pb.DowngradeRequest_VALIDATE, "3.5"), api.ErrInvalidDowngradeTargetVersion)
	c.refused(2, ask(7, "3.6"), api.ErrUnknownMethod)
	for _, r := range []*pb.DowngradeRequest{
		ask(pb.DowngradeRequest_VALIDATE, "3.6"), ask(pb.DowngradeRequest_CANCEL, ""),
		ask(pb.DowngradeRequest_ENABLE, "3.6.0"),
	} {
		a := get[*pb.DowngradeResponse](c, 2, r)
		if a.Version != "3.7" || a.Header.MemberId != 2 || a.Header.Revision == 0 {
			t.Errorf("%v: %v", r, a)
		}
	}
	if d := c.machine(3).store.Members.Downgrade(); d != (membership.Downgrade{Target: "3.6.0", Enabled: true}) {
		t.Errorf("noted: %v", d)
	}
	c.refused(1, ask(pb.DowngradeRequest_ENABLE, "3.6"), api.ErrDowngradeInProcess)
	get[*pb.DowngradeResponse](c, 1, ask(pb.DowngradeRequest_CANCEL, ""))
	if d := c.machine(3).store.Members.Downgrade(); d.Enabled {
		t.Errorf("canceled: %v", d)
	}
}

// step is one input at a member, and all that follows.
func (c *cluster) step(id uint64, in member.Input) {
	c.now += trace.Instant(time.Microsecond)
	c.machine(id).step(in)
	c.run()
}
