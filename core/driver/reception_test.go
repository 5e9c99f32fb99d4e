package driver

import (
	"errors"
	"strings"
	"testing"

	"vitrine/core/consensus"
	"vitrine/core/membership"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// snapshotOf is a message with a snapshot.
func snapshotOf(from, term, index, at uint64, voters ...uint64) *raftpb.Message {
	return &raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), From: &from, To: new(uint64(1)), Term: &term,
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: &index, Term: &at,
			ConfState: &raftpb.ConfState{Voters: voters}}},
	}
}

// TestReception: one database at a time, which is wanted before it is read.
func TestReception(t *testing.T) {
	var r Reception
	s := Standing{Term: 5, Commit: 50, Members: membership.New(0), LimitBytes: 1000}
	for name, c := range map[string]struct {
		m        *raftpb.Message
		declared int64
		err      error
		text     string
	}{
		"of no index":    {snapshotOf(2, 5, 0, 4, 2), -1, nil, "no log has"},
		"of no term":     {snapshotOf(2, 5, 60, 0, 2), -1, nil, "no log has"},
		"of a later one": {snapshotOf(2, 5, 60, 6, 2), -1, nil, "no log has"},
		"of an old term": {snapshotOf(2, 4, 60, 4, 2), -1, nil, "is over"},
		"of a stranger":  {snapshotOf(2, 5, 60, 4, 3), -1, ErrStranger, ""},
		"too large":      {snapshotOf(2, 5, 60, 4, 2), 1001, ErrImageTooLarge, "1001"},
		"old":            {snapshotOf(2, 5, 50, 4, 2), -1, ErrCommitted, "stands at 50"},
	} {
		if err := r.Begin(c.m, c.declared, s); err == nil || c.err != nil && !errors.Is(err, c.err) ||
			!strings.Contains(err.Error(), c.text) || r.Busy() {
			t.Errorf("%s: %v, busy %v", name, err, r.Busy())
		}
	}
	m := snapshotOf(2, 5, 60, 4, 2)
	if err := r.Begin(m, 1000, s); err != nil || !r.Busy() {
		t.Fatalf("%v, busy %v", err, r.Busy())
	}
	if err := r.Begin(m, 1000, s); !errors.Is(err, ErrReceiving) {
		t.Errorf("the second: %v", err)
	}
	if r.Failed(); r.Busy() || r.Begin(m, -1, s) != nil {
		t.Error("one that failed is in the way of the next")
	}
	if got := r.Unwanted(nil); got != 0 {
		t.Errorf("%d is unwanted before it has arrived", got)
	}
	log := []consensus.LogWrite{{}, {Snapshot: m.Snapshot}}
	if r.Arrived(60); r.Unwanted(log) != 0 || r.Unwanted(nil) != 0 || !r.Busy() {
		t.Error("one that raft wants is unwanted, or over")
	}
	if r.Arrived(61); r.Unwanted(log) != 61 || r.Unwanted(nil) != 0 {
		t.Error("one that raft does not want is not told, or twice")
	}
	if r.End(); r.Busy() {
		t.Error("it does not end")
	}
}

// TestWhoMaySend a database: a member that is known, or a voter of the configuration that comes with it, also of the
// one that it leaves.
func TestWhoMaySend(t *testing.T) {
	l := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{}}
	l.start()
	known := l.started.State.Store.Members // 1
	for from, want := range map[uint64]error{1: nil, 2: nil, 3: nil, 4: ErrStranger, 5: ErrStranger} {
		m := snapshotOf(from, 5, 60, 4, 2)
		m.Snapshot.Metadata.ConfState.VotersOutgoing = []uint64{3}
		m.Snapshot.Metadata.ConfState.Learners = []uint64{4}
		var r Reception
		if err := r.Begin(m, -1, Standing{Term: 5, Members: known, LimitBytes: 1}); !errors.Is(err, want) {
			t.Errorf("from %d: %v, want %v", from, err, want)
		}
	}
}
