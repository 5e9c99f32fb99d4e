package wal

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// seen walks a file and tells each record: offset, bytes, kind, bytes of data.
func seen(t *testing.T, m *vfs.Mem, name string) (records []Seen, end End, err error) {
	t.Helper()
	end, err = Walk(m, "m/wal", name, func(s Seen) bool {
		s.Data = bytes.Clone(s.Data)
		records = append(records, s)
		return true
	})
	return records, end, err
}

// TestWalk visits every record of every file, as it stands there, and tells how they end.
func TestWalk(t *testing.T) {
	m, _ := build(t)
	segments, broken, err := Files(m, "m/wal")
	check(t, err)
	if len(segments) != 4 || len(broken) != 0 {
		t.Fatalf("files %v, broken %v", segments, broken)
	}
	kinds := map[RecordKind]int{}
	for i, s := range segments {
		if s.Seq != uint64(i) || s.Name != segmentName(s.Seq, s.Index) {
			t.Errorf("segment %d is %+v", i, s)
		}
		data, err := vfs.ReadFile(m, "m/wal/"+s.Name)
		check(t, err)
		all, end, err := seen(t, m, s.Name)
		check(t, err)
		at, crc := int64(0), all[0].CRC
		for _, rec := range all {
			if kinds[rec.Kind]++; rec.Kind != Checksum {
				crc = castagnoli(crc, rec.Data)
			}
			if rec.Offset != at || rec.CRC != crc || rec.Bytes <= 0 || !bytes.Contains(data[at:at+rec.Bytes], rec.Data) {
				t.Fatalf("%s: %+v at %d, checksum %08x", s.Name, rec, at, crc)
			}
			at += rec.Bytes
		}
		if want := (End{Offset: at}); end != want || at != int64(len(bytes.TrimRight(data[:at], "\x00"))+7)&^7 {
			t.Errorf("%s ends with %+v, want %+v", s.Name, end, want)
		}
	}
	if kinds[Metadata] != 4 || kinds[Checksum] != 4 || kinds[Snapshot] != 1 || kinds[Entry] < 60 || kinds[State] < 60 {
		t.Errorf("records of each type: %v", kinds)
	}
	calls := 0
	end, err := Walk(m, "m/wal", segments[1].Name, func(s Seen) bool { calls++; return calls < 3 })
	offsets := records(t, m, "m/wal/"+segments[1].Name)
	if err != nil || calls != 3 || end != (End{Offset: offsets[3]}) {
		t.Errorf("stopped after %d records at %+v, %v", calls, end, err)
	}
	if _, err := Walk(m, "m/wal", "nothing", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := Files(m, "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log that is not there: %v", err)
	}
	if _, _, err := Durable(m, "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is durable of a log that is not there: %v", err)
	}
}

// TestWalkDamaged: a record that does not fit is an error at its place, behind those before it.
func TestWalkDamaged(t *testing.T) {
	m, last := build(t)
	offsets := records(t, m, last)
	for i, at := range offsets[:len(offsets)-1] {
		hurt := m.Clone()
		check(t, hurt.Damage(last, at+12, 1, func(p []byte) { p[0] ^= 1 }))
		all, end, err := seen(t, hurt, path.Base(last))
		if i == 0 {
			i, at = len(all), end.Offset // a wrong checksum to begin with is seen by the next record
		}
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || corrupt.File != last || corrupt.Offset != at || len(all) != i ||
			end != (End{Offset: at}) {
			t.Errorf("a flipped bit at %d: %d records, then %+v, %v", at, len(all), end, err)
		}
	}
}

