package member

import (
	"errors"
	"fmt"

	"vitrine/core/membership"
	"vitrine/core/store"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

var errNoData = errors.New("it has no data")

// checkProposal tells why an entry that another member wants proposed could not be applied, nil if it can be. Followers
// forward what their clients ask, and the leader is the last who can refuse it: once such an entry is committed, every
// member stops at it, and again after each start.
func checkProposal(e *raftpb.Entry) error {
	if e.GetType() == raftpb.EntryConfChange {
		return checkConfChange(e.GetData())
	}
	if len(e.GetData()) == 0 {
		return errNoData
	}
	return store.CheckData(e.GetData())
}

// checkConfChange wants a change that says of which member, in words that etcd's members read, too: they panic at
// others.
func checkConfChange(data []byte) error {
	cc := &raftpb.ConfChange{}
	if err := proto.Unmarshal(data, cc); err != nil {
		return err
	}
	switch cc.GetType() {
	case raftpb.ConfChangeRemoveNode:
		return nil
	case raftpb.ConfChangeAddNode, raftpb.ConfChangeAddLearnerNode, raftpb.ConfChangeUpdateNode:
		c, err := membership.ParseContext(cc.GetContext())
		if err == nil && c.ID != cc.GetNodeId() {
			err = fmt.Errorf("node %x, member %x", cc.GetNodeId(), c.ID)
		}
		return err
	}
	return fmt.Errorf("conf change of type %d", cc.GetType())
}
