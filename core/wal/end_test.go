package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// group is what a driver writes at once and syncs once: writes that waited for
// the log, of which neighbours became one append, with marks between them.
func group(w *WAL, r *rand.Rand, last uint64) (uint64, error) {
	for range 1 + r.IntN(3) {
		commit := last
		var batch []*raftpb.Entry
		for range r.IntN(5) {
			last++
			batch = append(batch, entry(1, last, strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(700))))
		}
		if err := w.Append(hardState(1, 1, commit), batch); err != nil {
			return last, err
		}
		if commit > 0 && r.IntN(4) == 0 {
			if err := w.SaveSnapshot(mark(commit, 1)); err != nil {
				return last, err
			}
		}
	}
	return last, nil
}

// synced writes groups, each followed by a sync.
func synced(t testing.TB, w *WAL, r *rand.Rand, groups int, last uint64) uint64 {
	t.Helper()
	for range groups {
		var err error
		last, err = group(w, r, last)
		check(t, err)
		check(t, w.Sync())
	}
	return last
}

// tail is the last segment of a log as its disk has it, and as its process saw
// it when it ended in the middle of a group.
type tail struct {
	disk       *vfs.Mem // durable
	file       string
	size, full int64 // durable, and as the process saw it
	data       []byte
	differ     []int64 // sectors that may be lost
	synced     uint64  // last index that was durable
	want       string  // all that was written
}

// tornLog writes synced groups and then one that is not.
func tornLog(t testing.TB, r *rand.Rand, o Options) (k tail) {
	t.Helper()
	disk, died := vfs.NewMem(), false
	fs := vfs.WithFaults(disk, func(op vfs.Op) error {
		if died && op.Kind == vfs.OpSyncData { // of a cut: the file has its size, and no more
			return errCrashed
		}
		return nil
	})
	w := create(t, fs, o)
	k.synced = synced(t, w, r, 1+r.IntN(12), 0)
	if r.IntN(4) == 0 { // the process was another one before
		check(t, w.Close())
		w, _ = open(t, fs, nil, o)
	}
	first := w.last()
	died = true
	if _, err := group(w, r, k.synced); err != nil && !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	k.file, k.disk = "m/wal/"+first.Name, disk.LoseUnsynced()
	var err error
	k.data, err = vfs.ReadFile(disk, k.file)
	check(t, err)
	before, err := vfs.ReadFile(k.disk, k.file)
	check(t, err)
	k.size, k.full = int64(len(before)), int64(len(k.data))
	before = append(before, make([]byte, max(0, len(k.data)-len(before)))...)
	for at := 0; at < len(k.data); at += vfs.BlockSize {
		end := min(len(k.data), at+vfs.BlockSize)
		if !bytes.Equal(k.data[at:end], before[at:end]) {
			k.differ = append(k.differ, int64(at))
		}
	}
	_, log := open(t, disk.Clone(), nil, o)
	k.want = text(log)
	return k
}

// torn returns the disk after a crash that kept these sectors and this size.
func (k *tail) torn(t testing.TB, kept uint64, size int64) *vfs.Mem {
	t.Helper()
	m := k.disk.Clone()
	f, err := m.OpenReadWrite(k.file)
	check(t, err)
	check(t, f.Truncate(max(size, k.full))) // as far as the process had come
	for i, at := range k.differ {
		if kept>>i&1 != 0 {
			_, err := f.WriteAt(k.data[at:min(k.full, at+vfs.BlockSize)], at)
			check(t, err)
		}
	}
	check(t, f.Truncate(size))
	check(t, f.Close())
	return m
}

