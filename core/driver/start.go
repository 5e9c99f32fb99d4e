package driver

import (
	"errors"
	"fmt"
	"math"
	"path"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// A Birth is what the log of a new member begins with.
type Birth struct {
	Metadata  []byte            // who the member is, encoded
	HardState *raftpb.HardState // of a new cluster's first entries
	Entries   []*raftpb.Entry   // none for a member that joins a cluster
}

// A Started is what a member lives on.
type Started struct {
	Log   *Log
	State *State
	Found *wal.Recovered // what the log held
	Boot  consensus.Boot
}

// HasLog tells whether the member has lived before. Who cannot know must not found a new one: that would take back what
// the log has promised.
func (d *Disk) HasLog() (bool, error) { return wal.Exists(d.FS, d.Layout.WAL) }

// Start brings back what the disk holds, or makes a new member's disk from what
// birth returns. Errors say which part cannot be read; nothing was changed that
// another attempt would need.
func (d *Disk) Start(birth func() (Birth, error)) (*Started, error) {
	if err := d.makeDirs(); err != nil {
		return nil, err
	}
	if err := d.removeLeftovers(); err != nil {
		return nil, err
	}
	noDB := !d.exists(d.Layout.DB())
	b, err := d.openOwn(noDB)
	if err != nil {
		return nil, err
	}
	lived, err := d.HasLog()
	if err == nil && !lived {
		err = d.found(b, birth)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	s, err := d.recover(b, noDB)
	if err != nil {
		return nil, err
	}
	if lived && d.Alone {
		if err := d.alone(s); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot make a cluster of one: %w", err), s.Close())
		}
	}
	// The log has the image that it asks for. What else there is was received by a process that ended before its log
	// did ask, and no later one will: raft receives another.
	if err := d.DropImages(math.MaxUint64); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.started(d.Tracer)
	return s, nil
}

// openOwn opens the member's database. What is read at boot is synced first: a
// process that was killed has left its last commit, or a rename, in the page
// cache, and the log must not be shortened to what a power loss then takes back.
func (d *Disk) openOwn(isNew bool) (*backend.Backend, error) {
	name := d.Layout.DB()
	if !isNew && !mutant.On(mutant.StoreReadUnsynced) {
		if err := d.syncFile(SyncStore, name); err != nil {
			return nil, err
		}
	}
	b, err := d.openBackend(OpenStore, name)
	if err != nil {
		return nil, err
	}
	d.opened(name, b)
	if mutant.On(mutant.StoreNameUnsynced) {
		return b, nil
	}
	if err := d.syncDir(StoreDirSync, d.Layout.Snap); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives up the files.
func (s *Started) Close() error { return errors.Join(s.Log.Close(), s.State.Store.Backend.Close()) }

// found makes the log of a new member.
func (d *Disk) found(b *backend.Backend, birth func() (Birth, error)) error {
	if at := b.Applied().Index; at > 0 { // a new log would belong to another life of this member
		return fmt.Errorf("the log of the database %s (index %d) is missing: there is none in %s", d.Layout.DB(), at,
			d.Layout.WAL)
	}
	born, err := birth()
	if err != nil {
		return err
	}
	if err = d.writeFirst(born); err == nil {
		err = d.FS.RemoveAll(d.Layout.WAL) // it holds no log
	}
	if err == nil {
		err = d.rename(FoundRename, d.Layout.founding(), d.Layout.WAL)
	}
	if err == nil {
		err = d.syncDir(FoundDirSync, path.Dir(d.Layout.WAL))
	}
	if err != nil {
		return fmt.Errorf("failed to create WAL: %w", err)
	}
	return nil
}

// writeFirst writes a log aside: what begins to count must be whole.
func (d *Disk) writeFirst(born Birth) error {
	if err := d.step(FoundLog); err != nil {
		return err
	}
	w, err := wal.Create(d.FS, d.Layout.founding(), born.Metadata, d.WAL)
	if err != nil {
		return err
	}
	err = w.Append(born.HardState, born.Entries)
	if err == nil {
		if err = d.step(FoundSync); err == nil {
			err = w.Sync()
		}
	}
	return errors.Join(err, w.Close())
}

// recover reads the log. If it begins at a received snapshot and the database is
// older, the crash came between saving the image and installing it: it is
// installed now. On an error the database is closed.
func (d *Disk) recover(b *backend.Backend, noDB bool) (*Started, error) {
	var adopted *store.Store
	w, found, boot, err := d.recoverLog(b)
	if missing, ok := errors.AsType[*member.MissingImageError](err); ok {
		if adopted, err = d.catchUp(b, missing.Index, noDB); err != nil {
			return nil, err
		}
		b = adopted.Backend
		w, found, boot, err = d.recoverLog(b)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("failed to open WAL: %w", err), b.Close())
	}
	if adopted == nil {
		if adopted, err = d.load(b); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot use the database %s: %w", d.Layout.DB(), err), w.Close())
		}
	}
	end := positionOf(found)
	return &Started{Log: &Log{WAL: w, disk: d, written: end, synced: end}, State: &State{Store: adopted, disk: d},
		Found: found, Boot: boot}, nil
}

func (d *Disk) recoverLog(b *backend.Backend) (*wal.WAL, *wal.Recovered, consensus.Boot, error) {
	if err := d.step(OpenLog); err != nil {
		return nil, nil, consensus.Boot{}, err
	}
	return member.Recover(d.Watched(), d.Layout.WAL, b, d.WAL)
}

// alone makes the member the only one of its cluster, durably, before anything else is done. A crash before the sync
// leaves the log as it was, or with entries at its end that are not known to be committed: the next attempt drops them.
func (d *Disk) alone(s *Started) error {
	meta := &pb.WALMetadata{}
	if err := meta.UnmarshalVT(s.Found.Metadata); err != nil {
		return err
	}
	self := &membership.Member{ID: meta.GetNodeID(), PeerURLs: d.PeerURLs}
	boot, entries, hard, err := s.Boot.Alone(self.ID, self.Bootstrap(), self.Context(true))
	if err != nil {
		return err
	}
	if err := s.Log.WAL.Append(hard, entries); err != nil {
		return err
	}
	s.Boot, s.Found.HardState, s.Found.Entries = boot, boot.HardState, boot.Entries
	s.Log.written = positionOf(s.Found)
	s.Log.synced = s.Log.written
	return s.Log.WAL.Sync()
}

// catchUp puts the received database of index in the place of an older one.
func (d *Disk) catchUp(b *backend.Backend, index uint64, noDB bool) (*store.Store, error) {
	at := b.Applied().Index
	if err := b.Close(); err != nil {
		return nil, err
	}
	switch found := d.exists(d.Layout.Image(index)); {
	case !found && noDB:
		return nil, fmt.Errorf("database file (%v) of the backend is missing", d.Layout.DB())
	case !found:
		return nil,
			fmt.Errorf(
				"failed to find database snapshot file (snap: snapshot file doesn't exist): "+
					"the database %s stands at %d, the snapshot at %d", d.Layout.DB(), at, index)
	}
	if d.CatchUp != nil {
		d.CatchUp(at, index)
	}
	return d.Adopt(index)
}

// takeLeftovers is a mutant.
func (d *Disk) takeLeftovers() error {
	if !d.exists(d.Layout.copy()) {
		return nil
	}
	return errors.Join(d.FS.Rename(d.Layout.copy(), d.Layout.DB()), d.FS.SyncDir(d.Layout.Snap))
}
