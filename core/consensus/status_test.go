package consensus

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// TestLeads: whether a node leads a term now, which it knows before it is asked what it wants.
func TestLeads(t *testing.T) {
	f, _ := follower(t)
	n := booted(t, conf123())
	n.Campaign()
	ready(n, &Output{})
	if f.Leads(2) || n.Leads(2) {
		t.Errorf("a follower leads: %v, a candidate: %v", f.Leads(2), n.Leads(2))
	}
	receive(t, n, from2(raftpb.MsgVoteResp, nil))
	if !n.Leads(2) || n.Leads(1) || n.Leads(3) {
		t.Errorf("as leader of term 2 it leads 1: %v, 2: %v, 3: %v", n.Leads(1), n.Leads(2), n.Leads(3))
	}
	receive(t, n, heartbeat(3, 10))
	if n.Leads(2) || n.Leads(3) {
		t.Errorf("under another leader it leads 2: %v, 3: %v", n.Leads(2), n.Leads(3))
	}
}

// TestMatches: how far a member's log is a leader's, and where that ends.
func TestMatches(t *testing.T) {
	n, _ := leading(t, conf123())
	for _, c := range []struct {
		id, match, own uint64
		ok             bool
	}{{1, 11, 11, true}, {2, 0, 11, true}, {9, 0, 11, false}} {
		if match, own, ok := n.Matches(c.id); match != c.match || own != c.own || ok != c.ok {
			t.Errorf("%d: %d of %d, %v, want %+v", c.id, match, own, ok, c)
		}
	}
	receive(t, n, acked(2, 11))
	if match, own, ok := n.Matches(2); match != 11 || own != 11 || !ok {
		t.Errorf("after an answer %d of %d, %v", match, own, ok)
	}
	f, _ := follower(t)
	if match, own, ok := f.Matches(2); match != 0 || own != 0 || ok {
		t.Errorf("a follower has matches: %d of %d, %v", match, own, ok)
	}
	n = booted(t, conf123())
	n.Campaign()
	ready(n, &Output{})
	receive(t, n, from2(raftpb.MsgVoteResp, nil)) // it leads, and has not been asked yet
	if _, _, ok := n.Matches(2); !ok {
		t.Error("a new leader has no matches")
	}
}

// TestKept: what of the log is in memory and on disk.
func TestKept(t *testing.T) {
	n := booted(t, conf123())
	n.log.append(run(1, 11, 15))
	for _, c := range []struct {
		from  uint64
		limit int
		first uint64 // 0 = none
		count int
	}{
		{11, 9, 11, 5}, {11, 5, 11, 5}, {11, 2, 11, 2}, {0, 2, 11, 2}, {10, 1, 11, 1}, {13, 9, 13, 3}, {15, 9, 15, 1},
		{16, 9, 0, 0}, {99, 9, 0, 0}, {11, 0, 0, 0}, {11, -1, 0, 0},
	} {
		es := n.Kept(c.from, c.limit)
		if len(es) != c.count || c.count > 0 && es[0].GetIndex() != c.first {
			t.Errorf("from %d at most %d: %d entries, %v", c.from, c.limit, len(es), es)
		}
	}
	if f, _ := follower(t, run(2, 4, 6)...); len(f.Kept(1, 9)) != 3 {
		t.Errorf("%d entries, of which three are not on disk yet", len(f.Kept(1, 9))+3)
	}
}
