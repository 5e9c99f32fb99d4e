package driver

import (
	"vitrine/core/consensus"
	"vitrine/core/mutant"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// Log is the half of a driver that writes the log. Whoever has it takes all the
// writes that wait, as one group: Append, Sync unless nothing needs it, Finish,
// and then reports the last ticket. After an error nothing may be reported or
// written any more: what a failed sync has lost nobody knows, and a second one
// that succeeds proves nothing.
type Log struct {
	*wal.WAL
	disk    *Disk
	entries []*raftpb.Entry // merged; kept for its room
}

// Append puts a group into the file, in the order of its tickets. Neighbours
// that carry only entries and state become one write.
func (l *Log) Append(group []consensus.LogWrite) (mustSync bool, err error) {
	m := merged{log: l, entries: l.entries[:0]}
	defer func() { clear(m.entries[:cap(m.entries)]); l.entries = m.entries[:0] }()
	for i := range group {
		w := &group[i]
		mustSync = w.MustSync || mustSync && !mutant.On(mutant.GroupSyncForgotten)
		if w.Snapshot != nil {
			if err := m.flush(); err != nil {
				return mustSync, err
			}
			if err := l.disk.step(LogSnapshot); err != nil {
				return mustSync, err
			}
			if err := l.SaveSnapshot(markOf(w.Snapshot)); err != nil {
				return mustSync, err
			}
			// The state that commits the snapshot stands before any entry behind it: if a power loss took
			// that state and left the entries, the record would be void and the log would have a gap.
			m.state = w.HardState
			if err := m.flush(); err != nil {
				return mustSync, err
			}
		}
		m.add(w)
		if w.Mark != nil {
			if err := m.flush(); err != nil {
				return mustSync, err
			}
			if err := l.mark(w); err != nil {
				return mustSync, err
			}
		}
	}
	return mustSync, m.flush()
}

func (l *Log) mark(w *consensus.LogWrite) error {
	if err := l.disk.step(LogMark); err != nil {
		return err
	}
	if err := l.SaveSnapshot(w.Mark); err != nil || !mutant.On(mutant.SegmentReleasedEarly) {
		return err
	}
	return l.Release(w.Release)
}

// merged is what neighbouring writes of a group have in common.
type merged struct {
	log     *Log
	state   *raftpb.HardState // the newest
	entries []*raftpb.Entry
}

func (m *merged) add(w *consensus.LogWrite) {
	if w.HardState != nil && (m.state == nil || !mutant.On(mutant.GroupStateFirst)) {
		m.state = w.HardState
	}
	m.entries = append(m.entries, w.Entries...)
}

func (m *merged) flush() error {
	if m.state == nil && len(m.entries) == 0 {
		return nil
	}
	if err := m.log.disk.step(LogAppend); err != nil {
		return err
	}
	err := m.log.WAL.Append(m.state, m.entries)
	m.state, m.entries = nil, m.entries[:0]
	return err
}

// Sync makes all that was appended durable.
func (l *Log) Sync() error {
	if err := l.disk.step(LogSync); err != nil {
		return err
	}
	return l.WAL.Sync()
}

// Finish gives up what a group that is durable has made superfluous.
func (l *Log) Finish(group []consensus.LogWrite) error {
	for i := range group {
		r := group[i].Release
		if r == 0 {
			continue
		}
		if err := l.disk.step(Release); err != nil {
			return err
		}
		if err := l.Release(r); err != nil {
			return err
		}
	}
	return nil
}
