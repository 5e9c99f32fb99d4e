package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// bordered is a log whose last record, the third entry, of three sectors and a bit, begins so many bytes before the end
// of a sector, and was never synced. If it has grown it reaches to the end of the file, which was made smaller.
func bordered(t *testing.T, before int64, grown bool) (m *vfs.Mem, name string, start int64, o Options) {
	t.Helper()
	o = Options{SegmentBytes: 16 << 10}
	if grown {
		o.SegmentBytes = 1600
	}
	disk := vfs.NewMem()
	w := create(t, vfs.WithFaults(disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpTruncate {
			return errCrashed // in a cut
		}
		return nil
	}), o)
	check(t, w.Append(hardState(1, 1, 0), entries(1, 1, 1)))
	name = "m/wal/" + w.last().Name
	for fill := 0; w.lastIndex < 2; fill++ {
		e, probe := entry(1, 2, strings.Repeat("f", fill)), encoder{crc: w.enc.crc}
		if probe.entry(e); (w.Size()+int64(len(probe.buf))+before)%vfs.BlockSize == 0 {
			check(t, w.Append(nil, []*raftpb.Entry{e}))
		}
	}
	start = w.Size()
	err := w.Append(nil, []*raftpb.Entry{entry(1, 3, strings.Repeat("x", 3*vfs.BlockSize-20))})
	if grown != errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	return disk.Clone(), name, start, o
}

// TestRecordsAtTheBordersOfSectors: a record begins at every place in a sector, and loses one of its later sectors, its
// length, its header, or some of them. It is torn if a crash can explain that, and corrupt if not: a sector is written
// entirely or not at all, so that a length field is right if the rest of its sector says so, and wrong if it says
// something else.
func TestRecordsAtTheBordersOfSectors(t *testing.T) {
	for _, grown := range []bool{false, true} {
		for before := int64(8); before <= vfs.BlockSize; before += 8 {
			m, name, start, o := bordered(t, before, grown)
			data, err := vfs.ReadFile(m, name)
			check(t, err)
			length := binary.LittleEndian.Uint64(data[start:])
			n, _ := unframe(length)
			_, head := promisedLen(data[start+frameBytes:])
			beside := (before - frameBytes) % vfs.BlockSize // bytes behind the length field in its sector
			room := beside                                  // where the header can lie in one sector
			if room == 0 {
				room = vfs.BlockSize
			}
			whole := int64(head) <= room // the header lies in one sector
			next := start + before
			lose := func(m *vfs.Mem, sector int64) {
				check(t, m.Damage(name, next+sector*vfs.BlockSize, vfs.BlockSize, func(p []byte) { clear(p) }))
			}
			relabel := func(m *vfs.Mem, n int64) {
				field, _ := frame(int(n))
				check(t, m.Damage(name, start, frameBytes, func(p []byte) { binary.LittleEndian.PutUint64(p, field) }))
			}
			spoil := func(m *vfs.Mem) { // the beginning of the header
				check(t, m.Damage(name, start+frameBytes, 2, func(p []byte) { p[0], p[1] = 0xff, 0xff }))
			}
			for _, c := range []struct {
				what string
				torn bool
				hurt func(m *vfs.Mem)
			}{
				{"without its next sector", true, func(m *vfs.Mem) { lose(m, 0) }},
				{"without its last but one", true, func(m *vfs.Mem) { lose(m, 1) }},
				{"with a length that is too large, and without a sector", !whole, func(m *vfs.Mem) { lose(m, 1); relabel(m, n+8) }},
				{"with a length that is too small, and without a sector", !whole,
					func(m *vfs.Mem) { lose(m, 1); relabel(m, n-8) }},
				{"with a length that is too large", false, func(m *vfs.Mem) { relabel(m, n+8) }},
				{"with a length that is too small", false, func(m *vfs.Mem) { relabel(m, n-8) }},
				{"with a length far beyond the end", false, func(m *vfs.Mem) { relabel(m, n+1<<40) }},
				{"without a header or a sector", room < headBytes, func(m *vfs.Mem) { spoil(m); lose(m, 1) }},
				{"without a header", false, func(m *vfs.Mem) { spoil(m) }},
				{"without a header, with a length far beyond the end", !grown && room < headBytes,
					func(m *vfs.Mem) { spoil(m); relabel(m, n+1<<40) }},
			} {
				hurt := m.Clone()
				c.hurt(hurt)
				what := fmt.Sprintf("grown %v, %d bytes before the border, %s", grown, before, c.what)
				tornOrCorrupt(t, hurt, what, name, start, o, c.torn)
			}
			if !grown {
				continue
			}
			for size := max(next, o.SegmentBytes); size < int64(len(data)); size += vfs.BlockSize - size%vfs.BlockSize {
				hurt := m.Clone() // the size of the file is lost, as it may be before a sync
				f, err := hurt.OpenReadWrite(name)
				check(t, err)
				check(t, f.Truncate(size))
				what := fmt.Sprintf("%d bytes before the border, in a file of %d", before, size)
				tornOrCorrupt(t, hurt.Clone(), what, name, start, o, true)
				relabel(hurt, n+8)
				tornOrCorrupt(t, hurt, what+", with another length", name, start, o, size-start-frameBytes < int64(head))
			}
		}
	}
}

func tornOrCorrupt(t *testing.T, m *vfs.Mem, what, name string, start int64, o Options, torn bool) {
	t.Helper()
	w, log, err := Open(m, "m/wal", nil, o)
	var corrupt *CorruptError
	switch {
	case err == nil:
		if !torn || !log.Repaired || len(log.Entries) != 2 || w.Size() != start {
			t.Errorf("%s: %d entries, repaired %v; torn: %v", what, len(log.Entries), log.Repaired, torn)
		}
		check(t, w.Close())
	case !errors.As(err, &corrupt) || corrupt.File != name || corrupt.Offset != start || torn:
		t.Errorf("%s: %v; want it at %d, torn: %v", what, err, start, torn)
	}
}

// TestTornPlaceOfASyncPoint: the place that a sync point names may be in another sector than its header, if the
// checksum in between is short enough, and a write that was under way may have left that sector out.
func TestTornPlaceOfASyncPoint(t *testing.T) {
	for i := uint64(0); i < 1<<20; i++ {
		disk := vfs.NewMem()
		w := create(t, disk, Options{SegmentBytes: 4096})
		check(t, w.Append(hardState(1, 1, 0), []*raftpb.Entry{entry(1, 1, fmt.Sprintf("%07x", i))}))
		for w.Size()%vfs.BlockSize != vfs.BlockSize-16 {
			check(t, w.Append(nil, []*raftpb.Entry{entry(1, w.lastIndex+1, "")}))
		}
		if crc := w.enc.crc; crc < 1<<14 || crc >= 1<<21 {
			check(t, w.Close())
			continue
		}
		last, at, name := w.lastIndex, w.Size(), "m/wal/"+w.last().Name
		check(t, w.Sync())
		check(t, w.Append(nil, []*raftpb.Entry{entry(1, last+1, "lost")}))
		left := disk.Clone()
		check(t, left.Damage(name, at+16, vfs.BlockSize, func(p []byte) { clear(p) }))
		_, found := open(t, left, nil, Options{SegmentBytes: 4096})
		if !found.Repaired || found.Entries[len(found.Entries)-1].GetIndex() != last {
			t.Errorf("repaired: %v, %d entries of %d", found.Repaired, len(found.Entries), last)
		}
		return
	}
	t.Error("no checksum is that short")
}
