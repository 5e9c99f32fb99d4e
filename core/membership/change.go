package membership

import "go.etcd.io/raft/v3/raftpb"

// The changes of members, as they stand in the log.

// Adding is the change that adds m, as a learner if it is one.
func Adding(m *Member) *raftpb.ConfChange {
	typ := raftpb.ConfChangeAddNode
	if m.IsLearner {
		typ = raftpb.ConfChangeAddLearnerNode
	}
	return &raftpb.ConfChange{Type: typ.Enum(), NodeId: new(m.ID), Context: m.Bootstrap()}
}

// Removing is the change that takes a member out for good.
func Removing(id uint64) *raftpb.ConfChange {
	return &raftpb.ConfChange{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: new(id)}
}

// Updating is the change that gives a member other peer URLs.
func Updating(id uint64, peerURLs []string) *raftpb.ConfChange {
	m := &Member{ID: id, PeerURLs: peerURLs}
	return &raftpb.ConfChange{Type: raftpb.ConfChangeUpdateNode.Enum(), NodeId: new(id), Context: m.Bootstrap()}
}

// Promoting is the change that lets a learner vote.
func Promoting(id uint64) *raftpb.ConfChange {
	m := &Member{ID: id}
	return &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: new(id), Context: m.Context(true)}
}
