package consensus

import (
	"encoding/binary"
	"errors"
	"testing"

	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// booted is node 1 of a cluster with this configuration, at (index 10, term 1), without a leader.
func booted(t *testing.T, conf *raftpb.ConfState) *Node { return bootedTold(t, conf, nil) }

func bootedTold(t *testing.T, conf *raftpb.ConfState, told *trace.Tracer) *Node {
	t.Helper()
	n, err := New(Config{ID: 1, NoPreVote: true, Tracer: told}, Boot{
		HardState: &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(0)), Commit: new(uint64(10))},
		Snapshot:  &pb.WALSnapshot{Index: new(uint64(10)), Term: new(uint64(1)), ConfState: conf},
		Applied:   10, ConfState: conf,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// leading is such a node as leader of term 2, whose first entry, at 11, is on its own disk.
func leading(t *testing.T, conf *raftpb.ConfState) (*Node, *Output) { return leadingTold(t, conf, nil) }

func leadingTold(t *testing.T, conf *raftpb.ConfState, told *trace.Tracer) (*Node, *Output) {
	t.Helper()
	n, out := bootedTold(t, conf, told), &Output{}
	n.Campaign()
	ready(n, out)
	for _, id := range conf.GetVoters() {
		if id != 1 {
			receive(t, n, &raftpb.Message{
				Type: raftpb.MsgVoteResp.Enum(), From: new(id), To: new(uint64(1)), Term: new(uint64(2)), Reject: new(false),
			})
		}
	}
	ready(n, out)
	n.Ready(out)
	if !n.IsLeader() || n.Term() != 2 || n.Leader() != 1 {
		t.Fatalf("leads %v, term %d", n.IsLeader(), n.Term())
	}
	*out = Output{}
	return n, out
}

// acked is a follower's word that it has the log up to index.
func acked(from, index uint64) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgAppResp.Enum(), From: new(from), To: new(uint64(1)), Term: new(uint64(2)), Index: new(index),
	}
}

func conf123(learners ...uint64) *raftpb.ConfState { return confOf([]uint64{1, 2, 3}, learners) }

// vetCase is a message to node 1 of three, a follower at term 2 with a log up to 10.
type vetCase struct {
	name string
	m    *raftpb.Message
	ok   bool
}

func vetted(t *testing.T, cases []vetCase) {
	t.Helper()
	for _, c := range cases {
		n, _ := follower(t, run(2, 4, 10)...)
		before := n.Status()
		err := n.Receive(c.m)
		after := n.Status()
		switch {
		case c.ok && (err != nil || after.Rejected != 0):
			t.Errorf("%s: %v, %d rejected", c.name, err, after.Rejected)
		case !c.ok && (!errors.Is(err, ErrBadMessage) || after.Rejected != 1):
			t.Errorf("%s: %v, %d rejected", c.name, err, after.Rejected)
		case !c.ok && (after.Term != before.Term || after.Last != before.Last || after.Commit != before.Commit):
			t.Errorf("%s: refused, and changed %+v to %+v", c.name, before, after)
		}
	}
}

// from2 is a message of node 2 in term 2, changed by edit.
func from2(typ raftpb.MessageType, edit func(m *raftpb.Message)) *raftpb.Message {
	m := &raftpb.Message{Type: typ.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(2))}
	if edit != nil {
		edit(m)
	}
	return m
}

func TestVetEnvelope(t *testing.T) {
	vetted(t, []vetCase{
		{"nothing at all", nil, false},
		{"from nobody", from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = nil }), false},
		{"from oneself", from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = new(uint64(1)) }), false},
		{"from a disk", from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.From = new(raft.LocalAppendThread) }), false},
		{"for another", from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.To = new(uint64(3)) }), false},
		{"with answers of a disk", from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) {
			m.Responses = []*raftpb.Message{{}}
		}), false},
		{"without a term", from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.Term = nil }), false},
		{"of the last term there may be", heartbeat(maxTerm, 0), true},
		{"of a term beyond", heartbeat(maxTerm+1, 0), false},
		{"that does not travel", from2(raftpb.MsgHup, nil), false},
		{"a stranger's answer", acked(9, 0), false},
		{"a stranger's question for votes", from2(raftpb.MsgPreVote, func(m *raftpb.Message) { m.From = new(uint64(9)) }),
			true},
		{"a member's vote", from2(raftpb.MsgVoteResp, nil), true},
		{"commit at the end", heartbeat(2, 10), true},
		{"commit beyond", heartbeat(2, 11), false},
		{"has what we have", acked(2, 10), true},
		{"has more", acked(2, 11), false},
		{"has not what we lack", from2(raftpb.MsgAppResp, func(m *raftpb.Message) {
			m.Index, m.Reject = new(uint64(11)), new(true)
		}), true},
		{"had more in an earlier term", from2(raftpb.MsgAppResp, func(m *raftpb.Message) {
			m.Index, m.Term = new(uint64(11)), new(uint64(1))
		}), true},
		{"confirms reads of an earlier term", from2(raftpb.MsgHeartbeatResp, func(m *raftpb.Message) {
			m.Term, m.Context = new(uint64(1)), []byte("longer than eight")
		}), true},
		{"confirms reads that nobody asked", from2(raftpb.MsgHeartbeatResp, func(m *raftpb.Message) {
			m.Context = binary.LittleEndian.AppendUint64(nil, 1)
		}), false},
		{"hand over, to a follower", from2(raftpb.MsgTransferLeader, nil), false},
	})
}