// TestTornTailsAlwaysBoot loses every subset of the sectors of the last group
// that were not synced, in groups as drivers write them, at every size that a
// growing file may be left with. What was promised is always there, what is
// found was always written, and the log goes on.
func TestTornTailsAlwaysBoot(t *testing.T) {
	patterns, repaired, grown := 0, 0, 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 11))
		o := Options{SegmentBytes: int64(2000 + r.IntN(20_000)), Recycle: seed%2 == 0}
		k := tornLog(t, r, o)
		if len(k.differ) > 9 {
			continue
		}
		sizes := []int64{k.size}
		for at := (k.size + vfs.BlockSize - 1) / vfs.BlockSize * vfs.BlockSize; at < k.full; at += vfs.BlockSize {
			sizes = append(sizes, at)
		}
		if k.full > k.size {
			sizes, grown = append(sizes, k.full), grown+1
		}
		for _, size := range sizes {
			for kept := range uint64(1) << len(k.differ) {
				m := k.torn(t, kept, size)
				o.Applied = k.synced
				if _, err := Snapshots(m, "m/wal", o); err != nil {
					t.Fatalf("seed %d: sectors %b of %d kept, size %d: %v", seed, kept, len(k.differ), size, err)
				}
				w, log, err := Open(m, "m/wal", nil, o)
				if err != nil {
					t.Fatalf("seed %d: sectors %b of %d kept, size %d: %v", seed, kept, len(k.differ), size, err)
				}
				patterns++
				if log.Repaired {
					repaired++
				}
				if uint64(len(log.Entries)) < k.synced || !strings.HasPrefix(entriesText(k.want), entriesText(text(log))) {
					t.Fatalf("seed %d: sectors %b of %d kept:\n%s\nof %d synced entries in\n%s", seed, kept, len(k.differ), text(log),
						k.synced, k.want)
				}
				if seed%8 == 0 {
					goesOn(t, m, w, o, uint64(len(log.Entries)))
				}
			}
		}
	}
	if patterns < 4000 || repaired < 1000 || grown < 5 {
		t.Errorf("only %d patterns, %d of them repaired, %d logs that grew beyond their segment", patterns, repaired, grown)
	}
}

// entriesText is the part of text that tells the entries.
func entriesText(s string) string {
	_, entries, _ := strings.Cut(s[strings.Index(s, "state "):]+" ", " ")
	_, entries, _ = strings.Cut(entries, " ")
	return entries
}

// goesOn appends to a log that was opened, and opens it again.
func goesOn(t *testing.T, m *vfs.Mem, w *WAL, o Options, last uint64) {
	t.Helper()
	check(t, w.Append(hardState(2, 1, last), entries(2, last+1, 3)))
	check(t, w.Sync())
	o.Applied = last + 3
	w, log, err := Open(m.LoseUnsynced(), "m/wal", nil, o)
	check(t, err)
	if uint64(len(log.Entries)) != last+3 || log.Repaired {
		t.Fatalf("%d entries, want %d; repaired %v", len(log.Entries), last+3, log.Repaired)
	}
	check(t, w.Close())
}

// TestFailedWritesLeaveALogThatBoots: a write stops after every number of bytes.
// The process takes back what it can, and dies; then the power may fail, too.
func TestFailedWritesLeaveALogThatBoots(t *testing.T) {
	full := errors.New("no space left on device")
	o := Options{SegmentBytes: 4000}
	for short := 0; short < 1900; short += 1 + short/40 {
		disk, left := vfs.NewMem(), -1
		w := create(t, vfs.WithFaults(disk, func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite && left >= 0 {
				if left--; left < 0 {
					return &vfs.ShortWrite{Bytes: min(short, int(op.Size)), Err: full}
				}
			}
			return nil
		}), o)
		check(t, w.Append(hardState(1, 1, 0), entries(1, 1, 20)))
		check(t, w.Sync())
		check(t, w.Append(hardState(1, 1, 20), entries(1, 21, 3))) // never synced
		left = 0
		if err := w.Append(nil, []*raftpb.Entry{entry(1, 24, strings.Repeat("x", 3500))}); !errors.Is(err, full) {
			t.Fatalf("after %d bytes: %v", short, err)
		}
		r := rand.New(rand.NewPCG(uint64(short), 3))
		for i, m := range []*vfs.Mem{disk.Clone(), disk.LoseUnsynced(), disk.CrashClone(r), disk.CrashClone(r),
			disk.CrashClone(r)} {
			o.Applied = 20
			_, log, err := Open(m, "m/wal", nil, o)
			if err != nil || len(log.Entries) < 20 || i == 0 && len(log.Entries) != 23 {
				t.Fatalf("a write of %d bytes, way %d: %v, %v", short, i, err, log)
			}
		}
	}
}

// syncedLog is a log of synced groups, of a process that was killed.
func syncedLog(t testing.TB, seed uint64, groups int, o Options) (m *vfs.Mem, file string, last uint64, used int64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 13))
	disk := vfs.NewMem()
	w := create(t, disk, o)
	last = synced(t, w, r, groups, 0)
	return disk.Clone(), "m/wal/" + w.last().Name, last, w.Size()
}

// refused opens a damaged log, which must be refused by name unless it has all
// that the undamaged one has.
func refused(t testing.TB, m *vfs.Mem, o Options, file, want, what string) bool {
	t.Helper()
	_, log, err := Open(m, "m/wal", nil, o)
	var corrupt *CorruptError
	switch {
	case errors.As(err, &corrupt):
		if corrupt.File != file || !strings.Contains(err.Error(), file) {
			t.Fatalf("%s: %v", what, err)
		}
		if _, err := Snapshots(m, "m/wal", o); err != nil && !errors.As(err, &corrupt) {
			t.Fatalf("%s: %v", what, err)
		}
		return true
	case err != nil:
		t.Fatalf("%s: %v", what, err)
	case entriesText(text(log)) != entriesText(want):
		t.Fatalf("%s was cut silently:\n%s\nof\n%s", what, text(log), want)
	}
	return false
}

