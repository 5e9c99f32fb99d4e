package oracle

import (
	"bytes"
	little "encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"vitrine/core/pb"
	"vitrine/core/vfs"
	"vitrine/core/wal"

	etcdwal "go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// Segments are small here; etcd's size is a variable of its package.
const segmentBytes = 20_000

func init() { etcdwal.SegmentSizeBytes = segmentBytes }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func logEntry(term, index uint64) *raftpb.Entry {
	data := bytes.Repeat([]byte(fmt.Sprintf("%d/%d ", term, index)), int(index%97))
	return &raftpb.Entry{Term: new(term), Index: new(index), Type: raftpb.EntryNormal.Enum(), Data: data}
}

func logState(term, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: new(term), Vote: new(uint64(7)), Commit: new(commit)}
}

var confState = &raftpb.ConfState{Voters: []uint64{1, 2, 7}, Learners: []uint64{9}, AutoLeave: new(false)}

// logWriter is what both logs can do.
type logWriter interface {
	save(*raftpb.HardState, []*raftpb.Entry) error
	snapshot(index, term uint64) error
	Close() error
}

type vitrineLog struct{ *wal.WAL }

func (w vitrineLog) save(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	if err := w.Append(hs, entries); err != nil {
		return err
	}
	return w.Sync()
}

func (w vitrineLog) snapshot(index, term uint64) error {
	return w.SaveSnapshot(&pb.WALSnapshot{Index: &index, Term: &term, ConfState: confState})
}

type etcdLog struct{ *etcdwal.WAL }

func (w etcdLog) save(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	return w.Save(hs, entries)
}

func (w etcdLog) snapshot(index, term uint64) error {
	return w.SaveSnapshot(&walpb.Snapshot{Index: &index, Term: &term, ConfState: confState})
}

// write fills a log with batches, replaced tails, and snapshots at 100 and 200,
// whose terms it returns.
func write(t *testing.T, w logWriter) (terms map[uint64]uint64) {
	t.Helper()
	terms = map[uint64]uint64{0: 0}
	for i := uint64(1); i <= 300; {
		term := 1 + i/50
		first, batch := i, []*raftpb.Entry{}
		if i%4 == 0 {
			first-- // replaces one
		}
		for i = first; i <= first+1+first%7; i++ {
			batch = append(batch, logEntry(term, i))
			terms[i] = term
		}
		ok(t, w.save(logState(term, first-1), batch))
		for _, at := range []uint64{100, 200} {
			if first <= at+1 && at+1 < i {
				ok(t, w.snapshot(at, terms[at]))
			}
		}
	}
	return terms
}

// contents is what one reader makes of a log.
type contents struct {
	metadata []byte
	state    *raftpb.HardState
	entries  []*raftpb.Entry
}

func (c contents) equal(d contents) error {
	if !bytes.Equal(c.metadata, d.metadata) || !proto.Equal(c.state, d.state) || len(c.entries) != len(d.entries) {
		return fmt.Errorf("metadata %q and %q, state %v and %v, %d and %d entries", c.metadata, d.metadata, c.state, d.state,
			len(c.entries), len(d.entries))
	}
	for i, e := range c.entries {
		if !proto.Equal(e, d.entries[i]) {
			return fmt.Errorf("entry %d: %v and %v", i, e, d.entries[i])
		}
	}
	return nil
}

func readOurs(t *testing.T, dir string, index, term uint64) contents {
	t.Helper()
	w, log, err := wal.Open(vfs.OS{}, dir, &pb.WALSnapshot{Index: &index, Term: &term},
		wal.Options{SegmentBytes: segmentBytes})
	ok(t, err)
	ok(t, w.Close())
	return contents{log.Metadata, log.HardState, log.Entries}
}

func readTheirs(t *testing.T, dir string, index, term uint64) contents {
	t.Helper()
	w, err := etcdwal.Open(nil, dir, &walpb.Snapshot{Index: &index, Term: &term})
	ok(t, err)
	metadata, state, entries, err := w.ReadAll()
	ok(t, err)
	ok(t, w.Close())
	return contents{metadata, state, entries}
}

// appendOurs and appendTheirs open an existing log, add to it, and close it.
func appendOurs(t *testing.T, dir string, e ...*raftpb.Entry) {
	t.Helper()
	w, _, err := wal.Open(vfs.OS{}, dir, nil, wal.Options{SegmentBytes: segmentBytes, Recycle: true})
	ok(t, err)
	ok(t, vitrineLog{w}.save(logState(20, 300), e))
	ok(t, w.Close())
}

func appendTheirs(t *testing.T, dir string, e ...*raftpb.Entry) {
	t.Helper()
	w, err := etcdwal.Open(nil, dir, &walpb.Snapshot{})
	ok(t, err)
	_, _, _, err = w.ReadAll()
	ok(t, err)
	ok(t, w.Save(logState(20, 300), e))
	ok(t, w.Close())
}

