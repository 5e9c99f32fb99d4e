package consensus

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/limits"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// TestHeir: of the voters that were heard the one with the longest log takes over, of equals the smaller id.
func TestHeir(t *testing.T) {
	conf := confOf([]uint64{1, 2, 3, 4}, []uint64{5})
	for _, c := range []struct {
		name string
		acks map[uint64]uint64
		want uint64
	}{
		{"nobody was heard", nil, 0},
		{"one was", map[uint64]uint64{3: 10}, 3},
		{"the longest log", map[uint64]uint64{2: 10, 3: 11, 4: 10}, 3},
		{"equals", map[uint64]uint64{4: 11, 3: 11}, 3},
		{"a learner is none", map[uint64]uint64{5: 11, 4: 10}, 4},
	} {
		n, _ := leading(t, conf)
		for id := uint64(2); id <= 5; id++ {
			if index, ok := c.acks[id]; ok {
				receive(t, n, acked(id, index))
			}
		}
		if got := n.TransferLeader(0); got != c.want {
			t.Errorf("%s: to %d, want %d", c.name, got, c.want)
		}
		if s := n.Status(); s.Transferee != c.want {
			t.Errorf("%s: transferee %d, want %d", c.name, s.Transferee, c.want)
		}
	}
}

// TestProbed: a member that has answered that it lacks an entry is probed, and paused meanwhile. It is an successor if
// there is no better one.
func TestProbed(t *testing.T) {
	n, _ := leading(t, conf123())
	reject := acked(2, 11)
	reject.Reject, reject.RejectHint, reject.LogTerm = new(true), new(uint64(10)), new(uint64(1))
	receive(t, n, reject)
	if p := n.Status().Progress[1]; !p.Paused || !p.Active || p.State != tracker.StateProbe || p.Match != 0 {
		t.Errorf("progress %+v", p)
	}
	if n.successor() != 2 {
		t.Errorf("successor %d", n.successor())
	}
}

// TestNewMemberIsProbed at once.
func TestNewMemberIsProbed(t *testing.T) {
	n, out := leading(t, conf123())
	n.changeConf(11, &raftpb.ConfChange{NodeId: new(uint64(4))})
	if !slices.ContainsFunc(drain(n, out), func(m *raftpb.Message) bool { return m.GetTo() == 4 }) {
		t.Error("nothing is sent to it")
	}
}

// TestTransferLeader: only a leader can hand over, only to another voter, as soon as it leads.
func TestTransferLeader(t *testing.T) {
	conf := confOf([]uint64{1, 2, 3}, []uint64{5})
	n, _ := leading(t, conf)
	for _, to := range []uint64{1, 5, 9} {
		if got := n.TransferLeader(to); got != 0 {
			t.Errorf("handed over to %d", got)
		}
	}
	if f, _ := follower(t); f.TransferLeader(2) != 0 {
		t.Error("a follower hands over")
	}
	n = booted(t, conf123())
	out := &Output{}
	n.Campaign()
	ready(n, out)
	receive(t, n, from2(raftpb.MsgVoteResp, nil)) // it leads, and has not been asked yet
	if got := n.TransferLeader(3); got != 3 {
		t.Errorf("to %d, want 3", got)
	}
}

