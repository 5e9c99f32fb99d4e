package consensus

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Alone makes what was found at boot the log of a member that is alone in its cluster, whoever else was there: entries
// that are not known to be committed are dropped, and committed ones follow that remove the others, and let the member
// vote if it did not. It returns what is to be written to the log before the member starts: entries in the place of
// what was dropped, and the hard state. add is the context of a change that adds the member, promote of one that
// promotes it.
//
// It is for disasters only: what others have committed beyond is lost, and if they live on there are two clusters.
func (b Boot) Alone(self uint64, add, promote []byte) (Boot, []*raftpb.Entry, *raftpb.HardState, error) {
	commit := max(b.HardState.GetCommit(), b.Applied)
	for i, e := range b.Entries {
		if e.GetIndex() > commit {
			b.Entries = b.Entries[:i:i]
			break
		}
	}
	members, err := b.everybody()
	if err != nil {
		return b, nil, nil, err
	}
	term := max(b.HardState.GetTerm(), b.Snapshot.GetTerm())
	if n := len(b.Entries); n > 0 {
		term = max(term, b.Entries[n-1].GetTerm())
	}
	var made []*raftpb.Entry
	propose := func(typ raftpb.ConfChangeType, id uint64, context []byte) error {
		data, err := proto.Marshal(&raftpb.ConfChange{Type: typ.Enum(), NodeId: new(id), Context: context})
		commit++
		made = append(made, &raftpb.Entry{
			Type: raftpb.EntryConfChange.Enum(), Term: new(term), Index: new(commit), Data: data,
		})
		return err
	}
	switch s := members[self]; {
	case s&voter != 0:
	case s&learner != 0:
		err = propose(raftpb.ConfChangeAddNode, self, promote)
	default:
		err = propose(raftpb.ConfChangeAddNode, self, add)
	}
	var others []uint64
	for id, s := range members {
		if id != self && s != absent {
			others = append(others, id)
		}
	}
	slices.Sort(others)
	for _, id := range others {
		if err == nil {
			err = propose(raftpb.ConfChangeRemoveNode, id, nil)
		}
	}
	if err != nil {
		return b, nil, nil, fmt.Errorf("consensus: %w", err)
	}
	b.Entries = slices.Concat(b.Entries, made)
	vote := b.HardState.GetVote()
	if term > b.HardState.GetTerm() {
		vote = 0
	}
	b.HardState = &raftpb.HardState{Term: new(term), Vote: new(vote), Commit: new(commit)}
	return b, made, b.HardState, nil
}

// everybody is what every node may be at the end of the log.
func (b Boot) everybody() (map[uint64]standing, error) {
	members := standings(b.ConfState)
	for _, e := range b.Entries {
		if e.GetType() != raftpb.EntryConfChange || e.GetIndex() <= b.Applied {
			continue
		}
		cc := &raftpb.ConfChange{}
		if err := proto.Unmarshal(e.GetData(), cc); err != nil {
			return nil, fmt.Errorf("consensus: the conf change at index %d cannot be decoded: %w", e.GetIndex(), err)
		}
		change(members, cc)
	}
	return members, nil
}
