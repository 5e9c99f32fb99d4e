package serve

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"vitrine/core/pb"
)

func TestThreeMembers(t *testing.T) {
	c := newCluster(t, 3)
	for i := range 3 {
		c.put(i, fmt.Sprintf("from%d", i), "v") // two of them are followers
		for j := range 3 {
			if got := c.get(j, fmt.Sprintf("from%d", i)); got != "v" {
				t.Errorf("member %d does not see what member %d wrote: %q", j, i, got)
			}
		}
	}
	old, target := c.move()

	c.stop(target) // in order: it hands over
	third := 3 - old - target
	if lead := c.servers[third].node.Leader(); lead == 0 {
		t.Error("a leader that stops leaves nobody in charge")
	}
	c.put(third, "two", "left")
	c.restart(target)
	if got := c.get(target, "two"); got != "left" {
		t.Errorf("after its restart, the member reads %q", got)
	}

	lead := c.leader()
	c.kill(lead)
	follower := (lead + 1) % 3
	gone := c.flags[lead][0]
	until(t, "another leader than "+gone, func() bool {
		l := c.leader()
		return l != lead && c.servers[follower].node.Leader() == c.servers[l].node.ID()
	})
	c.put(follower, "after", "kill")
	c.restart(lead)
	if c.get(lead, "after") != "kill" {
		t.Error("the killed leader did not catch up")
	}
	want := c.hash(0)
	for i := 1; i < 3; i++ {
		until(t, "same revision", func() bool { return c.hash(i).HashRevision == want.HashRevision })
		if got := c.hash(i); got.Hash != want.Hash {
			t.Errorf("member %d: %v, member 0: %v", i, got, want)
		}
	}
}

// move lets another member lead, and asks one first that cannot hand over.
func (c *cluster) move() (from, to int) {
	c.t.Helper()
	for range 5 { // on a busy machine leadership may move by itself meanwhile
		from = c.leader()
		to = (from + 1) % len(c.servers)
		target := &pb.MoveLeaderRequest{TargetID: c.servers[to].node.ID()}
		_, refusal := call[pb.MoveLeaderResponse](c, to, "/etcdserverpb.Maintenance/MoveLeader", target)
		if _, err := call[pb.MoveLeaderResponse](c, from, "/etcdserverpb.Maintenance/MoveLeader", target); err != nil ||
			c.leader() != to {
			continue
		}
		wantError(c.t, refusal, codes.FailedPrecondition, "etcdserver: not leader")
		return from, to
	}
	c.t.Fatal("leadership cannot be moved")
	return 0, 0
}

func TestNoLeader(t *testing.T) {
	c := newCluster(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	fenced := metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
	w := c.watch(fenced, 0, &pb.WatchCreateRequest{Key: []byte("a")})
	if r, err := w.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	c.kill(1)
	c.kill(2)
	until(t, "no leader", func() bool { return c.servers[0].node.Leader() == 0 })
	err := c.conns[0].Invoke(fenced, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte("a"), Serializable: true},
		&pb.RangeResponse{})
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	if err := c.conns[0].Invoke(ctx, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte("a"), Serializable: true},
		&pb.RangeResponse{}); err != nil {
		t.Errorf("a serializable read needs no leader: %v", err)
	}
	short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	if err := c.conns[0].Invoke(short, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte("a")},
		&pb.PutResponse{}); status.Code(err) != codes.DeadlineExceeded &&
		status.Convert(err).Message() != "etcdserver: request timed out" {
		t.Errorf("a put without a quorum: %v", err) // whose clock is first is open
	}
	_, err = w.next()
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	if resp, body := c.http("GET", "/health"); resp.StatusCode != 503 ||
		body != `{"health":"false","reason":"RAFT NO LEADER"}`+"\n" {
		t.Errorf("health: %d %q", resp.StatusCode, body)
	}
	if s := c.status(0); s.Leader != 0 || len(s.Errors) != 1 || s.Errors[0] != "etcdserver: no leader" {
		t.Errorf("status: %v", s)
	}
}

func TestSnapshotCatchUp(t *testing.T) {
	c := newCluster(t, 3, "--snapshot-count=50", "--snapshot-catchup-entries=10", "--backend-batch-interval=10ms")
	lead := c.leader()
	behind := (lead + 1) % 3
	c.put(lead, "first", "v")
	c.kill(behind)
	const n = 200
	for i := range n {
		c.put(lead, fmt.Sprintf("k%d", i%20), fmt.Sprint(i))
	}
	c.restart(behind)
	want := c.hash(lead)
	until(t, "the member has caught up", func() bool { return c.hash(behind).HashRevision == want.HashRevision })
	if got := c.hash(behind); got.Hash != want.Hash {
		t.Errorf("after the snapshot: %v, leader: %v", got, want)
	}
	dir := c.servers[behind].cfg.DataDir
	if left, err := filepath.Glob(filepath.Join(dir, "member", "snap", "*.snap.db")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// It lives on what it received: crash, restart, history for watchers.
	c.kill(behind)
	c.restart(behind)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w := c.watch(ctx, behind, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1})
	if got := w.events(n + 1); got[0] != "first@2" || got[n] != fmt.Sprintf("k19@%d", n+2) {
		t.Errorf("history from %s to %s", got[0], got[n])
	}
	c.put(behind, "still", "works")
	if c.get(lead, "still") != "works" {
		t.Error("the member that was behind cannot write")
	}
}

func TestWatchSurvivesSnapshotInstall(t *testing.T) {
	c := newCluster(t, 3, "--snapshot-count=50", "--snapshot-catchup-entries=10", "--backend-batch-interval=10ms")
	lead := c.leader()
	behind := (lead + 1) % 3
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w := c.watch(ctx, behind, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if r, err := w.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	c.put(lead, "before", "v")
	w.events(1)
	// Cut the member off at both ends of its streams; it stays alive with its watchers.
	id := c.servers[behind].node.ID()
	for i, s := range c.servers {
		if i != behind {
			c.servers[behind].node.Transport().Remove(s.node.ID())
			s.node.Transport().Remove(id)
		}
	}
	const n = 150
	for i := range n {
		c.put(lead, fmt.Sprintf("k%d", i), "v") // if it leads no more, it passes it on
	}
	for i, s := range c.servers {
		if i != behind {
			c.servers[behind].node.Transport().Add(s.node.ID(), s.node.Members().Get(s.node.ID()).PeerURLs)
			s.node.Transport().Add(id, s.node.Members().Get(id).PeerURLs)
		}
	}
	for i, got := range w.events(n) {
		if want := fmt.Sprintf("k%d@%d", i, i+3); got != want {
			t.Fatalf("event %d is %s, want %s", i, got, want)
		}
	}
}

// Whatever its clients still have open, a server that stops, or that is killed, leaves no goroutine behind.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, end := range []func(c *cluster, i int){(*cluster).stop, (*cluster).kill} {
		c := newCluster(t, 3)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w := c.watch(ctx, 0, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}})
		c.put(1, "k", "v")
		w.events(1)
		c.http("GET", "/health")
		late := make(chan error, 1)
		for i := range c.servers {
			if i == 2 { // two have gone: this one cannot be answered any more
				go func() {
					_, err := call[pb.PutResponse](c, 2, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte("k")})
					late <- err
				}()
				until(t, "a request that waits", func() bool { return c.servers[2].node.Figures().Leader == 0 })
			}
			end(c, i)
		}
		if err := <-late; err == nil {
			t.Error("a write without a quorum was acknowledged")
		}
	}
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
