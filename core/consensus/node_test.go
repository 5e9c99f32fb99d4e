package consensus

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"vitrine/core/backend"
	"vitrine/core/limits"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// follower is node 1 of three, at term 2 under leader 2, with the entries given after the first three.
func follower(t *testing.T, es ...*raftpb.Entry) (*Node, *Output) {
	t.Helper()
	entries, hs, err := Bootstrap([]Peer{{ID: 1}, {ID: 2}, {ID: 3}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{ID: 1}, Boot{
		HardState: hs, Entries: entries, Applied: 3, ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	out := &Output{}
	receive(t, n, app(2, 3, 1, 0, es...))
	return n, out
}

// app is an append of leader 2 to node 1.
func app(term, index, logTerm, commit uint64, es ...*raftpb.Entry) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(term),
		Index: new(index), LogTerm: new(logTerm), Commit: new(commit), Entries: es,
	}
}

func heartbeat(term, commit uint64) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(term), Commit: new(commit),
	}
}

func receive(t *testing.T, n *Node, m *raftpb.Message) {
	t.Helper()
	if err := n.Receive(m); err != nil {
		t.Fatal(err)
	}
}

// ready takes what the node wants and reports all writes done.
func ready(n *Node, out *Output) {
	n.Ready(out)
	if k := len(out.Log); k > 0 {
		n.LogDone(out.Log[k-1].Ticket)
	}
}

// TestShorterLog: within one batch of messages the log becomes shorter, and a heartbeat claims the old length.
func TestShorterLog(t *testing.T) {
	n, _ := follower(t, run(2, 4, 10)...)
	n.Status() // the node knows that its log ends at 10
	receive(t, n, app(3, 5, 2, 0, run(3, 6, 6)...))
	if err := n.Receive(heartbeat(3, 9)); !errors.Is(err, ErrBadMessage) {
		t.Errorf("commit 9 of a log that ends at 6: %v", err)
	}
	receive(t, n, heartbeat(3, 6))
	if s := n.Status(); s.Commit != 6 || s.Last != 6 || s.Rejected != 1 {
		t.Errorf("status %+v", s)
	}
}

// TestLongerLog: within one batch the log becomes longer, and what claims the new length is right.
func TestLongerLog(t *testing.T) {
	n, _ := follower(t)
	receive(t, n, app(2, 3, 1, 0, run(2, 4, 8)...))
	receive(t, n, heartbeat(2, 8))
	if s := n.Status(); s.Commit != 8 {
		t.Errorf("status %+v", s)
	}
}

// TestChangeFromBeforeASnapshot: the store is slow with a conf change, and a snapshot comes whose configuration is
// newer. The change must not be made on top of it.
func TestChangeFromBeforeASnapshot(t *testing.T) {
	cc := &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(4))}
	data, err := proto.Marshal(cc)
	if err != nil {
		t.Fatal(err)
	}
	change := run(2, 4, 4)
	change[0].Type, change[0].Data = raftpb.EntryConfChange.Enum(), data
	n, out := follower(t, change...)
	receive(t, n, heartbeat(2, 4))
	ready(n, out)
	n.Ready(out)
	if len(out.Applies) != 1 {
		t.Fatalf("%d batches", len(out.Applies))
	}
	slow := out.Applies[0].Ticket

	receive(t, n, &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(2)),
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			// 4 has gone again
			Index: new(uint64(20)), Term: new(uint64(2)), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
		}},
	})
	ready(n, out)
	n.Ready(out)
	if len(out.Applies) != 2 || out.Applies[1].Snapshot == nil {
		t.Fatalf("batches %v", out.Applies)
	}
	n.Applied(slow, 4, []*raftpb.ConfChange{cc})
	if got := n.Status(); !slices.Equal(got.ConfState.GetVoters(), []uint64{1, 2, 3}) || got.Applied != 4 {
		t.Errorf("voters %v, applied %d", got.ConfState.GetVoters(), got.Applied)
	}
	n.Applied(out.Applies[1].Ticket, 20, nil)
	if got := n.Status(); !slices.Equal(got.ConfState.GetVoters(), []uint64{1, 2, 3}) || got.Applied != 20 {
		t.Errorf("voters %v, applied %d", got.ConfState.GetVoters(), got.Applied)
	}
}

// TestSupersedes: only an acknowledgement of more of the same log makes another one needless.
func TestSupersedes(t *testing.T) {
	ack := func(to, term, index uint64, reject bool) *raftpb.Message {
		return &raftpb.Message{
			Type: raftpb.MsgAppResp.Enum(), From: new(uint64(1)), To: new(to), Term: new(term), Index: new(index),
			Reject: new(reject),
		}
	}
	for _, c := range []struct {
		name        string
		first, then *raftpb.Message
		sent        int
	}{
		{"more", ack(2, 2, 5, false), ack(2, 2, 6, false), 1},
		{"as much", ack(2, 2, 5, false), ack(2, 2, 5, false), 1},
		{"less", ack(2, 2, 5, false), ack(2, 2, 4, false), 2},
		{"another term", ack(2, 2, 5, false), ack(2, 3, 6, false), 2},
		{"another leader", ack(2, 2, 5, false), ack(3, 2, 6, false), 2},
		{"a rejection", ack(2, 2, 5, false), ack(2, 2, 6, true), 2},
		{"after a rejection", ack(2, 2, 5, true), ack(2, 2, 6, false), 2},
		{"an append", ack(2, 2, 5, false),
			from2(raftpb.MsgApp, func(m *raftpb.Message) { m.To, m.Index = new(uint64(2)), new(uint64(6)) }), 2},
		{"after a heartbeat's", heartbeat(2, 0), ack(2, 2, 6, false), 2},
	} {
		n := &Node{}
		n.send(c.first)
		n.send(c.then)
		if got := len(n.out.Sends); got != c.sent || n.out.Sends[got-1].Message != c.then {
			t.Errorf("%s: %d messages", c.name, got)
		}
	}
}

