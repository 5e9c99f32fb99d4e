package consensus

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// picture is what a trace says of the others' progress: a view of the trace has nothing else to go by.
type picture struct {
	of       map[uint64]string
	said     []string // since it was read
	again    []string // what had been said already
	strange  []string // what none who leads has said
	ignored  []uint64 // who asked for votes in vain
	isLeader bool
}

// Emit implements trace.Sink.
func (p *picture) Emit(e *trace.Event) {
	switch e.Kind {
	case trace.RoleChanged:
		p.isLeader, p.of = raft.StateType(e.A) == raft.StateLeader, map[uint64]string{}
	case trace.VoteIgnored:
		p.ignored = append(p.ignored, e.Peer)
	case trace.ProgressChanged:
		text := fmt.Sprintf("match %d next %d bits %#x pending %d", e.Index, e.A, e.B, e.C)
		p.said = append(p.said, fmt.Sprint(e.Peer, " ", text))
		if p.of[e.Peer] == text {
			p.again = append(p.again, p.said[len(p.said)-1])
		}
		if !p.isLeader {
			p.strange = append(p.strange, p.said[len(p.said)-1])
		}
		p.of[e.Peer] = text
	case trace.ConfChanged:
		if raftpb.ConfChangeType(e.A) == raftpb.ConfChangeRemoveNode {
			delete(p.of, e.Peer)
		}
	}
}

// right tells where the picture differs from what raft knows, of a node that has been asked what it wants.
func (p *picture) right(n *Node) error {
	if p.isLeader != n.IsLeader() {
		return fmt.Errorf("%d leads: %v, in the picture %v", n.cfg.ID, n.IsLeader(), p.isLeader)
	}
	if len(p.strange) > 0 {
		return fmt.Errorf("%d does not lead and knows %v", n.cfg.ID, p.strange)
	}
	if !n.IsLeader() {
		return nil
	}
	for _, pr := range n.progress(nil) {
		if pr.ID == n.cfg.ID {
			continue
		}
		bits := uint64(pr.State)
		if pr.Paused {
			bits |= trace.ProgressPaused
		}
		if pr.Active {
			bits |= trace.ProgressActive
		}
		if pr.Learner {
			bits |= trace.ProgressLearner
		}
		want := fmt.Sprintf("match %d next %d bits %#x pending %d", pr.Match, pr.Next, bits, pr.PendingSnapshot)
		if got := p.of[pr.ID]; got != want {
			return fmt.Errorf("of %d leader %d knows %s, in the picture is %q", pr.ID, n.cfg.ID, want, got)
		}
	}
	return nil
}

// pictured is a leader of term 2 of a cluster whose trace becomes a picture.
func pictured(t *testing.T, conf *raftpb.ConfState) (*Node, *Output, *picture) {
	t.Helper()
	p := &picture{of: map[uint64]string{}}
	n, out := leadingTold(t, conf, trace.NewTracer(trace.NewStream(p), 1))
	return n, out, p
}

