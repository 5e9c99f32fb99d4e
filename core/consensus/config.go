package consensus

import (
	"errors"
	"fmt"
	"time"

	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Config is what a Node is told once. Zero values get etcd's defaults, except ID.
type Config struct {
	ID             uint64
	ElectionTicks  int // 10: without a word from a leader for this long (up to twice, at random), ask for votes
	HeartbeatTicks int // 1
	// NoPreVote lets a member raise its term without asking first whether it could win.
	NoPreVote bool
	// NoCheckQuorum lets a leader go on that has heard of no majority for an election timeout, and lets followers vote
	// though they hear from their leader.
	NoCheckQuorum bool
	// SnapshotCount is after how many applied entries the WAL gets a mark. 10000.
	SnapshotCount uint64
	// CatchUpEntries is how many applied entries the log in memory keeps for slow followers. 5000.
	CatchUpEntries uint64
	// CompactEntries is after how many applied entries the log in memory is compacted again. 100.
	CompactEntries uint64
	// ReadRetry is how long a batch of reads waits before it asks again. 500 ms.
	ReadRetry time.Duration
	// CheckProposal tells why an entry that another member asks this one to propose could not be applied, nil if it
	// can be. What is committed and cannot be applied stops the whole cluster for good. Nil accepts everything that
	// raft does.
	CheckProposal func(*raftpb.Entry) error
	// FirstID is where the ids of this life begin (IDs): a random number.
	FirstID uint64
	Tracer  *trace.Tracer
}

func (c Config) withDefaults() Config {
	set := func(v *uint64, to uint64) {
		if *v == 0 {
			*v = to
		}
	}
	if c.ElectionTicks == 0 {
		c.ElectionTicks = limits.ElectionTicks
	}
	if c.HeartbeatTicks == 0 {
		c.HeartbeatTicks = 1
	}
	if c.ReadRetry == 0 {
		c.ReadRetry = limits.ReadIndexRetry
	}
	set(&c.SnapshotCount, limits.SnapshotCount)
	set(&c.CatchUpEntries, limits.SnapshotCatchUpEntries)
	set(&c.CompactEntries, limits.LogCompactEntries)
	return c
}

// Boot is what a member finds when it starts: its WAL from the newest mark on, and how far its store has come.
type Boot struct {
	HardState *raftpb.HardState // nil = never written
	// Entries of the WAL after Snapshot, without gaps.
	Entries []*raftpb.Entry
	// Snapshot is the mark that the WAL was read from; nil or index 0 = from the beginning.
	Snapshot *pb.WALSnapshot
	// Applied is the index up to which the store is durable. It may be ahead of HardState.Commit, which is not
	// synced on its own account, but never ahead of the log.
	Applied uint64
	// ConfState is the configuration as of Applied by the store's members bucket. The log must agree with it: the
	// record of Snapshot and the conf changes behind it up to Applied. It may be nil if there are none of those.
	ConfState *raftpb.ConfState
}

// ErrLogBehindStore: the store contains entries that the log has lost, so the WAL is not this store's, or its tail is
// gone although it was synced.
var ErrLogBehindStore = errors.New("consensus: the store is ahead of the log")

// ErrStoreBehindLog: the log starts after what the store contains. If the mark came with a snapshot from the leader,
// the driver must make its image the store before it boots.
var ErrStoreBehindLog = errors.New("consensus: the store is behind the start of the log")

// A Peer is a first member of a new cluster. Context is opaque here; etcd puts the member's JSON there.
type Peer struct {
	ID      uint64
	Context []byte
}

// Bootstrap is the log that all first members of a new cluster start from: one committed conf change for each peer, at
// term 1. The peers must be given in the same order everywhere. The driver writes both to its new WAL, syncs, and
// boots from them.
func Bootstrap(peers []Peer) ([]*raftpb.Entry, *raftpb.HardState, error) {
	if len(peers) == 0 {
		return nil, nil, errors.New("consensus: a cluster needs a member")
	}
	entries := make([]*raftpb.Entry, 0, len(peers))
	for i, p := range peers {
		data, err := proto.Marshal(&raftpb.ConfChange{
			Type:    raftpb.ConfChangeAddNode.Enum(),
			NodeId:  new(p.ID),
			Context: p.Context,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("consensus: conf change of peer %x: %w", p.ID, err)
		}
		entries = append(entries, &raftpb.Entry{
			Type:  raftpb.EntryConfChange.Enum(),
			Term:  new(uint64(1)),
			Index: new(uint64(i + 1)),
			Data:  data,
		})
	}
	return entries, &raftpb.HardState{
		Term: new(uint64(1)), Vote: new(uint64(0)), Commit: new(uint64(len(entries))),
	}, nil
}
