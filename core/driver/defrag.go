package driver

import (
	"errors"
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
)

// A Compactor is a Store that can write what is committed into a new file,
// without what is free in its own. It may leave parts of that file, and its name,
// unsynced. It may run beside views, not beside Commit.
type Compactor interface {
	backend.Store
	CompactTo(path string) error
}

// ErrNoFile is returned for a database that cannot be defragmented.
var ErrNoFile = errors.New("node: this backend has no file")

// Defrag rewrites the database without its free pages. From BeginDefrag until
// EndDefrag, or until Copy has failed, no commit may run; writes go on into the
// buffer in front, reads go on from the old file.
type Defrag struct {
	disk *Disk
	db   Compactor
	copy backend.Store
}

// BeginDefrag begins a defragmentation. No commit may be in flight.
func (s *State) BeginDefrag() (*Defrag, error) {
	invariant.Assert(!s.Store.Backend.Committing(), "driver: a defragmentation begins beside a commit")
	db, ok := s.Store.Backend.Store().(Compactor)
	if !ok {
		return nil, ErrNoFile
	}
	return &Defrag{disk: s.disk, db: db}, nil
}

// Copy writes the copy and makes it durable. It may run on any goroutine. After
// an error the old database is what it was.
func (d *Defrag) Copy() error {
	tmp := d.disk.Layout.copy()
	err := d.disk.step(DefragCopy)
	if err == nil {
		err = d.db.CompactTo(tmp)
	}
	if err == nil && !mutant.On(mutant.DefragRenamedEarly) {
		err = d.sync(tmp)
	}
	if err != nil {
		return d.disk.discard(tmp, err)
	}
	return nil
}

func (d *Defrag) sync(name string) error {
	if mutant.On(mutant.DefragUnsynced) {
		return nil
	}
	return d.disk.syncFile(DefragSync, name)
}

// Rename makes the copy the database. From the rename on the old file has no
// name, so what would be committed to it would be lost: final says that the
// member must not go on after the error.
func (d *Defrag) Rename() (final bool, err error) {
	if err := d.disk.rename(DefragRename, d.disk.Layout.copy(), d.disk.Layout.DB()); err != nil {
		return false, d.disk.discard(d.disk.Layout.copy(), err)
	}
	if mutant.On(mutant.DefragRenamedEarly) {
		if err := d.sync(d.disk.Layout.DB()); err != nil {
			return true, err
		}
	}
	if !mutant.On(mutant.DefragNameUnsynced) {
		if err := d.disk.syncDir(DefragDirSync, d.disk.Layout.Snap); err != nil {
			return true, cannotGoOn(err)
		}
	}
	if err := d.disk.step(DefragOpen); err != nil {
		return true, cannotGoOn(err)
	}
	if d.copy, err = d.disk.Open(d.disk.Layout.DB()); err != nil {
		return true, cannotGoOn(err)
	}
	return false, nil
}

func cannotGoOn(err error) error {
	return fmt.Errorf("node: cannot go on with the defragmented database: %w", err)
}

// EndDefrag goes on with the copy and returns the old database, which the owner
// closes when nobody reads it any more. An error is final.
func (s *State) EndDefrag(d *Defrag) (old backend.Store, err error) {
	invariant.Assert(d.copy != nil, "driver: a defragmentation ends without a copy")
	if err := s.disk.step(DefragExchange); err != nil {
		return nil, errors.Join(cannotGoOn(err), d.copy.Close())
	}
	if mutant.On(mutant.DefragKeepsOld) {
		return d.copy, nil
	}
	old, err = s.Store.Backend.Replace(d.copy)
	if err != nil {
		return nil, errors.Join(cannotGoOn(err), d.copy.Close())
	}
	return old, nil
}
