package driver

import (
	"errors"
	"fmt"
	"io/fs"

	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// Disk is where a member keeps what must survive it, and how it is opened. It
// may be used from any goroutine if FS and Open may.
type Disk struct {
	FS     vfs.FS
	Layout Layout
	// Open opens or creates a database. It is closed before the same file is
	// opened again.
	Open  func(path string) (backend.Store, error)
	WAL   wal.Options
	Store store.Config
	// Tracer takes the events of the start and of the store, LogTracer those of the log, CommitTracer those of commits:
	// each is for the goroutine that has this half. Nil ones write nothing.
	Tracer, LogTracer, CommitTracer *trace.Tracer
	// UnsafeNoSync leaves out the syncs of what may be large: received databases
	// and copies. (The log's and the database's own are set with them.)
	UnsafeNoSync bool
	// Hook, if not nil, is called before each step. Its error takes the place of
	// the step.
	Hook func(Step) error
	// Opened, if not nil, is told of each database that became or will become the
	// member's, with its position.
	Opened func(path string, at backend.Applied)
	// Alone: a start makes the member the only one of its cluster (consensus.Boot.Alone). PeerURLs are its own, should
	// the members that it finds not name it.
	Alone    bool
	PeerURLs []string
	// CatchUp, if not nil, is told that a start installs the image at index, since
	// the database stands at an older one.
	CatchUp func(at, index uint64)
}

// ErrLeftOut is a hook's answer to log-sync that leaves the sync out and calls it
// done: a disk that lies.
var ErrLeftOut = errors.New("driver: the step is left out")

func (d *Disk) step(s Step) error {
	if d.Hook == nil {
		return nil
	}
	return d.Hook(s)
}

// Watched is the file system with the steps that the log and the database take
// by themselves: for them to be opened on.
func (d *Disk) Watched() vfs.FS {
	if d.Hook == nil {
		return d.FS
	}
	return vfs.WithFaults(d.FS, func(op vfs.Op) error {
		if s := d.Layout.within(op); s != NoStep {
			return d.Hook(s)
		}
		return nil
	})
}

func (d *Disk) syncDir(s Step, dir string) error {
	if err := d.step(s); err != nil {
		return err
	}
	return d.FS.SyncDir(dir)
}

// syncFile makes what was written to a file durable, whoever has written it.
func (d *Disk) syncFile(s Step, name string) error {
	if err := d.step(s); err != nil {
		return err
	}
	if d.UnsafeNoSync {
		return nil
	}
	f, err := d.FS.OpenReadWrite(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *Disk) rename(s Step, from, to string) error {
	if err := d.step(s); err != nil {
		return err
	}
	return d.FS.Rename(from, to)
}

// remove removes a file; one that is gone is no error.
func (d *Disk) remove(s Step, name string) error {
	if err := d.step(s); err != nil {
		return err
	}
	return d.discard(name, nil)
}

// discard removes a file, if it is there, since because went wrong, or for no error.
func (d *Disk) discard(name string, because error) error {
	if err := d.FS.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(because, err)
	}
	return because
}

// exists tells whether there is a file of that name.
func (d *Disk) exists(name string) bool {
	_, err := d.FS.Stat(name)
	return err == nil
}

// openBackend opens a database.
func (d *Disk) openBackend(s Step, path string) (*backend.Backend, error) {
	if err := d.step(s); err != nil {
		return nil, err
	}
	db, err := d.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := backend.New(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// load reads the state in a database. On an error it is closed.
func (d *Disk) load(b *backend.Backend) (*store.Store, error) {
	if err := d.step(LoadStore); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	s, err := store.Open(b, d.Store, d.Tracer)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return s, nil
}

// openImage opens a database that somebody else has made and looks whether it is
// what it should be: readable, with all that a member needs, and not behind the
// index at which it was promised to stand.
func (d *Disk) openImage(s Step, path string, index uint64) (*store.Store, error) {
	b, err := d.openBackend(s, path)
	if err != nil {
		return nil, err
	}
	if at := b.Applied().Index; at < index {
		return nil, errors.Join(fmt.Errorf("the received database stands at %d instead of %d", at, index), b.Close())
	}
	return d.load(b)
}

func (d *Disk) opened(path string, b *backend.Backend) {
	if d.Opened != nil {
		d.Opened(path, b.Applied())
	}
}

// markOf is the record of a received snapshot in the log.
func markOf(s *raftpb.Snapshot) *pb.WALSnapshot {
	m := s.GetMetadata()
	return &pb.WALSnapshot{Index: new(m.GetIndex()), Term: new(m.GetTerm()), ConfState: m.GetConfState()}
}
