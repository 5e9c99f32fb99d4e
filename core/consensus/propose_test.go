package consensus

import (
	"errors"
	"slices"
	"testing"

	"vitrine/core/limits"

	"go.etcd.io/raft/v3/raftpb"
)

// TestConfChangesWait: a new leader takes no change of the members before all that it has found in its log is applied,
// since that may be one; a follower passes one on whatever it has not applied itself.
func TestConfChangesWait(t *testing.T) {
	change := changeOf(t, 4)
	passed := func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgProp && m.GetTo() == 2 }
	es := run(2, 4, 5)
	es[1].Type, es[1].Data = raftpb.EntryConfChange.Enum(), changeOf(t, 5)
	n, out := follower(t, es...)
	ready(n, out)
	if err := n.ProposeConfChange(change); err != nil || !slices.ContainsFunc(drain(n, out), passed) {
		t.Errorf("a follower with a change to apply: %v", err)
	}

	n, out = follower(t, run(2, 4, 5)...)
	receive(t, n, heartbeat(2, 5))
	ready(n, out)
	n.raw.ForgetLeader()
	n.Campaign()
	for range 4 { // the others answer both questions
		ready(n, out)
		for _, typ := range []raftpb.MessageType{raftpb.MsgPreVoteResp, raftpb.MsgVoteResp} {
			receive(t, n, from2(typ, func(m *raftpb.Message) { m.Term = new(uint64(3)) }))
		}
	}
	ready(n, out)
	if !n.IsLeader() || n.Term() != 3 {
		t.Fatalf("leads %v, term %d", n.IsLeader(), n.Term())
	}
	receive(t, n, from2(raftpb.MsgAppResp, func(m *raftpb.Message) { m.Term, m.Index = new(uint64(3)), new(uint64(6)) }))
	ready(n, out)
	if n.Committed() != 6 {
		t.Fatalf("committed up to %d", n.Committed())
	}
	found := 0
	for _, a := range out.Applies {
		last := a.Entries[len(a.Entries)-1].GetIndex()
		if last <= 3 || last > 5 {
			continue
		}
		if err := n.ProposeConfChange(change); !errors.Is(err, ErrProposalDropped) {
			t.Errorf("with %d of its log applied: %v", n.AppliedIndex(), err)
		}
		n.Applied(a.Ticket, last, nil)
		ready(n, out)
		found++
	}
	if err := n.ProposeConfChange(change); err != nil || n.AppliedIndex() != 5 || found == 0 {
		t.Errorf("with %d of its log applied: %v", n.AppliedIndex(), err)
	}
	if err := n.ProposeConfChange(change); !errors.Is(err, ErrProposalDropped) {
		t.Errorf("a second one: %v", err)
	}
}

// TestCheckedProposals: a leader asks whether members can apply what others pass on, and takes nothing else; names of
// reads are not asked about.
func TestCheckedProposals(t *testing.T) {
	n, _ := leading(t, conf123())
	var asked []string
	n.cfg.CheckProposal = func(e *raftpb.Entry) error {
		asked = append(asked, string(e.GetData()))
		if string(e.GetData()) == "bad" {
			return errors.New("bad")
		}
		return nil
	}
	forwarded := func(typ raftpb.MessageType, data ...string) *raftpb.Message {
		m := &raftpb.Message{Type: typ.Enum(), From: new(uint64(2)), To: new(uint64(1))}
		for _, d := range data {
			m.Entries = append(m.Entries, &raftpb.Entry{Data: []byte(d)})
		}
		return m
	}
	last := n.Status().Last
	receive(t, n, forwarded(raftpb.MsgProp, "good", "fine"))
	if got := n.Status().Last; got != last+2 {
		t.Errorf("the log ends at %d, want %d", got, last+2)
	}
	if err := n.Receive(forwarded(raftpb.MsgProp, "good", "bad")); !errors.Is(err, ErrBadMessage) {
		t.Errorf("what no member can apply: %v", err)
	}
	if got := n.Status().Last; got != last+2 {
		t.Errorf("the log ends at %d, want %d: a part of a bad message is in it", got, last+2)
	}
	receive(t, n, forwarded(raftpb.MsgReadIndex, "bad"))
	if want := []string{"good", "fine", "good", "bad"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %v, want %v", asked, want)
	}
}

// TestGreatest: what is as large as may be is taken.
func TestGreatest(t *testing.T) {
	n, _ := leading(t, conf123())
	receive(t, n, &raftpb.Message{
		Type: raftpb.MsgReadIndex.Enum(), From: new(uint64(2)), To: new(uint64(1)),
		Entries: []*raftpb.Entry{{Data: make([]byte, maxReadContext)}},
	})
	voters := make([]uint64, limits.MaxMembers)
	for i := range voters {
		voters[i] = uint64(i + 1)
	}
	f, _ := follower(t)
	receive(t, f, from2(raftpb.MsgSnap, func(m *raftpb.Message) {
		m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: new(uint64(20)), Term: new(uint64(2)), ConfState: confOf(voters, nil),
		}}
	}))
	if f.Status(); len(f.Voters()) != limits.MaxMembers {
		t.Errorf("%d voters", len(f.Voters()))
	}
}
