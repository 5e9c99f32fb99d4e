package consensus

import (
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// Output is what a Node wants done. Ready appends to its slices; the caller owns and reuses them. Everything they
// point to is shared and must not be changed.
type Output struct {
	Sends   []Send
	Log     []LogWrite
	Applies []ApplyBatch
	Reads   []ReadState
}

// A Send is a message for a peer. It may be lost, repeated and overtaken.
type Send struct {
	To      uint64
	Message *raftpb.Message
	// NeedImage: this is a MsgSnap without data. The driver takes an image of the store, replaces
	// Message.Snapshot.Metadata by the image's position (never older than the message's), ships both, and steps
	// SnapshotStatus when that has succeeded or failed. The message is the driver's own: it may be changed.
	NeedImage bool
	Cause     uint64 // trace: the event in whose course the message was made
}

// A LogWrite is one write to the WAL. Writes are executed in the order of their tickets, which have no gaps:
// HardState and Entries in one append, then Mark, then, if MustSync, one sync, then Release.
// Afterwards the driver reports the ticket with LogDone. One LogDone stands for all lower tickets too, so several
// writes can share a sync.
type LogWrite struct {
	Ticket    uint64
	HardState *raftpb.HardState // nil = unchanged
	// Entries replace what the log has from the index of the first of them.
	Entries []*raftpb.Entry
	// Snapshot is a received snapshot that replaces the log: the driver saves its metadata as a snapshot record
	// (its image is already safe, see Receive). The state machine gets it as an ApplyBatch after LogDone.
	Snapshot *raftpb.Snapshot
	// Mark is a local snapshot record: from here the member can start again, because the backend is durable up to it.
	Mark *pb.WALSnapshot
	// Release, if not 0: after the sync, segments that hold only entries below this index may go.
	Release uint64
	// MustSync: LogDone may be reported only after a sync. Without it the write need only keep its place in the order.
	MustSync bool
	Cause    uint64 // trace
}

// An ApplyBatch is committed entries for the state machine, or a snapshot that replaces it. Batches are executed in
// the order of their tickets, independently of log writes, and reported by Applied.
type ApplyBatch struct {
	Ticket   uint64
	Entries  []*raftpb.Entry
	Snapshot *raftpb.Snapshot // then Entries is empty; reported by Applied with the snapshot's index
	Cause    uint64           // trace
}

// A ReadState answers one batch of reads: they may see any state whose applied index is at least Index. Err is
// ErrLeaderChanged if the question was given up.
type ReadState struct {
	Batch uint64
	Index uint64
	Err   error
}