func TestVetForwarded(t *testing.T) {
	change, err := proto.Marshal(&raftpb.ConfChange{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(uint64(4))})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(typ raftpb.EntryType, data []byte) *raftpb.Entry {
		return &raftpb.Entry{Type: typ.Enum(), Data: data}
	}
	plain := entry(raftpb.EntryNormal, []byte("x"))
	forward := func(typ raftpb.MessageType, es ...*raftpb.Entry) *raftpb.Message {
		return from2(typ, func(m *raftpb.Message) { m.Term, m.Entries = nil, es })
	}
	stranger, late := forward(raftpb.MsgProp, plain), forward(raftpb.MsgProp, plain)
	stranger.From, late.Term = new(uint64(9)), new(uint64(2))
	vetted(t, []vetCase{
		{"one entry", forward(raftpb.MsgProp, plain), true},
		{"two entries", forward(raftpb.MsgProp, plain, plain), true},
		{"none", forward(raftpb.MsgProp), false},
		{"of a stranger", stranger, false},
		{"with a term", late, false},
		{"a change", forward(raftpb.MsgProp, entry(raftpb.EntryConfChange, change)), true},
		{"no change", forward(raftpb.MsgProp, entry(raftpb.EntryConfChange, []byte{0xff})), false},
		{"no change behind another", forward(raftpb.MsgProp, plain, entry(raftpb.EntryConfChange, []byte{0xff})), false},
		{"a joint change", forward(raftpb.MsgProp, entry(raftpb.EntryConfChangeV2, nil)), false},
		{"a read", forward(raftpb.MsgReadIndex, plain), true},
		{"two reads", forward(raftpb.MsgReadIndex, plain, plain), false},
		{"no read", forward(raftpb.MsgReadIndex), false},
	})
}

func TestVetEntries(t *testing.T) {
	typed := func(typ raftpb.EntryType) *raftpb.Message {
		e := run(2, 11, 11)
		e[0].Type = typ.Enum()
		return app(2, 10, 2, 0, e...)
	}
	first := run(0, 1, 1)
	vetted(t, []vetCase{
		{"behind the last index there may be", app(2, maxTerm-1, 2, 0), true},
		{"behind one beyond", app(2, maxTerm, 2, 0), false},
		{"behind an entry of the future", app(2, 10, 3, 0), false},
		{"in order", app(2, 10, 2, 0, run(2, 11, 13)...), true},
		{"with a gap", app(2, 10, 2, 0, append(run(2, 11, 11), run(2, 13, 13)...)...), false},
		{"of an older term than what they follow", app(2, 10, 2, 0, run(1, 11, 11)...), false},
		{"of falling terms", app(3, 10, 2, 0, append(run(3, 11, 11), run(2, 12, 12)...)...), false},
		{"of rising terms", app(3, 10, 2, 0, append(run(2, 11, 11), run(3, 12, 12)...)...), true},
		{"of a term to come", app(2, 10, 2, 0, run(3, 11, 11)...), false},
		{"of no term", app(2, 0, 0, 0, first...), false},
		{"a joint change", typed(raftpb.EntryConfChangeV2), true},
		{"of no type", typed(99), false},
	})
}

func TestVetSnapshot(t *testing.T) {
	snap := func(index, term uint64, cs *raftpb.ConfState) *raftpb.Message {
		return from2(raftpb.MsgSnap, func(m *raftpb.Message) {
			m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(index), Term: new(term), ConfState: cs}}
		})
	}
	joint := conf123()
	joint.AutoLeave = new(true)
	vetted(t, []vetCase{
		{"right", snap(20, 2, conf123(4)), true},
		{"of an older term", snap(20, 1, conf123()), true},
		{"at no index", snap(0, 2, conf123()), false},
		{"at an index beyond", snap(maxTerm, 2, conf123()), false},
		{"of no term", snap(20, 0, conf123()), false},
		{"of a term to come", snap(20, 3, conf123()), false},
		{"without voters", snap(20, 2, confOf(nil, []uint64{4})), false},
		{"without a configuration", snap(20, 2, nil), false},
		{"of nobody", snap(20, 2, confOf([]uint64{1, 0}, nil)), false},
		{"of a disk", snap(20, 2, confOf([]uint64{1, raft.LocalApplyThread}, nil)), false},
		{"of one who votes and learns", snap(20, 2, confOf([]uint64{1, 2}, []uint64{2})), false},
		{"of one who votes twice", snap(20, 2, confOf([]uint64{1, 1, 2}, nil)), false},
		{"that leaves a state it is not in", snap(20, 2, joint), false},
	})
	n, _ := follower(t)
	if err := n.Receive(snap(maxTerm-1, 2, conf123())); err != nil {
		t.Errorf("at the last index there may be: %v", err)
	}
}