// TestInSnapshot: a member that is being sent a snapshot is paused, is no successor, and keeps the log from being
// compacted; when it has got it the log is still kept for a while.
func TestInSnapshot(t *testing.T) {
	n, out := leading(t, conf123())
	n.cfg.CatchUpEntries, n.cfg.CompactEntries = 10, 1
	receive(t, n, acked(3, 10))
	reject := acked(2, 10)
	reject.Reject, reject.RejectHint = new(true), new(uint64(0))
	receive(t, n, reject) // it has nothing of the log, which starts behind 10
	snap := func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgSnap && m.GetTo() == 2 }
	if !slices.ContainsFunc(drain(n, out), snap) {
		t.Fatal("no snapshot is sent")
	}
	p := n.Status().Progress
	if !p[1].Paused || p[2].Paused || p[0].ID != 1 || !p[0].Active || !p[1].Active {
		t.Errorf("progress %+v", p)
	}
	if !n.snapshotting() {
		t.Error("nobody is sent a snapshot")
	}
	if n.successor() != 3 {
		t.Errorf("successor %d", n.successor())
	}
	n.SnapshotStatus(9, true) // a stranger's changes nothing
	if n.retention.until != 0 {
		t.Errorf("kept until %v for a stranger", n.retention.until)
	}
	n.At(5)
	n.SnapshotStatus(2, true)
	if got := n.Status().Progress[1]; n.snapshotting() || got.Next != 11 || got.PendingSnapshot != 0 {
		t.Errorf("after a snapshot that arrived: %+v", got)
	}
	if n.retention.until != 5+trace.Instant(30*time.Second) {
		t.Errorf("kept until %v", n.retention.until)
	}
	n, _ = leading(t, conf123())
	receive(t, n, reject)
	n.SnapshotStatus(2, false)
	if got := n.Status().Progress[1]; n.snapshotting() || got.Next != 1 || n.retention.until != 0 {
		t.Errorf("after a snapshot that did not: %+v, kept until %v", got, n.retention.until)
	}
	n, _ = leading(t, conf123())
	receive(t, n, reject)
	if n.successor() != 0 {
		t.Errorf("successor %d, which is being sent a snapshot", n.successor())
	}
	if f, _ := follower(t); f.snapshotting() {
		t.Error("a follower sends a snapshot")
	}
}

// drain is what the node sends.
func drain(n *Node, out *Output) (ms []*raftpb.Message) {
	out.Sends = out.Sends[:0]
	n.Ready(out)
	for _, s := range out.Sends {
		ms = append(ms, s.Message)
	}
	return ms
}

