package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, fsys FS, name, data string) File {
	t.Helper()
	f := must(fsys.Create(name))(t)
	must(f.Write([]byte(data)))(t)
	return f
}

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// TestFileAgainstAByteSlice performs random operations on a file and on a
// plain slice that says what the file must hold, clones included.
func TestFileAgainstAByteSlice(t *testing.T) {
	for seed := range uint64(60) {
		r := dice(seed)
		m := NewMem()
		f := must(m.Create("f"))(t)
		var want, synced []byte
		for range 120 {
			switch r.IntN(8) {
			case 0:
				size := r.IntN(5000)
				check(t, f.Truncate(int64(size)))
				want = append(want, make([]byte, max(0, size-len(want)))...)[:size]
				want = slices.Clone(want)
			case 1:
				check(t, f.SyncData())
				synced = slices.Clone(want)
			case 2: // go on with a clone; what the original does must not matter
				old := m
				m = m.Clone()
				stale := must(old.OpenReadWrite("f"))(t)
				must(stale.WriteAt(bytes.Repeat([]byte{0xEE}, 6000), 0))(t)
				check(t, stale.Sync())
				f = must(m.OpenReadWrite("f"))(t)
			default:
				p := make([]byte, r.IntN(1500))
				if r.IntN(3) > 0 {
					for i := range p {
						p[i] = byte(1 + r.IntN(255))
					}
				}
				off := r.IntN(4000)
				must(f.WriteAt(p, int64(off)))(t)
				want = append(want, make([]byte, max(0, off+len(p)-len(want)))...)
				copy(want[off:], p)
			}
			if got := must(ReadFile(m, "f"))(t); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: file and slice differ", seed)
			}
		}
		check(t, m.SyncDir("."))
		if got := must(ReadFile(m.LoseUnsynced(), "f"))(t); !bytes.Equal(got, synced) {
			t.Fatalf("seed %d: synced data changed: %d bytes, want %d", seed, len(got), len(synced))
		}
	}
}

func TestCrashKeepsWhatWasSyncedAndRollsForTheRest(t *testing.T) {
	m := NewMem()
	f := put(t, m, "f", string(bytes.Repeat([]byte{1}, 4*BlockSize)))
	check(t, f.Sync())
	check(t, m.SyncDir("/"))
	must(f.WriteAt(bytes.Repeat([]byte{2}, 4*BlockSize), 2*BlockSize))(t)
	if blocks, size := m.Unsynced("f"); blocks != 4 || !size {
		t.Fatalf("unsynced: %d blocks, size %v", blocks, size)
	}
	states, sizes := map[string]bool{}, map[int]bool{}
	for seed := range uint64(400) {
		got := must(ReadFile(m.CrashClone(dice(seed)), "f"))(t)
		sizes[len(got)] = true
		state := ""
		for i := 0; i < len(got); i += BlockSize {
			b := got[i : i+BlockSize]
			if !slices.Equal(b, bytes.Repeat(b[:1], BlockSize)) {
				t.Fatalf("seed %d: block %d is torn inside", seed, i/BlockSize)
			}
			state += fmt.Sprint(b[0])
		}
		if state[:2] != "11" {
			t.Fatalf("seed %d: synced and untouched blocks changed: %s", seed, state)
		}
		states[state] = true
	}
	for _, want := range []string{"1111", "1122", "112222", "111222", "1121", "11222", "112202"} {
		if !states[want] {
			t.Errorf("outcome %s never came up in %d outcomes", want, len(states))
		}
	}
	for state := range states {
		if bytes.ContainsAny([]byte(state[2:4]), "0") {
			t.Errorf("outcome %s: a synced block was lost", state)
		}
	}
	if !sizes[4*BlockSize] || !sizes[5*BlockSize] || !sizes[6*BlockSize] {
		t.Errorf("sizes after a crash: %v", sizes)
	}
}

