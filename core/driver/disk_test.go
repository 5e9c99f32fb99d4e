package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// counted is a database that is missed until it is closed.
type counted struct {
	*backend.MemFile
	open *int
}

func (c *counted) Close() error {
	*c.open--
	return c.MemFile.Close()
}

// counting lets a disk count the databases that are open.
func counting(d *Disk) *int {
	open, plain := new(int), d.Open
	d.Open = func(path string) (backend.Store, error) {
		db, err := plain(path)
		if err != nil {
			return nil, err
		}
		*open++
		return &counted{db.(*backend.MemFile), open}, nil
	}
	return open
}

// handles is a file system that knows which files are open. Closing one of a name fails if it is to.
type handles struct {
	vfs.FS
	open map[string]int
	fail string
}

var errClose = errors.New("cannot be closed")

// handlesOn is a disk on mem, but for its database, that knows its open files.
func handlesOn(mem *vfs.Mem) (*Disk, *handles) {
	h := &handles{FS: mem, open: map[string]int{}}
	d := diskOn(h)
	d.Open = func(path string) (backend.Store, error) { return backend.OpenMemFile(mem, path) }
	return d, h
}

func (h *handles) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	h.open[f.Name()]++
	return &handle{f, h}, nil
}

func (h *handles) Create(name string) (vfs.File, error) { return h.file(h.FS.Create(name)) }
func (h *handles) Open(name string) (vfs.File, error)   { return h.file(h.FS.Open(name)) }
func (h *handles) OpenReadWrite(name string) (vfs.File, error) {
	return h.file(h.FS.OpenReadWrite(name))
}

type handle struct {
	vfs.File
	h *handles
}

func (f *handle) Close() error {
	if f.h.open[f.Name()]--; f.h.open[f.Name()] == 0 {
		delete(f.h.open, f.Name())
	}
	if f.Name() == f.h.fail {
		return errors.Join(errClose, f.File.Close())
	}
	return f.File.Close()
}

// born starts a member on a new disk.
func born(t *testing.T, d *Disk) *Started {
	t.Helper()
	s, err := d.Start(birthOf)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func touch(t *testing.T, fsys vfs.FS, name, text string) {
	t.Helper()
	f, err := fsys.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDiskErrorAnywhere has every operation of the file system fail once. The driver reports it, unless nothing is lost
// by it, and the member comes back with all that it had promised.
func TestDiskErrorAnywhere(t *testing.T) {
	image, meta := imageAt(t, 40)
	broken := errors.New("broken")
	total := 0
	tell := func(fail int) (failed vfs.Op, err error) {
		mem, n := vfs.NewMem(), 0
		l := &life{t: t, promised: &promises{what: fmt.Sprint("operation ", fail)}}
		l.disk = diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
			if n++; n == fail {
				failed = op
				return broken
			}
			return nil
		}))
		err = l.tell(image, meta)
		total = n
		if fail > 0 {
			struck := &struckAt{promised: *l.promised, op: failed, number: fail}
			lost := mem.LoseUnsynced()
			comesBack(t, mem.Clone(), struck, "after an error")
			comesBack(t, lost, struck, "after an error and a power loss")
		}
		return failed, err
	}
	if _, err := tell(0); err != nil {
		t.Fatal(err)
	}
	for n, all := 1, total; n <= all; n++ {
		// Whether a directory is there is asked so that it is made if it is not, and what makes it fails for the same
		// reason. Leftovers are looked for at the next start again.
		op, err := tell(n)
		asked := op.Kind == vfs.OpStat
		if !errors.Is(err, broken) && !asked {
			t.Errorf("%d: %s %s failed, and the driver says %v", n, op.Kind, op.Path, err)
		}
	}
}

