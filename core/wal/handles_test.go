package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"vitrine/core/pb"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// ledger is a file system that knows which files are open and which locks are held. fault is asked before a file is
// described or closed and before a lock is given up; what is to be closed is closed in any case.
type ledger struct {
	vfs.FS
	held  map[io.Closer]string
	fault func(what, name string) error
}

func newLedger(fsys vfs.FS, fault func(what, name string) error) *ledger {
	return &ledger{FS: fsys, held: map[io.Closer]string{}, fault: fault}
}

func (l *ledger) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	h := &heldFile{f, l}
	l.held[h] = f.Name()
	return h, nil
}

func (l *ledger) Create(name string) (vfs.File, error) { return l.file(l.FS.Create(name)) }
func (l *ledger) Open(name string) (vfs.File, error)   { return l.file(l.FS.Open(name)) }
func (l *ledger) OpenReadWrite(name string) (vfs.File, error) {
	return l.file(l.FS.OpenReadWrite(name))
}

func (l *ledger) Lock(name string) (io.Closer, error) {
	c, err := l.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	h := &heldLock{c, l}
	l.held[h] = "the lock of " + name
	return h, nil
}

func (l *ledger) close(h, inner io.Closer) error {
	name := l.held[h]
	delete(l.held, h)
	return errors.Join(inner.Close(), l.fault("close", name))
}

type heldFile struct {
	vfs.File
	l *ledger
}

func (f *heldFile) Close() error { return f.l.close(f, f.File) }

func (f *heldFile) Stat() (vfs.FileInfo, error) {
	if err := f.l.fault("stat", f.Name()); err != nil {
		return vfs.FileInfo{}, err
	}
	return f.File.Stat()
}

type heldLock struct {
	inner io.Closer
	l     *ledger
}

func (c *heldLock) Close() error { return c.l.close(c, c.inner) }

// tornMiddle is a log of one segment with a torn record of 100 KB in it, whose header crosses the border of a sector
// and whose length field is wrong by some bits: to tell, Open reads all of it, more than once.
func tornMiddle(t testing.TB, bits byte) (m *vfs.Mem, name string, start, end int64) {
	t.Helper()
	disk := vfs.NewMem()
	w := create(t, disk, Options{SegmentBytes: 256 << 10})
	check(t, w.Append(hardState(1, 1, 0), []*raftpb.Entry{entry(1, 1, "")}))
	fill := (vfs.BlockSize-16-(w.Size()+32))%vfs.BlockSize + vfs.BlockSize
	check(t, w.Append(nil, []*raftpb.Entry{entry(1, 2, strings.Repeat("f", int(fill/8*8)))}))
	for w.Size()%vfs.BlockSize != vfs.BlockSize-16 {
		check(t, w.Append(nil, []*raftpb.Entry{entry(1, w.lastIndex+1, "")}))
	}
	start = w.Size()
	check(t, w.Append(nil, []*raftpb.Entry{entry(1, w.lastIndex+1, strings.Repeat("x", 100_000))}))
	m, name, end = disk.Clone(), "m/wal/"+w.last().Name, w.Size()
	check(t, m.Damage(name, start+20<<10, 2*vfs.BlockSize, func(p []byte) { clear(p) }))
	check(t, m.Damage(name, start+2, 1, func(p []byte) { p[0] ^= bits }))
	return m, name, start, end
}

// calls are those that read a log, from disk to answer.
func calls(name string, from *pb.WALSnapshot, o Options) map[string]func(fsys vfs.FS) error {
	return map[string]func(fsys vfs.FS) error{
		"open": func(fsys vfs.FS) error {
			w, _, err := Open(fsys, "m/wal", from, o)
			if err != nil {
				return err
			}
			return w.Close()
		},
		"snapshots": func(fsys vfs.FS) error {
			_, err := Snapshots(fsys, "m/wal", o)
			return err
		},
		"durable": func(fsys vfs.FS) error {
			_, _, err := Durable(fsys, "m/wal")
			return err
		},
		"files": func(fsys vfs.FS) error {
			_, _, err := Files(fsys, "m/wal")
			return err
		},
		"walk": func(fsys vfs.FS) error {
			_, err := Walk(fsys, "m/wal", path.Base(name), func(Seen) bool { return true })
			return err
		},
	}
}