// TestOldAnswers: an answer to a question that was closed does not pass for an answer to the next one, which other
// reads wait for; an answer to any question of the open batch does (etcd issue 20418).
func TestOldAnswers(t *testing.T) {
	n, out := follower(t)
	answer := func(id, index uint64) *raftpb.Message {
		return &raftpb.Message{
			Type: raftpb.MsgReadIndexResp.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(2)),
			Index: new(index), Entries: []*raftpb.Entry{{Data: binary.BigEndian.AppendUint64(nil, id)}},
		}
	}
	asked := func() (ids []uint64) {
		out.Sends = out.Sends[:0]
		n.Ready(out)
		for _, s := range out.Sends {
			if s.Message.GetType() == raftpb.MsgReadIndex {
				ids = append(ids, binary.BigEndian.Uint64(s.Message.Entries[0].Data))
			}
		}
		return ids
	}
	n.Status()
	first := n.ReadIndex()
	if got := asked(); !slices.Equal(got, []uint64{first}) {
		t.Fatalf("asked %x for batch %x", got, first)
	}
	n.DropRead() // its readers have gone
	second := n.ReadIndex()
	asked()
	receive(t, n, answer(first, 3))
	if n.Ready(out); len(out.Reads) != 0 {
		t.Fatalf("an old answer was taken: %+v", out.Reads)
	}
	n.At(n.now + trace.Instant(time.Second))
	n.Tick()
	again := asked()
	if len(again) != 1 || again[0] == second || again[0] == first {
		t.Fatalf("asked again as %x", again)
	}
	receive(t, n, answer(second, 3)) // late, but it is of this batch
	n.Ready(out)
	if len(out.Reads) != 1 || out.Reads[0] != (ReadState{Batch: second, Index: 3}) {
		t.Fatalf("reads %+v", out.Reads)
	}
	receive(t, n, answer(again[0], 3)) // once is enough
	if n.Ready(out); len(out.Reads) != 1 {
		t.Errorf("reads %+v", out.Reads)
	}
}

// TestNoMarkBehindASnapshot: the old store becomes durable while a received snapshot is on its way to the disk. A mark
// of the old store behind the snapshot's record would be where the next boot begins, with a gap after it.
func TestNoMarkBehindASnapshot(t *testing.T) {
	n, out := follower(t, run(2, 4, 40)...)
	n.cfg.SnapshotCount = 10
	receive(t, n, heartbeat(2, 40))
	ready(n, out)
	conf := &raftpb.ConfState{Voters: []uint64{1, 2, 3}}
	receive(t, n, &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(2)),
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(90)), Term: new(uint64(2)),
			ConfState: conf}},
	})
	out.Log = nil
	n.Backed(backend.Applied{Index: 30, Term: 2, ConfState: conf})
	n.Ready(out)
	n.Backed(backend.Applied{Index: 40, Term: 2, ConfState: conf})
	n.Ready(out)
	snapshot := false
	for _, w := range out.Log {
		if snapshot && w.Mark != nil {
			t.Errorf("mark at %d behind the snapshot at 90", w.Mark.GetIndex())
		}
		snapshot = snapshot || w.Snapshot != nil
	}
	if !snapshot {
		t.Error("no snapshot is written")
	}
}

// What a peer sends may not make a member keep, or work on, more than members need.
func TestMessagesAreBounded(t *testing.T) {
	n, _ := follower(t)
	ask := &raftpb.Message{Type: raftpb.MsgReadIndex.Enum(), From: new(uint64(2)), To: new(uint64(1)),
		Entries: []*raftpb.Entry{{Data: make([]byte, maxReadContext+1)}}}
	if err := n.Receive(ask); !errors.Is(err, ErrBadMessage) {
		t.Errorf("a read with a long name: %v", err)
	}
	voters := make([]uint64, limits.MaxMembers+1)
	for i := range voters {
		voters[i] = uint64(i + 1)
	}
	image := &raftpb.Message{Type: raftpb.MsgSnap.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(3)),
		Snapshot: &raftpb.Snapshot{
			Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(9)), Term: new(uint64(2)),
				ConfState: &raftpb.ConfState{Voters: voters}},
		}}
	if err := n.Receive(image); !errors.Is(err, ErrBadMessage) {
		t.Errorf("a snapshot of a cluster of %d: %v", len(voters), err)
	}
	if err := n.Refused(); !errors.Is(err, ErrBadMessage) {
		t.Errorf("the reason is %v", err)
	}
	if err := n.Refused(); err != nil {
		t.Errorf("it is told twice: %v", err)
	}
}