// TestStartClosesWhatItOpened, whichever step of it fails.
func TestStartClosesWhatItOpened(t *testing.T) {
	broken := errors.New("broken")
	_, meta := imageAt(t, 40)
	for _, step := range Steps() {
		for skip := range 3 {
			mem := vfs.NewMem()
			d := diskOn(mem)
			if !step.Founding() {
				l := living(t, d)
				l.group(3, 100, 0)
				if skip > 0 { // the log begins at an image that was not installed
					image, _ := imageAt(t, 40)
					l.receive(image, 40)
					group := []consensus.LogWrite{{MustSync: true, Snapshot: &raftpb.Snapshot{Metadata: meta},
						HardState: &raftpb.HardState{
							Term: new(uint64(1)), Vote: new(uint64(self)), Commit: meta.Index,
						}}}
					if _, err := l.started.Log.Append(group); err != nil {
						t.Fatal(err)
					}
				}
				l.check(l.started.Close())
			}
			open, n := counting(d), 0
			d.Hook = func(s Step) error {
				if s == step {
					if n++; n == skip+1 {
						return broken
					}
				}
				return nil
			}
			s, err := d.Start(birthOf)
			if (err == nil) != (n <= skip) || err != nil && !errors.Is(err, broken) {
				t.Errorf("%s %d: %v", step, skip, err)
			}
			want := 0
			if s != nil {
				want = 1
			}
			if *open != want {
				t.Errorf("%s %d: %d databases are open, want %d", step, skip, *open, want)
			}
			if s == nil {
				continue
			}
			segment := s.Log.Segments()[0].Name
			if err := s.Close(); err != nil || *open != 0 {
				t.Errorf("%s %d: close: %v, %d databases are open", step, skip, err, *open)
			}
			if _, err := mem.Lock(path.Join(d.Layout.WAL, segment)); err != nil {
				t.Errorf("%s %d: the log is not given up: %v", step, skip, err)
			}
		}
	}
}

// TestStartNamesWhatIsMissing, and tells of the image that it installs.
func TestStartNamesWhatIsMissing(t *testing.T) {
	image, meta := imageAt(t, 40)
	for _, c := range []struct {
		name   string
		spoil  func(mem *vfs.Mem, d *Disk)
		want   string
		caught bool
	}{
		{"nothing", func(*vfs.Mem, *Disk) {}, "", true},
		{"the image", func(mem *vfs.Mem, d *Disk) { mem.Remove(d.Layout.Image(40)) },
			"snapshot file doesn't exist): the database data/member/snap/db stands at 4, the snapshot at 40", false},
		{"the database", func(mem *vfs.Mem, d *Disk) { mem.Remove(d.Layout.DB()) }, "", true},
		{"both", func(mem *vfs.Mem, d *Disk) { mem.Remove(d.Layout.Image(40)); mem.Remove(d.Layout.DB()) },
			"database file (data/member/snap/db) of the backend is missing", false},
		{"the log", func(mem *vfs.Mem, d *Disk) { mem.RemoveAll(d.Layout.WAL) },
			"the log of the database data/member/snap/db (index 4) is missing: there is none in data/member/wal", false},
		{"a right image", func(mem *vfs.Mem, d *Disk) { touch(t, mem, d.Layout.Image(40), "no image") },
			"cannot read the snapshot at 40", true},
	} {
		mem := vfs.NewMem()
		d := diskOn(mem)
		l := &life{t: t, disk: d, promised: &promises{what: c.name}}
		l.start()
		l.group(3, 100, 0)
		l.commit()
		l.receive(image, 40)
		group := []consensus.LogWrite{{MustSync: true, Snapshot: &raftpb.Snapshot{Metadata: meta},
			HardState: &raftpb.HardState{
				Term: new(uint64(1)), Vote: new(uint64(self)), Commit: meta.Index,
			}}}
		if _, err := l.started.Log.Append(group); err != nil {
			t.Fatal(err)
		}
		l.check(l.started.Close())
		c.spoil(mem, d)
		caught, opened := false, []uint64(nil)
		d.CatchUp = func(at, index uint64) { caught = at < 5 && index == 40 }
		d.Opened = func(_ string, at backend.Applied) { opened = append(opened, at.Index) }
		s, err := d.Start(birthOf)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if caught != c.caught || len(opened) == 0 || c.want == "" && opened[len(opened)-1] != 40 {
			t.Errorf("%s: told of catching up %v, of databases at %v", c.name, caught, opened)
		}
		if s == nil {
			continue
		}
		if at := s.State.Store.Applied().Index; at != 40 {
			t.Errorf("%s: the state stands at %d", c.name, at)
		}
		if images, _ := d.Images(); len(images) != 0 {
			t.Errorf("%s: images %v are left", c.name, images)
		}
		l.check(s.Close())
	}
}

