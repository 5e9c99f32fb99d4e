package wal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitrine/core/pb"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entry(term, index uint64, data string) *raftpb.Entry {
	return &raftpb.Entry{Term: new(term), Index: new(index), Type: raftpb.EntryNormal.Enum(), Data: []byte(data)}
}

func entries(term, first, n uint64) (out []*raftpb.Entry) {
	for i := first; i < first+n; i++ {
		out = append(out, entry(term, i, fmt.Sprintf("entry %d of term %d", i, term)))
	}
	return out
}

func hardState(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: new(term), Vote: new(vote), Commit: new(commit)}
}

func mark(index, term uint64) *pb.WALSnapshot {
	return &pb.WALSnapshot{Index: new(index), Term: new(term), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}}
}

func create(t testing.TB, fsys vfs.FS, o Options) *WAL {
	t.Helper()
	w, err := Create(fsys, "m/wal", []byte("metadata"), o)
	check(t, err)
	return w
}

func open(t testing.TB, fsys vfs.FS, from *pb.WALSnapshot, o Options) (*WAL, *Recovered) {
	t.Helper()
	w, log, err := Open(fsys, "m/wal", from, o)
	check(t, err)
	return w, log
}

// text is a short form of what a log held.
func text(log *Recovered) string {
	var b strings.Builder
	hs := log.HardState
	fmt.Fprintf(&b, "%s from %d/%d state %d/%d/%d", log.Metadata, log.Snapshot.GetTerm(), log.Snapshot.GetIndex(),
		hs.GetTerm(), hs.GetVote(), hs.GetCommit())
	for _, e := range log.Entries {
		fmt.Fprintf(&b, " %d/%d:%08x", e.GetTerm(), e.GetIndex(), castagnoli(0, e.Data))
	}
	return b.String()
}

