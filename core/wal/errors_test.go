package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// lived is the life of a log, call by call, up to the first error: it is made, grows over some segments with and
// without a spare, loses its tail, is opened again, and closed when it has a spare. over is put over its disk.
func lived(m *vfs.Mem, call *string, over func(vfs.FS) vfs.FS) (w *WAL, err error) {
	o := Options{SegmentBytes: 1500, Recycle: true}
	fsys := over(m)
	try := func(name string, do func() error) {
		if err == nil {
			*call = name
			err = do()
		}
	}
	reopen := func(name string) {
		try(name, func() (e error) { w, _, e = Open(fsys, "m/wal", mark(150, 1), o); return e })
	}
	index := uint64(1)
	grow := func(n int) {
		for range n {
			try("append", func() error { return w.Append(hardState(1, 1, index-1), entries(1, index, 10)) })
			try("sync", func() error { return w.Sync() })
			index += 10
		}
	}
	try("create", func() (e error) { w, e = Create(fsys, "m/wal", []byte("metadata"), o); return e })
	grow(4)
	try("snapshot", func() error { return w.SaveSnapshot(mark(20, 1)) })
	grow(10)
	try("release", func() error { return w.Release(20) })
	grow(10)
	try("snapshot", func() error { return w.SaveSnapshot(mark(150, 1)) })
	try("release", func() error { return w.Release(150) }) // one becomes the spare
	grow(1)
	try("release", func() error { return w.Release(150) })
	grow(10)
	for err == nil && w.offset > 400 { // to the beginning of a segment
		grow(1)
	}
	try("append", func() error { return w.Append(nil, []*raftpb.Entry{entry(1, index, strings.Repeat("x", 1000))}) })
	if err == nil { // the process ends before it is synced, and the power goes: a sector of it is lost
		*call = "test"
		name, end := path.Join("m/wal", w.last().Name), w.offset
		m = m.Clone()
		fsys = over(m)
		err = m.Damage(name, (end-300)/512*512, 512, func(p []byte) { clear(p) })
	}
	reopen("open with a torn tail")
	grow(3)
	try("snapshot", func() error { return w.SaveSnapshot(mark(index-1, 1)) })
	try("release", func() error { return w.Release(index - 1) })
	if err == nil && w.spare == nil {
		return w, errors.New("there is no spare")
	}
	try("close", func() error { return w.Close() })
	return w, err
}

// TestEveryErrorIsTold: whichever operation on the disk fails, the call in which it did says so, and from then on the
// log says the same to every call. An operation whose failure changes nothing is named here.
func TestEveryErrorIsTold(t *testing.T) {
	eio := errors.New("input/output error")
	total, spares := 0, 0
	call := ""
	over := func(fault func(vfs.Op) error) func(vfs.FS) vfs.FS {
		return func(m vfs.FS) vfs.FS { return vfs.WithFaults(m, fault) }
	}
	if _, err := lived(vfs.NewMem(), &call, over(func(op vfs.Op) error {
		total++
		if op.Kind == vfs.OpWrite && path.Base(op.Path) == spareName {
			spares++
		}
		return nil
	})); err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	if total < 100 || spares == 0 {
		t.Fatalf("only %d operations, %d of them on a spare", total, spares)
	}
	for n := range total {
		at, in := 0, ""
		var failed vfs.Op
		w, err := lived(vfs.NewMem(), &call, over(func(op vfs.Op) error {
			if at++; at == n+1 {
				failed, in = op, call
				return eio
			}
			return nil
		}))
		what := fmt.Sprintf("operation %d of %d, %v of %s in %s", n, total, failed.Kind, path.Base(failed.Path), in)
		switch {
		case failed.Kind == vfs.OpStat && in == "create":
			// Create asks which directories are there; what cannot be told is made.
		case !errors.Is(err, eio) || call != in:
			t.Errorf("%s: %s went on: %v", what, call, err)
		case call == "append" || call == "sync" || call == "snapshot" || call == "release":
			for name, again := range map[string]error{
				"append": w.Append(nil, entries(1, 999, 1)), "sync": w.Sync(), "snapshot": w.SaveSnapshot(mark(1, 1)),
				"release": w.Release(1),
			} {
				if again == nil || again.Error() != err.Error() {
					t.Errorf("%s: %s says %v, and then %s says %v", what, call, err, name, again)
				}
			}
		case w != nil && !strings.HasPrefix(call, "close"):
			t.Errorf("%s: %s has failed and gives a log", what, call)
		}
	}
}

