package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func newDisk(names Names) *Disk {
	var id uint64
	return New(names, func() uint64 { id++; return id })
}

func (d *Disk) file(t *testing.T, name string) *Node {
	t.Helper()
	n, errno := d.Create(d.root, name, false)
	if errno != 0 {
		t.Fatal(errno)
	}
	return n
}

func (d *Disk) text(name string) string {
	n := d.root.Lookup(name)
	if n == nil {
		return "(none)"
	}
	p := make([]byte, n.Size())
	return string(p[:d.Read(n, p, 0)])
}

// outcomes runs many cuts and returns all that show finds after them, sorted.
func outcomes(d *Disk, show func(*Disk) string) []string {
	seen := map[string]bool{}
	for seed := range uint64(400) {
		seen[show(d.Crash(rand.New(rand.NewPCG(seed, 1))))] = true
	}
	var out []string
	for s := range seen {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("after a cut there is one of\n%q, want\n%q", got, want)
	}
}

func durableFile(t *testing.T, d *Disk, name, text string) *Node {
	n := d.file(t, name)
	d.Write(n, []byte(text), 0)
	d.Sync(n, d.Now(), false)
	d.SyncDir(d.root, d.Now())
	return n
}

func TestSyncedStaysUnsyncedMayGo(t *testing.T) {
	d := newDisk(POSIX)
	n := durableFile(t, d, "f", "old")
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "old")
	d.Write(n, []byte("new"), 0)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "old", "new")
	d.Write(n, []byte("2nd"), 0)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "old", "new", "2nd")
	d.Sync(n, d.Now(), true)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "2nd")
}

func TestASyncCoversWhatCameBeforeIt(t *testing.T) {
	d := newDisk(POSIX)
	n := durableFile(t, d, "f", "old")
	d.Write(n, []byte("new"), 0)
	began := d.Now()
	d.Write(n, []byte("2nd"), 0)
	d.Sync(n, began, true)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "new", "2nd")
}

func TestSectorsAreLostOneByOne(t *testing.T) {
	d := newDisk(POSIX)
	n := durableFile(t, d, "f", strings.Repeat("a", 3*SectorBytes))
	d.Write(n, bytes.Repeat([]byte("b"), SectorBytes+2), SectorBytes-1) // touches all three
	var want []string
	for mask := range 8 {
		p := bytes.Repeat([]byte("a"), 3*SectorBytes)
		const one, two = SectorBytes, 2 * SectorBytes
		spans := [][2]int{{one - 1, one}, {one, two}, {two, two + 1}}
		for k, span := range spans {
			if mask&(1<<k) != 0 {
				copy(p[span[0]:span[1]], bytes.Repeat([]byte("b"), SectorBytes))
			}
		}
		want = append(want, string(p))
	}
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), want...)
}

func TestLengthAndDataAreTwoThings(t *testing.T) {
	d := newDisk(POSIX)
	n := durableFile(t, d, "f", "")
	d.Write(n, []byte("tail"), 0)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "", "tail", "\x00\x00\x00\x00")
	d.Sync(n, d.Now(), true) // fdatasync covers the length
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "tail")
	d.Truncate(n, 2)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "tail", "ta")
	d.Truncate(n, 4)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "tail", "ta", "ta\x00\x00")
}

func TestWhatIsWrittenBehindALostTruncationIsNotSeen(t *testing.T) {
	d := newDisk(POSIX)
	n := durableFile(t, d, "f", "old")
	d.Truncate(n, 0)
	d.Write(n, []byte("new"), 0)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "old", "", "new", "\x00\x00\x00")
}

func TestNamesNeedTheirDirectory(t *testing.T) {
	d := newDisk(POSIX)
	n := d.file(t, "f")
	d.Write(n, []byte("x"), 0)
	d.Sync(n, d.Now(), false)
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "(none)", "x")
	d.SyncDir(d.root, d.Now())
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "x")
	if errno := d.Remove(d.root, "f", false); errno != 0 {
		t.Fatal(errno)
	}
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "(none)", "x")
	d.SyncDir(d.root, d.Now())
	same(t, outcomes(d, func(d *Disk) string { return d.text("f") }), "(none)")
}

func TestARenameIsAtomicAndMayBeLost(t *testing.T) {
	both := func(d *Disk) string { return d.text("db") + " " + d.text("tmp") }
	d := newDisk(POSIX)
	durableFile(t, d, "db", "old")
	tmp := d.file(t, "tmp")
	d.Write(tmp, []byte("new"), 0)
	d.Sync(tmp, d.Now(), false)
	if errno := d.Rename(d.root, "tmp", d.root, "db"); errno != 0 {
		t.Fatal(errno)
	}
	same(t, outcomes(d, both), "old (none)", "old new", "new (none)")
	d.SyncDir(d.root, d.Now())
	same(t, outcomes(d, both), "new (none)")
}

