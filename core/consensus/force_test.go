package consensus

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// TestAlone: what follows what is committed is dropped, the others are removed, and the member can vote.
func TestAlone(t *testing.T) {
	entry := func(index, term uint64, cc *raftpb.ConfChange) *raftpb.Entry {
		e := &raftpb.Entry{Index: new(index), Term: new(term)}
		if cc != nil {
			data, err := proto.Marshal(cc)
			if err != nil {
				t.Fatal(err)
			}
			e.Type, e.Data = raftpb.EntryConfChange.Enum(), data
		}
		return e
	}
	remove3 := &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(uint64(3))}
	learner4 := &raftpb.ConfChange{Type: raftpb.ConfChangeAddLearnerNode.Enum(), NodeId: new(uint64(4))}
	add := func(id uint64) *raftpb.ConfChange { return &raftpb.ConfChange{NodeId: new(id)} }
	boot := Boot{
		HardState: &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(9)), Commit: new(uint64(5))}, Applied: 4,
		ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
		Entries: []*raftpb.Entry{
			entry(1, 1, add(1)), entry(2, 1, add(2)), entry(3, 1, add(3)), entry(4, 2, nil),
			entry(5, 2, learner4), entry(6, 2, remove3),
		},
	}
	for _, c := range []struct {
		self   uint64
		commit uint64
		want   string
	}{
		{1, 5, "6 remove 2, 7 remove 3, 8 remove 4"},
		{1, 6, "7 remove 2, 8 remove 4"},
		{4, 5, "6 add 4 promote, 7 remove 1, 8 remove 2, 9 remove 3"},
		{8, 6, "7 add 8 add, 8 remove 1, 9 remove 2, 10 remove 4"},
	} {
		b := boot
		b.HardState = &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(9)), Commit: new(c.commit)}
		before := slices.Clone(b.Entries)
		got, made, hard, err := b.Alone(c.self, []byte("add"), []byte("promote"))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, e := range made {
			cc := &raftpb.ConfChange{}
			if err := proto.Unmarshal(e.GetData(), cc); err != nil || e.GetTerm() != 2 {
				t.Errorf("%v %v", e, err)
			}
			what := map[raftpb.ConfChangeType]string{raftpb.ConfChangeAddNode: "add", raftpb.ConfChangeRemoveNode: "remove"}
			said = append(said, strings.TrimSpace(fmt.Sprintf("%d %s %d %s", e.GetIndex(), what[cc.GetType()], cc.GetNodeId(),
				cc.GetContext())))
		}
		if text := strings.Join(said, ", "); text != c.want {
			t.Errorf("%d alone with %d committed: %s, want %s", c.self, c.commit, text, c.want)
		}
		last := got.Entries[len(got.Entries)-1].GetIndex()
		if hard.GetCommit() != last || hard.GetVote() != 9 || got.HardState != hard || !slices.Equal(before, boot.Entries) {
			t.Errorf("committed %d of %d, vote %d", hard.GetCommit(), last, hard.GetVote())
		}
		if _, err := New(Config{ID: c.self}, got); err != nil {
			t.Errorf("the log of a lone member is refused: %v", err)
		}
	}
}

// TestAloneKeeps what is committed or applied, drops all behind it, and lives in the newest term that it has seen: the
// vote of an older one does not count there.
func TestAloneKeeps(t *testing.T) {
	hard := func(term, commit uint64) *raftpb.HardState {
		return &raftpb.HardState{Term: new(term), Vote: new(uint64(9)), Commit: new(commit)}
	}
	record := &pb.WALSnapshot{Index: new(uint64(10)), Term: new(uint64(3)), ConfState: conf123()}
	for _, c := range []struct {
		name             string
		boot             Boot
		kept, term, vote uint64
	}{
		{"several are not committed", Boot{HardState: hard(4, 12), Applied: 11, Entries: run(3, 11, 16)}, 2, 4, 9},
		{"the store knows more", Boot{HardState: hard(3, 11), Applied: 13, Entries: run(3, 11, 16)}, 3, 3, 9},
		{"all are committed", Boot{HardState: hard(3, 16), Applied: 13, Entries: run(3, 11, 16)}, 6, 3, 9},
		{"the last entry is of a later term", Boot{
			HardState: hard(3, 12), Applied: 11, Entries: append(run(3, 11, 11), run(5, 12, 14)...),
		}, 2, 5, 0},
		{"one entry is kept", Boot{HardState: hard(3, 11), Applied: 11, Entries: run(5, 11, 12)}, 1, 5, 0},
		{"no entry is kept", Boot{HardState: hard(2, 10), Applied: 10, Entries: run(7, 11, 11)}, 0, 3, 0},
		{"no entry is there", Boot{HardState: hard(3, 10), Applied: 10}, 0, 3, 9},
	} {
		c.boot.Snapshot, c.boot.ConfState = record, conf123()
		got, made, state, err := c.boot.Alone(1, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(made) != 2 || uint64(len(got.Entries)) != c.kept+2 {
			t.Errorf("%s: %d entries of which %d are new, want %d and 2", c.name, len(got.Entries), len(made), c.kept+2)
		}
		for i, e := range made {
			if want := 11 + c.kept + uint64(i); e.GetIndex() != want || e.GetTerm() != c.term {
				t.Errorf("%s: (index %d, term %d), want (%d, %d)", c.name, e.GetIndex(), e.GetTerm(), want, c.term)
			}
		}
		if state.GetTerm() != c.term || state.GetVote() != c.vote || state.GetCommit() != 12+c.kept {
			t.Errorf("%s: hard state %v, want term %d, vote %d", c.name, state, c.term, c.vote)
		}
		if _, err := New(Config{ID: 1}, got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestAloneReadsChanges that the store has not applied, and those only: what it has applied it may have refused. One
// that cannot be read is an error.
func TestAloneReadsChanges(t *testing.T) {
	es := run(1, 11, 14)
	es[0].Type, es[0].Data = raftpb.EntryConfChange.Enum(), changeOf(t, 7)
	es[1].Data = []byte("no change")
	es[2].Type, es[2].Data = raftpb.EntryConfChange.Enum(), changeOf(t, 8)
	boot := Boot{
		HardState: &raftpb.HardState{Term: new(uint64(1)), Commit: new(uint64(14))}, Applied: 11, Entries: es,
		Snapshot:  &pb.WALSnapshot{Index: new(uint64(10)), Term: new(uint64(1)), ConfState: confOf([]uint64{1}, nil)},
		ConfState: confOf([]uint64{1}, nil),
	}
	_, made, _, err := boot.Alone(1, nil, nil)
	if err != nil || len(made) != 1 {
		t.Fatalf("%d changes, %v", len(made), err)
	}
	cc := &raftpb.ConfChange{}
	if err := proto.Unmarshal(made[0].GetData(), cc); err != nil || cc.GetNodeId() != 8 {
		t.Errorf("%v, %v", cc, err)
	}
	es[2].Data = []byte("no change")
	_, made, _, err = boot.Alone(1, nil, nil)
	if err == nil || made != nil || !strings.Contains(err.Error(), "index 13") {
		t.Errorf("%d changes, %v", len(made), err)
	}
}