// TestZeroedBlocksAreNamed zeroes every block of 512 bytes and of 4 KiB of logs
// whose process was killed. The log itself knows of all but what its last group
// has; of that the store knows.
func TestZeroedBlocksAreNamed(t *testing.T) {
	o := Options{SegmentBytes: 64 << 10}
	for seed := range uint64(12) {
		m, file, last, used := syncedLog(t, seed, 30, o)
		_, log := open(t, m.Clone(), nil, o)
		name, proved, err := Durable(m, "m/wal")
		check(t, err)
		if name != file || proved < used/2 || proved >= used {
			t.Fatalf("seed %d: %s is durable up to %d of %d", seed, name, proved, used)
		}
		for _, block := range []int64{512, 4096} {
			named := 0
			for at := int64(0); at < used; at += block {
				hurt := m.Clone()
				check(t, hurt.Damage(file, at, int(block), func(p []byte) { clear(p) }))
				what := fmt.Sprintf("seed %d: %d zeros at %d of %d", seed, block, at, used)
				if at+block <= proved {
					if _, _, err := Open(hurt.Clone(), "m/wal", nil, o); !errors.As(err, new(*CorruptError)) {
						t.Fatalf("%s, and the sync point at %d does not tell: %v", what, proved, err)
					}
				}
				known := o
				known.Applied = last
				if refused(t, hurt, known, file, text(log), what) {
					named++
				}
			}
			if named < int(proved/block) {
				t.Errorf("seed %d: %d of %d blocks of %d bytes were named", seed, named, used/block, block)
			}
		}
	}
}

// TestClosedLogsKnowTheirEnd: a log that was closed ends with a sync point, so
// that only damage to that one cannot be told, which loses nothing.
func TestClosedLogsKnowTheirEnd(t *testing.T) {
	o := Options{SegmentBytes: 64 << 10}
	disk := vfs.NewMem()
	w := create(t, disk, o)
	last := uint64(0)
	for i := range uint64(9) {
		last = synced(t, w, rand.New(rand.NewPCG(i, 1)), 1, last)
	}
	used, file := w.Size(), "m/wal/"+w.last().Name
	check(t, w.Close())
	_, log := open(t, disk.Clone(), nil, o)
	for at := int64(0); at+vfs.BlockSize <= used; at += vfs.BlockSize {
		hurt := disk.Clone()
		check(t, hurt.Damage(file, at, vfs.BlockSize, func(p []byte) { clear(p) }))
		if !refused(t, hurt, o, file, text(log), fmt.Sprintf("a block of zeros at %d of %d", at, used)) {
			t.Errorf("a block of zeros at %d of %d changes nothing", at, used)
		}
	}
}

// TestCutFilesAreNamed cuts the last segment off at every length, and says so.
func TestCutFilesAreNamed(t *testing.T) {
	o := Options{SegmentBytes: 8 << 10}
	m, file, _, used := syncedLog(t, 5, 4, o)
	data, err := vfs.ReadFile(m, file)
	check(t, err)
	first, padding := unframe(binary.LittleEndian.Uint64(data))
	if first += frameBytes; padding == 0 {
		t.Fatal("the first record has no padding to cut off")
	}
	for size := int64(0); size < o.SegmentBytes; size += 1 + size/used*97 {
		hurt := m.Clone()
		cutOff(t, hurt, file, size)
		want := fmt.Sprintf("the file ends at offset %d, though it was made with 8192 bytes", size)
		switch {
		case size == 0:
			want = "the file is empty"
		case size < first:
			want = fmt.Sprintf("the file ends at offset %d, within its first record", size)
		}
		_, _, err := Open(hurt, "m/wal", nil, o)
		if corrupt := new(CorruptError); !errors.As(err, &corrupt) || corrupt.File != file ||
			!strings.Contains(err.Error(), want) {
			t.Fatalf("a cut at %d of %d: %v, want %s", size, used, err, want)
		}
	}
}

func cutOff(t *testing.T, m *vfs.Mem, file string, size int64) {
	t.Helper()
	f, err := m.OpenReadWrite(file)
	check(t, err)
	check(t, f.Truncate(size))
	check(t, f.Close())
}