func TestDirectoryEntriesNeedSyncDir(t *testing.T) {
	build := func() *Mem {
		m := NewMem()
		check(t, m.MkdirAll("d"))
		check(t, m.SyncDir("."))
		check(t, put(t, m, "d/old", "old").Sync())
		check(t, m.SyncDir("d"))
		check(t, put(t, m, "d/new.tmp", "new").Sync())
		check(t, m.Rename("d/new.tmp", "d/old"))
		return m
	}
	outcomes := map[string]bool{}
	for seed := range uint64(300) {
		after := build().CrashClone(dice(seed))
		names := must(after.List("d"))(t)
		outcomes[fmt.Sprint(names, string(must(ReadFile(after, "d/old"))(t)))] = true
	}
	// Either the rename happened or it did not; the temporary name may be lost too.
	for _, want := range []string{"[old]old", "[new.tmp old]old", "[old]new"} {
		if !outcomes[want] {
			t.Errorf("outcome %q never came up: %v", want, outcomes)
		}
	}
	if len(outcomes) != 3 {
		t.Errorf("impossible outcomes: %v", outcomes)
	}
	m := build()
	check(t, m.SyncDir("d"))
	for seed := range uint64(50) {
		after := m.CrashClone(dice(seed))
		if names := must(after.List("d"))(t); len(names) != 1 || string(must(ReadFile(after, "d/old"))(t)) != "new" {
			t.Fatalf("seed %d: synced rename was lost: %v", seed, names)
		}
	}
}

func TestRenameAcrossDirectoriesIsAtomic(t *testing.T) {
	m := NewMem()
	check(t, m.MkdirAll("a/x"))
	check(t, m.MkdirAll("b"))
	check(t, put(t, m, "a/x/f", "data").Sync())
	for _, d := range []string{".", "a", "a/x"} {
		check(t, m.SyncDir(d))
	}
	check(t, m.Rename("a/x", "b/y"))
	seen := map[string]int{}
	for seed := range uint64(200) {
		after := m.CrashClone(dice(seed))
		_, oldErr := ReadFile(after, "a/x/f")
		_, newErr := ReadFile(after, "b/y/f")
		seen[fmt.Sprint(oldErr == nil, newErr == nil)]++
	}
	if seen["true false"] == 0 || seen["false true"] == 0 || len(seen) != 2 {
		t.Fatalf("old and new place after a crash: %v", seen)
	}
	check(t, m.SyncDir("b"))
	after := m.LoseUnsynced()
	if _, err := ReadFile(after, "b/y/f"); err != nil {
		t.Fatalf("syncing one side of a rename must commit both: %v", err)
	}
	if _, err := after.Stat("a/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the old name is still there: %v", err)
	}
}

func TestSyncDirBringsEarlierChangesOfItsNames(t *testing.T) {
	m := NewMem()
	check(t, m.MkdirAll("a"))
	check(t, m.MkdirAll("b"))
	check(t, m.SyncDir("."))
	check(t, put(t, m, "a/f", "x").Sync())
	check(t, put(t, m, "a/g", "y").Sync())
	check(t, m.Rename("a/f", "b/f"))
	check(t, m.SyncDir("b"))
	after := m.LoseUnsynced()
	if got := string(must(ReadFile(after, "b/f"))(t)); got != "x" {
		t.Fatalf("b/f holds %q", got)
	}
	if names := must(after.List("a"))(t); len(names) != 0 {
		t.Fatalf("a holds %v: a/g was never synced", names)
	}
}

func TestFilesInALostDirectoryAreLost(t *testing.T) {
	m := NewMem()
	check(t, m.MkdirAll("d"))
	check(t, put(t, m, "d/f", "x").Sync())
	check(t, m.SyncDir("d"))
	if _, err := m.LoseUnsynced().Stat("d"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the directory was never synced in its parent, yet: %v", err)
	}
	kept := 0
	for seed := range uint64(40) {
		if _, err := m.CrashClone(dice(seed)).Stat("d/f"); err == nil {
			kept++
		}
	}
	if kept == 0 || kept == 40 {
		t.Fatalf("the directory survived %d of 40 crashes", kept)
	}
}

func TestOneCrashTakesTwoNumbers(t *testing.T) {
	m := NewMem()
	put(t, m, "f", "some data")
	empty, full := dice(9), dice(9)
	NewMem().CrashClone(empty)
	m.CrashClone(full)
	if empty.Uint64() != full.Uint64() {
		t.Fatal("the number of draws depends on what the disk holds")
	}
}

func TestCrashIsDeterministic(t *testing.T) {
	build := func() *Mem {
		m := NewMem()
		for i := range 20 {
			name := fmt.Sprintf("d%d/f%d", i%4, i)
			check(t, m.MkdirAll(name[:2]))
			put(t, m, name, string(bytes.Repeat([]byte{byte(i)}, 3000)))
		}
		return m
	}
	dump := func(m *Mem) string {
		out := ""
		for _, d := range must(m.List("."))(t) {
			for _, f := range must(m.List(d))(t) {
				out += fmt.Sprintf("%s/%s %x\n", d, f, must(ReadFile(m, d+"/"+f))(t))
			}
		}
		return out
	}
	for seed := range uint64(20) {
		first, second := dump(build().CrashClone(dice(seed))), dump(build().CrashClone(dice(seed)))
		if first != second {
			t.Fatalf("seed %d: two crashes of one disk differ", seed)
		}
	}
}

