package consensus

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// Status is a Node seen from outside.
type Status struct {
	ID, Term, Vote uint64
	Lead           uint64 // 0 = none known
	Role           raft.StateType
	Learner        bool
	Transferee     uint64 // of a leadership transfer in progress, 0 = none
	Commit         uint64
	Applied        uint64 // reported by Applied
	First          uint64 // of the log in memory
	Last           uint64 // appended, perhaps only in memory
	Synced         uint64 // the last durable entry
	Mark           uint64 // index of the newest snapshot record in the WAL
	Rejected       uint64 // messages of peers that did not pass validation
	ConfState      *raftpb.ConfState
	Progress       []Progress // of all members as the leader sees them, by id; empty on others
}

// Progress is what the leader knows about one member.
type Progress struct {
	ID              uint64
	Match, Next     uint64
	State           tracker.StateType // probe, replicate, snapshot
	PendingSnapshot uint64
	Learner         bool
	Active          bool // heard from since the last check of the quorum
	Paused          bool // no appends are sent until it answers
}

// Kept are the durable entries from index from on that are kept in memory, at most
// n of them. They must not be changed.
func (n *Node) Kept(from uint64, limit int) []*raftpb.Entry {
	from = max(from, n.log.base+1)
	if from > n.log.last() {
		return nil
	}
	entries := n.log.entries[from-n.log.base-1:]
	return entries[:min(len(entries), max(limit, 0))]
}
