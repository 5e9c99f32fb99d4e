package driver

import (
	"errors"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// State is the half of a driver that has the store and its database. All methods
// are its owner's, but for those of Commit and Defrag that say otherwise.
//
// Three things exclude one another, and the owner sees to it: a commit from Begin
// to End, a defragmentation from BeginDefrag to its end, and the exchange of the
// store for a received one. Applying goes on beside the first two.
type State struct {
	Store *store.Store

	disk  *Disk
	begun uint64 // commits
	ended uint64
	full  bool // the last one has to be repeated: the file must grow first
}

// Commit carries what was written to the database.
type Commit struct {
	*backend.Commit
	disk *Disk
}

// Begin freezes what is written so far, nil if there is nothing to commit.
func (s *State) Begin() (*Commit, error) {
	c := s.Store.Backend.BeginCommit()
	if c == nil {
		return nil, nil
	}
	invariant.Assert(s.ended <= s.begun, "driver: more commits have ended than begun")
	invariant.Assert(c.Applied().Index == 0 || c.Applied().Index >= s.Store.Backend.Durable().Index,
		"driver: a commit goes back")
	if !s.full {
		s.begun++
	}
	if err := s.disk.step(CommitBegin); err != nil {
		return nil, err
	}
	s.disk.CommitTracer.Emit(trace.Event{Kind: trace.BackendCommitting, A: uint64(c.Ops())})
	return &Commit{Commit: c, disk: s.disk}, nil
}

// Run makes it durable. It may run on any goroutine.
func (c *Commit) Run() error {
	if err := c.disk.step(CommitRun); err != nil {
		return err
	}
	return c.Commit.Run()
}

// End takes the result of Run. Whole is false if the file has to grow first,
// which open views can delay: then the same changes are in the next commit. An
// error is final.
func (s *State) End(c *Commit, runErr error) (durable backend.Applied, whole bool, err error) {
	if runErr == nil {
		if err := s.disk.step(CommitEnd); err != nil {
			return durable, false, err
		}
	}
	before := s.Store.Backend.Durable().Index
	s.Store.Backend.EndCommit(c.Commit, runErr)
	if err := s.Store.Backend.Err(); err != nil {
		return durable, false, err
	}
	s.full = runErr != nil
	if !s.full {
		s.ended = s.begun
	}
	durable = s.Store.Backend.Durable()
	invariant.Assert(durable.Index >= before, "driver: what is durable goes back")
	invariant.Assert(durable.Index <= s.Store.Backend.Applied().Index, "driver: more is durable than is applied")
	c.Tell(durable)
	return durable, !s.full, nil
}

// Mark is a moment in the life of the database: Durable tells when all that was
// written before it is durable.
func (s *State) Mark() uint64 {
	if s.Store.Backend.Buffered() {
		return s.begun + 1
	}
	return s.begun
}

// Durable tells whether all that was written before a mark is durable.
func (s *State) Durable(mark uint64) bool { return s.ended >= mark }

// Exchange puts a received state in the place of the present one, whose database
// the owner closes when nobody reads it any more.
func (s *State) Exchange(fresh *store.Store) (old *store.Store, err error) {
	if err := s.disk.step(Exchange); err != nil {
		return nil, errors.Join(err, fresh.Backend.Close())
	}
	invariant.Assert(!s.Store.Backend.Committing(), "driver: the store is exchanged beside a commit")
	invariant.Assert(fresh != s.Store, "driver: the store is exchanged for itself")
	old, s.Store = s.Store, fresh
	s.begun++ // what waited for the old one to be durable needs it no more
	s.ended, s.full = s.begun, false
	return old, nil
}

// Housekeep deletes up to limit revisions that compactions have made unreachable,
// and tells whether there are more. When there are none, those who wait for the
// compaction are told once what is deleted is deleted durably.
func (s *State) Housekeep(limit int) (more bool, err error) {
	invariant.Assert(limit > 0, "driver: housekeeping without a limit")
	if err := s.disk.step(Housekeep); err != nil {
		return false, err
	}
	return s.Store.Housekeep(limit), nil
}
