package member_test

import (
	"errors"
	"testing"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/pb"
)

func TestOneMember(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	if r := c.put(1, "a", "1"); r.Header.Revision != 2 || r.Header.MemberId != 1 || r.Header.ClusterId != 0xc1 || r.Header.RaftTerm != 2 {
		t.Errorf("put: header %v", r.Header)
	}
	if got := c.value(1, "a"); got != "1" {
		t.Errorf("a = %q", got)
	}
	// As on a fresh etcd: a conf change, the leader's empty entry, publication, cluster version, and the put.
	if s := c.machine(1).member.Status(); s.Commit != 5 || s.Applied != 5 || s.Synced != 5 || !s.Published {
		t.Errorf("status %+v", s)
	}
	if _, err := c.do(1, &pb.PutRequest{}); !errors.Is(err, api.ErrEmptyKey) {
		t.Errorf("put without a key: %v", err)
	}
}

func TestFollowerForwardsAndReads(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(2, "a", "1") // the follower's answer comes when it has applied the entry itself
	for id := uint64(1); id <= 3; id++ {
		if got := c.value(id, "a"); got != "1" {
			t.Errorf("member %d: a = %q", id, got)
		}
	}
	c.converged()
}

func TestLeaderCrash(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(1, "a", "1")
	c.machine(1).crash()
	lead := c.leader()
	if lead == 1 {
		t.Fatal("the dead lead")
	}
	c.put(lead, "b", "2")
	c.machine(1).start()
	c.run()
	c.tick(2)
	if got := c.value(1, "a") + c.value(1, "b"); got != "12" {
		t.Errorf("after the restart a, b = %q", got)
	}
	c.converged()
}

var _ = member.Tick