// TestReadersTellErrorsAndHoldNothing: whichever operation fails while a log is read, whole, torn or damaged, the call
// says so, and not that the log is damaged; and whatever comes of the call, no file stays open and no lock is held.
func TestReadersTellErrorsAndHoldNothing(t *testing.T) {
	eio := errors.New("input/output error")
	whole, last := build(t)
	torn, tornName, _, _ := tornMiddle(t, 0)
	shrunk, _, _, _ := tornMiddle(t, 1) // the length says some 34 KB, the header 100
	beyond, _, _, _ := tornMiddle(t, 4)
	points, file, _, _ := syncedLog(t, 3, 30, Options{SegmentBytes: 64 << 10})
	middle := whole.Clone()
	names, err := middle.List("m/wal")
	check(t, err)
	second := "m/wal/" + names[1]
	check(t, middle.Damage(second, records(t, middle, second)[5]+24, 1, func(p []byte) { p[0] ^= 1 }))
	for _, c := range []struct {
		what, name string
		disk       *vfs.Mem
		from       *pb.WALSnapshot
		o          Options
		refused    bool
	}{
		{"whole", last, whole, nil, small, false},
		{"damaged", last, middle, nil, small, true},
		{"with another start", last, whole, mark(3, 1), small, true},
		{"torn", tornName, torn, nil, Options{SegmentBytes: 256 << 10}, false},
		{"torn, with a length that is too small", tornName, shrunk, nil, Options{SegmentBytes: 256 << 10}, false},
		{"torn, with a length beyond the end", tornName, beyond, nil, Options{SegmentBytes: 256 << 10}, false},
		{"with sync points", file, points, nil, Options{SegmentBytes: 64 << 10}, false},
	} {
		for call, do := range calls(c.name, c.from, c.o) {
			total := 0
			for n := -1; n < total; n++ {
				at, failed := 0, ""
				fault := func(what, name string) error {
					if at++; at == n+1 {
						failed = what + " of " + path.Base(name)
						return eio
					}
					return nil
				}
				l := newLedger(vfs.WithFaults(c.disk.Clone(), func(op vfs.Op) error {
					return fault(op.Kind.String(), op.Path)
				}), func(what, name string) error {
					if what == "stat" {
						return fault(what, name)
					}
					return nil
				})
				err := do(l)
				what := fmt.Sprintf("%s of a log %s, operation %d of %d, %s", call, c.what, n, total, failed)
				switch {
				case n >= 0 && !errors.Is(err, eio):
					t.Errorf("%s: %v", what, err)
				case n < 0 && err != nil && !c.refused:
					t.Fatalf("%s: %v", what, err)
				case n < 0 && call == "open" && err == nil && c.refused:
					t.Fatalf("%s: it is not refused", what)
				case n < 0:
					total = at
				}
				if len(l.held) > 0 {
					t.Errorf("%s: held afterwards: %v", what, l.held)
				}
			}
		}
	}
}

// TestCreateHoldsNothingAfterAFailure either.
func TestCreateHoldsNothingAfterAFailure(t *testing.T) {
	eio := errors.New("input/output error")
	total := 0
	for n := -1; n < total; n++ {
		at := 0
		fault := func() error {
			if at++; at == n+1 {
				return eio
			}
			return nil
		}
		l := newLedger(vfs.WithFaults(vfs.NewMem(), func(vfs.Op) error { return fault() }),
			func(string, string) error { return fault() })
		w, err := Create(l, "data/m/wal", nil, small)
		if err == nil {
			err = w.Close()
		}
		if n < 0 {
			check(t, err)
			total = at
		}
		if len(l.held) > 0 {
			t.Errorf("operation %d of %d: %v; held afterwards: %v", n, total, err, l.held)
		}
	}
}

// TestFailedClosesAreTold: a file of the log or a lock that cannot be closed is told by the call that closes it, and
// is given up all the same. What was only read may fail to close.
func TestFailedClosesAreTold(t *testing.T) {
	eio := errors.New("input/output error")
	total := 0
	for n := -1; n < total; n++ {
		at, failed, in, call := 0, "", "", ""
		m := vfs.NewMem()
		over := func(m vfs.FS) vfs.FS {
			return newLedger(m, func(what, name string) error {
				if what != "close" || strings.HasSuffix(name, brokenSuffix) {
					return nil
				}
				if at++; at == n+1 {
					failed, in = name, call
					return eio
				}
				return nil
			})
		}
		w, err := lived(m, &call, over)
		switch {
		case n < 0:
			check(t, err)
			total = at
		case in == "open with a torn tail": // reads the segments, and closes them
			check(t, err)
		case !errors.Is(err, eio) || call != in:
			t.Errorf("close %d of %d, of %s, in %s: %s says %v", n, total, path.Base(failed), in, call, err)
		}
		if w != nil {
			w.Close()
		}
	}
	if total < 30 {
		t.Errorf("only %d times something was closed", total)
	}
}

