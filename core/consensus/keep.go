package consensus

import (
	"time"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

const (
	// keepAfterSnapshot is how long the log is kept after a follower has got a snapshot, so that what follows the
	// snapshot is still there when the follower has installed it.
	keepAfterSnapshot = 30 * time.Second
	// keepAtMost bounds the log in memory, in multiples of CatchUpEntries, even while snapshots are under way.
	keepAtMost = 4
)

// retention is how much of the past is kept, in memory and in the WAL.
type retention struct {
	mark    uint64        // index of the newest durable snapshot record in the WAL
	marking uint64        // the newest one asked for
	until   trace.Instant // do not compact the log in memory before

	writtenTerm, writtenVote uint64 // in the newest hard state handed to the WAL
}

// Backed: the backend has made everything up to d durable. Every SnapshotCount entries the WAL gets a mark there.
//
// The order is what makes a mark safe. A member that boots from it does not see older entries, so the store must be
// able to do without them: it must be durable up to the mark before the mark is written, and the mark must be durable
// before a segment goes. And since recovery only believes marks that are committed, the hard state that says so is
// written with it.
func (n *Node) Backed(d backend.Applied) {
	k := &n.retention
	if d.ConfState == nil || d.Index <= k.marking+n.cfg.SnapshotCount {
		return
	}
	n.collect() // so that the hard state below repeats the newest one on its way
	if n.commit < d.Index {
		return
	}
	k.marking = d.Index
	mark := &pb.WALSnapshot{Index: new(d.Index), Term: new(d.Term), ConfState: cloneConf(d.ConfState)}
	n.lastWrite++
	n.out.Log = append(n.out.Log, LogWrite{
		Ticket:    n.lastWrite,
		HardState: &raftpb.HardState{Term: new(n.term), Vote: new(n.vote), Commit: new(n.commit)},
		Mark:      mark,
		Release:   d.Index,
		MustSync:  true,
		Cause:     n.t.Caused(),
	})
	n.writes = append(n.writes, pendingWrite{ticket: n.lastWrite, mark: mark})
}

func (n *Node) marked(m *pb.WALSnapshot) {
	invariant.Assert(m.GetIndex() <= n.commit, "consensus: the log is marked beyond what is committed")
	invariant.Assert(m.GetIndex() <= max(n.retention.marking, n.retention.mark),
		"consensus: a mark that was never asked for")
	n.retention.mark = max(n.retention.mark, m.GetIndex())
	n.t.Emit(trace.Event{Kind: trace.SnapshotSaved, Index: m.GetIndex(), Term: m.GetTerm()})
}

// compact forgets entries that are applied here and that followers have had time to fetch.
func (n *Node) compact() {
	k, applied := &n.retention, n.log.applied
	if applied < n.cfg.CatchUpEntries+n.log.base+n.cfg.CompactEntries {
		return
	}
	kept := applied - n.log.base
	if kept < keepAtMost*n.cfg.CatchUpEntries && (n.now < k.until || n.snapshotting()) {
		return
	}
	invariant.Assert(applied-n.cfg.CatchUpEntries <= n.log.last(),
		"consensus: entries are forgotten before they are written")
	n.log.compact(applied - n.cfg.CatchUpEntries)
	n.t.Emit(trace.Event{Kind: trace.LogCompacted, Index: n.log.base + 1})
}

// snapshotting tells whether a follower is being sent a snapshot.
func (n *Node) snapshotting() bool {
	if n.role != raft.StateLeader {
		return false
	}
	busy := false
	n.raw.WithProgress(func(_ uint64, _ raft.ProgressType, pr tracker.Progress) {
		busy = busy || pr.State == tracker.StateSnapshot
	})
	return busy
}