// TestCutSegmentsAreNamed cuts off one that is not the last: the record is named that it ends in, or the segment that
// does not continue it.
func TestCutSegmentsAreNamed(t *testing.T) {
	m, _ := build(t)
	names, err := m.List("m/wal")
	check(t, err)
	file, next := "m/wal/"+names[1], "m/wal/"+names[2]
	offsets := records(t, m, file)
	for i := 1; i < len(offsets)-1; i++ {
		for size := offsets[i]; size < offsets[i+1]; size++ {
			hurt := m.Clone()
			cutOff(t, hurt, file, size)
			wantFile, wantOffset, want := file, offsets[i], "reaches beyond the end of the file"
			switch {
			case size == offsets[i]:
				wantFile, wantOffset, want = next, 0, "does not continue"
			case size < offsets[i]+frameBytes:
				want = "the file ends within a length field"
			}
			_, _, err := Open(hurt, "m/wal", nil, small)
			if corrupt := new(CorruptError); !errors.As(err, &corrupt) || corrupt.File != wantFile ||
				corrupt.Offset != wantOffset || !strings.Contains(err.Error(), want) {
				t.Fatalf("a cut at %d, in the record at %d: %v, want %s", size, offsets[i], err, want)
			}
		}
	}
}

// TestSegmentsOfOtherSizes: the size of a segment may change between two starts.
// What a file was made with it says itself.
func TestSegmentsOfOtherSizes(t *testing.T) {
	small, large := Options{SegmentBytes: 8 << 10}, Options{SegmentBytes: 64 << 10}
	m, file, last, used := syncedLog(t, 5, 4, small)
	_, want := open(t, m.Clone(), nil, small)
	hurt := m.Clone()
	f, err := hurt.OpenReadWrite(file)
	check(t, err)
	check(t, f.Truncate(used))
	if !refused(t, hurt, large, file, text(want), "a cut file, opened with a larger size") {
		t.Error("a cut file was taken for one that was made smaller")
	}
	for _, o := range []Options{large, small, large} {
		w, log := open(t, m, nil, o)
		if uint64(len(log.Entries)) != last || log.Repaired {
			t.Fatalf("%d entries, want %d", len(log.Entries), last)
		}
		last = synced(t, w, rand.New(rand.NewPCG(last, 1)), 20, last)
		m = m.Clone()
	}
}

// TestTwoFaultsAreNamed: any two faults in the last segment never make a shorter
// log, as long as the store tells what it has seen.
func TestTwoFaultsAreNamed(t *testing.T) {
	o := Options{SegmentBytes: 16 << 10}
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 19))
		m, file, last, used := syncedLog(t, seed%20, 12, o)
		if used < 4*vfs.BlockSize {
			continue
		}
		_, log := open(t, m.Clone(), nil, o)
		what := fmt.Sprintf("seed %d:", seed)
		for range 2 {
			what += " " + hurtOnce(t, r, m, file, used)
		}
		known := o
		known.Applied = last
		refused(t, m, known, file, text(log), what)
	}
}

func hurtOnce(t *testing.T, r *rand.Rand, m *vfs.Mem, file string, used int64) string {
	t.Helper()
	at := r.Int64N(used)
	block := at / vfs.BlockSize * vfs.BlockSize
	switch r.IntN(4) {
	case 0:
		check(t, m.Damage(file, at, 1, func(p []byte) { p[0] ^= 1 << r.IntN(8) }))
		return fmt.Sprintf("a bit at %d", at)
	case 1:
		from := r.Int64N(used) / vfs.BlockSize * vfs.BlockSize
		var stray []byte
		check(t, m.Damage(file, from, vfs.BlockSize, func(p []byte) { stray = slices.Clone(p) }))
		check(t, m.Damage(file, block, vfs.BlockSize, func(p []byte) { copy(p, stray) }))
		return fmt.Sprintf("block %d at %d", from, block)
	case 2:
		check(t, m.Damage(file, block, 4096, func(p []byte) { clear(p) }))
		return fmt.Sprintf("4 KiB of zeros at %d", block)
	}
	check(t, m.Damage(file, block, vfs.BlockSize, func(p []byte) { clear(p) }))
	return fmt.Sprintf("zeros at %d", block)
}