// TestInputsLoseNothing: what one input made is still there after each other that makes nothing of its own.
func TestInputsLoseNothing(t *testing.T) {
	for name, input := range map[string]func(n *Node){
		"unreachable":          func(n *Node) { n.Unreachable(2) },
		"unreachable stranger": func(n *Node) { n.Unreachable(9) },
		"snapshot status":      func(n *Node) { n.SnapshotStatus(2, false) },
		"applied":              func(n *Node) { n.Applied(0, 10, nil) },
		"log done":             func(n *Node) { n.LogDone(0) },
		"conf change":          func(n *Node) { n.changeConf(11, &raftpb.ConfChange{NodeId: new(uint64(2))}) },
	} {
		n, out := leading(t, conf123())
		if err := n.Propose([][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
		input(n)
		if n.Ready(out); len(out.Log) != 1 || len(out.Log[0].Entries) != 1 {
			t.Errorf("%s: %d writes", name, len(out.Log))
		}
	}
}

// TestReadyKeepsNothing: what was handed out is not kept alive.
func TestReadyKeepsNothing(t *testing.T) {
	n, out := leading(t, conf123())
	if err := n.Propose([][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	receive(t, n, acked(2, 11))
	n.Ready(out)
	if len(out.Log) == 0 || len(out.Applies) == 0 {
		t.Fatalf("%d writes, %d batches", len(out.Log), len(out.Applies))
	}
	for _, s := range n.out.Sends[:cap(n.out.Sends)] {
		if s.Message != nil {
			t.Errorf("keeps a message")
		}
	}
	for _, w := range n.out.Log[:cap(n.out.Log)] {
		if w.Entries != nil {
			t.Errorf("keeps a write")
		}
	}
	for _, a := range n.out.Applies[:cap(n.out.Applies)] {
		if a.Entries != nil {
			t.Errorf("keeps a batch")
		}
	}
}

// TestLogDoneInPart: a write that is not done releases nothing.
func TestLogDoneInPart(t *testing.T) {
	n, out := follower(t, run(2, 4, 6)...)
	n.Ready(out)
	receive(t, n, app(2, 6, 2, 0, run(2, 7, 9)...))
	n.Ready(out)
	if len(out.Log) != 2 {
		t.Fatalf("%d writes", len(out.Log))
	}
	n.LogDone(out.Log[0].Ticket)
	if s := n.Status(); s.Synced != 6 || s.Last != 9 {
		t.Errorf("synced %d, last %d", s.Synced, s.Last)
	}
	if len(n.writes) != 1 {
		t.Errorf("%d writes are under way", len(n.writes))
	}
}

// TestAppliedInParts: raft hands out what is committed a part at a time, the next when the last is applied; so the
// node has to ask again.
func TestAppliedInParts(t *testing.T) {
	large := run(2, 4, 6)
	for _, e := range large {
		e.Data = make([]byte, limits.MaxCommittedBytesPerReady)
	}
	n, out := follower(t, large...)
	ready(n, out)
	receive(t, n, heartbeat(2, 6))
	for want := uint64(4); want <= 6; want++ {
		ready(n, out)
		if len(out.Applies) != 1 || len(out.Applies[0].Entries) != 1 || out.Applies[0].Entries[0].GetIndex() != want {
			t.Fatalf("at %d: batches %+v", want, out.Applies)
		}
		ticket := out.Applies[0].Ticket
		out.Applies = nil
		n.Applied(ticket, want, nil)
		if n.AppliedIndex() != want || n.Committed() != 6 {
			t.Errorf("applied %d, committed %d", n.AppliedIndex(), n.Committed())
		}
	}
	if n.dirty {
		t.Error("all is applied, and raft would be asked for more")
	}
}

// changing is a follower whose store has a conf change at 4 to apply, and the ticket of that batch.
func changing(t *testing.T) (*Node, uint64, *raftpb.ConfChange) {
	t.Helper()
	cc := &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(4))}
	es := run(2, 4, 4)
	es[0].Type, es[0].Data = raftpb.EntryConfChange.Enum(), nil
	n, out := follower(t, es...)
	receive(t, n, heartbeat(2, 4))
	ready(n, out)
	n.Ready(out)
	if len(out.Applies) != 1 {
		t.Fatalf("%d batches", len(out.Applies))
	}
	return n, out.Applies[0].Ticket, cc
}

func TestConfChanges(t *testing.T) {
	n, ticket, cc := changing(t)
	n.Applied(ticket, 4, []*raftpb.ConfChange{cc})
	if s, err := n.log.Snapshot(); err != nil || !n.knows(4) || len(s.GetMetadata().GetConfState().GetVoters()) != 4 {
		t.Errorf("after a change the snapshot is %v, %v", s, err)
	}
	for _, changes := range [][]*raftpb.ConfChange{nil, {{NodeId: new(uint64(0))}}} {
		n, ticket, _ := changing(t)
		told := trace.NewStream()
		n.t = trace.NewTracer(told, 1)
		n.Applied(ticket, 4, changes)
		if n.knows(4) || n.AppliedIndex() != 4 || told.Seq() != 0 {
			t.Errorf("%d changes, refused: knows 4 %v, applied %d, %d events",
				len(changes), n.knows(4), n.AppliedIndex(), told.Seq())
		}
	}
	n, ticket, cc = changing(t)
	defer func() {
		if recover() == nil {
			t.Error("a change that the store has not come to is made")
		}
	}()
	n.Applied(ticket, 3, []*raftpb.ConfChange{cc})
}

// TestChangesOfASnapshot: those up to its index are in it, the next is not.
func TestChangesOfASnapshot(t *testing.T) {
	n, out := follower(t)
	receive(t, n, from2(raftpb.MsgSnap, func(m *raftpb.Message) {
		m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: new(uint64(20)), Term: new(uint64(2)), ConfState: confOf([]uint64{7, 1, 3, 2}, nil),
		}}
	}))
	ready(n, out)
	for _, id := range []uint64{1, 2, 3, 7} {
		if !n.knows(id) {
			t.Errorf("does not know %d of the snapshot", id)
		}
	}
	n.changeConf(20, &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(uint64(7))})
	if !n.knows(7) {
		t.Error("a change at the snapshot's index is made again")
	}
	n.changeConf(21, &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(uint64(7))})
	if n.knows(7) {
		t.Error("a change behind the snapshot is not made")
	}
}