// TestVetAsLeader: what only a leader takes.
func TestVetAsLeader(t *testing.T) {
	fresh := booted(t, conf123())
	fresh.Campaign()
	ready(fresh, &Output{})
	receive(t, fresh, from2(raftpb.MsgVoteResp, nil))
	receive(t, fresh, from2(raftpb.MsgTransferLeader, nil)) // in the same batch
	n, _ := leading(t, conf123())
	if err := n.Receive(from2(raftpb.MsgTransferLeader, func(m *raftpb.Message) { m.Term = new(uint64(1)) })); err == nil {
		t.Error("a transfer of another term is taken")
	}
	receive(t, n, from2(raftpb.MsgTransferLeader, nil))
	if s := n.Status(); s.Transferee != 2 || s.Rejected != 1 {
		t.Errorf("transferee %d, %d rejected", s.Transferee, s.Rejected)
	}
}

// TestLearnerAsksALoneLeader: the only voter would answer at once, also before it has committed in its term; asked by
// a learner it has to be silent until then.
func TestLearnerAsksALoneLeader(t *testing.T) {
	n, out := booted(t, confOf([]uint64{1}, []uint64{2})), &Output{}
	n.Campaign()
	n.Ready(out)
	forward := func(m *raftpb.Message) { m.Term, m.Entries = nil, []*raftpb.Entry{{Data: []byte("12345678")}} }
	ask, propose := from2(raftpb.MsgReadIndex, forward), from2(raftpb.MsgProp, forward)
	for range 3 { // its vote, its leadership, its first entry
		if n.IsLeader() && n.commitTerm != n.term {
			if err := n.Receive(ask); !errors.Is(err, ErrBadMessage) {
				t.Errorf("asked before anything is committed: %v", err)
			}
			receive(t, n, propose)
		}
		ready(n, out)
		n.Ready(out)
	}
	if n.Status().Rejected == 0 {
		t.Fatal("it was never asked too early")
	}
	receive(t, n, ask)
	answered := false
	n.Ready(out)
	for _, s := range out.Sends {
		answered = answered || s.Message.GetType() == raftpb.MsgReadIndexResp && s.To == 2
	}
	if !answered {
		t.Error("no answer to the learner")
	}
}

// TestReadByALearner: what one learner asks another is passed on to the only voter.
func TestReadByALearner(t *testing.T) {
	n, out := booted(t, confOf([]uint64{2}, []uint64{1, 3})), &Output{}
	receive(t, n, heartbeat(2, 10))
	receive(t, n, from2(raftpb.MsgReadIndex, func(m *raftpb.Message) {
		m.From, m.Term, m.Entries = new(uint64(3)), nil, []*raftpb.Entry{{Data: []byte("12345678")}}
	}))
	if asked := questions(n, out); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestDroppedProposal: what raft drops for want of a leader is no bad message.
func TestDroppedProposal(t *testing.T) {
	n := booted(t, conf123())
	err := n.Receive(from2(raftpb.MsgProp, func(m *raftpb.Message) { m.Term, m.Entries = nil, []*raftpb.Entry{{}} }))
	if !errors.Is(err, ErrProposalDropped) || errors.Is(err, ErrBadMessage) || n.Status().Rejected != 0 {
		t.Errorf("%v, %d rejected", err, n.Status().Rejected)
	}
	if err := n.ProposeConfChange(changeOf(t, 4)); !errors.Is(err, ErrProposalDropped) {
		t.Errorf("a change without a leader: %v", err)
	}
	if err := n.Propose(nil); err != nil {
		t.Errorf("nothing is proposed: %v", err)
	}
}

func changeOf(t *testing.T, node uint64) []byte {
	data, err := proto.Marshal(&raftpb.ConfChange{NodeId: new(node)})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestShorterBySnapshot: as TestShorterLog, by a snapshot.
func TestShorterBySnapshot(t *testing.T) {
	n, _ := follower(t, run(2, 4, 40)...)
	n.Status()
	receive(t, n, from2(raftpb.MsgSnap, func(m *raftpb.Message) {
		m.Term = new(uint64(3))
		m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: new(uint64(20)), Term: new(uint64(3)), ConfState: conf123(),
		}}
	}))
	if err := n.Receive(heartbeat(3, 30)); !errors.Is(err, ErrBadMessage) {
		t.Errorf("commit 30 of a log that ends at 20: %v", err)
	}
}