func TestARenameBeforeTheSyncOfItsDataLosesBoth(t *testing.T) {
	d := newDisk(POSIX)
	durableFile(t, d, "db", "old")
	tmp := d.file(t, "tmp")
	d.Write(tmp, []byte("new"), 0)
	d.Rename(d.root, "tmp", d.root, "db")
	d.SyncDir(d.root, d.Now())
	same(t, outcomes(d, func(d *Disk) string { return d.text("db") }), "", "\x00\x00\x00", "new")
}

func TestUnsyncedNamesSurviveOneByOneOrInOrder(t *testing.T) {
	show := func(d *Disk) string { return fmt.Sprint(d.root.List()) }
	for _, names := range []Names{POSIX, Journal} {
		d := newDisk(names)
		d.file(t, "a")
		d.file(t, "b")
		want := []string{"[]", "[a]", "[a b]"}
		if names == POSIX {
			want = append(want, "[b]")
		}
		same(t, outcomes(d, show), want...)
	}
}

func TestAJournalTakesEarlierNamesAlong(t *testing.T) {
	d := newDisk(Journal)
	sub, _ := d.Create(d.root, "sub", true)
	d.Create(sub, "x", false)
	n := d.file(t, "f")
	d.Write(n, []byte("1"), 0)
	d.Sync(n, d.Now(), true)
	show := func(d *Disk) string {
		sub := d.root.Lookup("sub")
		return fmt.Sprint(d.text("f"), sub != nil && sub.Lookup("x") != nil)
	}
	same(t, outcomes(d, show), "1true")
	d.Remove(sub, "x", false)
	d.Write(n, []byte("2"), 0)
	d.Sync(n, d.Now(), true) // overwrites in place: the journal has nothing to do
	same(t, outcomes(d, show), "2true", "2false")
	d.Sync(n, d.Now(), false)
	same(t, outcomes(d, show), "2false")
}

func TestADirectoryThatIsLostTakesItsFilesAlong(t *testing.T) {
	d := newDisk(POSIX)
	sub, _ := d.Create(d.root, "sub", true)
	n, _ := d.Create(sub, "f", false)
	d.Write(n, []byte("x"), 0)
	d.Sync(n, d.Now(), false)
	d.SyncDir(sub, d.Now())
	show := func(d *Disk) string {
		sub := d.root.Lookup("sub")
		return fmt.Sprint(sub != nil && sub.Lookup("f") != nil && sub.Lookup("f").Size() == 1)
	}
	same(t, outcomes(d, show), "true", "false")
	d.SyncDir(d.root, d.Now())
	same(t, outcomes(d, show), "true")
}

func TestASyncedDirectoryTakesWhatItBuildsUponAlong(t *testing.T) {
	d := newDisk(POSIX)
	a, _ := d.Create(d.root, "a", true)
	b, _ := d.Create(d.root, "b", true)
	d.SyncDir(d.root, d.Now())
	d.Create(a, "f", false)
	d.Rename(a, "f", b, "f")
	d.SyncDir(b, d.Now())
	same(t, outcomes(d, func(d *Disk) string {
		return fmt.Sprint(d.root.Lookup("a").List(), d.root.Lookup("b").List())
	}), "[] [f]")
}

func TestACrashIsRepeatable(t *testing.T) {
	d := newDisk(POSIX)
	for i := range 20 {
		n := d.file(t, fmt.Sprint(i))
		d.Write(n, bytes.Repeat([]byte{byte(i + 1)}, 5000), 0)
	}
	show := func(d *Disk) string {
		out := ""
		for _, name := range d.root.List() {
			out += name + d.text(name)
		}
		return out
	}
	for seed := range uint64(20) {
		one, two := d.Crash(rand.New(rand.NewPCG(seed, 0))), d.Crash(rand.New(rand.NewPCG(seed, 0)))
		if show(one) != show(two) {
			t.Fatalf("seed %d gives two disks", seed)
		}
	}
}

// TestContentAgainstBytes holds what the running system sees against a plain slice of bytes.
func TestContentAgainstBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := newDisk(POSIX)
	n := d.file(t, "f")
	var want []byte
	for range 3000 {
		switch r.IntN(4) {
		case 0:
			size := r.IntN(6000)
			d.Truncate(n, int64(size))
			want = append(want, make([]byte, max(0, size-len(want)))...)[:size]
		case 1:
			d.Sync(n, d.Now()-uint64(r.IntN(2)), true)
		default:
			off, data := r.IntN(5000), bytes.Repeat([]byte{byte(r.IntN(3))}, r.IntN(1500)+1)
			d.Write(n, data, int64(off))
			want = append(want, make([]byte, max(0, off+len(data)-len(want)))...)
			copy(want[off:], data)
		}
		if got := d.text("f"); got != string(want) {
			t.Fatal("the file differs from the slice")
		}
	}
	d.Sync(n, d.Now(), true)
	d.SyncDir(d.root, d.Now())
	if got := d.CrashAt(r, 0, 0, 0).text("f"); got != string(want) {
		t.Error("what was synced is not what a cut leaves")
	}
}