func createLog(t *testing.T, who, dir string) logWriter {
	t.Helper()
	if who == "etcd" {
		w, err := etcdwal.Create(nil, dir, []byte("metadata"))
		ok(t, err)
		return etcdLog{w}
	}
	w, err := wal.Create(vfs.OS{}, dir, []byte("metadata"), wal.Options{SegmentBytes: segmentBytes})
	ok(t, err)
	return vitrineLog{w}
}

func TestWALEachReadsWhatTheOtherWrote(t *testing.T) {
	for _, who := range []string{"etcd", "vitrine"} {
		t.Run("written by "+who, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "wal")
			w := createLog(t, who, dir)
			terms := write(t, w)
			ok(t, w.Close())
			for _, at := range []uint64{0, 100, 200} {
				a, b := readOurs(t, dir, at, terms[at]), readTheirs(t, dir, at, terms[at])
				ok(t, a.equal(b))
				if len(a.entries) < int(300-at) {
					t.Fatalf("%d entries after %d", len(a.entries), at)
				}
			}
			compareSnapshots(t, dir)
			// Both go on writing, in turns, across cuts.
			next := readOurs(t, dir, 0, 0).entries[len(readOurs(t, dir, 0, 0).entries)-1].GetIndex() + 1
			for i := next; i < next+200; i += 2 {
				appendOurs(t, dir, logEntry(20, i))
				appendTheirs(t, dir, logEntry(20, i+1))
			}
			a, b := readOurs(t, dir, 0, 0), readTheirs(t, dir, 0, 0)
			ok(t, a.equal(b))
			if last := a.entries[len(a.entries)-1].GetIndex(); last != next+199 {
				t.Fatalf("last entry is %d, want %d", last, next+199)
			}
		})
	}
}

func compareSnapshots(t *testing.T, dir string) {
	t.Helper()
	want, err := etcdwal.ValidSnapshotEntries(zap.NewNop(), dir)
	ok(t, err)
	got, err := wal.Snapshots(vfs.OS{}, dir, wal.Options{SegmentBytes: segmentBytes})
	ok(t, err)
	if len(got) != 3 || len(want) != 3 {
		t.Fatalf("%d and %d snapshots, want 3", len(got), len(want))
	}
	for i := range got {
		if got[i].GetIndex() != want[i].GetIndex() || got[i].GetTerm() != want[i].GetTerm() ||
			!proto.Equal(got[i].GetConfState(), want[i].GetConfState()) {
			t.Errorf("snapshot %d: %v and %v", i, got[i], want[i])
		}
	}
}

// withoutSyncPoints takes out of a segment what is not etcd's: the checksum records
// that say what was durable, and what the first one says beside the checksum. etcd
// passes over both.
func withoutSyncPoints(t *testing.T, data []byte) (rest []byte, points int) {
	t.Helper()
	for len(data) >= 8 {
		field := little.LittleEndian.Uint64(data)
		n := field & (1<<56 - 1)
		size := 8 + (n+7)&^7
		if uint64(len(data)) < 8+n {
			break
		}
		size = min(size, uint64(len(data))) // its zeros were trimmed
		rec := &pb.WALRecord{}
		ok(t, rec.UnmarshalVT(data[8:8+n]))
		switch {
		case rec.GetType() == 4 && len(rec.GetData()) > 0 && len(rest) == 0:
			rest = append(rest, 4, 0, 0, 0, 0, 0, 0, 0x84, 8, 4, 0x10, 0, 0, 0, 0, 0) // of the first segment: 0
		case rec.GetType() == 4 && len(rec.GetData()) > 0:
			points++
		default:
			rest = append(rest, data[:size]...)
		}
		data = data[size:]
	}
	return append(rest, data...), points
}

// TestWALBytesAreEqual: the same calls make the same bytes, but for the sync
// points. (Where the next segment begins may differ by a batch: etcd does not
// count what is still in its page buffer.)
func TestWALBytesAreEqual(t *testing.T) {
	files := map[string][]byte{}
	for _, who := range []string{"etcd", "vitrine"} {
		dir := filepath.Join(t.TempDir(), "wal")
		w := createLog(t, who, dir)
		write(t, w)
		ok(t, w.Close())
		data, err := os.ReadFile(filepath.Join(dir, "0000000000000000-0000000000000000.wal"))
		ok(t, err)
		files[who] = bytes.TrimRight(data, "\x00")
	}
	if rest, points := withoutSyncPoints(t, files["etcd"]); points != 0 || !bytes.Equal(rest, files["etcd"]) {
		t.Fatalf("etcd writes %d sync points", points)
	}
	rest, points := withoutSyncPoints(t, files["vitrine"])
	if files["vitrine"] = rest; points < 10 {
		t.Errorf("only %d sync points", points)
	}
	n := min(len(files["etcd"]), len(files["vitrine"]))
	if n < segmentBytes*9/10 || !bytes.Equal(files["etcd"][:n], files["vitrine"][:n]) {
		t.Fatalf("the first %d bytes differ", n)
	}
}

