package driver

import (
	"vitrine/core/consensus"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/trace"
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
	ticket  uint64          // the last one appended
	// How far the log is in the file, and how far it survives a power loss.
	written, synced Position
	noting          uint64
	// Forecast tells when a sync that begins now will be done, for the picture; nil
	// where nobody can know.
	Forecast func() int64
}

// Position is the end of a log and the hard state that goes with it.
type Position struct {
	Index, Term  uint64 // the last entry
	Vote, InTerm uint64 // the hard state
	// Noting is the index of a received snapshot whose record is in the file without the state that commits it, when a
	// process ends between the two: whoever reads the log passes over it for good. 0 = there is none.
	Noting uint64
}

// Written and Synced are how far the log is in the file, and how far it survives
// a power loss.
func (l *Log) Written() Position { return l.written }
func (l *Log) Synced() Position  { return l.synced }

// positionOf is where a recovered log ends.
func positionOf(found *wal.Recovered) Position {
	p := Position{
		Index: found.Snapshot.GetIndex(), Term: found.Snapshot.GetTerm(),
		Vote: found.HardState.GetVote(), InTerm: found.HardState.GetTerm(),
	}
	if k := len(found.Entries); k > 0 {
		invariant.Assert(found.Entries[0].GetIndex() == p.Index+1, "driver: a recovered log has a gap behind its snapshot")
		invariant.Assert(found.Entries[k-1].GetIndex() == p.Index+uint64(k), "driver: a recovered log has a gap")
		p.Index, p.Term = found.Entries[k-1].GetIndex(), found.Entries[k-1].GetTerm()
	}
	return p
}

// after is the position behind a write.
func (p Position) after(w *consensus.LogWrite) Position {
	if s := w.Snapshot; s != nil {
		p.Index, p.Term = s.GetMetadata().GetIndex(), s.GetMetadata().GetTerm()
	}
	if k := len(w.Entries); k > 0 {
		p.Index, p.Term = w.Entries[k-1].GetIndex(), w.Entries[k-1].GetTerm()
	}
	if h := w.HardState; h != nil {
		invariant.Assert(h.GetTerm() >= p.InTerm, "driver: the term of a hard state falls")
		invariant.Assert(h.GetTerm() > p.InTerm || p.Vote == 0 || h.GetVote() == p.Vote,
			"driver: a vote changes within its term")
		p.Vote, p.InTerm = h.GetVote(), h.GetTerm()
	}
	return p
}

// Append puts a group into the file, in the order of its tickets. Neighbours
// that carry only entries and state become one write.
func (l *Log) Append(group []consensus.LogWrite) (mustSync bool, err error) {
	m := merged{log: l, entries: l.entries[:0]}
	defer func() { clear(m.entries[:cap(m.entries)]); l.entries = m.entries[:0] }()
	for i := range group {
		w := &group[i]
		invariant.Assert(i == 0 || w.Ticket >= group[i-1].Ticket, "driver: the writes of a group are out of order")
		checkWrite(w)
		mustSync = w.MustSync || mustSync && !mutant.On(mutant.GroupSyncForgotten)
		if w.Snapshot != nil {
			if err := m.flush(); err != nil {
				return mustSync, err
			}
			if err := l.note(&m, w); err != nil {
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
	if err := m.flush(); err != nil {
		return mustSync, err
	}
	for i := range group {
		l.written, l.ticket = l.written.after(&group[i]), group[i].Ticket
	}
	until := int64(0)
	switch {
	case mustSync && l.Forecast != nil:
		until = l.Forecast()
	case mustSync:
		until = -1
	}
	l.tell(trace.LogWritten, l.written, until)
	return mustSync, nil
}

// checkWrite holds a write to what the order of a group relies on.
func checkWrite(w *consensus.LogWrite) {
	invariant.Assert(w.MustSync || len(w.Entries) == 0, "driver: entries need not be synced")
	invariant.Assert(w.MustSync || w.Snapshot == nil && w.Mark == nil, "driver: a record of a snapshot need not be synced")
	invariant.Assert(w.Snapshot == nil || w.Mark == nil, "driver: a write marks two snapshots")
	invariant.Assert(w.Mark == nil || w.Release <= w.Mark.GetIndex(),
		"driver: more of the log is given up than its mark replaces")
	invariant.Assert(w.Mark == nil || w.HardState == nil || w.Mark.GetIndex() <= w.HardState.GetCommit(),
		"driver: a mark that is not committed")
	invariant.Assert(w.Snapshot == nil || w.Snapshot.GetMetadata().GetIndex() > 0, "driver: a snapshot of nothing")
}

// note writes the record of a received snapshot. The state that commits it stands before any entry behind it: if a
// power loss took that state and left the entries, the record would be void and the log would have a gap.
func (l *Log) note(m *merged, w *consensus.LogWrite) error {
	if err := l.disk.step(LogSnapshot); err != nil {
		return err
	}
	if err := l.SaveSnapshot(markOf(w.Snapshot)); err != nil {
		return err
	}
	l.noting, m.state = w.Snapshot.GetMetadata().GetIndex(), w.HardState
	return m.flushAt(LogCommit)
}

// Noting is what a Position says that a process leaves which ends now.
func (l *Log) Noting() uint64 { return l.noting }

func (l *Log) mark(w *consensus.LogWrite) error {
	if err := l.disk.step(LogMark); err != nil {
		return err
	}
	if err := l.SaveSnapshot(w.Mark); err != nil {
		return err
	}
	if mutant.On(mutant.SegmentReleasedEarly) {
		return l.Release(w.Release)
	}
	return nil
}

// merged is what neighbouring writes of a group have in common.
type merged struct {
	log     *Log
	state   *raftpb.HardState // the newest
	entries []*raftpb.Entry
}

func (m *merged) add(w *consensus.LogWrite) {
	first := m.state
	if w.HardState != nil {
		m.state = w.HardState
	}
	if first != nil && mutant.On(mutant.GroupStateFirst) {
		m.state = first
	}
	m.entries = append(m.entries, w.Entries...)
}

func (m *merged) flush() error { return m.flushAt(LogAppend) }

func (m *merged) flushAt(s Step) error {
	if m.state == nil && len(m.entries) == 0 {
		return nil
	}
	if err := m.log.disk.step(s); err != nil {
		return err
	}
	m.log.noting = 0 // if the write fails nobody knows
	err := m.log.WAL.Append(m.state, m.entries)
	m.state, m.entries = nil, m.entries[:0]
	return err
}

// Sync makes all that was appended durable.
func (l *Log) Sync() error {
	switch err := l.disk.step(LogSync); {
	case err == ErrLeftOut:
	case err != nil:
		return err
	default:
		if err := l.WAL.Sync(); err != nil {
			return err
		}
	}
	invariant.Assert(l.written.InTerm >= l.synced.InTerm, "driver: the log's term falls")
	l.synced = l.written
	l.tell(trace.LogSynced, l.synced, 0)
	return nil
}

// Finish gives up what a group that is durable has made superfluous.
func (l *Log) Finish(group []consensus.LogWrite) error {
	for i := range group {
		r := group[i].Release
		if r == 0 {
			continue
		}
		invariant.Assert(l.synced == l.written || mutant.Enabled,
			"driver: a part of the log is given up before its mark is durable")
		if err := l.disk.step(Release); err != nil {
			return err
		}
		if err := l.Release(r); err != nil {
			return err
		}
	}
	return nil
}