// TestProgressIsTold as it changes, whatever has changed it, and once.
func TestProgressIsTold(t *testing.T) {
	reject := acked(2, 12)
	reject.Reject, reject.RejectHint, reject.LogTerm = new(true), new(uint64(11)), new(uint64(2))
	lacks := acked(3, 10)
	lacks.Reject, lacks.RejectHint = new(true), new(uint64(0))
	answer := func(id uint64) *raftpb.Message {
		return &raftpb.Message{Type: raftpb.MsgHeartbeatResp.Enum(), From: new(id), To: new(uint64(1)), Term: new(uint64(2))}
	}
	hear := func(m *raftpb.Message) func(n *Node) {
		return func(n *Node) { receive(t, n, m) }
	}
	propose := func(n *Node) {
		if err := n.Propose([][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	n, out, p := pictured(t, confOf([]uint64{1, 2, 3}, []uint64{5}))
	for _, c := range []struct {
		name string
		do   func(n *Node)
		told string // who
	}{
		{"nothing yet", func(*Node) {}, ""},
		{"an answer", hear(acked(2, 11)), "2"},
		{"the same again", hear(acked(2, 11)), ""},
		{"another's heartbeat", hear(answer(3)), "3"},
		{"the learner's", hear(answer(5)), "5"},
		{"a heartbeat that says nothing new", hear(answer(2)), ""},
		{"an entry is sent to who takes it", propose, "2"},
		{"a rejection", hear(reject), "2"},
		{"it has come", hear(acked(2, 12)), "2"},
		{"who lacks everything gets a snapshot", hear(lacks), "3"},
		{"who cannot be reached is probed", func(n *Node) { n.Unreachable(2) }, "2"},
		{"a stranger cannot", func(n *Node) { n.Unreachable(9) }, ""},
		{"it answers", hear(acked(2, 12)), "2"},
		{"it cannot be reached again", func(n *Node) { n.Unreachable(2) }, "2"},
		{"a snapshot that has come", func(n *Node) { n.SnapshotStatus(3, true) }, "3"},
		{"a stranger's", func(n *Node) { n.SnapshotStatus(9, true) }, ""},
		{"an entry for who is probed", propose, "2"},
		{"it is sent once more", hear(answer(2)), ""},
		{"a new member", func(n *Node) {
			n.changeConf(12, &raftpb.ConfChange{NodeId: new(uint64(4))})
		}, "4 5"},
		{"a member goes", func(n *Node) {
			n.changeConf(13, &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(uint64(4))})
		}, "5"},
		{"nobody is heard for long", func(n *Node) {
			for range 2 * n.cfg.ElectionTicks {
				n.Tick()
				n.Ready(out)
			}
		}, "2 3 5"},
	} {
		p.said, p.again = nil, nil
		c.do(n)
		n.Ready(out)
		who := map[string]bool{}
		for _, s := range p.said {
			id, _, _ := strings.Cut(s, " ")
			who[id] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(who)), " "); got != c.told {
			t.Errorf("%s: told of %q, want %q: %v", c.name, got, c.told, p.said)
		}
		if err := p.right(n); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(p.again) > 0 && len(n.ids) == 4 && c.name != "a member goes" {
			t.Errorf("%s: told again %v", c.name, p.again)
		}
	}
	if n.IsLeader() {
		t.Error("nobody was heard, and it leads")
	}
	if s := n.Status(); s.Progress != nil {
		t.Errorf("a follower has progress %+v", s.Progress)
	}
}

// TestSnapshotIsTold: who cannot be reached for a while lacks what the log has no more, and the next entry shows it.
func TestSnapshotIsTold(t *testing.T) {
	n, out, p := pictured(t, conf123())
	propose := func() {
		t.Helper()
		if err := n.Propose([][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
		ready(n, out)
	}
	receive(t, n, acked(2, 11))
	propose()
	receive(t, n, acked(3, 12))
	ready(n, out)
	n.Applied(out.Applies[len(out.Applies)-1].Ticket, 12, nil)
	n.log.compact(12)
	n.Unreachable(3)
	propose() // 3 is sent it, and nothing more before it answers
	n.Unreachable(2)
	n.Ready(out)
	p.said = nil
	propose()
	if err := p.right(n); err != nil {
		t.Error(err)
	}
	if !n.snapshotting() || !slices.ContainsFunc(p.said, func(s string) bool {
		return strings.HasPrefix(s, "2 ") && strings.HasSuffix(s, " pending 12")
	}) {
		t.Errorf("told %v", p.said)
	}
}

// TestHeartbeatsAreTold: of the answers to heartbeats those that change something, also where nothing is sent to
// whoever answers.
func TestHeartbeatsAreTold(t *testing.T) {
	n, out, p := pictured(t, conf123())
	answer := func(id uint64) {
		t.Helper()
		m := from2(raftpb.MsgHeartbeatResp, func(m *raftpb.Message) { m.From = new(id) })
		receive(t, n, m)
		ready(n, out)
		if err := p.right(n); err != nil {
			t.Error(err)
		}
	}
	receive(t, n, acked(2, 11))
	receive(t, n, acked(3, 11))
	ready(n, out)
	for range n.cfg.ElectionTicks { // it looks who was heard, and begins to count anew
		n.Tick()
		ready(n, out)
	}
	if s := n.Status(); !n.IsLeader() || s.Progress[1].Active || s.Progress[2].Active {
		t.Fatalf("leads %v, progress %+v", n.IsLeader(), s.Progress)
	}
	answer(2)
	answer(3)
}

// TestProgressIsToldAnew by a leader of another term, and of a member that comes again, even if the figures are those
// that were told last.
func TestProgressIsToldAnew(t *testing.T) {
	p := &picture{of: map[uint64]string{}}
	n, out := bootedTold(t, conf123(), trace.NewTracer(trace.NewStream(p), 1)), &Output{}
	var first map[uint64]string
	for term := uint64(2); term <= 4; term += 2 {
		prev := uint64(1)
		receive(t, n, from2(raftpb.MsgApp, func(m *raftpb.Message) {
			m.Term, m.Index, m.LogTerm, m.Entries = new(term), new(uint64(10)), new(prev), run(term, 11, 12)
		}))
		ready(n, out)
		n.Campaign()
		ready(n, out)
		receive(t, n, from2(raftpb.MsgVoteResp, func(m *raftpb.Message) { m.Term = new(term + 1) }))
		ready(n, out)
		if err := p.right(n); err != nil || !n.IsLeader() || n.Term() != term+1 {
			t.Fatalf("%v, leads %v in term %d", err, n.IsLeader(), n.Term())
		}
		if first == nil {
			first = maps.Clone(p.of)
		}
	}
	if !maps.Equal(first, p.of) {
		t.Errorf("the figures are others: %v, before %v", p.of, first)
	}
	for _, typ := range []raftpb.ConfChangeType{
		raftpb.ConfChangeAddNode, raftpb.ConfChangeRemoveNode, raftpb.ConfChangeAddNode,
	} {
		n.changeConf(11, &raftpb.ConfChange{Type: typ.Enum(), NodeId: new(uint64(4))})
		n.Ready(out)
		if err := p.right(n); err != nil {
			t.Error(err)
		}
	}
}

// TestIgnoredVotes: a candidate is told of in vain while the leader's lease lasts, whichever of the two questions it
// asks, and nobody else.
func TestIgnoredVotes(t *testing.T) {
	for _, typ := range []raftpb.MessageType{raftpb.MsgVote, raftpb.MsgPreVote, raftpb.MsgHeartbeat} {
		n, _ := follower(t)
		p := &picture{of: map[uint64]string{}}
		n.t = trace.NewTracer(trace.NewStream(p), 1)
		n.Status()
		m := from2(typ, func(m *raftpb.Message) {
			m.From, m.Term, m.Index, m.LogTerm = new(uint64(3)), new(uint64(3)), new(uint64(3)), new(uint64(1))
		})
		if typ == raftpb.MsgHeartbeat {
			m = heartbeat(2, 3)
		}
		receive(t, n, m)
		if got := len(p.ignored) == 1 && p.ignored[0] == 3; got != (typ != raftpb.MsgHeartbeat) {
			t.Errorf("%s: ignored %v", typ, p.ignored)
		}
		n.Status()
		if n.Term() != 2 {
			t.Errorf("%s: term %d", typ, n.Term())
		}
	}
	n, _ := follower(t) // a candidate of the same term gets an answer
	p := &picture{of: map[uint64]string{}}
	n.t = trace.NewTracer(trace.NewStream(p), 1)
	n.Status()
	receive(t, n, from2(raftpb.MsgVote, func(m *raftpb.Message) { m.From = new(uint64(3)) }))
	if len(p.ignored) > 0 {
		t.Errorf("who is refused is ignored: %v", p.ignored)
	}
}