// TestCloseGivesEverythingUp: files, locks, and the spare, when all that was written is durable.
func TestCloseGivesEverythingUp(t *testing.T) {
	disk := vfs.NewMem()
	l := newLedger(disk, func(string, string) error { return nil })
	w := create(t, l, Options{SegmentBytes: 2000, Recycle: true})
	for index := uint64(1); len(w.Segments()) < 4; index++ {
		check(t, w.Append(nil, entries(1, index, 1)))
	}
	check(t, w.SaveSnapshot(mark(w.lastIndex, 1)))
	check(t, w.Release(w.lastIndex))
	if w.spare == nil || len(l.held) < 3 {
		t.Fatalf("spare %+v, held %v", w.spare, l.held)
	}
	last := "m/wal/" + w.last().Name
	check(t, w.Close())
	if len(l.held) > 0 || len(w.Segments()) > 0 {
		t.Errorf("held afterwards: %v; segments: %v", l.held, w.Segments())
	}
	if blocks, size := disk.Unsynced(last); blocks > 0 || size {
		t.Errorf("%d blocks of %s are not synced; its size is not: %v", blocks, last, size)
	}
	if _, err := disk.Stat("m/wal/" + spareName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the spare outlives its log: %v", err)
	}
}

// ended is a file whose reads end in another way than those of vfs.Mem do.
type ended struct {
	vfs.File
	missing int64 // bytes that it has less than it says
}

func (f ended) ReadAt(p []byte, at int64) (int, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	have := max(0, min(int64(len(p)), info.Size-f.missing-at))
	n, err := f.File.ReadAt(p[:have], at)
	if err == nil && at+int64(n) >= info.Size-f.missing {
		err = io.EOF // also with all that was asked for, as io.ReaderAt may
	}
	return n, err
}

type endedFS struct {
	vfs.FS
	missing int64
}

func (e endedFS) Open(name string) (vfs.File, error) {
	f, err := e.FS.Open(name)
	return ended{f, e.missing}, err
}

