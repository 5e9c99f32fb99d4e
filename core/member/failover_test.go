package member_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

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

// TestAllCrash loses what no disk had: the stores' buffers. The log brings it back.
func TestAllCrash(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	for i := range 20 {
		c.put(uint64(i%3+1), fmt.Sprint("k", i), fmt.Sprint(i))
		if i == 10 {
			c.machine(2).commit() // one store is ahead of the others
		}
	}
	for _, m := range c.machines {
		m.crash()
	}
	for _, m := range c.machines {
		m.start()
	}
	c.run()
	lead := c.leader()
	for i := range 20 {
		if got := c.value(lead, fmt.Sprint("k", i)); got != fmt.Sprint(i) {
			t.Errorf("k%d = %q", i, got)
		}
	}
	c.tick(2)
	c.converged()
}

// TestCompetingFutures lets a leader that is cut off take a write that is never acknowledged, and overwrites it.
func TestCompetingFutures(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(1, "a", "0")
	c.isolate(1, true)
	lost := c.ask(1, &pb.PutRequest{Key: []byte("a"), Value: []byte("lost")})
	c.tick(10)
	c.elect(2)
	c.put(2, "a", "kept")
	c.isolate(1, false)
	c.tick(3)
	if got := c.value(1, "a"); got != "kept" {
		t.Errorf("a = %q", got)
	}
	if r, ok := c.machine(1).replies[lost]; ok {
		t.Errorf("the lost write was answered: %v %v", r.Response, r.Err)
	}
	c.tick(70)
	if r := c.machine(1).replies[lost]; !errors.Is(r.Err, api.ErrTimeoutDueToLeaderFail) {
		t.Errorf("the lost write ends with %v", r.Err)
	}
	c.converged()
}

// TestCompactionInAReplacedStore: what waits for the deletions of a compaction is answered when a received state, in
// which they are done, takes the place of the one in which they were under way.
func TestCompactionInAReplacedStore(t *testing.T) {
	c := newCluster(t, 3, func(cfg *member.Config) { cfg.CatchUpEntries, cfg.SnapshotCount = 10, 50 })
	c.elect(1)
	c.put(1, "a", "1")
	m := c.machine(3)
	m.hold = func(in member.Input) bool { return in.Kind == member.Compacted }
	id := c.ask(3, &pb.CompactionRequest{Revision: 2, Physical: true})
	c.run()
	if r, ok := m.replies[id]; ok {
		t.Fatalf("answered before the deletions were done: %v", r.Err)
	}
	c.isolate(3, true)
	for i := range 100 {
		c.put(1, fmt.Sprintf("k%03d", i), "v")
	}
	for _, m := range c.machines {
		m.commit()
	}
	c.isolate(3, false)
	c.tick(3)
	if n := c.count(raftpb.MsgSnap); n != 1 {
		t.Fatalf("%d snapshots were sent", n)
	}
	r, ok := m.replies[id]
	if !ok || r.Err != nil || r.Response.(*pb.CompactionResponse).Header.MemberId != 3 {
		t.Errorf("answered %v: %v %v", ok, r.Response, r.Err)
	}
}

// TestLaggingMember brings a member back that needs more than the leader's log has.
func TestLaggingMember(t *testing.T) {
	c := newCluster(t, 3, func(cfg *member.Config) { cfg.CatchUpEntries, cfg.SnapshotCount = 10, 50 })
	c.elect(1)
	c.machine(3).step(member.Input{Kind: member.WatchOpen, Stream: 1})
	c.watch(3, 1, &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l")})
	c.isolate(3, true)
	for i := range 150 {
		c.put(1, fmt.Sprintf("k%03d", i), "v")
	}
	for _, m := range c.machines {
		m.commit()
	}
	if s := c.machine(1).member.Status(); s.First <= 4 || s.Mark == 0 {
		t.Fatalf("log from %d, mark at %d", s.First, s.Mark)
	}
	c.isolate(3, false)
	c.tick(3)
	if n := c.count(raftpb.MsgSnap); n != 1 {
		t.Errorf("%d snapshots were sent", n)
	}
	c.put(1, "k999", "v")
	c.converged()
	if got := c.revisions(3, 1); len(got) != 151 || got[0] != 2 || got[150] != 152 || !slices.IsSorted(got) {
		t.Errorf("%d events, revisions %v", len(got), got)
	}
	// What it has now survives: the image, the mark, the log after it.
	c.machine(3).crash()
	c.machine(3).start()
	c.run()
	c.tick(3)
	c.converged()
	if s := c.machine(3).member.Status(); s.Applied != c.machine(1).member.Status().Applied {
		t.Errorf("after the restart applied %d", s.Applied)
	}
}

// TestRestartFromMark: what lies before a mark is not read again.
func TestRestartFromMark(t *testing.T) {
	c := newCluster(t, 1, func(cfg *member.Config) { cfg.CatchUpEntries, cfg.SnapshotCount = 5, 20 })
	c.elect(1)
	m := c.machine(1)
	for i := range 30 {
		c.put(1, fmt.Sprint("k", i), "v")
	}
	m.commit()
	mark := m.member.Status().Mark
	c.put(1, "after", "v")
	m.crash()
	m.start()
	c.run()
	if s := m.member.Status(); mark == 0 || s.Mark != mark || s.First != mark+1 || s.Last != mark+1 ||
		s.Applied != mark+1 {
		t.Errorf("mark %d, status after the restart %+v", mark, s)
	}
	c.elect(1)
	if r := get[*pb.RangeResponse](c, 1, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0},
		CountOnly: true}); r.Count != 31 {
		t.Errorf("%d keys", r.Count)
	}
}

func TestMoveLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	if _, err := c.do(2, &pb.MoveLeaderRequest{TargetID: 3}); !errors.Is(err, api.ErrNotLeader) {
		t.Errorf("from a follower: %v", err)
	}
	if _, err := c.do(1, &pb.MoveLeaderRequest{TargetID: 9}); !errors.Is(err, api.ErrBadLeaderTransferee) {
		t.Errorf("to a stranger: %v", err)
	}
	if r := get[*pb.MoveLeaderResponse](c, 1, &pb.MoveLeaderRequest{TargetID: 3}); r.Header != nil {
		t.Errorf("header %v", r.Header)
	}
	if s := c.machine(1).member.Status(); s.Lead != 3 {
		t.Errorf("leader %d", s.Lead)
	}
	c.tick(20)
	c.isolate(2, true)
	id := c.ask(3, &pb.MoveLeaderRequest{TargetID: 2})
	// Writes wait while leadership is moving, and go on when that has failed.
	put := c.ask(3, &pb.PutRequest{Key: []byte("a")})
	if _, ok := c.machine(3).replies[put]; ok {
		t.Error("a write during the transfer was answered")
	}
	c.tick(11)
	if r, ok := c.machine(3).replies[put]; !ok || r.Err != nil {
		t.Errorf("the write after the transfer: %v", r.Err)
	}
	c.tick(60)
	c.wantErr(3, id, api.ErrTimeoutLeaderTransfer)
	for _, use := range c.machine(3).member.Held(nil) {
		if use.Have != 0 {
			t.Errorf("%d %s are left", use.Have, use.Name)
		}
	}
}

func TestTransferOnStop(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.isolate(2, true)
	c.put(1, "a", "1")
	c.isolate(2, false)
	c.machine(1).step(member.Input{Kind: member.TransferLeadership})
	c.run()
	if s := c.machine(3).member.Status(); s.Lead != 3 {
		t.Errorf("leader %d, although 3 had the longest log", s.Lead)
	}
}

// TestFailedSync is I12: nothing is acknowledged after a failure, not even what is in memory.
func TestFailedSync(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	m := c.machine(2)
	broken := errors.New("no space left on device")
	m.log = func(w consensus.LogWrite) error {
		if w.MustSync {
			return broken
		}
		return nil
	}
	c.sent = nil
	c.put(1, "a", "1") // the others are a quorum
	if err := m.member.Status().Halt; !errors.Is(err, broken) || !errors.Is(m.out.Halt, broken) {
		t.Fatalf("halt: %v, output %v", err, m.out.Halt)
	}
	id := c.ask(2, &pb.RangeRequest{Key: []byte("a"), Serializable: true})
	c.tick(30)
	if r, ok := m.replies[id]; ok {
		t.Errorf("a halted member answered %v", r)
	}
	for _, s := range c.sent {
		if s.GetFrom() == 2 && s.GetType() != raftpb.MsgHeartbeatResp {
			t.Errorf("a halted member sent %v", s.GetType())
		}
	}
	// A disk that works again finds it where it was.
	m.log = nil
	m.crash()
	m.start()
	c.run()
	c.tick(3)
	c.converged()
}

// TestSameHistory: the same inputs give the same events.
func TestSameHistory(t *testing.T) {
	history := func() uint64 {
		c := newCluster(t, 5, nil)
		lead := c.leader()
		for i := range 30 {
			c.put(uint64(i%5+1), fmt.Sprint("k", i%7), fmt.Sprint(i))
			if i == 15 {
				c.machine(lead).crash()
				c.leader()
				c.machine(lead).start()
				c.tick(2)
			}
		}
		return c.stream.Hash()
	}
	if a, b := history(), history(); a != b {
		t.Errorf("hashes %016x and %016x", a, b)
	}
}

// TestHaltSilencesWhatWasReady: an answer that was ready, but not polled, when the log failed is not given.
func TestHaltSilencesWhatWasReady(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	m := c.machine(1)
	m.hold = func(in member.Input) bool { return in.Kind == member.Applied }
	id := c.ask(1, &pb.PutRequest{Key: []byte("a")})
	m.held = append(m.held, member.Input{Kind: member.LogFailed, Err: errors.New("input/output error")})
	m.releaseHeld()
	c.run()
	if r, ok := m.replies[id]; ok {
		t.Errorf("answered %v after the log had failed", r)
	}
	if n := len(m.out.Sends) + len(m.out.Log) + len(m.out.Applies); n != 0 || m.out.Halt == nil {
		t.Errorf("a halted member wants %d things done, halt %v", n, m.out.Halt)
	}
}