// TestNothingCanBeSeen: on a disk that says of no name whether it is there, a start ends.
func TestNothingCanBeSeen(t *testing.T) {
	broken := errors.New("broken")
	for _, layout := range []Layout{At("data", ""), At("/data", "")} {
		d := diskOn(vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
			if op.Kind == vfs.OpStat || op.Kind == vfs.OpList {
				return broken
			}
			return nil
		}))
		d.Layout = layout
		if _, err := d.Start(birthOf); !errors.Is(err, broken) {
			t.Errorf("%s: %v", layout.Data, err)
		}
	}
}

// TestLostLog: a database that stands somewhere had a log, and gets no other.
func TestLostLog(t *testing.T) {
	mem := vfs.NewMem()
	l := &life{t: t, disk: diskOn(mem), promised: &promises{}}
	l.start()
	l.check(l.started.Close())
	l.check(mem.RemoveAll(l.disk.Layout.WAL))
	if _, err := l.disk.Start(birthOf); err == nil || !strings.Contains(err.Error(), "(index 1) is missing") {
		t.Errorf("%v", err)
	}
}

// TestDefragmentationFails, and tells whether the member may go on.
func TestDefragmentationFails(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		step  Step
		final bool
	}{{NoStep, false}, {DefragRename, false}, {DefragDirSync, true}, {DefragOpen, true}} {
		d := diskOn(vfs.NewMem())
		l := living(t, d)
		l.group(3, 10, 0)
		d.Hook = func(s Step) error {
			if s == c.step {
				return broken
			}
			return nil
		}
		f, err := l.started.State.BeginDefrag()
		l.check(err)
		l.check(f.Copy())
		final, err := f.Rename()
		if final != c.final || errors.Is(err, broken) != (c.step != NoStep) {
			t.Errorf("%s: final %v, %v", c.step, final, err)
		}
		if names, _ := d.FS.List(d.Layout.Snap); strings.Join(names, " ") != "db" {
			t.Errorf("%s: left %v", c.step, names)
		}
		if d.Hook = nil; !c.final && c.step != NoStep {
			l.commit()
			l.defragment()
		}
	}
}

// TestDirectoryWithoutALog is no log: what is in its place goes.
func TestDirectoryWithoutALog(t *testing.T) {
	mem := vfs.NewMem()
	d := diskOn(mem)
	if err := mem.MkdirAll(d.Layout.WAL); err != nil {
		t.Fatal(err)
	}
	touch(t, mem, path.Join(d.Layout.WAL, "notes"), "x")
	if err := born(t, d).Close(); err != nil {
		t.Error(err)
	}
	if _, err := mem.Stat(path.Join(d.Layout.WAL, "notes")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the notes: %v", err)
	}
	failed := errors.New("no birth")
	if _, err := diskOn(vfs.NewMem()).Start(func() (Birth, error) { return Birth{}, failed }); !errors.Is(err, failed) {
		t.Errorf("without a birth: %v", err)
	}
}

// TestDamagedDatabase is refused at the start, by its name, and closed.
func TestDamagedDatabase(t *testing.T) {
	mem := vfs.NewMem()
	d := diskOn(mem)
	s := born(t, d)
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 1, Term: 1})
	batch.Put(backend.Key, []byte("no revision"), nil)
	s.State.Store.Backend.Write(batch)
	if err := errors.Join(s.State.Store.Backend.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	open := counting(d)
	_, err := d.Start(birthOf)
	if !errors.Is(err, mvcc.ErrDamaged) || !strings.Contains(err.Error(), d.Layout.DB()) || *open != 0 {
		t.Errorf("%v, %d databases are open", err, *open)
	}
	touch(t, mem, d.Layout.DB(), "no database")
	if _, err := d.Start(birthOf); err == nil {
		t.Error("started on what is no database")
	}
}

