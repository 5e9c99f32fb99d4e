package consensus

import (
	"vitrine/core/invariant"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// memLog is the durable part of the log, as far as it is kept in memory: what raft calls its Storage. Entries join it
// when their write is durable, not before.
//
//	 base          base+1 ... last
//	(term only)    entries
//
// Entries are shared with messages under way and with raft, so none of them, and no slice that was handed out, is
// ever written to again.
type memLog struct {
	hard *raftpb.HardState // as found at boot; raft asks once
	conf *raftpb.ConfState // the configuration as of applied

	base, baseTerm uint64
	entries        []*raftpb.Entry
	applied        uint64 // what a snapshot of the store would contain at least
}

func (l *memLog) last() uint64 { return l.base + uint64(len(l.entries)) }

// append replaces everything from the first of es on. es is never older than what is kept: raft does not rewrite what
// is committed, and nothing else is compacted.
func (l *memLog) append(es []*raftpb.Entry) {
	if len(es) == 0 {
		return
	}
	first := es[0].GetIndex()
	if first <= l.base { // below the base all is committed, hence the same
		skip := min(l.base+1-first, uint64(len(es)))
		if es = es[skip:]; len(es) == 0 {
			return
		}
		first = es[0].GetIndex()
	}
	invariant.Assert(first <= l.last()+1, "consensus: a gap in the log")
	keep := first - l.base - 1
	if keep < uint64(len(l.entries)) {
		// Others hold the old tail: cutting the capacity makes append copy instead of overwriting it.
		l.entries = l.entries[:keep:keep]
	}
	l.entries = append(l.entries, es...)
	invariant.Assert(l.last() == es[len(es)-1].GetIndex(), "consensus: the log does not end with what was appended")
}

// install forgets everything for a snapshot. The store becomes it later: applied stays what it is, and until it has
// come up to the base there is no snapshot to give.
func (l *memLog) install(index, term uint64, conf *raftpb.ConfState) {
	invariant.Assert(index > l.base && term >= l.baseTerm, "consensus: a snapshot takes the log back")
	l.base, l.baseTerm = index, term
	l.entries = nil
	l.conf = conf
}

// compact forgets the entries up to index.
func (l *memLog) compact(index uint64) {
	if index <= l.base || index > l.last() {
		return
	}
	invariant.Assert(index <= l.applied, "consensus: entries are forgotten before they are applied")
	n := index - l.base
	l.baseTerm = l.entries[n-1].GetTerm()
	// The forgotten ones are freed when append next moves the rest to a new array.
	l.entries = l.entries[n:]
	l.base = index
}

// InitialState implements raft.Storage.
func (l *memLog) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return l.hard, l.conf, nil
}

// Entries implements raft.Storage.
func (l *memLog) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	if lo <= l.base {
		return nil, raft.ErrCompacted
	}
	if hi > l.last()+1 {
		return nil, raft.ErrUnavailable
	}
	es := l.entries[lo-l.base-1 : hi-l.base-1]
	var size uint64
	for i, e := range es {
		if size += entrySize(e); size > maxSize && i > 0 {
			es = es[:i]
			break
		}
	}
	return es[:len(es):len(es)], nil
}

// Term implements raft.Storage.
func (l *memLog) Term(i uint64) (uint64, error) {
	switch {
	case i < l.base:
		return 0, raft.ErrCompacted
	case i == l.base:
		return l.baseTerm, nil
	case i > l.last():
		return 0, raft.ErrUnavailable
	}
	return l.entries[i-l.base-1].GetTerm(), nil
}

// FirstIndex implements raft.Storage.
func (l *memLog) FirstIndex() (uint64, error) { return l.base + 1, nil }

// LastIndex implements raft.Storage.
func (l *memLog) LastIndex() (uint64, error) { return l.last(), nil }

// Snapshot implements raft.Storage: the position of a snapshot that could be taken now, without its data
// (Send.NeedImage).
func (l *memLog) Snapshot() (*raftpb.Snapshot, error) {
	term, err := l.Term(l.applied)
	if err != nil || l.applied == 0 {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		Index: new(l.applied), Term: new(term), ConfState: cloneConf(l.conf),
	}}, nil
}

func cloneConf(cs *raftpb.ConfState) *raftpb.ConfState {
	c := &raftpb.ConfState{
		Voters:         append([]uint64(nil), cs.GetVoters()...),
		Learners:       append([]uint64(nil), cs.GetLearners()...),
		VotersOutgoing: append([]uint64(nil), cs.GetVotersOutgoing()...),
		LearnersNext:   append([]uint64(nil), cs.GetLearnersNext()...),
	}
	if cs.AutoLeave != nil {
		c.AutoLeave = new(cs.GetAutoLeave())
	}
	return c
}

// entrySize is the entry's encoded size, or a few bytes more: it only has to bound messages, and asking protobuf for
// the exact size by reflection costs more than all else here.
func entrySize(e *raftpb.Entry) uint64 { return uint64(len(e.GetData())) + 24 }
