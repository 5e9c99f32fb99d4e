package driver

import (
	"errors"
	"fmt"
	"slices"

	"vitrine/core/consensus"
	"vitrine/core/membership"
	"vitrine/core/mutant"

	"go.etcd.io/raft/v3/raftpb"
)

// Why a member takes no database that a peer sends.
var (
	// ErrReceiving: another one is being received.
	ErrReceiving = errors.New("another one is being received")
	// ErrStranger: its sender cannot lead.
	ErrStranger = errors.New("its sender is a member of neither configuration")
	// ErrCommitted is wrapped when all that the database has is committed here. raft is to hear of the message, for
	// which it needs no database: it tells the leader how far this member is.
	ErrCommitted = errors.New("nothing in it is new")
)

// Reception decides which databases a member receives. They are the largest thing that anybody can send to it. So there
// is one at a time, it is wanted before it is read, it has a bound, and it goes as soon as raft does not want it after
// all. Whoever receives one:
//
//	Begin, or refuse it          Standing says why it is not wanted
//	Receive, Write .. Keep       after an error: End
//	Arrived                      raft hears of the message
//	Unwanted                     behind the same poll: if raft does not want it, DropImage and End
//	Adopt                        if it does; then End
type Reception struct {
	busy    bool
	arrived uint64 // index of the database whose message raft steps in this round
}

// Standing is what a member is when a database comes.
type Standing struct {
	Term, Commit uint64
	Members      *membership.Members
	LimitBytes   int64 // of a database
}

// Begin begins a reception, or says why the member needs no such database. The sender has said how many bytes it has,
// or -1.
func (r *Reception) Begin(m *raftpb.Message, declared int64, s Standing) error {
	meta := m.GetSnapshot().GetMetadata()
	switch {
	case meta.GetIndex() == 0 || meta.GetTerm() == 0 || meta.GetTerm() > m.GetTerm():
		return fmt.Errorf("no log has an entry (index %d, term %d) in term %d", meta.GetIndex(), meta.GetTerm(), m.GetTerm())
	case m.GetTerm() < s.Term:
		return fmt.Errorf("term %d is over", m.GetTerm())
	case !s.mayLead(m.GetFrom(), meta.GetConfState()):
		return ErrStranger
	case declared > s.LimitBytes:
		return fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrImageTooLarge, declared, s.LimitBytes)
	case meta.GetIndex() <= s.Commit:
		return fmt.Errorf("%w: it stands at %d, and %d is committed here", ErrCommitted, meta.GetIndex(), s.Commit)
	case r.busy && !mutant.On(mutant.ImagesAtOnce):
		return ErrReceiving
	}
	r.busy = true
	return nil
}

// mayLead tells whether a member can be the leader that sends a snapshot: a member that we know of, or, as we may have
// been away while the others were replaced, a voter of the configuration in the snapshot, which its leader always is.
func (s Standing) mayLead(id uint64, cs *raftpb.ConfState) bool {
	return s.Members.Get(id) != nil || slices.Contains(cs.GetVoters(), id) ||
		slices.Contains(cs.GetVotersOutgoing(), id)
}

// Arrived says that the database at index is kept and that raft steps its message now.
func (r *Reception) Arrived(index uint64) { r.arrived = index }

// Unwanted is the index of the database that has arrived and that raft does not want after all, 0 = there is none: it
// has not asked for a record of it in the log in the round that has stepped its message.
func (r *Reception) Unwanted(log []consensus.LogWrite) (index uint64) {
	index, r.arrived = r.arrived, 0
	for i := range log {
		if s := log[i].Snapshot; s != nil && s.GetMetadata().GetIndex() == index {
			if mutant.On(mutant.SnapshotTwice) || mutant.On(mutant.NewestImageInstalled) {
				r.End() // these are about a second one that comes before the first is installed
			}
			return 0
		}
	}
	return index
}

// End ends the reception: the next database may come.
func (r *Reception) End() { r.busy = false }

// Failed is End when a database could not be kept.
func (r *Reception) Failed() {
	if !mutant.On(mutant.ImageTokenKept) {
		r.End()
	}
}

// Busy tells whether a database is being received, waits for raft to want it, or is to be installed.
func (r *Reception) Busy() bool { return r.busy }