// TestWALTornTailsAreJudgedAlike erases each sector of the last record of a log;
// both sides must keep the same entries. (A file that is cut off is no torn tail:
// here it is refused, and etcd takes it for a shorter log.)
func TestWALTornTailsAreJudgedAlike(t *testing.T) {
	base := filepath.Join(t.TempDir(), "wal")
	w := createLog(t, "vitrine", base)
	for i := uint64(1); i <= 10; i++ {
		ok(t, w.save(logState(1, i-1), []*raftpb.Entry{logEntry(1, i)}))
	}
	before := lastDataByte(t, base)
	big := logEntry(1, 11)
	big.Data = bytes.Repeat([]byte("0123456789"), 150)
	ok(t, w.save(nil, []*raftpb.Entry{big}))
	end := lastDataByte(t, base)
	name := "0000000000000000-0000000000000000.wal"
	whole, err := os.ReadFile(filepath.Join(base, name)) // as a process leaves it that is killed
	ok(t, err)
	ok(t, w.Close())

	var cases [][]byte
	for sector := before / 512; sector*512 < end; sector++ {
		erased := bytes.Clone(whole)
		clear(erased[max(before, sector*512):min(int64(len(erased)), (sector+1)*512)])
		cases = append(cases, erased)
	}
	for i, data := range cases {
		a, b := filepath.Join(t.TempDir(), "wal"), filepath.Join(t.TempDir(), "wal")
		for _, dir := range []string{a, b} {
			ok(t, os.MkdirAll(dir, 0o700))
			ok(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
		w, err := etcdwal.Open(nil, b, &walpb.Snapshot{})
		ok(t, err)
		_, _, _, err = w.ReadAll()
		w.Close()
		if err != nil && !etcdwal.Repair(nil, b) {
			t.Fatalf("case %d: etcd cannot repair: %v", i, err)
		}
		got := readOurs(t, a, 0, 0)
		if err := got.equal(readTheirs(t, b, 0, 0)); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		if len(got.entries) != 10 {
			t.Fatalf("case %d: %d entries", i, len(got.entries))
		}
		ok(t, got.equal(readTheirs(t, a, 0, 0))) // and etcd accepts our repair
	}
}

func lastDataByte(t *testing.T, dir string) int64 {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	ok(t, err)
	data, err := os.ReadFile(names[len(names)-1])
	ok(t, err)
	return int64(len(bytes.TrimRight(data, "\x00"))+7) &^ 7
}

func TestWALRecycledSegmentsAreReadByEtcd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	w, err := wal.Create(vfs.OS{}, dir, []byte("metadata"), wal.Options{SegmentBytes: segmentBytes, Recycle: true})
	ok(t, err)
	released := uint64(0)
	for i := uint64(1); i <= 2000; i++ {
		ok(t, w.Append(logState(1, i-1), []*raftpb.Entry{logEntry(1, i)}))
		if i%100 == 0 {
			released = i
			ok(t, vitrineLog{w}.snapshot(i, 1))
			ok(t, w.Sync())
			ok(t, w.Release(i))
		}
	}
	if first := w.Segments()[0].Seq; first < 5 {
		t.Fatalf("nothing was released: the log begins with segment %d", first)
	}
	ok(t, w.Sync())
	spare := filepath.Join(dir, "spare.tmp")
	if _, err := os.Stat(spare); err != nil {
		t.Fatalf("no segment waits to be recycled: %v", err)
	}
	// A killed process leaves its files as they are, the spare among them.
	image := filepath.Join(t.TempDir(), "wal")
	ok(t, os.CopyFS(image, os.DirFS(dir)))
	ok(t, w.Close())
	for _, d := range []string{image, dir} {
		ok(t, readTheirs(t, d, released, 1).equal(readOurs(t, d, released, 1)))
	}
}

func TestWALLocksExcludeTheOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	w := createLog(t, "vitrine", dir)
	if other, err := etcdwal.Open(nil, dir, &walpb.Snapshot{}); err == nil {
		other.Close()
		t.Error("etcd opened a log that vitrine has open")
	}
	ok(t, w.Close())
	other, err := etcdwal.Open(nil, dir, &walpb.Snapshot{})
	ok(t, err)
	if w, _, err := wal.Open(vfs.OS{}, dir, nil, wal.Options{}); err == nil {
		w.Close()
		t.Error("vitrine opened a log that etcd has open")
	}
	_, _, _, err = other.ReadAll()
	ok(t, err)
	ok(t, other.Close())
}