func TestGoldenBytes(t *testing.T) {
	m := vfs.NewMem()
	w := create(t, m, Options{SegmentBytes: 600})
	check(t, w.Append(hardState(1, 2, 0), []*raftpb.Entry{
		{Term: new(uint64(1)), Index: new(uint64(1)), Type: raftpb.EntryConfChange.Enum(), Data: []byte("conf")},
		{Term: new(uint64(1)), Index: new(uint64(2))}, // no type, no data: absent on the wire
		entry(1, 3, ""),
	}))
	check(t, w.SaveSnapshot(mark(2, 1)))
	check(t, w.Append(hardState(1, 2, 3), entries(1, 4, 12)))
	check(t, w.Append(nil, entries(2, 14, 2)))
	check(t, w.Sync())
	check(t, w.Append(nil, entries(2, 16, 1))) // opens with a sync point
	check(t, w.Close())

	var dump strings.Builder
	segments, err := listSegments(m, "m/wal")
	check(t, err)
	for _, s := range segments {
		data, err := vfs.ReadFile(m, "m/wal/"+s.Name)
		check(t, err)
		fmt.Fprintf(&dump, "%s %d bytes\n%s", s.Name, len(data), hex.Dump(bytes.TrimRight(data, "\x00")))
	}
	golden := filepath.Join("testdata", "segments.hex")
	if os.Getenv("UPDATE") != "" {
		check(t, os.WriteFile(golden, []byte(dump.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if dump.String() != string(want) {
		t.Errorf("bytes changed:\n%s\nwant\n%s", dump.String(), want)
	}
}

// TestRecordsAreWhatProtobufMakesOfThem compares the hand-made encoding with the
// generated messages.
func TestRecordsAreWhatProtobufMakesOfThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	number := func() *uint64 {
		if r.IntN(4) == 0 {
			return nil
		}
		return new(r.Uint64() >> r.IntN(64))
	}
	var enc encoder
	crc := uint32(0)
	expect := func(kind int64, m proto.Message) {
		t.Helper()
		data, err := proto.Marshal(m)
		check(t, err)
		if data == nil {
			data = []byte{}
		}
		crc = castagnoli(crc, data)
		rec, err := proto.Marshal(&pb.WALRecord{Type: new(kind), Crc: new(crc), Data: data})
		check(t, err)
		if got := enc.buf[frameBytes : frameBytes+len(rec)]; !bytes.Equal(got, rec) {
			t.Fatalf("record of %v:\n%x, want\n%x", m, got, rec)
		}
		n, padding := unframe(binary.LittleEndian.Uint64(enc.buf))
		if n != int64(len(rec)) || len(enc.buf) != frameBytes+len(rec)+padding || len(enc.buf)%8 != 0 {
			t.Fatalf("frame says %d bytes and %d of padding, record has %d, all %d", n, padding, len(rec), len(enc.buf))
		}
		enc.buf = enc.buf[:0]
	}
	enc.record(metadataRecord, nil, nil)
	rec, err := proto.Marshal(&pb.WALRecord{Type: new(int64(metadataRecord)), Crc: new(uint32(0))})
	check(t, err)
	if n, _ := unframe(binary.LittleEndian.Uint64(enc.buf)); !bytes.Equal(enc.buf[frameBytes:frameBytes+n], rec) {
		t.Fatalf("record without data: %x, want %x", enc.buf, rec)
	}
	enc.buf = enc.buf[:0]
	for range 2000 {
		e := &raftpb.Entry{Term: number(), Index: number()}
		if r.IntN(2) == 0 {
			e.Type = raftpb.EntryType(r.IntN(3)).Enum()
		}
		if r.IntN(4) > 0 {
			e.Data = make([]byte, r.IntN(300))
		}
		enc.entry(e)
		expect(entryRecord, e)
		hs := &raftpb.HardState{Term: number(), Vote: number(), Commit: number()}
		enc.state(hs)
		if data, _ := proto.Marshal(hs); len(data) > 0 {
			expect(stateRecord, hs)
		} else {
			enc.buf = enc.buf[:0]
		}
	}
}

func TestRoundTripOverSegments(t *testing.T) {
	for _, recycle := range []bool{false, true} {
		m := vfs.NewMem()
		o := Options{SegmentBytes: 2000, Recycle: recycle}
		w := create(t, m, o)
		var want []*raftpb.Entry
		for i := uint64(1); i <= 300; i += 3 {
			batch := entries(1+i/100, i, 3)
			want = append(want, batch...)
			check(t, w.Append(hardState(1+i/100, 1, min(i, 240)), batch))
			check(t, w.Sync())
		}
		if n := len(w.Segments()); n < 8 {
			t.Fatalf("only %d segments", n)
		}
		check(t, w.SaveSnapshot(mark(100, 2)))
		check(t, w.Close())

		w, log := open(t, m, nil, o)
		if got, want := text(log),
			text(&Recovered{Metadata: []byte("metadata"), HardState: hardState(3, 1, 240), Entries: want}); got != want ||
			log.Repaired {
			t.Fatalf("whole log:\n%s\nwant\n%s", got, want)
		}
		check(t, w.Append(nil, entries(9, 250, 2))) // overrides what comes after
		check(t, w.Close())
		_, log = open(t, m, mark(100, 2), o)
		all := append(append([]*raftpb.Entry{}, want[100:249]...), entries(9, 250, 2)...)
		if got, want := text(log),
			text(&Recovered{Metadata: []byte("metadata"), HardState: hardState(3, 1, 240), Entries: all,
				Snapshot: pb.WALSnapshot{Index: new(uint64(100)), Term: new(uint64(2))}}); got != want {
			t.Fatalf("from the snapshot:\n%s\nwant\n%s", got, want)
		}
	}
}

func TestSnapshotsAndWhereToStart(t *testing.T) {
	m := vfs.NewMem()
	o := Options{SegmentBytes: 1000}
	w := create(t, m, o)
	check(t, w.Append(hardState(1, 1, 30), entries(1, 1, 50)))
	for _, at := range []uint64{10, 20, 40} {
		check(t, w.SaveSnapshot(mark(at, 1)))
	}
	check(t, w.Close())
	snaps, err := Snapshots(m, "m/wal", o)
	check(t, err)
	var got []uint64
	for _, s := range snaps {
		got = append(got, s.GetIndex())
	}
	if fmt.Sprint(got) != "[0 10 20]" { // 40 is not known to be committed
		t.Errorf("snapshots %v", got)
	}
	if voters := snaps[2].GetConfState().GetVoters(); len(voters) != 3 {
		t.Errorf("voters %v", voters)
	}
	if _, _, err := Open(m, "m/wal", mark(15, 1), o); !errors.Is(err, ErrSnapshotNotFound) {
		t.Errorf("unknown snapshot: %v", err)
	}
	if _, _, err := Open(m, "m/wal", mark(20, 2), o); !errors.Is(err, ErrSnapshotMismatch) {
		t.Errorf("other term: %v", err)
	}
	w, log := open(t, m, mark(20, 1), o) // and no lock is left behind by the failures
	if len(log.Entries) != 30 || log.Entries[0].GetIndex() != 21 {
		t.Errorf("entries: %s", text(log))
	}
	check(t, w.Close())
}

// TestLeftoversOfAReplacedTail: an entry replaces all that followed, also if a
// snapshot covers it and nothing was written behind it since.
func TestLeftoversOfAReplacedTail(t *testing.T) {
	m := vfs.NewMem()
	w := create(t, m, Options{})
	check(t, w.Append(hardState(1, 1, 3), entries(1, 1, 6)))
	check(t, w.Append(hardState(2, 2, 4), entries(2, 4, 1))) // 5 and 6 are gone
	check(t, w.SaveSnapshot(mark(4, 2)))
	check(t, w.Close())
	w, log := open(t, m, mark(4, 2), Options{})
	if len(log.Entries) != 0 {
		t.Fatalf("entries of term 1 behind one of term 2: %s", text(log))
	}
	check(t, w.Append(nil, entries(2, 5, 2)))
	check(t, w.SaveSnapshot(mark(9, 3))) // sent by a leader: 5 and 6 were dropped
	check(t, w.SaveSnapshot(mark(5, 3)))
	check(t, w.Append(nil, entries(3, 10, 1)))
	check(t, w.Close())
	w, log = open(t, m, mark(9, 3), Options{})
	if len(log.Entries) != 1 || log.Entries[0].GetIndex() != 10 {
		t.Fatalf("after an installed snapshot: %s", text(log))
	}
	check(t, w.Close())
	m = vfs.NewMem()
	w = create(t, m, Options{})
	check(t, w.Append(nil, entries(1, 1, 9)))
	check(t, w.SaveSnapshot(mark(5, 2))) // the leader's entry 5 was another one
	check(t, w.Close())
	if _, log := open(t, m, mark(5, 2), Options{}); len(log.Entries) != 0 {
		t.Fatalf("entries that the installed snapshot replaced: %s", text(log))
	}
}

func TestReleaseAndRecycle(t *testing.T) {
	for _, recycle := range []bool{false, true} {
		m := vfs.NewMem()
		o := Options{SegmentBytes: 4000, Recycle: recycle}
		var counts vfs.Counts
		w := create(t, vfs.WithCount(m, &counts), o)
		index := uint64(1)
		grow := func(segments int) {
			for want := len(w.Segments()) + segments; len(w.Segments()) < want; index += 5 {
				check(t, w.Append(hardState(1, 1, index-1), entries(1, index, 5)))
			}
		}
		grow(4)
		before := w.Segments()
		check(t, w.Release(before[2].Index))
		if got := w.Segments()[0]; got != before[1] {
			t.Fatalf("oldest segment is %v, want %v: an entry below the index may be in it", got, before[1])
		}
		check(t, w.Release(before[2].Index+1))
		if got := w.Segments()[0]; got != before[2] {
			t.Fatalf("oldest segment is %v, want %v", got, before[2])
		}
		if _, err := m.Stat("m/wal/spare.tmp"); (err == nil) != recycle {
			t.Fatalf("recycle %v, spare: %v", recycle, err)
		}
		created := counts.Ops[vfs.OpCreate]
		check(t, w.SaveSnapshot(mark(before[3].Index, 1)))
		grow(3)
		if got := counts.Ops[vfs.OpCreate] - created; got != map[bool]int64{false: 3, true: 2}[recycle] {
			t.Errorf("recycle %v: %d files were created for 3 cuts", recycle, got)
		}
		all := index - 1
		check(t, w.Release(before[3].Index))
		check(t, w.Close())

		w, log := open(t, m, mark(before[3].Index, 1), o)
		if last := log.Entries[len(log.Entries)-1].GetIndex(); last != all || log.Repaired {
			t.Errorf("last entry %d, want %d; repaired %v", last, all, log.Repaired)
		}
		check(t, w.Close())
		if _, err := m.Stat("m/wal/spare.tmp"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the spare outlives its log: %v", err)
		}
	}
}

func TestCreateIsAllOrNothing(t *testing.T) {
	o := Options{SegmentBytes: 1000}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		m := vfs.NewMem()
		disk, crashAt := (*vfs.Mem)(nil), r.IntN(20)
		w, err := Create(vfs.WithFaults(m, func(vfs.Op) error {
			if crashAt--; crashAt == 0 {
				disk = m.CrashClone(r)
			}
			return nil
		}), "data/member/wal", []byte("metadata"), o)
		check(t, err)
		check(t, w.Close())
		if disk == nil { // after Create nothing may be lost
			disk = m.CrashClone(r)
			if there, err := Exists(disk, "data/member/wal"); !there || err != nil {
				t.Fatalf("seed %d: the log is gone: %v", seed, err)
			}
		}
		there, err := Exists(disk, "data/member/wal")
		check(t, err)
		if !there {
			w, err = Create(disk, "data/member/wal", []byte("metadata"), o)
		} else {
			w, _, err = Open(disk, "data/member/wal", nil, o)
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		check(t, w.Close())
	}
	m := vfs.NewMem()
	create(t, m, o)
	if _, err := Create(m, "m/wal", nil, o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	if _, _, err := Open(m, "nowhere", nil, o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened what is not there: %v", err)
	}
	check(t, m.MkdirAll("empty"))
	if _, _, err := Open(m, "empty", nil, o); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "wal: file not found") {
		t.Errorf("opened an empty directory: %v", err)
	}
}

// TestCreateMakesRoom: what has the place of a log and is none goes, as does what an earlier attempt has left.
func TestCreateMakesRoom(t *testing.T) {
	m := vfs.NewMem()
	for _, dir := range []string{"m/wal", "m/wal.tmp"} {
		check(t, m.MkdirAll(dir+"/more"))
		check(t, vfs.WriteFile(m, dir+"/more/file", []byte("x")))
		check(t, vfs.WriteFile(m, dir+"/notes", []byte("x")))
	}
	check(t, create(t, m, Options{}).Close())
	names, err := m.List("m/wal")
	if err != nil || len(names) != 1 || names[0] != segmentName(0, 0) {
		t.Errorf("the log is %v, %v", names, err)
	}
	if _, err := m.Stat("m/wal.tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the attempt stays: %v", err)
	}
	w, err := Create(m, "other//wal/", nil, Options{})
	check(t, err)
	check(t, w.Close())
	if names, err := m.List("other"); err != nil || len(names) != 1 || names[0] != "wal" {
		t.Errorf("a log whose path is not clean is in %v, %v", names, err)
	}
}

// TestCreateSyncsWhatItMakes: the new directories and those in which they are new, and no other.
func TestCreateSyncsWhatItMakes(t *testing.T) {
	m := vfs.NewMem()
	check(t, m.MkdirAll("a/b"))
	var synced []string
	w, err := Create(vfs.WithFaults(m, func(op vfs.Op) error {
		if op.Kind == vfs.OpSyncDir {
			synced = append(synced, op.Path)
		}
		return nil
	}), "a/b/c/d/wal", nil, Options{})
	check(t, err)
	check(t, w.Close())
	slices.Sort(synced)
	if got := strings.Join(synced, " "); got != "a/b a/b/c a/b/c/d a/b/c/d/wal.tmp" {
		t.Errorf("synced %s", got)
	}
}

// TestSegmentIsClosedAtItsSize: by the append that fills it, and not by one that leaves room for a record.
func TestSegmentIsClosedAtItsSize(t *testing.T) {
	probe := create(t, vfs.NewMem(), Options{SegmentBytes: 4000})
	check(t, probe.Append(nil, entries(1, 1, 50)))
	full := probe.Size()
	for _, size := range []int64{full - 8, full, full + 8} {
		var counts vfs.Counts
		w := create(t, vfs.WithCount(vfs.NewMem(), &counts), Options{SegmentBytes: size})
		check(t, w.Append(nil, entries(1, 1, 50)))
		closed := full >= size
		if got := len(w.Segments()) == 2; got != closed {
			t.Errorf("%d bytes in a segment of %d: closed %v", full, size, got)
		}
		before := counts.Ops[vfs.OpSyncData]
		check(t, w.Sync())
		if more := counts.Ops[vfs.OpSyncData] > before; more == closed {
			t.Errorf("%d bytes in a segment of %d: synced %v, though what is closed was synced", full, size, more)
		}
		check(t, w.Close())
	}
	check(t, probe.Close())
}

func TestOneOwner(t *testing.T) {
	m := vfs.NewMem()
	w := create(t, m, Options{})
	if _, _, err := Open(m, "m/wal", nil, Options{}); !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("opened twice: %v", err)
	}
	check(t, w.Close())
	w, _ = open(t, m, nil, Options{})
	check(t, w.Close())
	if err := w.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	if err := w.Append(nil, entries(1, 1, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

func TestNothingIsAcceptedAfterAFailure(t *testing.T) {
	eio, enospc := errors.New("input/output error"), errors.New("no space left on device")
	for name, fault := range map[string]func(vfs.Op) error{
		"sync": func(op vfs.Op) error {
			if op.Kind == vfs.OpSyncData {
				return eio
			}
			return nil
		},
		"write": func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite && op.Size < 1000 {
				return &vfs.ShortWrite{Bytes: 11, Err: enospc}
			}
			return nil
		},
		"cut": func(op vfs.Op) error {
			if op.Kind == vfs.OpPreallocate {
				return enospc
			}
			return nil
		},
	} {
		m := vfs.NewMem()
		armed := false
		w := create(t, vfs.WithFaults(m, func(op vfs.Op) error {
			if armed {
				return fault(op)
			}
			return nil
		}), Options{SegmentBytes: 1 << 12})
		check(t, w.Append(hardState(1, 1, 0), entries(1, 1, 2)))
		check(t, w.Sync())
		armed = true
		var err error
		for i := uint64(3); err == nil; i++ {
			if err = w.Append(nil, entries(1, i, 1)); err == nil && name == "sync" {
				err = w.Sync()
			}
		}
		if !errors.Is(err, eio) && !errors.Is(err, enospc) {
			t.Fatalf("%s: %v", name, err)
		}
		armed = false // the disk is fine again, and it must not matter
		for what, again := range map[string]error{
			"append": w.Append(nil, entries(1, 99, 1)), "sync": w.Sync(), "snapshot": w.SaveSnapshot(mark(1, 1)),
			"release": w.Release(1),
		} {
			if again == nil || again.Error() != err.Error() {
				t.Errorf("%s: %s afterwards: %v, want %v", name, what, again, err)
			}
		}
		w.Close()
		_, log := open(t, m, nil, Options{SegmentBytes: 1 << 12})
		if len(log.Entries) < 2 || log.Entries[1].GetIndex() != 2 {
			t.Errorf("%s: what was synced is lost: %s", name, text(log))
		}
	}
}

func TestAppendIsOneWriteAndNoAllocation(t *testing.T) {
	var counts vfs.Counts
	w := create(t, vfs.WithCount(vfs.NewMem(), &counts), Options{})
	batch, hs := entries(1, 1, 50), hardState(1, 1, 1)
	check(t, w.Append(hs, batch))
	before := counts.Ops[vfs.OpWrite]
	check(t, w.Append(hs, batch))
	if got := counts.Ops[vfs.OpWrite] - before; got != 1 {
		t.Errorf("%d writes for one append", got)
	}
	discard := &WAL{fs: w.fs, o: w.o, tail: sink{}, zeroed: 1 << 40, segments: w.segments}
	if n := testing.AllocsPerRun(50, func() { check(t, discard.Append(hs, batch)); check(t, discard.Sync()) }); n > 0 {
		t.Errorf("%v allocations for 50 entries", n)
	}
	for _, e := range batch {
		e.Term = new(uint64(1 << 40))
	}
	discard = &WAL{fs: w.fs, o: w.o, tail: sink{}, zeroed: 1 << 40, segments: w.segments}
	if n := testing.AllocsPerRun(50, func() { check(t, discard.Append(nil, batch)) }); n > 0 {
		t.Errorf("%v allocations for 50 entries without a hard state", n)
	}
	check(t, w.Sync())
	before = counts.Ops[vfs.OpWrite]
	check(t, w.Append(nil, nil))
	check(t, w.Append(&raftpb.HardState{}, nil))
	if got := counts.Ops[vfs.OpWrite] - before; got != 0 {
		t.Errorf("%d writes for nothing", got)
	}
	start := w.Size()
	check(t, w.Append(hs, batch)) // with a sync point
	middle := w.Size()
	check(t, w.Append(hs, batch))
	if got := counts.Ops[vfs.OpWrite] - before; got != 2 {
		t.Errorf("%d writes for two appends behind a sync", got)
	}
	if point := (middle - start) - (w.Size() - middle); point <= 0 || point > 32 {
		t.Errorf("a sync point takes %d bytes", point)
	}
	before = counts.Ops[vfs.OpSyncData]
	check(t, w.Sync())
	check(t, w.Sync())
	if got := counts.Ops[vfs.OpSyncData] - before; got != 1 {
		t.Errorf("%d syncs, the second had nothing to do", got)
	}
}

// sink is a file that forgets.
type sink struct{ vfs.File }

func (sink) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (sink) SyncData() error                        { return nil }

func BenchmarkAppend(b *testing.B) {
	w := &WAL{o: Options{}.withDefaults(), tail: sink{}, zeroed: 1 << 60}
	w.o.SegmentBytes = 1 << 60
	batch := []*raftpb.Entry{entry(3, 123456, strings.Repeat("x", 256))}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(nil, batch); err != nil {
			b.Fatal(err)
		}
	}
}

var _ io.Closer = (*WAL)(nil)