// TestDurable tells when all that was written before a mark is durable.
func TestDurable(t *testing.T) {
	l := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{}}
	l.start()
	st := l.started.State
	clean := st.Mark()
	if !st.Durable(clean) {
		t.Error("nothing is written, and it is not durable")
	}
	l.group(1, 10, 0)
	first := st.Mark()
	c, err := st.Begin()
	l.check(err)
	if frozen := st.Mark(); st.Durable(frozen) || frozen != first {
		t.Errorf("mark %d, want %d: what is being committed is not durable", frozen, first)
	}
	l.group(1, 10, 0)
	second := st.Mark()
	if st.Durable(first) || st.Durable(second) || first == second {
		t.Errorf("marks %d, %d: durable before the commit has ended", first, second)
	}
	at, whole, err := st.End(c, c.Run())
	l.check(err)
	if !whole || at.Index != 2 || !st.Durable(first) || st.Durable(second) {
		t.Errorf("after the first commit: at %d, whole %v, durable %v, %v", at.Index, whole, st.Durable(first),
			st.Durable(second))
	}
	if third := st.Mark(); third != second {
		t.Errorf("mark %d, want %d: no commit has begun", third, second)
	}
	l.commit()
	if !st.Durable(second) {
		t.Error("after the second commit it is not durable")
	}
	if c, err := st.Begin(); c != nil || err != nil {
		t.Errorf("a commit of nothing: %v, %v", c, err)
	}
	l.group(1, 10, 0)
	image, at, err := st.Image(3)
	l.check(err)
	if at.Index != 3 {
		t.Errorf("the image stands at %d", at.Index)
	}
	l.check(image.Close())
	if _, _, err := st.Image(4); err == nil || !strings.Contains(err.Error(), "stands at 3, raft asks for 4") {
		t.Errorf("an image of what is not durable: %v", err)
	}
	last := st.Mark()
	fresh := born(t, diskOn(vfs.NewMem())).State.Store
	old, err := st.Exchange(fresh)
	l.check(err)
	if old == nil || old == fresh || st.Store != fresh || !st.Durable(last) {
		t.Errorf("after an exchange: durable %v", st.Durable(last))
	}
	born, err := birthOf()
	l.check(err)
	fresh.Apply(store.ApplyContext{}, born.Entries)
	if last = st.Mark(); st.Durable(last) {
		t.Error("what is applied to the new one is durable at once")
	}
	l.commit()
	if !st.Durable(last) {
		t.Error("what is committed to the new one is not durable")
	}
}

// growing is a database whose file has to grow before a commit fits.
type growing struct {
	*backend.MemFile
	full int // commits until it has grown
}

func (g *growing) Commit(ops []backend.Op) error {
	if g.full > 0 {
		return backend.ErrFull
	}
	return g.MemFile.Commit(ops)
}

func (g *growing) Grow() error { g.full--; return nil }

// TestDurableWhenGrown: what has to be committed again is durable when it fits.
func TestDurableWhenGrown(t *testing.T) {
	d := diskOn(vfs.NewMem())
	db, plain := &growing{}, d.Open
	d.Open = func(path string) (backend.Store, error) {
		f, err := plain(path)
		db.MemFile = f.(*backend.MemFile)
		return db, err
	}
	l := living(t, d)
	st := l.started.State
	l.group(1, 10, 0)
	first := st.Mark()
	db.full = 2
	for try := range 3 {
		c, err := st.Begin()
		l.check(err)
		at, whole, err := st.End(c, c.Run())
		l.check(err)
		if whole != (try == 2) || st.Durable(first) != whole || (at.Index == 2) != whole {
			t.Errorf("try %d: whole %v, durable up to %d: %v", try, whole, at.Index, st.Durable(first))
		}
		if try == 0 {
			l.group(1, 10, 0)
		}
	}
	if second := st.Mark(); second == first || st.Durable(second) {
		t.Errorf("mark %d after %d: what came meanwhile is durable: %v", second, first, st.Durable(second))
	}
	l.commit()
	if at := st.Store.Backend.Durable().Index; at != 3 || !st.Durable(st.Mark()) {
		t.Errorf("durable up to %d", at)
	}
}