// TestWhatIsNoLogIsNamed: a file that is not a log is named as what it is.
func TestWhatIsNoLogIsNamed(t *testing.T) {
	o := Options{SegmentBytes: 4 << 10}
	name := "m/wal/" + segmentName(0, 0)
	for _, c := range []struct{ data, want string }{
		{"", "the file is empty"},
		{strings.Repeat("\x00", 4096), "nothing but 4096 zeros"},
		{strings.Repeat("\x00", 512) + strings.Repeat("x", 4000), "begins with zeros"},
		{"{\"level\":\"info\"}\n" + strings.Repeat("log ", 2000), "the file is text"},
		{"short text", "the file is text"},
		{"text of\tmany \r\n kinds ~", "the file is text"},
		{"\x7f is no text and a file", "the file is not a log"},
		{"\x1b[0mis no text and a file", "the file is not a log"},
		{"text of a file\vis no text", "the file is not a log"},
		{strings.Repeat("~", 24) + "\x80 is not looked at", "the file is text"},
		{strings.Repeat("~", 23) + "\x80 is looked at", "the file is not a log"},
		{"\x08\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 4096), "the record cannot be decoded"},
		{"\x7fELF\x02\x01\x01\x00" + strings.Repeat("\x90", 5000), "the file is not a log"},
		{"\x20\x00\x00\x00\x00\x00\x00\x00", "within its first record"},
		{"\x08\x00\x00\x00\x00\x00\x00\x00\x08\x02\x10\x00\x1a\x02\x10\x01" + strings.Repeat("\x00", 4096),
			"a record of type 2 instead"},
	} {
		m := vfs.NewMem()
		check(t, m.MkdirAll("m/wal"))
		check(t, vfs.WriteFile(m, name, []byte(c.data)))
		_, err := Snapshots(m, "m/wal", o)
		_, _, openErr := Open(m, "m/wal", nil, o)
		for _, err := range []error{err, openErr} {
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.File != name || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.20q: %v, want %q", c.data, err, c.want)
			}
		}
	}
}

// TestSyncPointsOfOtherPlacesProveNothing: what a client writes may look like a
// sync point, and a torn group with it in its data is torn all the same.
func TestSyncPointsOfOtherPlacesProveNothing(t *testing.T) {
	o := Options{SegmentBytes: 64 << 10}
	disk := vfs.NewMem()
	w := create(t, disk, o)
	var fake encoder
	for i := range int64(200) {
		fake.syncPoint(8*i, 0)
	}
	check(t, w.Append(hardState(1, 1, 0), entries(1, 1, 3)))
	check(t, w.Sync())
	torn := w.Size() / vfs.BlockSize * vfs.BlockSize
	check(t, w.Append(nil, []*raftpb.Entry{entry(1, 4, strings.Repeat("y", 1200)), entry(1, 5, string(fake.buf))}))
	m := disk.Clone()
	check(t, m.Damage("m/wal/"+w.last().Name, torn+vfs.BlockSize, vfs.BlockSize, func(p []byte) { clear(p) }))
	_, log, err := Open(m, "m/wal", nil, o)
	if err != nil || len(log.Entries) != 3 || !log.Repaired {
		t.Errorf("%v, %v", err, log)
	}
}

// TestSyncPointsAcrossPieces: what follows the end of a log is read in pieces, and
// a sync point that begins in one and ends in the next proves what it proves.
func TestSyncPointsAcrossPieces(t *testing.T) {
	o := Options{SegmentBytes: 256 << 10}
	for beside := int64(8); beside <= 2*pointBytes; beside += 8 {
		disk := vfs.NewMem()
		w := create(t, disk, o)
		check(t, w.Append(hardState(1, 1, 0), entries(1, 1, 3)))
		check(t, w.Sync())
		end := w.Size()
		want := end + readBytes - beside // where the sync point behind the next entry is to stand
		size := int64(readBytes / 2)
		probe := disk.Clone()
		again, _ := open(t, probe, nil, o)
		check(t, again.Append(nil, []*raftpb.Entry{entry(1, 4, strings.Repeat("y", int(size)))}))
		size += want - again.Size()
		check(t, again.Close())
		check(t, w.Append(nil, []*raftpb.Entry{entry(1, 4, strings.Repeat("y", int(size)))}))
		check(t, w.Sync())
		if w.Size() != want {
			t.Fatalf("the log ends at %d, want %d", w.Size(), want)
		}
		check(t, w.Append(nil, []*raftpb.Entry{entry(1, 5, "z")}))
		m := disk.Clone()
		check(t, m.Damage("m/wal/"+w.last().Name, end, vfs.BlockSize, func(p []byte) { clear(p) }))
		_, _, err := Open(m, "m/wal", nil, o)
		told := fmt.Sprintf("up to offset %d was durable", want)
		if !errors.As(err, new(*CorruptError)) || !strings.Contains(err.Error(), told) {
			t.Errorf("a sync point %d bytes before the end of a piece is not seen: %v", beside, err)
		}
	}
}