// TestSpareThatIsNotClean is not used: a segment that holds old records behind new ones would be no log.
func TestSpareThatIsNotClean(t *testing.T) {
	const chunk = 1 << 20
	m := vfs.NewMem()
	o := Options{SegmentBytes: 4 * chunk, Recycle: true}
	w := create(t, m, o)
	index := uint64(0)
	grow := func(n int) {
		for range n {
			index++
			check(t, w.Append(nil, []*raftpb.Entry{entry(1, index, strings.Repeat("x", chunk))}))
			check(t, w.Sync())
		}
	}
	grow(7) // the first segment is full, the second nearly
	check(t, w.SaveSnapshot(mark(5, 1)))
	check(t, w.Release(6))
	if w.spare == nil {
		t.Fatal("no spare")
	}
	grow(1)
	if len(w.Segments()) != 2 || w.spare == nil || w.spare.cleaned >= w.spare.size {
		t.Fatalf("%d segments, spare %+v", len(w.Segments()), w.spare)
	}
	grow(5) // meanwhile it is cleaned, and becomes the next
	if len(w.Segments()) != 3 || w.spare != nil {
		t.Errorf("%d segments, spare %+v", len(w.Segments()), w.spare)
	}
	if w.zeroed < o.SegmentBytes {
		t.Errorf("of a segment that was the spare %d bytes are zeros, want all of %d", w.zeroed, o.SegmentBytes)
	}
	check(t, w.Close())
	w, log := open(t, m, mark(5, 1), o)
	if n := len(log.Entries); n != 8 || log.Repaired {
		t.Errorf("%d entries, repaired %v", n, log.Repaired)
	}
	check(t, w.Close())
}

// unreserved is a file on a full disk.
type unreserved struct {
	vfs.File
	err error
}

func (f unreserved) Preallocate(int64) error { return f.err }

// TestSpareOfAnotherSize grows to the size that segments have now.
func TestSpareOfAnotherSize(t *testing.T) {
	m := vfs.NewMem()
	w := create(t, m, Options{SegmentBytes: 2000, Recycle: true})
	index := uint64(1)
	for len(w.Segments()) < 2 {
		check(t, w.Append(nil, entries(1, index, 5)))
		index += 5
	}
	w.o.SegmentBytes = 6000
	check(t, w.Append(nil, entries(1, index, 5)))
	index += 5
	check(t, w.SaveSnapshot(mark(index-1, 1)))
	check(t, w.Release(index))
	if w.spare == nil || w.spare.size >= w.o.SegmentBytes {
		t.Fatalf("spare %+v", w.spare)
	}
	w.spare.cleaned = w.spare.size
	full := errors.New("no space left on device")
	spare := w.spare.file
	w.spare.file = unreserved{spare, full}
	failed := *w // whose tail ends here
	failed.segments = slices.Clone(w.segments)
	if err := failed.cut(); !errors.Is(err, full) {
		t.Errorf("a spare that cannot grow: %v", err)
	}
	var err error
	w.spare.file, err = m.OpenReadWrite(spare.Name()) // it was closed
	check(t, err)
	for len(w.Segments()) < 2 {
		check(t, w.Append(nil, entries(1, index, 5)))
		index += 5
	}
	check(t, w.Sync())
	if info, err := m.Stat(path.Join("m/wal", w.last().Name)); err != nil || info.Size != 6000 || w.spare != nil {
		t.Errorf("%s has %d bytes, %v; spare %+v", w.last().Name, info.Size, err, w.spare)
	}
	check(t, w.Close())
}