// TestReadsThatEnd: the end of a file may be told with its last bytes. A file that has less than it says, because
// somebody cuts it off meanwhile, is told as an error, and as none of the log.
func TestReadsThatEnd(t *testing.T) {
	m, last := build(t)
	_, want := open(t, m.Clone(), nil, small)
	for call, do := range calls(last, nil, small) {
		if err := do(endedFS{m.Clone(), 0}); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	_, got := open(t, endedFS{m.Clone(), 0}, nil, small)
	if text(got) != text(want) {
		t.Errorf("read to the end:\n%s\nwant\n%s", text(got), text(want))
	}
	for call, do := range calls(last, nil, small) {
		err := do(endedFS{m.Clone(), 1})
		if call != "files" && (!errors.Is(err, io.EOF) || errors.As(err, new(*CorruptError))) {
			t.Errorf("%s of a file that became shorter: %v", call, err)
		}
	}
}

// TestFilesAreReadOnce, in pieces: a log is read in about as many bytes as it has, and once more for what follows its
// end, however many records it has.
func TestFilesAreReadOnce(t *testing.T) {
	const size = 1 << 20
	m := vfs.NewMem()
	w := create(t, m, Options{SegmentBytes: size})
	for index := uint64(1); w.Size() < size/2; index += 5 {
		check(t, w.Append(nil, entries(1, index, 5)))
	}
	check(t, w.Close())
	var counts vfs.Counts
	w, _ = open(t, vfs.WithCount(m, &counts), nil, Options{SegmentBytes: size})
	check(t, w.Close())
	if n, b := counts.Ops[vfs.OpRead], counts.Bytes[vfs.OpRead]; n > 2*size/readBytes || b > size*3/2 {
		t.Errorf("%d reads of %d bytes for a file of %d", n, b, size)
	}
}

// TestNothingIsSyncedWithoutSyncs: with UnsafeNoSync no sync is asked for, and no sync point tells of one.
func TestNothingIsSyncedWithoutSyncs(t *testing.T) {
	m := vfs.NewMem()
	var counts vfs.Counts
	o := Options{SegmentBytes: 2000, Recycle: true, UnsafeNoSync: true}
	w := create(t, vfs.WithCount(m, &counts), o)
	var index uint64
	for range 2 {
		for first := len(w.Segments()); len(w.Segments()) < first+2; {
			check(t, w.Append(hardState(1, 1, index), entries(1, index+1, 3)))
			check(t, w.Sync())
			index += 3
		}
		check(t, w.Close())
		var log *Recovered
		w, log = open(t, vfs.WithCount(m, &counts), nil, o)
		if uint64(len(log.Entries)) != index || log.Repaired {
			t.Fatalf("%d entries, want %d; repaired %v", len(log.Entries), index, log.Repaired)
		}
	}
	segments := w.Segments()
	check(t, w.SaveSnapshot(mark(index, 1)))
	check(t, w.Release(index))
	check(t, w.Close())
	if n := counts.Ops[vfs.OpSync] + counts.Ops[vfs.OpSyncData] + counts.Ops[vfs.OpSyncDir]; n > 0 {
		t.Errorf("%d syncs", n)
	}
	last := segments[len(segments)-1].Name
	_, err := Walk(m, "m/wal", last, func(s Seen) bool {
		if s.Kind == Checksum && s.Offset > 0 {
			t.Errorf("a sync point at %d of %s", s.Offset, last)
		}
		return true
	})
	check(t, err)
}

// TestFailedWriteIsTakenBack: what a failed write has left is zeros again, nothing else is written and the file does
// not grow; and a failure in that is told beside the first one.
func TestFailedWriteIsTakenBack(t *testing.T) {
	full, eio := errors.New("no space left on device"), errors.New("input/output error")
	for _, size := range []int64{20, 1500, 9000} { // the last one is beyond the end of the file
		for _, second := range []string{"", "write", "stat"} {
			m, failing, writes, again := vfs.NewMem(), false, 0, int64(0)
			l := newLedger(vfs.WithFaults(m, func(op vfs.Op) error {
				if op.Kind != vfs.OpWrite || !failing {
					return nil
				}
				writes++
				switch {
				case writes == 1:
					return &vfs.ShortWrite{Bytes: 13, Err: full}
				case second == "write":
					return eio
				}
				again += op.Size
				return nil
			}), func(what, _ string) error {
				if what == "stat" && failing && second == "stat" {
					return eio
				}
				return nil
			})
			w := create(t, l, Options{SegmentBytes: 4000})
			check(t, w.Append(hardState(1, 1, 0), entries(1, 1, 3)))
			check(t, w.Sync())
			name := path.Join("m/wal", w.last().Name)
			before, err := vfs.ReadFile(m, name)
			check(t, err)
			failing = true
			err = w.Append(nil, []*raftpb.Entry{entry(1, 4, strings.Repeat("x", int(size)))})
			what := fmt.Sprintf("a write of %d bytes, then a failed %q", size, second)
			if !errors.Is(err, full) || errors.Is(err, eio) != (second != "") {
				t.Errorf("%s: %v", what, err)
			}
			after, err := vfs.ReadFile(m, name)
			check(t, err)
			if second == "" && !slices.Equal(after, before) {
				t.Errorf("%s: %d bytes are not as before in a file of %d", what, len(after), len(before))
			}
			if most := size + 100; again > most || again == 0 && second == "" {
				t.Errorf("%s: %d bytes are written, want %d at most", what, again, most)
			}
			w.Close()
		}
	}
}

// TestLifeHoldsNothingAfterAFailure: whichever operation of a log's life fails, what is open is closed with the log.
func TestLifeHoldsNothingAfterAFailure(t *testing.T) {
	eio := errors.New("input/output error")
	total := 0
	for n := -1; n < total; n++ {
		at, call, failed := 0, "", ""
		fault := func(what, name string) error {
			if at++; at == n+1 {
				failed = what + " of " + path.Base(name)
				return eio
			}
			return nil
		}
		var l *ledger // of the last process; the power took the one before
		w, err := lived(vfs.NewMem(), &call, func(m vfs.FS) vfs.FS {
			l = newLedger(vfs.WithFaults(m, func(op vfs.Op) error { return fault(op.Kind.String(), op.Path) }), fault)
			return l
		})
		if w != nil && err != nil {
			w.Close()
		}
		if n < 0 {
			check(t, err)
			total = at
		}
		if len(l.held) > 0 {
			t.Errorf("operation %d of %d, %s, in %s: %v; held afterwards: %v", n, total, failed, call, err, l.held)
		}
	}
}