// TestBacked: a mark is written when the store is durable more than SnapshotCount entries behind the last one, and
// only where the log is committed; the newest hard state goes with it.
func TestBacked(t *testing.T) {
	n, out := follower(t, run(2, 4, 60)...)
	n.cfg.SnapshotCount = 10
	receive(t, n, heartbeat(2, 50))
	ready(n, out)
	mark := func(index uint64, cs *raftpb.ConfState) uint64 {
		out.Log = nil
		n.Backed(backend.Applied{Index: index, Term: 2, ConfState: cs})
		n.Ready(out)
		var got uint64
		for _, w := range out.Log {
			if w.Mark != nil {
				got = w.Mark.GetIndex()
				if w.HardState.GetTerm() != n.Term() || w.HardState.GetCommit() < got || !w.MustSync || w.Release != got {
					t.Errorf("mark %+v", w)
				}
			}
		}
		return got
	}
	n.retention.marking = 20
	for _, c := range []struct {
		name        string
		index, want uint64
		cs          *raftpb.ConfState
	}{
		{"of no configuration", 40, 0, nil},
		{"behind the mark", 19, 0, conf123()},
		{"too soon", 30, 0, conf123()},
		{"due", 31, 31, conf123()},
		{"again", 31, 0, conf123()},
		{"not committed", 51, 0, conf123()},
		{"just committed", 50, 50, conf123()},
	} {
		if got := mark(c.index, c.cs); got != c.want {
			t.Errorf("%s: mark at %d, want %d", c.name, got, c.want)
		}
	}
	// A term that raft has just been told of is in the hard state beside the mark.
	receive(t, n, heartbeat(5, 60))
	if n.retention.marking = 20; mark(60, conf123()) != 60 || n.Term() != 5 {
		t.Errorf("no mark at 60 in term %d", n.Term())
	}
}

// TestCompact: nothing is forgotten before CatchUpEntries and CompactEntries are there; while a snapshot is under way
// not before keepAtMost times as much.
func TestCompact(t *testing.T) {
	for _, c := range []struct {
		name    string
		applied uint64
		until   trace.Instant
		first   uint64
	}{
		{"too few", 24, 0, 11},
		{"enough", 25, 0, 16},
		{"enough, but kept", 49, 1, 11},
		{"too much to keep", 50, 1, 41},
		{"kept long enough", 49, -1, 40},
	} {
		n := booted(t, conf123())
		n.cfg.CatchUpEntries, n.cfg.CompactEntries = 10, 5
		n.log.append(run(1, 11, 60))
		n.log.applied, n.retention.until = c.applied, c.until
		n.compact()
		if got := n.Status().First; got != c.first {
			t.Errorf("%s: the log starts at %d, want %d", c.name, got, c.first)
		}
	}
}

// TestTermOfTheLog: a log in a term that the hard state does not name is in that term from the first write on.
func TestTermOfTheLog(t *testing.T) {
	entries, hs, err := Bootstrap([]Peer{{ID: 1}, {ID: 2}, {ID: 3}})
	if err != nil {
		t.Fatal(err)
	}
	hs.Vote = new(uint64(3))
	n, err := New(Config{ID: 1}, Boot{
		HardState: hs, Entries: append(entries, run(4, 4, 4)...), Applied: 3, ConfState: conf123(),
	})
	if err != nil {
		t.Fatal(err)
	}
	out := &Output{}
	n.Ready(out)
	receive(t, n, app(5, 4, 4, 0))
	n.Ready(out)
	if len(out.Log) != 2 {
		t.Fatalf("%d writes", len(out.Log))
	}
	for i, w := range out.Log {
		if w.Ticket != uint64(i+1) || w.HardState.GetTerm() != uint64(4+i) || w.HardState.GetVote() != 0 || !w.MustSync {
			t.Errorf("write %d: %+v", i, w)
		}
	}
	if len(n.writes) != 2 {
		t.Errorf("%d writes are under way", len(n.writes))
	}
	n.LogDone(1)
	if len(n.writes) != 1 {
		t.Errorf("%d writes are under way after the first is done", len(n.writes))
	}
}

// TestDefaults are etcd's.
func TestDefaults(t *testing.T) {
	want := Config{
		ElectionTicks: limits.ElectionTicks, HeartbeatTicks: 1, SnapshotCount: limits.SnapshotCount,
		CatchUpEntries: limits.SnapshotCatchUpEntries, CompactEntries: limits.LogCompactEntries,
		ReadRetry: limits.ReadIndexRetry,
	}
	if got := (Config{}).withDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	own := Config{
		ElectionTicks: 5, HeartbeatTicks: 2, SnapshotCount: 3, CatchUpEntries: 4, CompactEntries: 6, ReadRetry: 7,
	}
	if got := own.withDefaults(); !reflect.DeepEqual(got, own) {
		t.Errorf("%+v, want %+v", got, own)
	}
}
