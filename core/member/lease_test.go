package member_test

import (
	"errors"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

func (c *cluster) grant(id, lease, ttl int64) *pb.LeaseGrantResponse {
	c.t.Helper()
	return get[*pb.LeaseGrantResponse](c, uint64(id), &pb.LeaseGrantRequest{ID: lease, TTL: ttl})
}

func (c *cluster) putLeased(id uint64, key string, lease int64) {
	c.t.Helper()
	get[*pb.PutResponse](c, id, &pb.PutRequest{Key: []byte(key), Value: []byte("v"), Lease: lease})
}

func (c *cluster) keepAlive(id uint64, lease int64) int64 {
	c.t.Helper()
	return get[*pb.LeaseKeepAliveResponse](c, id, &pb.LeaseKeepAliveRequest{ID: lease}).TTL
}

func (c *cluster) left(id uint64, lease int64) int64 {
	c.t.Helper()
	return get[*pb.LeaseTimeToLiveResponse](c, id, &pb.LeaseTimeToLiveRequest{ID: lease}).TTL
}

// move hands leadership over.
func (c *cluster) move(to uint64) {
	c.t.Helper()
	c.machine(c.leader()).step(member.Input{Kind: member.TransferLeadership, Peer: to})
	c.run()
	if got := c.leader(); got != to {
		c.t.Fatalf("member %d leads", got)
	}
}

// seconds passes time, in ticks.
func (c *cluster) seconds(n int) { c.tick(10 * n) }

// TestLease: a lease is granted, renewed at any member, asked about, listed, and ends with its keys when it is revoked.
func TestLease(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	if l := c.grant(2, 0, 1); l.ID <= 0 || l.TTL != 2 {
		t.Errorf("granted %v", l)
	}
	c.grant(1, 7, 60)
	c.grant(1, 8, 30)
	if _, err := c.do(3, &pb.LeaseGrantRequest{ID: 7, TTL: 5}); !errors.Is(err, api.ErrLeaseExist) {
		t.Errorf("granted twice: %v", err)
	}
	if _, err := c.do(3, &pb.LeaseGrantRequest{ID: 9, TTL: 9_000_000_001}); !errors.Is(err, api.ErrLeaseTTLTooLarge) {
		t.Errorf("too long: %v", err)
	}
	if _, err := c.do(3, &pb.PutRequest{Key: []byte("k"), Lease: 99}); !errors.Is(err, api.ErrLeaseNotFound) {
		t.Errorf("a put with an unknown lease: %v", err)
	}
	for _, key := range []string{"b", "a", "c"} {
		c.putLeased(2, key, 7)
	}
	c.seconds(1)
	for id := uint64(1); id <= 3; id++ {
		if got := c.left(id, 7); got < 58 || got > 60 {
			t.Errorf("member %d: %d seconds are left", id, got)
		}
		ttl := get[*pb.LeaseTimeToLiveResponse](c, id, &pb.LeaseTimeToLiveRequest{ID: 7, Keys: true})
		if keys := ttl.Keys; ttl.GrantedTTL != 60 || ttl.ID != 7 || len(keys) != 3 && id == 1 {
			t.Errorf("member %d: %v", id, ttl)
		}
		if got := c.keepAlive(id, 7); got != 60 {
			t.Errorf("member %d renews for %d", id, got)
		}
		if c.left(id, 5) != -1 || c.keepAlive(id, 5) != 0 {
			t.Errorf("member %d knows a lease that nobody has granted", id)
		}
		if got := len(get[*pb.LeaseLeasesResponse](c, id, &pb.LeaseLeasesRequest{}).Leases); got != 3 {
			t.Errorf("member %d lists %d leases", id, got)
		}
	}
	listed := get[*pb.LeaseLeasesResponse](c, 1, &pb.LeaseLeasesRequest{}).Leases
	if listed[1].ID != 8 || listed[2].ID != 7 {
		t.Errorf("not in the order of expiry: %v", listed)
	}
	before := c.put(1, "z", "1").Header.Revision
	if rev := get[*pb.LeaseRevokeResponse](c, 3, &pb.LeaseRevokeRequest{ID: 7}).Header.Revision; rev != before+1 {
		t.Errorf("revoked at %d, want %d", rev, before+1)
	}
	if _, err := c.do(3, &pb.LeaseRevokeRequest{ID: 7}); !errors.Is(err, api.ErrLeaseNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	if c.value(2, "a") != "" || c.value(2, "z") != "1" || c.left(2, 7) != -1 || c.keepAlive(2, 7) != 0 {
		t.Error("something is left of a revoked lease")
	}
	c.converged()
}

// TestExpiry: a lease that nobody renews ends with its keys, neither before its time nor long after it.
func TestExpiry(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.grant(1, 7, 5)
	c.grant(1, 8, 5)
	c.putLeased(1, "a", 7)
	c.putLeased(1, "b", 8)
	for range 4 {
		c.seconds(4)
		c.keepAlive(2, 8)
	}
	if c.value(3, "a") != "" || c.value(3, "b") != "v" || c.left(3, 7) != -1 {
		t.Error("after 16 seconds")
	}
	c.grant(1, 9, 5)
	c.tick(49)
	if c.left(1, 9) != 0 || c.value(1, "b") != "v" {
		t.Error("before its time")
	}
	c.tick(2)
	if c.left(1, 9) != -1 || c.value(1, "b") != "" || c.machine(1).member.Status().Expired != 3 {
		t.Error("after its time")
	}
	c.converged()
}

// TestNewLeaderExtends: whoever takes over gives every lease its whole time again, and an election timeout.
func TestNewLeaderExtends(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.grant(1, 7, 10)
	c.seconds(8)
	c.move(2)
	if got := c.left(3, 7); got != 11 {
		t.Errorf("%d seconds are left at a new leader", got)
	}
	c.seconds(10)
	if c.left(1, 7) == -1 {
		t.Error("it did not live that long")
	}
	c.seconds(2)
	if c.left(1, 7) != -1 {
		t.Error("it lives on")
	}
}

// TestOldLeaderRevokesNothing: a leader that is cut off counts on, but what it proposes is of its own term, and lost.
func TestOldLeaderRevokesNothing(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.grant(1, 7, 3)
	c.putLeased(1, "a", 7)
	c.seconds(2)
	c.isolate(1, true)
	c.seconds(3)
	c.isolate(1, false)
	c.tick(5)
	if c.value(2, "a") != "v" || c.left(2, 7) < 1 {
		t.Error("the old leader has ended what the new one extended")
	}
	c.seconds(5)
	if c.value(2, "a") != "" {
		t.Error("it lives on")
	}
	c.converged()
}

// TestRenewalNeedsProof: a leader that cannot reach a majority renews nothing.
func TestRenewalNeedsProof(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.grant(1, 7, 60)
	c.isolate(1, true)
	asked := c.ask(1, &pb.LeaseKeepAliveRequest{ID: 7})
	c.tickOnly(1, 1)
	if _, answered := c.machine(1).replies[asked]; answered {
		t.Error("answered by a leader without a majority")
	}
	c.seconds(3)
	c.isolate(1, false)
	c.seconds(1)
	if r := c.machine(1).replies[asked].Response; r == nil || r.(*pb.LeaseKeepAliveResponse).TTL != 60 {
		t.Errorf("passed on to the new leader: %v", r)
	}
	for _, m := range c.machines {
		for _, book := range m.member.Held(nil) {
			if book.Have != 0 {
				t.Errorf("member %d still holds %d %s", m.id, book.Have, book.Name)
			}
		}
	}
}

// TestRenewalWithoutALeader waits for one, and ends when there is none.
func TestRenewalWithoutALeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.grant(1, 7, 60)
	c.machine(1).crash()
	c.isolate(2, true)
	asked := c.ask(3, &pb.LeaseKeepAliveRequest{ID: 7})
	c.seconds(8)
	c.wantErr(3, asked, api.ErrNoLeader)
	asked = c.ask(3, &pb.LeaseKeepAliveRequest{ID: 7})
	c.isolate(2, false)
	c.seconds(5)
	c.wantErr(3, asked, nil)
}

// TestRenewalOfTheExpired: it is answered when the lease is gone.
func TestRenewalOfTheExpired(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	c.grant(1, 7, 3)
	m := c.machine(1)
	m.lag = true
	c.seconds(4)
	asked := c.ask(1, &pb.LeaseKeepAliveRequest{ID: 7})
	if _, answered := m.replies[asked]; answered {
		t.Error("answered before it is decided")
	}
	m.lag = false
	c.run()
	if r := m.replies[asked]; r.Err != nil || r.Response.(*pb.LeaseKeepAliveResponse).TTL != 0 {
		t.Errorf("%v", r)
	}
}

// TestCheckpoints: what is left of a long lease survives changes of leader and restarts, until it is renewed.
func TestCheckpoints(t *testing.T) {
	c := newCluster(t, 3, func(cfg *member.Config) { cfg.LeaseCheckpointInterval = 10 * time.Second })
	c.elect(1)
	c.grant(1, 7, 100)
	c.grant(1, 8, 100)
	for range 4 {
		c.seconds(8)
		c.keepAlive(1, 8)
	}
	for _, m := range c.machines {
		if l, _ := m.store.Leases.Get(7); l.Remaining != 70 {
			t.Errorf("member %d: %d seconds are written down", m.id, l.Remaining)
		}
		if l, _ := m.store.Leases.Get(8); l.Remaining != 0 {
			t.Errorf("member %d: %d seconds of what is renewed are written down", m.id, l.Remaining)
		}
	}
	for _, m := range c.machines {
		m.commit()
	}
	for _, m := range c.machines {
		m.crash()
		m.start()
	}
	c.elect(2)
	if got := c.left(1, 7); got != 71 {
		t.Errorf("%d seconds are left", got)
	}
	if got := c.keepAlive(3, 7); got != 100 {
		t.Errorf("renewed for %d", got)
	}
	c.move(3)
	if got := c.left(1, 7); got != 101 {
		t.Errorf("after a renewal %d seconds are left at a new leader", got)
	}
	renewed := 0
	for i := range c.ring.Len() {
		if c.ring.At(i).Kind == trace.LeaseRenewed {
			renewed++
		}
	}
	if renewed == 0 {
		t.Error("the trace tells of no renewal")
	}
}

// TestRenewalBesideACheckpoint: what is on its way counts as written down.
func TestRenewalBesideACheckpoint(t *testing.T) {
	c := newCluster(t, 3, func(cfg *member.Config) { cfg.LeaseCheckpointInterval = 10 * time.Second })
	c.elect(1)
	c.grant(1, 7, 100)
	c.tick(99)
	hold := func(m *raftpb.Message) bool { return m.GetType() != raftpb.MsgAppResp }
	c.keep = hold
	c.tick(2)
	asked := c.ask(1, &pb.LeaseKeepAliveRequest{ID: 7})
	if _, answered := c.machine(1).replies[asked]; answered {
		t.Error("renewed while a checkpoint is on its way")
	}
	c.keep = nil
	c.seconds(1)
	if r := c.machine(1).replies[asked]; r.Err != nil || r.Response.(*pb.LeaseKeepAliveResponse).TTL != 100 {
		t.Errorf("%v", r)
	}
	if l, _ := c.machine(2).store.Leases.Get(7); l.Remaining != 0 {
		t.Errorf("%d seconds are written down", l.Remaining)
	}
}

// TestLeasesBySnapshot: a member that gets its state from another knows its leases, and can take over.
func TestLeasesBySnapshot(t *testing.T) {
	c := newCluster(t, 3, func(cfg *member.Config) { cfg.SnapshotCount, cfg.CatchUpEntries, cfg.CompactEntries = 5, 2, 1 })
	c.elect(1)
	c.isolate(3, true)
	c.grant(1, 7, 20)
	c.putLeased(1, "a", 7)
	for range 20 {
		c.put(1, "k", "v")
		c.machine(1).commit()
		c.machine(2).commit()
	}
	c.isolate(3, false)
	c.seconds(1)
	c.move(3)
	if got := c.left(1, 7); got != 21 {
		t.Errorf("%d seconds are left", got)
	}
	c.seconds(22)
	if c.value(2, "a") != "" {
		t.Error("it lives on")
	}
	c.converged()
}
