package consensus

import (
	"encoding/binary"
	"testing"
	"time"

	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// questions are the reads that the node asks another for.
func questions(n *Node, out *Output) (asked int) {
	for _, m := range drain(n, out) {
		if m.GetType() == raftpb.MsgReadIndex {
			asked++
		}
	}
	return asked
}

// TestReadWaitsForALeader: a question without a leader is put to the first one there is.
func TestReadWaitsForALeader(t *testing.T) {
	n, out := booted(t, conf123()), &Output{}
	if n.Reading() {
		t.Error("nobody reads, and a question is open")
	}
	batch := n.ReadIndex()
	if asked := questions(n, out); asked != 0 || !n.Reading() || n.ReadIndex() != 0 {
		t.Errorf("asked %d times without a leader; open %v", asked, n.Reading())
	}
	receive(t, n, heartbeat(2, 0))
	if asked := questions(n, out); asked != 1 || len(out.Reads) != 0 {
		t.Fatalf("asked %d times, answers %+v", asked, out.Reads)
	}
	if n.reads.first != batch {
		t.Errorf("asked as %x, the batch is %x", n.reads.first, batch)
	}
}

// TestReadAfterTheSameLeader: the leader is lost and found again; the question is put once more, not given up.
func TestReadAfterTheSameLeader(t *testing.T) {
	n, out := follower(t)
	n.ReadIndex()
	questions(n, out)
	for n.Leader() != 0 { // until its election timeout
		n.Tick()
		n.Ready(out)
	}
	receive(t, n, heartbeat(2, 0))
	if asked := questions(n, out); asked != 1 || len(out.Reads) != 0 || n.Leader() != 2 {
		t.Errorf("asked %d times, answers %+v", asked, out.Reads)
	}
}

// TestReadNotAsked: no old answer is one to a question that was not put yet.
func TestReadNotAsked(t *testing.T) {
	n, out := follower(t)
	old := n.ReadIndex()
	questions(n, out)
	n.DropRead()
	vote := from2(raftpb.MsgVote, func(m *raftpb.Message) { m.From, m.Term = new(uint64(3)), new(uint64(3)) })
	vote.Context = []byte("CampaignTransfer") // it may interrupt the leader
	receive(t, n, vote)
	n.Ready(out)
	if n.Leader() != 0 {
		t.Fatalf("%d leads", n.Leader())
	}
	n.ReadIndex()
	receive(t, n, from2(raftpb.MsgReadIndexResp, func(m *raftpb.Message) {
		m.Term, m.Index = new(uint64(3)), new(uint64(3))
		m.Entries = []*raftpb.Entry{{Data: binary.BigEndian.AppendUint64(nil, old)}}
	}))
	if n.Ready(out); len(out.Reads) != 0 {
		t.Errorf("answered %+v", out.Reads)
	}
}

// confirm is a follower's answer to a heartbeat with this context.
func confirm(ctx []byte) *raftpb.Message {
	return from2(raftpb.MsgHeartbeatResp, func(m *raftpb.Message) { m.Context = ctx })
}

// TestLeaderReads: a leader asks once when it has committed in its term, and not again for each commit.
func TestLeaderReads(t *testing.T) {
	n, out := leading(t, conf123())
	n.ReadIndex()
	heartbeats := func() (ctx []byte, count int) {
		for _, m := range drain(n, out) {
			if m.GetType() == raftpb.MsgHeartbeat && len(m.GetContext()) > 0 {
				ctx, count = m.GetContext(), count+1
			}
		}
		return ctx, count
	}
	if _, count := heartbeats(); count != 0 {
		t.Errorf("%d heartbeats for a read before the first commit", count)
	}
	receive(t, n, acked(2, 11))
	ctx, count := heartbeats()
	if count != 2 || len(ctx) != 8 {
		t.Fatalf("%d heartbeats, context %x", count, ctx)
	}
	if err := n.Propose([][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	ready(n, out)
	receive(t, n, acked(2, 12))
	if _, count := heartbeats(); count != 0 || n.Committed() != 12 {
		t.Errorf("%d heartbeats for a read that was asked already, commit %d", count, n.Committed())
	}
	beyond := binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(ctx)+1)
	if err := n.Receive(confirm(beyond)); err == nil {
		t.Error("a confirmation of what was not asked is taken")
	}
	receive(t, n, confirm(ctx))
	if n.Ready(out); len(out.Reads) != 1 || out.Reads[0].Index != 11 {
		t.Errorf("answers %+v", out.Reads)
	}
	// In a later term the count begins anew.
	receive(t, n, from2(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.Term = new(uint64(4)) }))
	n.Ready(out)
	late := confirm(ctx)
	late.Term = new(uint64(4))
	if err := n.Receive(late); err == nil {
		t.Error("a confirmation of an earlier term is taken for one of this")
	}
}

// TestReadRetry: asked again after ReadRetry, not before.
func TestReadRetry(t *testing.T) {
	n, out := follower(t)
	n.ReadIndex()
	questions(n, out)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{n.cfg.ReadRetry - 1, 0}, {n.cfg.ReadRetry, 1}, {2*n.cfg.ReadRetry - 1, 0}} {
		n.At(trace.Instant(c.after))
		n.Tick()
		if got := questions(n, out); got != c.want {
			t.Errorf("after %v: asked %d times, want %d", c.after, got, c.want)
		}
	}
}
