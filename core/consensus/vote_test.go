package consensus

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// TestVotesAreAskedForOnceDurable: a candidate whose disk does not know its
// term yet could lead that term twice (see holdRequests).
func TestVotesAreAskedForOnceDurable(t *testing.T) {
	entries, hs, err := Bootstrap([]Peer{{ID: 1}, {ID: 2}, {ID: 3}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{ID: 1, NoPreVote: true},
		Boot{HardState: hs, Entries: entries, Applied: 3, ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	var out Output
	n.Ready(&out)
	out = Output{}
	n.Campaign()
	n.Ready(&out)
	ticket := uint64(0)
	for _, w := range out.Log {
		if w.HardState.GetTerm() == 2 && w.HardState.GetVote() == 1 {
			ticket = w.Ticket
		}
	}
	if ticket == 0 {
		t.Fatalf("the candidate's term is not written: %+v", out.Log)
	}
	for _, s := range out.Sends {
		t.Errorf("%v leaves before the candidate's term is durable", s.Message.GetType())
	}
	out = Output{}
	n.LogDone(ticket)
	n.Ready(&out)
	asked := 0
	for _, s := range out.Sends {
		if s.Message.GetType() == raftpb.MsgVote && s.Message.GetTerm() == 2 {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("%d votes are asked for after the write, want 2: %+v", asked, out.Sends)
	}
}