// TestLeftoversGo: what a life that ended early has left aside is gone after a start.
func TestLeftoversGo(t *testing.T) {
	m := vfs.NewMem()
	check(t, create(t, m, Options{}).Close())
	for _, name := range []string{nextName, spareName} {
		f, err := m.Create(path.Join("m/wal", name))
		check(t, err)
		check(t, f.Close())
	}
	w, _ := open(t, m, nil, Options{})
	for _, name := range []string{nextName, spareName} {
		if _, err := m.Stat(path.Join("m/wal", name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, w.Close())
}

// TestHardStateInEachSegment: whatever part of it is set, it stands at the head of every segment, also after a start.
func TestHardStateInEachSegment(t *testing.T) {
	for _, hs := range []*raftpb.HardState{hardState(3, 0, 0), hardState(0, 3, 0), hardState(0, 0, 3),
		hardState(1, 0, 0), hardState(0, 1, 0), hardState(0, 0, 1), hardState(1, 2, 3), hardState(0, 0, 0)} {
		m := vfs.NewMem()
		o := Options{SegmentBytes: 2000}
		w := create(t, m, o)
		check(t, w.Append(hs, entries(1, 1, 3)))
		check(t, w.Close())
		w, _ = open(t, m, nil, o)
		for index := uint64(4); len(w.Segments()) < 3; index += 5 {
			check(t, w.Append(nil, entries(1, index, 5)))
		}
		last := w.Segments()[2]
		states := 0
		_, err := Walk(m, "m/wal", last.Name, func(s Seen) bool {
			if s.Kind == State {
				states++
			}
			return true
		})
		check(t, err)
		if empty := proto.Equal(hs, hardState(0, 0, 0)); (states == 0) != empty || states > 1 {
			t.Errorf("%d records of the hard state %v in the last segment", states, hs)
		}
		check(t, w.SaveSnapshot(mark(last.Index-1, 1)))
		check(t, w.Release(last.Index))
		check(t, w.Close())
		w, log := open(t, m, mark(last.Index-1, 1), o)
		if got := log.HardState; got.GetTerm() != hs.GetTerm() || got.GetVote() != hs.GetVote() ||
			got.GetCommit() != hs.GetCommit() {
			t.Errorf("hard state %v, want %v", got, hs)
		}
		check(t, w.Close())
	}
}

// TestRecordsThatMeanNothing: a record whose checksum is right, and that is no message of its type or has fields that
// nobody knows, is named.
func TestRecordsThatMeanNothing(t *testing.T) {
	whole, err := proto.Marshal(entry(1, 1, "x"))
	check(t, err)
	state, err := proto.Marshal(hardState(1, 1, 0))
	check(t, err)
	for _, c := range []struct {
		name string
		kind byte
		data []byte
		ok   bool
	}{
		{"an entry", entryRecord, whole, true},
		{"no entry", entryRecord, []byte{0xff}, false},
		{"an entry with more", entryRecord, append(slices.Clip(whole), "\x7a\x01x"...), false},
		{"a hard state", stateRecord, state, true},
		{"no hard state", stateRecord, []byte{0xff}, false},
		{"a hard state with more", stateRecord, append(slices.Clip(state), "\x7a\x01x"...), false},
		{"no snapshot", snapshotRecord, []byte{0xff}, false},
		{"no type", 9, whole, false},
	} {
		m := vfs.NewMem()
		w := create(t, m, Options{})
		w.enc.record(c.kind, c.data, nil)
		check(t, w.flush())
		check(t, w.Close())
		opened, _, err := Open(m, "m/wal", nil, Options{})
		if corrupt := new(CorruptError); (err == nil) != c.ok || err != nil && !errors.As(err, &corrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
		if opened != nil {
			check(t, opened.Close())
		}
	}
}

// TestReadErrors: what cannot be read is told at the start, whichever read it is, of large records too.
func TestReadErrors(t *testing.T) {
	eio := errors.New("input/output error")
	m := vfs.NewMem()
	w := create(t, m, Options{})
	check(t, w.Append(hardState(1, 1, 0), []*raftpb.Entry{entry(1, 1, strings.Repeat("x", 300_000)), entry(1, 2, "y")}))
	check(t, w.Close())
	reads := 0
	for n := 0; n <= reads; n++ {
		at := 0
		w, _, err := Open(vfs.WithFaults(m.Clone(), func(op vfs.Op) error {
			if op.Kind == vfs.OpRead {
				if at++; at == n {
					return eio
				}
			}
			return nil
		}), "m/wal", nil, Options{})
		if reads = max(reads, at); (n == 0) != (err == nil) || n > 0 && (!errors.Is(err, eio) || w != nil) {
			t.Errorf("read %d of %d: %v", n, reads, err)
		}
	}
	if reads < 4 {
		t.Errorf("only %d reads", reads)
	}
}

// TestForeignSegment: one of another log, which is right in itself, does not continue this one.
func TestForeignSegment(t *testing.T) {
	o := Options{SegmentBytes: 2000}
	made := func(text string) (m *vfs.Mem, second string) {
		m = vfs.NewMem()
		w := create(t, m, o)
		for index := uint64(1); len(w.Segments()) < 2; index++ {
			check(t, w.Append(nil, []*raftpb.Entry{entry(1, index, text)}))
		}
		check(t, w.Append(nil, []*raftpb.Entry{entry(1, w.lastIndex+1, text)}))
		check(t, w.Sync())
		second = path.Join("m/wal", w.Segments()[1].Name)
		check(t, w.Close())
		return m, second
	}
	ours, name := made("ours")
	theirs, other := made("them")
	if name != other {
		t.Fatalf("segments %s and %s", name, other)
	}
	data, err := vfs.ReadFile(theirs, name)
	check(t, err)
	f, err := ours.Create(name)
	check(t, err)
	_, err = f.Write(data)
	check(t, err)
	check(t, f.Close())
	_, _, err = Open(ours, "m/wal", nil, o)
	if corrupt := new(CorruptError); !errors.As(err, &corrupt) || corrupt.File != name || corrupt.Offset != 0 {
		t.Errorf("opened with the segment of another log: %v", err)
	}
}

// TestZerosAhead: behind the end the file is written with zeros, half a stretch of them at least.
func TestZerosAhead(t *testing.T) {
	w := create(t, vfs.NewMem(), Options{SegmentBytes: 8 * aheadBytes})
	for index := range uint64(40) {
		check(t, w.Append(nil, []*raftpb.Entry{entry(1, index+1, strings.Repeat("x", aheadBytes/10))}))
		if ahead := w.zeroed - w.offset; ahead < aheadBytes/2-aheadBytes/10 || ahead > aheadBytes+aheadBytes/2 {
			t.Fatalf("%d bytes ahead of %d", ahead, w.offset)
		}
	}
	check(t, w.Close())
}
