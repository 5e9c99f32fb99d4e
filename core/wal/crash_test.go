package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vitrine/core/pb"
	"vitrine/core/vfs"

	"go.etcd.io/raft/v3/raftpb"
)

// promise is what a log may hold after a crash: the state at the last sync, or
// that state and any number of the records written since.
type promise struct {
	from   *pb.WALSnapshot // synced; the log is opened there
	states []string        // text after each record since the last sync
	now    Recovered
}

func (p *promise) note() { p.states = append(p.states, p.text()) }

// text leaves out the entries that the snapshot covers.
func (p *promise) text() string {
	return text(&Recovered{
		Metadata:  []byte("metadata"),
		HardState: p.now.HardState,
		Entries:   p.now.Entries[p.from.GetIndex():],
		Snapshot:  pb.WALSnapshot{Index: new(p.from.GetIndex()), Term: new(p.from.GetTerm())},
	})
}

func (p *promise) synced() { p.states = []string{p.text()} }

func (p *promise) append(hs *raftpb.HardState, batch []*raftpb.Entry) {
	for _, e := range batch {
		p.now.Entries = append(append([]*raftpb.Entry{}, p.now.Entries[:e.GetIndex()-1]...), e)
		p.note()
	}
	if hs != nil {
		p.now.HardState = hs
		p.note()
	}
}

// TestCrashes runs a member's writes on a disk that loses power at a random
// operation, again and again on what it left, and looks each time that
// everything synced is there, nothing was invented, and no error came up.
func TestCrashes(t *testing.T) {
	repaired := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 5))
		disk := vfs.NewMem()
		o := Options{SegmentBytes: int64(500 + r.IntN(6000)), Recycle: seed%2 == 0}
		w := create(t, disk, o)
		check(t, w.Close())
		p := &promise{from: &pb.WALSnapshot{}, now: Recovered{HardState: &raftpb.HardState{}}}
		p.synced()
		for life := range 4 {
			var err error
			if disk, err = live(r, disk, o, p); err != nil {
				t.Fatalf("seed %d, life %d: %v", seed, life, err)
			}
			snaps, err := Snapshots(disk, "m/wal", o)
			if err != nil {
				t.Fatalf("seed %d, life %d: snapshots: %v", seed, life, err)
			}
			if !hasSnapshot(snaps, p.from) {
				t.Fatalf("seed %d, life %d: snapshot %d is not among %v", seed, life, p.from.GetIndex(), snaps)
			}
			w, log, err := Open(disk, "m/wal", p.from, o)
			if err != nil {
				t.Fatalf("seed %d, life %d: %v", seed, life, err)
			}
			if log.Repaired {
				repaired++
			}
			got := text(log)
			if !strings.Contains("\n"+strings.Join(p.states, "\n")+"\n", "\n"+got+"\n") {
				t.Fatalf("seed %d, life %d: found\n%s\nwant one of\n%s", seed, life, got, strings.Join(p.states, "\n"))
			}
			check(t, w.Close())
			p.now.HardState = log.HardState
			p.now.Entries = append(p.now.Entries[:p.from.GetIndex():p.from.GetIndex()], log.Entries...)
			p.synced()
		}
	}
	if repaired < 20 {
		t.Errorf("only %d torn tails: the test does not test what it should", repaired)
	}
}

func hasSnapshot(snaps []*pb.WALSnapshot, want *pb.WALSnapshot) bool {
	for _, s := range snaps {
		if s.GetIndex() == want.GetIndex() && s.GetTerm() == want.GetTerm() {
			return true
		}
	}
	return false
}

var errCrashed = errors.New("power loss")

// live opens the log and writes to it until the power fails, and returns what
// the disk then holds.
func live(r *rand.Rand, disk *vfs.Mem, o Options, p *promise) (*vfs.Mem, error) {
	var after *vfs.Mem
	left := 1 + r.IntN(60)
	w, _, err := Open(vfs.WithFaults(disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpRead || op.Kind == vfs.OpStat {
			return nil
		}
		if left--; left == 0 {
			after = disk.CrashClone(r)
		}
		if left <= 0 {
			return errCrashed
		}
		return nil
	}), "m/wal", p.from, o)
	term := p.now.HardState.GetTerm() + 1
	for err == nil {
		last := uint64(len(p.now.Entries))
		switch r.IntN(8) {
		case 0:
			if commit := p.now.HardState.GetCommit(); commit > p.from.GetIndex() {
				at := p.from.GetIndex() + 1 + r.Uint64N(commit-p.from.GetIndex())
				err = snapshot(w, p, at)
			}
		case 1:
			err = w.Release(p.from.GetIndex())
		default:
			first := last + 1
			if low := p.now.HardState.GetCommit(); r.IntN(5) == 0 && last > low {
				first = low + 1 + r.Uint64N(last-low)
			}
			batch := make([]*raftpb.Entry, r.IntN(4))
			for i := range batch {
				batch[i] = entry(term, first+uint64(i), noise(r))
			}
			if len(batch) > 0 {
				last = first + uint64(len(batch)) - 1
			}
			var hs *raftpb.HardState
			if low := p.now.HardState.GetCommit(); r.IntN(2) == 0 && last >= low {
				hs = hardState(term, r.Uint64N(4), low+r.Uint64N(last-low+1))
			}
			p.append(hs, batch) // before the write: part of it may survive
			err = w.Append(hs, batch)
			if err == nil && r.IntN(2) == 0 {
				if err = w.Sync(); err == nil {
					p.synced()
				}
			}
		}
	}
	if !errors.Is(err, errCrashed) {
		return nil, fmt.Errorf("before the crash: %w", err)
	}
	return after, nil
}

