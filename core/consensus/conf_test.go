package consensus

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

const (
	add        = raftpb.ConfChangeAddNode
	addLearner = raftpb.ConfChangeAddLearnerNode
	remove     = raftpb.ConfChangeRemoveNode
	update     = raftpb.ConfChangeUpdateNode
)

type step struct {
	typ raftpb.ConfChangeType
	id  uint64
}

func confOf(voters, learners []uint64) *raftpb.ConfState {
	return &raftpb.ConfState{Voters: voters, Learners: learners}
}

// TestBootComparesLogAndStore: what the log says of the members, from its mark on, and what the members bucket says.
func TestBootComparesLogAndStore(t *testing.T) {
	one, three := []uint64{1}, []uint64{1, 2, 3}
	for _, c := range []struct {
		name    string
		mark    *raftpb.ConfState // at index 10; nil: a record of an old etcd
		steps   []step            // at 11, 12 ...
		applied uint64
		members *raftpb.ConfState
		ok      bool
	}{
		{"nothing has changed", confOf(three, nil), nil, 10, confOf([]uint64{3, 2, 1}, nil), true},
		{"restored as three, store of one", confOf(three, nil), nil, 10, confOf(one, nil), false},
		{"restored as one, store of three", confOf(one, nil), nil, 10, confOf(three, nil), false},
		{"a learner that the store holds for a voter", confOf(one, []uint64{4}), nil, 10, confOf([]uint64{1, 4}, nil), false},
		{"a voter is added", confOf(one, nil), []step{{add, 2}}, 11, confOf([]uint64{1, 2}, nil), true},
		{"a voter was refused", confOf(one, nil), []step{{add, 2}}, 11, confOf(one, nil), true},
		{"a voter from nowhere", confOf(one, nil), []step{{add, 2}}, 11, confOf([]uint64{1, 3}, nil), false},
		{"a change that is not applied yet", confOf(one, nil), []step{{add, 2}}, 10, confOf(one, nil), true},
		{"a change that is not applied yet, in the store", confOf(one, nil), []step{{add, 2}}, 10,
			confOf([]uint64{1, 2}, nil), false},
		{"a learner is promoted", confOf(one, nil), []step{{addLearner, 4}, {add, 4}}, 12, confOf([]uint64{1, 4}, nil), true},
		{"a learner waits", confOf(one, nil), []step{{addLearner, 4}, {update, 4}}, 12, confOf(one, []uint64{4}), true},
		{"a member is removed", confOf(three, nil), []step{{remove, 3}}, 11, confOf([]uint64{1, 2}, nil), true},
		{"a removed member stays", confOf(three, nil), []step{{remove, 3}}, 11, confOf(three, nil), false},
		{"the last voter is not removed", confOf(one, nil), []step{{remove, 1}}, 11, confOf(one, nil), true},
		{"removed and never again", confOf(three, nil), []step{{remove, 3}, {add, 3}}, 12, confOf([]uint64{1, 2}, nil), true},
		{"a record without a configuration", nil, []step{{add, 2}}, 11, confOf([]uint64{1, 2}, nil), true},
		{"a learner of the mark", confOf(one, []uint64{4}), nil, 10, confOf(one, []uint64{4}), true},
		{"a learner of the mark is gone", confOf(one, []uint64{4}), nil, 10, confOf(one, nil), false},
		{"no voters anywhere", nil, nil, 10, confOf(nil, nil), false},
		{"an empty store behind a mark", confOf(three, nil), nil, 10, confOf(nil, nil), false},
	} {
		var entries []*raftpb.Entry
		for i, s := range c.steps {
			data, err := proto.Marshal(&raftpb.ConfChange{Type: s.typ.Enum(), NodeId: new(s.id)})
			if err != nil {
				t.Fatal(err)
			}
			e := run(1, 11+uint64(i), 11+uint64(i))[0]
			e.Type, e.Data = raftpb.EntryConfChange.Enum(), data
			entries = append(entries, e)
		}
		n, err := New(Config{ID: 1}, Boot{
			Snapshot: &pb.WALSnapshot{Index: new(uint64(10)), Term: new(uint64(1)), ConfState: c.mark},
			Entries:  entries, Applied: c.applied, ConfState: c.members,
		})
		switch {
		case c.ok && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.ok && !slices.Equal(slices.Sorted(slices.Values(n.Voters())), slices.Sorted(slices.Values(c.members.Voters))):
			t.Errorf("%s: voters %v", c.name, n.Voters())
		case !c.ok && (!errors.Is(err, ErrMembersDisagree) || !strings.Contains(err.Error(), "members bucket")):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestBootRefusesChanges that the store says it has applied and that nobody can.
func TestBootRefusesChanges(t *testing.T) {
	change := func(typ raftpb.EntryType, data []byte) Boot {
		e := run(1, 11, 11)
		e[0].Type, e[0].Data = typ.Enum(), data
		return Boot{
			Snapshot: &pb.WALSnapshot{Index: new(uint64(10)), Term: new(uint64(1)), ConfState: confOf([]uint64{1}, nil)},
			Entries:  e, Applied: 11, ConfState: confOf([]uint64{1}, nil),
		}
	}
	badMark := change(raftpb.EntryNormal, nil)
	badMark.Snapshot.ConfState = confOf([]uint64{1, 0}, nil)
	ahead := change(raftpb.EntryConfChangeV2, nil)
	ahead.Applied = 10
	for _, c := range []struct {
		name string
		boot Boot
		want string
	}{
		{"one that cannot be decoded", change(raftpb.EntryConfChange, []byte{0xff}), "cannot be decoded"},
		{"a joint one", change(raftpb.EntryConfChangeV2, nil), "cannot have applied"},
		{"a mark of nobody", badMark, "has member 0"},
		{"none", change(raftpb.EntryNormal, nil), ""},
		{"a joint one to come", ahead, ""},
	} {
		_, err := New(Config{ID: 1}, c.boot)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// At the first index of a log without a mark there is no record that could be without a configuration.
	first := &pb.WALSnapshot{Index: new(uint64(1)), Term: new(uint64(1))}
	if _, err := New(Config{ID: 1}, Boot{Snapshot: first, Applied: 1}); err == nil {
		t.Error("a mark without voters anywhere is taken")
	}
}

// TestCheckConf: raft takes no configuration without voters, and no change that leaves none.
func TestCheckConf(t *testing.T) {
	if err := checkConf(confOf(nil, []uint64{4})); err == nil {
		t.Error("learners alone are taken")
	}
	for _, c := range []struct {
		cs  *raftpb.ConfState
		typ raftpb.ConfChangeType
		ok  bool
	}{
		{conf123(), remove, true}, {confOf([]uint64{1}, nil), remove, false}, {confOf([]uint64{2}, []uint64{2}), add, false},
	} {
		cc := &raftpb.ConfChange{Type: c.typ.Enum(), NodeId: new(uint64(1))}
		if err := checkChange(c.cs, cc); (err == nil) != c.ok {
			t.Errorf("%v of 1 to %s: %v", c.typ, confText(c.cs), err)
		}
	}
}
