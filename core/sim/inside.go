package sim

import (
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/inspect"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// Inside is a member as it can be looked into. It is as of now: nothing may happen
// to the world before it has been looked at.
func (w *World) Inside(id uint64) (*inspect.Subject, error) {
	n := w.byID(id)
	if n == nil {
		return nil, fmt.Errorf("sim: there is no member %d", id)
	}
	s := &inspect.Subject{
		Now: trace.Instant(w.clock.Now), Member: n.member, Store: n.store, Layout: n.layout(), FS: n.fs,
		Left: func() vfs.FS { return n.fs.LoseUnsynced() }, Log: n.synced, Writes: n.logs, Last: n.ends,
	}
	if n.commitTimer {
		s.Commit.At = trace.Instant(n.commitAt)
	}
	if n.commit != nil {
		s.Commit.Until = trace.Instant(n.commitEnds)
	}
	if n.member != nil {
		return s, nil
	}
	s.Log = n.left()
	var err error
	s.Store, err = n.remains()
	return s, err
}

// remains is the state in the database of a process that is not there.
func (n *node) remains() (*store.Store, error) {
	if n.ghost != nil {
		return n.ghost, nil
	}
	db, err := backend.ReadMemFile(n.fs, n.layout().DB())
	if err != nil {
		return nil, err
	}
	b, err := backend.New(db)
	if err == nil {
		n.ghost, err = store.Open(b, n.world.storeConfig(), nil)
	}
	return n.ghost, err
}

// ended notes how a process has ended, and what it leaves.
func (n *node) ended(how process) {
	n.ends = inspect.Ends{How: processNames[how], At: trace.Instant(n.world.clock.Now), Written: n.written.Index,
		Synced: n.synced.Index}
	if n.store != nil {
		n.ends.Store = n.store.Applied().Index
	}
}