func snapshot(w *WAL, p *promise, at uint64) error {
	s := mark(at, p.now.Entries[at-1].GetTerm())
	if err := w.SaveSnapshot(s); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	p.from = s
	p.synced()
	return nil
}

func noise(r *rand.Rand) string {
	b := make([]byte, r.IntN(1400))
	for i := range b {
		b[i] = byte(1 + r.IntN(255))
	}
	return string(b)
}

// small is how the logs of build are kept.
var small = Options{SegmentBytes: 3000}

// build makes a log of a few segments, of which the last one was never synced
// behind its head when its process was killed, and returns the path of that.
func build(t testing.TB) (m *vfs.Mem, last string) {
	disk := vfs.NewMem()
	w := create(t, disk, small)
	for i := uint64(1); i <= 60; i++ {
		check(t, w.Append(hardState(1, 1, i), entries(1, i, 1)))
	}
	for i := uint64(61); len(w.Segments()) < 4 || w.Size() < 1500; i++ {
		check(t, w.Append(nil, entries(1, i, 1)))
	}
	return disk.Clone(), "m/wal/" + w.last().Name
}

// records returns the offset of each record of a file, and the end of the last.
func records(t testing.TB, m *vfs.Mem, name string) (offsets []int64) {
	f, err := m.Open(name)
	check(t, err)
	d, err := newDecoder([]vfs.File{f}, 0)
	check(t, err)
	for {
		if _, err := d.next(); err != nil {
			return append(offsets, d.offset)
		}
		offsets = append(offsets, d.at)
	}
}

// TestFlippedBitsAreNamed flips a bit in every byte of a segment in the middle
// and every bit of the last one. Open must refuse and say where, or the bit carried nothing.
//
// One weakness is the format's own: the checksum covers a record's data but not
// its type, and a hard state is well-formed as an entry.
func TestFlippedBitsAreNamed(t *testing.T) {
	m, last := build(t)
	names, err := m.List("m/wal")
	check(t, err)
	_, want := open(t, m.Clone(), nil, small)
	for _, name := range []string{"m/wal/" + names[1], last} {
		offsets := records(t, m, name)
		data, err := vfs.ReadFile(m, name)
		check(t, err)
		for i, start := range offsets[:len(offsets)-1] {
			for at := start; at < offsets[i+1]; at++ {
				if at == start+frameBytes+1 {
					continue // the type
				}
				for bit := range 8 {
					if name != last && int64(bit) != at%8 {
						continue // one bit of each byte will do
					}
					hurt := m.Clone()
					f, err := hurt.OpenReadWrite(name)
					check(t, err)
					_, err = f.WriteAt([]byte{data[at] ^ 1<<bit}, at)
					check(t, err)
					where := fmt.Sprintf("bit %d of byte %d in %s", bit, at, name)
					judge(t, hurt, where, name, start, offsets[i+1], text(want))
				}
			}
		}
	}
}

func judge(t *testing.T, hurt *vfs.Mem, where, file string, start, end int64, want string) {
	t.Helper()
	w, log, err := Open(hurt, "m/wal", nil, small)
	var corrupt *CorruptError
	switch {
	case errors.As(err, &corrupt):
		// A checksum record that lies is found out by the record behind it.
		if corrupt.File != file || corrupt.Offset != start && corrupt.Offset != end || !strings.Contains(err.Error(), file) {
			t.Fatalf("%s: %v", where, err)
		}
	case err != nil:
		t.Fatalf("%s: %v", where, err)
	case text(log) != want || log.Repaired: // padding is never looked at
		t.Fatalf("%s was not noticed:\n%s\nwant\n%s", where, text(log), want)
	default:
		check(t, w.Close())
	}
}

func TestMissingSegmentsAreNoticed(t *testing.T) {
	m, _ := build(t)
	names, err := m.List("m/wal")
	check(t, err)
	for i, name := range names {
		hurt := m.Clone()
		check(t, hurt.Remove("m/wal/"+name))
		_, _, err := Open(hurt, "m/wal", nil, small)
		var corrupt *CorruptError
		if i == len(names)-1 {
			check(t, err) // the end of a log cannot be missed by the log itself
		} else if !errors.As(err, &corrupt) {
			t.Errorf("without segment %d: %v", i, err)
		}
	}
	hurt := m.Clone()
	check(t, hurt.RemoveAll("m/wal/"+names[0]))
	other, err := Create(hurt, "other", []byte("other member"), Options{SegmentBytes: 3000})
	check(t, err)
	check(t, other.Close())
	check(t, hurt.Rename("other/"+segmentName(0, 0), "m/wal/"+names[0]))
	if _, _, err := Open(hurt, "m/wal", nil, small); err == nil {
		t.Error("a segment of another member was accepted")
	}
}
