package member_test

import (
	"errors"
	"strings"
	"testing"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"

	"go.etcd.io/raft/v3/raftpb"
)

// TestRemovedMemberDoesNotStart: its own database says that it was removed, while its log may know nothing of that.
func TestRemovedMemberDoesNotStart(t *testing.T) {
	b := storeOf(t, backend.Applied{Index: 3, Term: 1}, 1, 2, 3)
	members, err := membership.Load(b, 0)
	must(t, err)
	info := member.StoreInfo{Revision: 1, CompactRevision: -1, Members: members}
	boot := consensus.Boot{Applied: 3, Snapshot: &pb.WALSnapshot{
		Index: new(uint64(3)), Term: new(uint64(1)), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
	}}
	_, err = member.New(member.Config{Config: consensus.Config{ID: 2}}, boot, info, 0)
	must(t, err)
	remove := &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(uint64(2))}
	must(t, members.Apply(remove, backend.NewBatch()))
	_, err = member.New(member.Config{Config: consensus.Config{ID: 2}}, boot, info, 0)
	if !errors.Is(err, member.ErrRemoved) || !strings.Contains(err.Error(), "permanently removed from the cluster") {
		t.Errorf("started again: %v", err)
	}
}

// TestLogThatCannotBeApplied: what is committed and not applied is looked at before the member starts.
func TestLogThatCannotBeApplied(t *testing.T) {
	data, err := (&pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: "3.8.0"}}).MarshalVT()
	must(t, err)
	boot := consensus.Boot{
		Applied: 3, HardState: &raftpb.HardState{Term: new(uint64(1)), Commit: new(uint64(3))},
		Snapshot: &pb.WALSnapshot{Index: new(uint64(3)), Term: new(uint64(1)),
			ConfState: &raftpb.ConfState{Voters: []uint64{1}}},
		Entries: []*raftpb.Entry{{Index: new(uint64(4)), Term: new(uint64(1)), Data: data}},
	}
	members := membership.New(0)
	m := &membership.Member{ID: 1, PeerURLs: []string{"u"}}
	must(t, members.Apply(&raftpb.ConfChange{NodeId: new(uint64(1)), Context: m.Bootstrap()}, backend.NewBatch()))
	info := member.StoreInfo{Revision: 1, CompactRevision: -1, Members: members}
	_, err = member.New(member.Config{Config: consensus.Config{ID: 1}}, boot, info, 0)
	must(t, err) // not committed: it may never be
	boot.HardState.Commit = new(uint64(4))
	_, err = member.New(member.Config{Config: consensus.Config{ID: 1}}, boot, info, 0)
	if !errors.Is(err, store.ErrNotSupported) ||
		!strings.Contains(err.Error(), "entry 4: cluster version 3.8.0, above 3.7, is not supported") {
		t.Errorf("a later version in the log: %v", err)
	}
}

// TestEntryThatCannotBeAppliedStopsTheMember: another member, an etcd, has proposed it.
func TestEntryThatCannotBeAppliedStopsTheMember(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	c.put(1, "a", "1")
	applied := c.machine(1).member.Status().Applied
	data, err := (&pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: "3.8.0"}}).MarshalVT()
	must(t, err)
	index := applied + 1
	s := c.machine(1).store
	result := s.Apply(store.ApplyContext{}, []*raftpb.Entry{{Index: &index, Term: new(uint64(9)), Data: data}})
	c.machine(1).step(member.Input{Kind: member.Applied, Result: result})
	c.run()
	if err := c.machine(1).member.Status().Halt; !errors.Is(err, store.ErrNotSupported) || s.Applied().Index != applied {
		t.Errorf("applied %d, halt %v", s.Applied().Index, err)
	}
}

// TestAlarmsAtBoot: an alarm that is in force when a member starts refuses what it refuses when it is raised.
func TestAlarmsAtBoot(t *testing.T) {
	for alarm, want := range map[pb.AlarmType]error{pb.AlarmType_NOSPACE: api.ErrNoSpace,
		pb.AlarmType_CORRUPT: api.ErrCorrupt} {
		c := newCluster(t, 1, nil)
		c.elect(1)
		_, err := c.do(1, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: 1, Alarm: alarm})
		must(t, err)
		check := func(when string) {
			if _, err := c.do(1, &pb.PutRequest{Key: []byte("a"), Value: []byte("1")}); !errors.Is(err, want) {
				t.Errorf("%v, %s: a put ends with %v", alarm, when, err)
			}
			resp, err := c.do(1, &pb.StatusRequest{})
			must(t, err)
			if got := resp.(*pb.StatusResponse).Errors; len(got) != 1 || !strings.Contains(got[0], alarm.String()) {
				t.Errorf("%v, %s: status has the errors %q", alarm, when, got)
			}
		}
		check("raised")
		must(t, c.machine(1).store.Backend.Flush())
		c.machine(1).crash()
		c.machine(1).start()
		c.elect(1)
		check("after a restart")
	}
}
