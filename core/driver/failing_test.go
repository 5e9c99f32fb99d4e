package driver

import (
	"errors"
	"path"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// TestStartFailsAtEachStep of those that are many: directories that are made, leftovers that are removed.
func TestStartFailsAtEachStep(t *testing.T) {
	broken := errors.New("broken")
	for _, step := range []Step{MakeDirs, SyncDirs, RemoveLeftover} {
		for fail, all := 0, 0; fail <= all; fail++ {
			mem, n := vfs.NewMem(), 0
			d := diskOn(mem)
			d.Layout = At("far/data", "logs/deep/wal")
			for _, dir := range []string{d.Layout.Snap, d.Layout.founding(), d.Layout.founding() + ".tmp"} {
				if step != RemoveLeftover {
					break
				}
				if err := mem.MkdirAll(dir); err != nil {
					t.Fatal(err)
				}
				touch(t, mem, path.Join(dir, "tmp1"), "x")
			}
			d.Hook = func(s Step) error {
				if s == step {
					if n++; n == fail {
						return broken
					}
				}
				return nil
			}
			s, err := d.Start(birthOf)
			if all = max(all, n); (fail == 0) != (err == nil) || fail > 0 && (!errors.Is(err, broken) || s != nil) {
				t.Errorf("%s %d of %d: %v", step, fail, all, err)
			}
			if fail == 0 && all < 3 {
				t.Errorf("only %d times %s", all, step)
			}
		}
	}
}

// TestNoting: who ends between the record of a received snapshot and the state that commits it says so.
func TestNoting(t *testing.T) {
	stuck := errors.New("stuck")
	d := diskOn(vfs.NewMem())
	s := born(t, d)
	defer s.Close()
	d.Hook = func(step Step) error {
		if step == LogCommit {
			return stuck
		}
		return nil
	}
	write := consensus.LogWrite{
		HardState: &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(0)), Commit: new(uint64(180))},
		Snapshot: &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: new(uint64(180)), Term: new(uint64(2)),
			ConfState: s.State.Store.Members.ConfState()}},
		MustSync: true,
	}
	if _, err := s.Log.Append([]consensus.LogWrite{write}); !errors.Is(err, stuck) || s.Log.Noting() != 180 {
		t.Errorf("stuck: %v, noting %d", err, s.Log.Noting())
	}
	d.Hook = nil
	if _, err := s.Log.Append([]consensus.LogWrite{write}); err != nil || s.Log.Noting() != 0 {
		t.Errorf("whole: %v, noting %d", err, s.Log.Noting())
	}
}

// TestFilesAreClosed, whichever step fails: what is opened for a moment, and the log when it is closed. What a log has
// open that could not begin its next segment is its own business: the process ends.
func TestFilesAreClosed(t *testing.T) {
	image, meta := imageAt(t, 40)
	broken := errors.New("broken")
	for _, step := range append(Steps(), NoStep) {
		for skip := range 3 {
			d, files := handlesOn(vfs.NewMem())
			l, n := &life{t: t, disk: d, promised: &promises{what: step.String()}}, 0
			d.Hook = func(s Step) error {
				if s == step {
					if n++; n == skip+1 {
						return broken
					}
				}
				return nil
			}
			err := l.tell(image, meta)
			if l.started != nil {
				_ = l.started.Log.Close() // it tells of the error again
			}
			if step >= SegmentEnd && step <= SpareClean {
				clear(files.open)
			}
			if len(files.open) > 0 || (err == nil) != (n <= skip) {
				t.Errorf("%s %d: %v, open are %v", step, skip, err, files.open)
			}
		}
	}
}

// TestClosingFails: bytes of a file that cannot be closed may not be there.
func TestClosingFails(t *testing.T) {
	image, _ := imageAt(t, 40)
	d, files := handlesOn(vfs.NewMem())
	l := living(t, d)
	for _, name := range []string{d.Layout.received(1), d.Layout.copy()} {
		files.fail = name
		if err := l.tellReceive(image, 40); errors.Is(err, errClose) != (name == d.Layout.received(1)) {
			t.Errorf("a received database, %s: %v", name, err)
		}
		if err := tellDefrag(l.started.State); errors.Is(err, errClose) != (name == d.Layout.copy()) {
			t.Errorf("a defragmentation, %s: %v", name, err)
		}
		want := "db"
		if name == d.Layout.copy() {
			want = "0000000000000028.snap.db db"
		}
		if names, err := d.FS.List(d.Layout.Snap); err != nil || strings.Join(names, " ") != want {
			t.Errorf("%s: left %v, %v, want %s", name, names, err, want)
		}
	}
}