func TestReservedSpaceIsFree(t *testing.T) {
	m := NewMem()
	f := must(m.Create("segment"))(t)
	check(t, f.Preallocate(64_000_000))
	allocs := testing.AllocsPerRun(5, func() { m.Clone() })
	if allocs > 20 {
		t.Errorf("cloning a reserved file takes %v allocations", allocs)
	}
	must(f.WriteAt(make([]byte, 1<<20), 1<<20))(t)
	if n := len(f.(*memFile).node.content.now.leaves); n != 0 {
		t.Errorf("zeros were stored: %d leaves", n)
	}
	if info := must(f.Stat())(t); info.Size != 64_000_000 {
		t.Errorf("size %d", info.Size)
	}
}

func TestNames(t *testing.T) {
	m := NewMem()
	notExist := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := m.Open("no")
	notExist("open", err)
	_, err = m.Create("no/f")
	notExist("create in a missing directory", err)
	_, err = m.List("no")
	notExist("list", err)
	notExist("remove", m.Remove("no"))
	notExist("rename", m.Rename("no", "yes"))
	notExist("sync", m.SyncDir("no"))
	check(t, m.RemoveAll("no/at/all"))

	check(t, m.MkdirAll("/a/b"))
	put(t, m, "a/b/f", "1")
	put(t, m, "a/b/../g", "2")
	if names := must(m.List("/a"))(t); !slices.Equal(names, []string{"b", "g"}) {
		t.Errorf("a holds %v", names)
	}
	if err := m.Remove("a/b"); err == nil {
		t.Error("a full directory was removed")
	}
	if err := m.Rename("a", "a/b/c"); err == nil {
		t.Error("a directory was moved into itself")
	}
	if err := m.Rename("a/g", "a/b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file replaced a directory: %v", err)
	}
	check(t, m.RemoveAll("a/b"))
	if names := must(m.List("a"))(t); !slices.Equal(names, []string{"g"}) {
		t.Errorf("a holds %v", names)
	}
}

func TestFileHandles(t *testing.T) {
	m := NewMem()
	f := put(t, m, "f", "hello")
	r := must(m.Open("f"))(t)
	if _, err := r.Write([]byte("x")); err == nil {
		t.Error("wrote to a file opened for reading")
	}
	check(t, m.Remove("f"))
	if got := string(must(io.ReadAll(r))(t)); got != "hello" {
		t.Errorf("a removed file that is open holds %q", got)
	}
	check(t, f.Close())
	if err := f.Sync(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("sync after close: %v", err)
	}
	p := make([]byte, 10)
	if n, err := r.ReadAt(p, 3); n != 2 || err != io.EOF {
		t.Errorf("read past the end: %d, %v", n, err)
	}
	if at := must(r.Seek(-2, io.SeekEnd))(t); at != 3 {
		t.Errorf("seek to %d", at)
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("sought before the start")
	}
}

func TestLocksDieWithTheirProcess(t *testing.T) {
	m := NewMem()
	lock := must(m.Lock("f"))(t)
	if _, err := m.Lock("/f"); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	must(m.Clone().Lock("f"))(t)
	check(t, lock.Close())
	must(m.Lock("f"))(t)
	if err := lock.Close(); err == nil {
		t.Error("released twice")
	}
}

func TestWriteFileIsAllOrNothing(t *testing.T) {
	for seed := range uint64(100) {
		m := NewMem()
		check(t, WriteFile(m, "f", []byte("old")))
		r := dice(seed)
		crashAt := r.IntN(6)
		disk := m
		faulty := WithFaults(m, func(Op) error {
			if crashAt--; crashAt == 0 {
				disk = m.CrashClone(r)
			}
			return nil
		})
		check(t, WriteFile(faulty, "f", bytes.Repeat([]byte("new"), 1000)))
		got := string(must(ReadFile(disk, "f"))(t))
		if got != "old" && len(got) != 3000 {
			t.Fatalf("seed %d: half a file: %d bytes", seed, len(got))
		}
	}
}