// TestLong: a read is long if one of its ranges is.
func TestLong(t *testing.T) {
	l := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{}}
	l.start()
	l.group(5, 10, 0) // five keys, k0 to k4
	all := &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l")}
	one := &pb.RangeRequest{Key: []byte("k1")}
	op := func(r *pb.RangeRequest) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
	}
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{}}}
	for _, c := range []struct {
		name string
		req  any
		long bool
	}{
		{"a range", all, true},
		{"a key", one, false},
		{"a transaction of keys", &pb.TxnRequest{
			Success: []*pb.RequestOp{op(one), put}, Failure: []*pb.RequestOp{op(one)},
		}, false},
		{"a range if it succeeds", &pb.TxnRequest{Success: []*pb.RequestOp{put, op(one), op(all)}}, true},
		{"a range if it fails", &pb.TxnRequest{Failure: []*pb.RequestOp{op(one), op(all)}}, true},
		{"a write", &pb.PutRequest{}, false},
	} {
		if got := Long(l.started.State.Store, c.req, 4); got != c.long {
			t.Errorf("%s: %v", c.name, got)
		}
		if Long(l.started.State.Store, c.req, 5) {
			t.Errorf("%s touches more than five keys", c.name)
		}
	}
	v := l.started.State.Store.KV.View()
	defer v.Close()
	if resp, err := ReadView(v, all); err != nil || resp.(*pb.RangeResponse).Count != 5 {
		t.Errorf("%v, %v", resp, err)
	}
	if resp, err := ReadView(v, &pb.RangeRequest{Key: []byte("k"), Revision: 99}); resp != nil ||
		!errors.Is(err, mvcc.ErrFutureRev) {
		t.Errorf("of the future: %v, %v", resp, err)
	}
	if _, err := ReadView(nil, &pb.PutRequest{}); !errors.Is(err, store.ErrUnknownRequest) {
		t.Errorf("a write is read: %v", err)
	}
}

// TestCloseTells of a log that cannot be closed.
func TestCloseTells(t *testing.T) {
	s := born(t, diskOn(vfs.NewMem()))
	if err := s.Log.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Close() == nil {
		t.Error("closed twice")
	}
}

// TestDeepDirectories: all that is made on the way is durable when the member is told that it is there. One that this
// process may not sync was made by somebody else.
func TestDeepDirectories(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		fault error
		ok    bool
	}{{nil, true}, {fs.ErrPermission, true}, {broken, false}} {
		mem := vfs.NewMem()
		disk := func(m *vfs.Mem) *Disk {
			d := diskOn(vfs.WithFaults(m, func(op vfs.Op) error {
				if op.Kind == vfs.OpSyncDir && op.Path == "." {
					return c.fault
				}
				return nil
			}))
			d.Layout = At("far/down/data", "logs/of/all/wal")
			return d
		}
		s, err := disk(mem).Start(birthOf)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, broken) {
			t.Errorf("%v: %v", c.fault, err)
		}
		if s == nil || c.fault != nil {
			continue
		}
		lost := mem.LoseUnsynced()
		again, err := disk(lost).Start(func() (Birth, error) { return Birth{}, errors.New("it is born again") })
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Found.Entries) != 1 {
			t.Errorf("%d entries", len(again.Found.Entries))
		}
	}
}

// TestNoFile: a database without a file cannot be defragmented.
func TestNoFile(t *testing.T) {
	d := diskOn(vfs.NewMem())
	d.Open = func(string) (backend.Store, error) { return backend.NewMem(), nil }
	if _, err := born(t, d).State.BeginDefrag(); !errors.Is(err, ErrNoFile) {
		t.Errorf("%v", err)
	}
}