// TestClosingTheOldDatabaseFails: a received one does not take the place of one that may still be written.
func TestClosingTheOldDatabaseFails(t *testing.T) {
	image, meta := imageAt(t, 40)
	d := diskOn(vfs.NewMem())
	l := living(t, d)
	l.receive(image, 40)
	_, err := l.started.Log.Append([]consensus.LogWrite{{
		MustSync: true, Snapshot: &raftpb.Snapshot{Metadata: meta}, HardState: hardAt(40),
	}})
	l.check(err)
	l.check(l.started.Close())
	plain := d.Open
	d.Open = func(path string) (backend.Store, error) {
		db, err := plain(path)
		if path == d.Layout.DB() {
			return &unclosable{db}, err
		}
		return db, err
	}
	if s, err := d.Start(birthOf); s != nil || !errors.Is(err, errClose) || !d.exists(d.Layout.Image(40)) {
		t.Errorf("%v, the image is there: %v", err, d.exists(d.Layout.Image(40)))
	}
}

// unclosable is a database that cannot be closed.
type unclosable struct{ backend.Store }

func (u *unclosable) Close() error { return errors.Join(errClose, u.Store.Close()) }

// TestUnreadableDatabase: a database of which nothing can be read is closed again, and no image is taken of it.
func TestUnreadableDatabase(t *testing.T) {
	d := diskOn(vfs.NewMem())
	open := counting(d)
	plain, db := d.Open, &unreadable{views: errUnreadable}
	d.Open = func(path string) (_ backend.Store, err error) {
		db.Store, err = plain(path)
		return db, err
	}
	if _, err := d.Start(birthOf); !errors.Is(err, errUnreadable) || *open != 0 {
		t.Errorf("%v, %d databases are open", err, *open)
	}
	db.views = nil
	s := born(t, d)
	if image, _, err := s.State.Image(0); image != nil || !errors.Is(err, errUnreadable) {
		t.Errorf("an image is taken: %v", err)
	}
}

// unreadable is a database without images, and perhaps without views.
type unreadable struct {
	backend.Store
	views error
}

var errUnreadable = errors.New("unreadable")

func (u *unreadable) View() (backend.StoreView, error) {
	if u.views != nil {
		return nil, u.views
	}
	v, err := u.Store.View()
	return &unreadableView{v}, err
}

func (u *unreadable) Snapshot() (backend.Snapshot, error) { return nil, errUnreadable }

type unreadableView struct{ backend.StoreView }

func (v *unreadableView) Snapshot() (backend.Snapshot, error) { return nil, errUnreadable }

// TestUnreadableLog: who cannot see whether there is a log founds none in its place, not even when nothing of the
// database is durable, which alone would give it away.
func TestUnreadableLog(t *testing.T) {
	broken := errors.New("broken")
	for fail := range 4 {
		mem, n := vfs.NewMem(), 0
		first := born(t, diskOn(mem))
		if _, err := first.Log.Append([]consensus.LogWrite{{MustSync: true, HardState: hardAt(1)}}); err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		d := diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
			if op.Kind == vfs.OpList && op.Path == first.State.disk.Layout.WAL {
				if n++; n == fail+1 {
					return broken
				}
			}
			return nil
		}))
		open := counting(d)
		if s, err := d.Start(birthOf); s != nil || !errors.Is(err, broken) || *open != 0 {
			t.Errorf("list %d fails: %v, %d databases are open", fail, err, *open)
		}
		again := born(t, diskOn(mem))
		if vote := again.Found.HardState.GetVote(); vote != self {
			t.Errorf("list %d fails: then the vote is for %d", fail, vote)
		}
	}
}
