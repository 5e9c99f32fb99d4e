package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// rotLog is a log of entries in term 7 and hard states, synced and closed: a sync
// point ends it.
func rotLog(t *testing.T) (m *vfs.Mem, name string, offsets []int64, data []byte) {
	t.Helper()
	return rotLogOf(t, true)
}

// rotLogOf is such a log, of a process that was killed or that closed it.
func rotLogOf(t *testing.T, closed bool) (m *vfs.Mem, name string, offsets []int64, data []byte) {
	t.Helper()
	m = vfs.NewMem()
	w, err := Create(m, "w", []byte("me"), Options{SegmentBytes: 16 << 10})
	check(t, err)
	for i := uint64(1); i <= 120; i++ {
		e := &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Term: new(uint64(7)), Index: new(i),
			Data: []byte(strings.Repeat("x", int(i%40)))}
		check(t, w.Append(&raftpb.HardState{Term: new(uint64(7)), Vote: new(uint64(1)), Commit: new(i - 1)},
			[]*raftpb.Entry{e}))
	}
	check(t, w.Sync())
	if closed {
		check(t, w.Close())
	}
	m = m.Clone()
	name = "w/" + segmentName(0, 0)
	data, err = vfs.ReadFile(m, name)
	check(t, err)
	return m, name, records(t, m, name), data
}

func wantCorrupt(t *testing.T, m *vfs.Mem, where string, start int64) {
	t.Helper()
	_, log, err := Open(m, "w", nil, Options{SegmentBytes: 16 << 10})
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Offset != start {
		t.Errorf("%s of the record at %d: error %v, log %v; want a CorruptError at that place", where, start, err, log)
	}
}

// TestLengthsAtTheEndOfASector: the header of a record that crosses the border of
// a sector says what its length is all the same. Found by the simulator with a
// flipped bit: 17 records that had been promised were cut off as torn. In a log that
// was not closed no sync point tells of them.
func TestLengthsAtTheEndOfASector(t *testing.T) {
	for _, closed := range []bool{true, false} {
		testLengths(t, closed)
	}
}

func testLengths(t *testing.T, closed bool) {
	m, name, offsets, _ := rotLogOf(t, closed)
	crossing := 0
	for _, start := range offsets[1 : len(offsets)-1] {
		if within := start % vfs.BlockSize; within < vfs.BlockSize-24 || within == vfs.BlockSize-8 {
			continue
		}
		crossing++
		for bit := range 32 {
			hurt := m.Clone()
			check(t, hurt.Damage(name, start+int64(bit/8), 1, func(p []byte) { p[0] ^= 1 << (bit % 8) }))
			wantCorrupt(t, hurt, "a flipped bit in the length", start)
		}
	}
	if crossing < 3 {
		t.Errorf("only %d records have their header on a border", crossing)
	}
}

// TestLengthOfTheLastSyncPoint: as every header that crosses the border of a sector, that of a sync point says what its
// length is, also where no other point is behind it. Found by the simulator: a vote was cut off as torn.
func TestLengthOfTheLastSyncPoint(t *testing.T) {
	m := vfs.NewMem()
	w, err := Create(m, "w", []byte("me"), Options{SegmentBytes: 16 << 10})
	check(t, err)
	name, crossing := "w/"+segmentName(0, 0), 0
	for i := uint64(1); i <= 300; i++ {
		check(t, w.Sync())
		start := w.Size()
		check(t, w.Append(&raftpb.HardState{Term: new(i), Vote: new(uint64(1)), Commit: new(uint64(0))}, nil))
		check(t, w.Sync())
		if within := start % vfs.BlockSize; within < vfs.BlockSize-24 || within == vfs.BlockSize-8 {
			continue
		}
		crossing++
		for bit := range 32 {
			hurt := m.Clone()
			check(t, hurt.Damage(name, start+int64(bit/8), 1, func(p []byte) { p[0] ^= 1 << (bit % 8) }))
			wantCorrupt(t, hurt, fmt.Sprintf("bit %d flipped in the length", bit), start)
		}
	}
	if crossing < 3 {
		t.Errorf("only %d sync points have their header on a border", crossing)
	}
}

// TestTypesThatAreNotCovered: the checksum does not cover the type, so a record
// that is called by another one must give itself away, wherever it stands.
func TestTypesThatAreNotCovered(t *testing.T) {
	m, last := build(t)
	_, want := open(t, m.Clone(), nil, small)
	names, err := m.List("m/wal")
	check(t, err)
	kinds := map[byte]int{}
	for _, name := range names {
		name = "m/wal/" + name
		data, err := vfs.ReadFile(m, name)
		check(t, err)
		offsets := records(t, m, name)
		for _, start := range offsets[:len(offsets)-1] {
			at := start + frameBytes + 1
			kinds[data[at]]++
			for bit := range 8 {
				hurt := m.Clone()
				check(t, hurt.Damage(name, at, 1, func(p []byte) { p[0] ^= 1 << bit }))
				where := fmt.Sprintf("type %d as %d at %d of %s", data[at], data[at]^1<<bit, start, name)
				_, log, err := Open(hurt, "m/wal", nil, small)
				switch corrupt := (*CorruptError)(nil); {
				case err == nil:
					if text(log) != text(want) {
						t.Fatalf("%s was not noticed:\n%s\nwant\n%s", where, text(log), text(want))
					}
				case !errors.As(err, &corrupt) || corrupt.File == "":
					t.Fatalf("%s: %v", where, err)
				}
			}
		}
	}
	for kind := byte(metadataRecord); kind <= snapshotRecord; kind++ {
		if kinds[kind] == 0 {
			t.Errorf("no record of type %d was tried in %s", kind, last)
		}
	}
}

// TestStrayBlocks: a block in the place of another is not a torn record, though
// what is read as a length there may reach into the zeros or beyond the end.
func TestStrayBlocks(t *testing.T) {
	m, name, offsets, data := rotLog(t)
	blocks := offsets[len(offsets)-1] / vfs.BlockSize
	for from := range blocks {
		for to := int64(1); to < blocks; to++ {
			if from == to {
				continue
			}
			hurt := m.Clone()
			check(t, hurt.Damage(name, to*vfs.BlockSize, vfs.BlockSize, func(p []byte) {
				copy(p, data[from*vfs.BlockSize:(from+1)*vfs.BlockSize])
			}))
			var corrupt *CorruptError
			if _, log, err := Open(hurt, "w", nil, Options{SegmentBytes: 16 << 10}); !errors.As(err, &corrupt) {
				t.Errorf("block %d in the place of block %d: error %v, log %v", from, to, err, log)
			}
		}
	}
}
