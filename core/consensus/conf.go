package consensus

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// ErrMembersDisagree: the log and the store name different voters or learners, so one of them is not this member's.
var ErrMembersDisagree = errors.New("consensus: log and store disagree on the members")

// standing is what a node may be as far as the log tells: a set, since the store refuses some conf changes by rules
// that are not raft's (a peer URL that is taken, an id that was removed), and the log does not say which.
type standing uint8

const (
	absent standing = 1 << iota
	learner
	voter
)

// conf is the configuration that raft starts with: the one of the snapshot record, followed by the conf changes that
// the store has applied. The store's own answer, ConfState, comes from its members bucket. Both are kept by everybody
// who writes a data directory, also by tools that make one from a snapshot, and they must agree.
//
// A record of etcd before 3.5 has no configuration. Then the members bucket is the only source, as it is for etcd.
func (b Boot) conf() (*raftpb.ConfState, error) {
	cs := b.ConfState
	if cs == nil {
		if cs = b.Snapshot.GetConfState(); cs == nil {
			cs = &raftpb.ConfState{}
		}
	}
	if err := checkConf(cs); err != nil {
		return nil, err
	}
	if b.Snapshot.GetIndex() > 0 && b.Snapshot.GetConfState() == nil {
		if len(cs.GetVoters()) == 0 {
			return nil, fmt.Errorf("%w: neither the snapshot record at index %d nor the members bucket names a voter",
				ErrMembersDisagree, b.Snapshot.GetIndex())
		}
		return cs, nil
	}
	if record := b.Snapshot.GetConfState(); record != nil {
		if err := checkConf(record); err != nil {
			return nil, err
		}
	}
	members, err := b.members()
	if err != nil {
		return nil, err
	}
	for id, s := range standings(cs) {
		if members[id]&s == 0 {
			return nil, b.disagree(cs)
		}
	}
	now := standings(cs)
	for id, s := range members {
		if now[id] == 0 && s&absent == 0 {
			return nil, b.disagree(cs)
		}
	}
	return cs, nil
}

func (b Boot) disagree(cs *raftpb.ConfState) error {
	return fmt.Errorf("%w: the log's snapshot record at index %d says %s; with the conf changes behind it up to index %d "+
		"that cannot become what the members bucket says, %s",
		ErrMembersDisagree, b.Snapshot.GetIndex(), confText(b.Snapshot.GetConfState()), b.Applied, confText(cs))
}

// members is what every node may be at Applied, by the log alone.
func (b Boot) members() (map[uint64]standing, error) {
	members := standings(b.Snapshot.GetConfState())
	for _, e := range b.Entries {
		if e.GetIndex() > b.Applied {
			break
		}
		switch e.GetType() {
		case raftpb.EntryNormal:
			continue
		case raftpb.EntryConfChange:
		default:
			return nil, fmt.Errorf("consensus: the store is past the entry at index %d, whose type %v it cannot have applied",
				e.GetIndex(), e.GetType())
		}
		if b.ConfState == nil {
			return nil, fmt.Errorf("consensus: the store is past the conf change at index %d but has no configuration",
				e.GetIndex())
		}
		cc := &raftpb.ConfChange{}
		if err := proto.Unmarshal(e.GetData(), cc); err != nil {
			return nil, fmt.Errorf("consensus: the conf change at index %d cannot be decoded: %w", e.GetIndex(), err)
		}
		change(members, cc)
	}
	return members, nil
}

// change does to a node what a conf change does, or may do.
func change(members map[uint64]standing, cc *raftpb.ConfChange) {
	id := cc.GetNodeId()
	before := members[id]
	if before == 0 {
		before = absent
	}
	switch cc.GetType() {
	case raftpb.ConfChangeAddNode:
		members[id] = before | voter
	case raftpb.ConfChangeAddLearnerNode:
		members[id] = before | learner
	case raftpb.ConfChangeRemoveNode:
		members[id] = absent
		if !hasVoter(members) { // the last one stays
			members[id] = before | absent
		}
	}
}

// hasVoter tells whether somebody is a voter for certain.
func hasVoter(members map[uint64]standing) bool {
	for _, s := range members {
		if s == voter {
			return true
		}
	}
	return false
}

func standings(cs *raftpb.ConfState) map[uint64]standing {
	members := map[uint64]standing{}
	for _, ids := range [][]uint64{cs.GetVoters(), cs.GetVotersOutgoing()} {
		for _, id := range ids {
			members[id] |= voter
		}
	}
	for _, ids := range [][]uint64{cs.GetLearners(), cs.GetLearnersNext()} {
		for _, id := range ids {
			if !slices.Contains(cs.GetVoters(), id) {
				members[id] |= learner
			}
		}
	}
	return members
}