// TestTornRecordIsKeptAside: what Open finds torn it has copied, byte for byte and with no zeros written, and tells how
// many bytes of it had come to the disk. Before that, Walk tells the same.
func TestTornRecordIsKeptAside(t *testing.T) {
	m, name, start, used := tornMiddle(t, 0)
	before, err := vfs.ReadFile(m, name)
	check(t, err)
	_, end, err := seen(t, m, path.Base(name))
	check(t, err)
	beyond := int64(len(bytes.TrimRight(before, "\x00"))) - start
	if end != (End{Offset: start, Torn: true, Beyond: beyond}) || beyond < 90_000 || start+beyond > used {
		t.Errorf("it ends with %+v, want %d bytes at %d", end, beyond, start)
	}
	var counts vfs.Counts
	o := Options{SegmentBytes: 256 << 10}
	w, log, err := Open(vfs.WithCount(m, &counts), "m/wal", nil, o)
	check(t, err)
	if !log.Repaired || log.Truncated != beyond || w.Size() != start {
		t.Errorf("repaired %v, %d bytes at %d, want %d at %d", log.Repaired, log.Truncated, w.Size(), beyond, start)
	}
	segments, broken, err := Files(m, "m/wal")
	check(t, err)
	if len(segments) != 1 || !slices.Equal(broken, []string{segments[0].Name + brokenSuffix}) {
		t.Fatalf("segments %v, broken %v", segments, broken)
	}
	kept, err := vfs.ReadFile(m, "m/wal/"+broken[0])
	check(t, err)
	if !bytes.Equal(kept, before) {
		t.Errorf("the copy of %d bytes is not the file of %d", len(kept), len(before))
	}
	if most := start + beyond + 2*readBytes + beyond + readBytes; counts.Bytes[vfs.OpWrite] > most {
		t.Errorf("%d bytes were written, want %d at most", counts.Bytes[vfs.OpWrite], most)
	}
	_, end, err = seen(t, m, broken[0])
	check(t, err)
	if end != (End{Offset: start, Torn: true, Beyond: beyond}) {
		t.Errorf("the copy ends with %+v", end)
	}
	after, err := vfs.ReadFile(m, name)
	check(t, err)
	if !bytes.Equal(after[:start], before[:start]) || len(bytes.TrimRight(after[start:], "\x00")) > 0 ||
		len(after) != len(before) {
		t.Errorf("behind the end, at %d, there are not only zeros", start)
	}
	check(t, w.Close())
}

// TestDurable is where the last sync point stands.
func TestDurable(t *testing.T) {
	m := vfs.NewMem()
	w := create(t, m, Options{SegmentBytes: 64 << 10})
	want := int64(0)
	for index := uint64(1); index < 60; index++ {
		name, at, err := Durable(m, "m/wal")
		if err != nil || at != want || name != "m/wal/"+w.last().Name {
			t.Fatalf("%s, %d, %v; want %d", name, at, err, want)
		}
		check(t, w.Append(nil, entries(1, index, index%3+1)))
		if index%5 == 0 {
			check(t, w.Sync())
			want = w.Size()
			check(t, w.Append(nil, entries(1, index, 1)))
		}
	}
	check(t, w.Close())
}

// TestBytesWritten counts what was appended, in all segments, with its sync points.
func TestBytesWritten(t *testing.T) {
	w := create(t, vfs.NewMem(), Options{SegmentBytes: 8 << 20})
	start := w.Size()
	for index := uint64(1); index < 20; index++ {
		check(t, w.Append(hardState(1, 1, index-1), entries(1, index, index%3+1)))
		check(t, w.Sync())
		if got := w.Bytes(); got != w.Size()-start {
			t.Errorf("%d bytes, want %d", got, w.Size()-start)
		}
	}
	check(t, w.Append(nil, entries(1, 20, 1)))
	if cap(w.enc.buf) == 0 {
		t.Error("a buffer for each append")
	}
	before := w.Bytes()
	check(t, w.Append(nil, []*raftpb.Entry{entry(1, 21, strings.Repeat("x", keepBytes))}))
	if n := w.Bytes() - before; n < keepBytes || cap(w.enc.buf) > keepBytes {
		t.Errorf("%d bytes written, and a buffer of %d is kept", n, cap(w.enc.buf))
	}
	check(t, w.Close())
}
