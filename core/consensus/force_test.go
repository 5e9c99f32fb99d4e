package consensus

import (
	"fmt"
	"slices"
	"strings"
	"testing"

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
