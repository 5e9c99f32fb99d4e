package node

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/pb"
)

// writeLog is the log lane: it takes all writes that wait, appends them, syncs once,
// and reports the highest ticket. The first error is reported and ends the lane: what
// a failed fsync has lost nobody knows, and a second one that succeeds proves nothing.
func (n *Node) writeLog() {
	var group []consensus.LogWrite
	for {
		if group = n.logLane.take(group); group == nil {
			return
		}
		start := time.Now()
		mustSync, err := n.appendGroup(group)
		n.metrics.walWrite.Observe(time.Since(start).Seconds())
		if err == nil && mustSync {
			start = time.Now()
			err = n.wal.Sync()
			took := time.Since(start)
			n.metrics.walSync.Observe(took.Seconds())
			if took > slowSync {
				n.noteSlowSync(took)
			}
		}
		for i := range group {
			if m := group[i].Mark; err == nil && m != nil {
				n.log.Info("saved snapshot to disk", zap.Uint64("snapshot-index", m.GetIndex()))
			}
			if r := group[i].Release; err == nil && r > 0 {
				err = n.wal.Release(r)
			}
		}
		if err != nil {
			n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
			return
		}
		n.inbox.put(member.Input{Kind: member.LogDone, Ticket: group[len(group)-1].Ticket})
	}
}

// slowSync is the fsync from which the log says so.
const slowSync = time.Second

// appendGroup puts a group into the file, in the order of its tickets. Neighbours that
// carry only entries and state become one append.
func (n *Node) appendGroup(group []consensus.LogWrite) (mustSync bool, err error) {
	var hs *raftpb.HardState
	var entries []*raftpb.Entry
	flush := func() error {
		if hs == nil && len(entries) == 0 {
			return nil
		}
		err := n.wal.Append(hs, entries)
		hs, entries = nil, entries[:0]
		return err
	}
	entries = n.entries[:0]
	defer func() { clear(entries[:cap(entries)]); n.entries = entries[:0] }()
	for i := range group {
		w := &group[i]
		mustSync = mustSync || w.MustSync
		if w.Snapshot != nil {
			if err := flush(); err != nil {
				return mustSync, err
			}
			if err := n.wal.SaveSnapshot(markOf(w.Snapshot)); err != nil {
				return mustSync, err
			}
		}
		if w.HardState != nil {
			hs = w.HardState
		}
		entries = append(entries, w.Entries...)
		if w.Mark != nil {
			if err := flush(); err != nil {
				return mustSync, err
			}
			if err := n.wal.SaveSnapshot(w.Mark); err != nil {
				return mustSync, err
			}
		}
	}
	return mustSync, flush()
}

// markOf is the record of a received snapshot in the log.
func markOf(s *raftpb.Snapshot) *pb.WALSnapshot {
	m := s.GetMetadata()
	return &pb.WALSnapshot{Index: new(m.GetIndex()), Term: new(m.GetTerm()), ConfState: m.GetConfState()}
}