// TestWALCrashImagesAreReadByEtcd takes the power from a disk at a random
// moment and lets both sides read what is left.
func TestWALCrashImagesAreReadByEtcd(t *testing.T) {
	torn := 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 17))
		image, synced := crashImage(t, r)
		a, b := filepath.Join(t.TempDir(), "wal"), filepath.Join(t.TempDir(), "wal")
		export(t, image, a)
		export(t, image, b)
		got := readOurs(t, a, 0, 0)
		w, err := etcdwal.Open(nil, b, &walpb.Snapshot{})
		ok(t, err)
		_, _, _, err = w.ReadAll()
		w.Close()
		if err != nil {
			torn++
			if !errors.Is(err, io.ErrUnexpectedEOF) || !etcdwal.Repair(nil, b) {
				t.Fatalf("seed %d: etcd cannot read the log: %v", seed, err)
			}
		}
		if err := got.equal(readTheirs(t, b, 0, 0)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		ok(t, got.equal(readTheirs(t, a, 0, 0)))
		if len(got.entries) < synced {
			t.Fatalf("seed %d: %d entries, %d were synced", seed, len(got.entries), synced)
		}
	}
	if torn == 0 {
		t.Error("no crash left a torn record")
	}
}

// crashImage writes to a log until a random moment, and returns what the disk
// then holds and how many entries were promised.
func crashImage(t *testing.T, r *rand.Rand) (image *vfs.Mem, synced int) {
	t.Helper()
	disk, stop := vfs.NewMem(), errors.New("power loss")
	left := 20 + r.IntN(120)
	w, err := wal.Create(vfs.WithFaults(disk, func(op vfs.Op) error {
		if left--; left < 0 {
			return stop
		}
		if left == 0 {
			image = disk.CrashClone(r)
		}
		return nil
	}), "wal", []byte("metadata"), wal.Options{SegmentBytes: segmentBytes, Recycle: true})
	ok(t, err)
	for index := uint64(1); ; {
		batch := []*raftpb.Entry{}
		for range 1 + r.IntN(4) {
			e := logEntry(1, index)
			e.Data = bytes.Repeat([]byte{byte(1 + r.IntN(255))}, r.IntN(1500))
			batch = append(batch, e)
			index++
		}
		err := w.Append(logState(1, index-1), batch)
		if err == nil && r.IntN(2) == 0 {
			if err = w.Sync(); err == nil {
				if image == nil {
					synced = int(index - 1)
				}
			}
		}
		if errors.Is(err, stop) {
			return image, synced
		}
		ok(t, err)
	}
}

// export copies the log of a disk in memory to a real one.
func export(t *testing.T, image *vfs.Mem, dir string) {
	t.Helper()
	ok(t, os.MkdirAll(dir, 0o700))
	names, err := image.List("wal")
	ok(t, err)
	for _, name := range names {
		data, err := vfs.ReadFile(image, "wal/"+name)
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
}

// TestWALStaleMarkIsVoidForEtcd: etcd counts every mark whose index is committed in the end, and starts from the last.
// So a process that passes over one writes the mark that it starts from once more (member.Recover does).
func TestWALStaleMarkIsVoidForEtcd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	w := createLog(t, "vitrine", dir).(vitrineLog)
	entries := func(first, last uint64) (es []*raftpb.Entry) {
		for i := first; i <= last; i++ {
			es = append(es, logEntry(1, i))
		}
		return es
	}
	ok(t, w.save(logState(1, 3), entries(1, 3)))
	ok(t, w.snapshot(50, 1)) // of a snapshot that never became the log
	ok(t, w.Close())
	o := wal.Options{SegmentBytes: segmentBytes}
	again, log, err := wal.Open(vfs.OS{}, dir, nil, o)
	ok(t, err)
	if !log.Stale {
		t.Fatal("the mark is not noticed")
	}
	ok(t, again.SaveSnapshot(&log.Snapshot))
	ok(t, again.Sync())
	ok(t, vitrineLog{again}.save(logState(1, 60), entries(4, 60)))
	ok(t, again.Close())
	valid, err := etcdwal.ValidSnapshotEntries(zap.NewNop(), dir)
	ok(t, err)
	if last := valid[len(valid)-1]; last.GetIndex() != 0 {
		t.Errorf("etcd starts from the mark at %d", last.GetIndex())
	}
	ours, err := wal.Snapshots(vfs.OS{}, dir, o)
	ok(t, err)
	for _, s := range ours {
		if s.GetIndex() != 0 {
			t.Errorf("the mark at %d counts here", s.GetIndex())
		}
	}
	ok(t, readOurs(t, dir, 0, 0).equal(readTheirs(t, dir, 0, 0)))
}
