package backend

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
)

func filled(t testing.TB, pairs int) *Mem {
	m := NewMem()
	var ops []Op
	for i := range pairs {
		ops = append(ops, Op{Bucket: Key, Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat([]byte{'v'}, i)})
	}
	ops = append(ops, Op{Bucket: Meta, Key: []byte("m"), Value: nil},
		Op{Bucket: AuthRoles, Key: []byte("r"), Value: []byte{0}})
	if err := m.Commit(ops); err != nil {
		t.Fatal(err)
	}
	return m
}

func image(t testing.TB, m *Mem) []byte {
	s, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := s.WriteTo(&out); err != nil || n != s.Size() {
		t.Fatal(n, s.Size(), err)
	}
	return out.Bytes()
}

// TestMemSnapshotForm pins the bytes: they travel between members.
func TestMemSnapshotForm(t *testing.T) {
	const want = "76697472696e65206d656d20310a" + // magic
		"01" + "02" + "6b30" + "00" + // key: k0, empty
		"01" + "02" + "6b31" + "01" + "76" + // key: k1 = v
		"02" + "01" + "6d" + "00" + // meta: m, empty
		"0a" + "01" + "72" + "01" + "00" + // authRoles: r = 0x00
		"00" // end
	got := image(t, filled(t, 2))
	if h := hex.EncodeToString(got[:len(got)-4]); h != want {
		t.Fatalf("\n%s\nwant\n%s", h, want)
	}
}

func TestMemSnapshotDamage(t *testing.T) {
	good := image(t, filled(t, 3))
	m, err := OpenMemSnapshot(bytes.Clone(good))
	if err != nil {
		t.Fatal(err)
	}
	if again := image(t, m); !bytes.Equal(again, good) {
		t.Fatalf("a second round gives\n%x\nwant\n%x", again, good)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, err := OpenMemSnapshot(bad); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := OpenMemSnapshot(good[:i]); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// TestMemImages checks that every image stays what it was: clones, snapshots
// and views share one tree with a store that goes on.
func TestMemImages(t *testing.T) {
	m := filled(t, 50)
	before := image(t, m)
	clone := m.Clone()
	snap, _ := m.Snapshot()
	handed := snap.(*MemSnapshot).Mem()
	for i := range 50 {
		op := Op{Bucket: Key, Key: fmt.Appendf(nil, "k%d", i), Delete: i%2 == 0, Value: []byte("new")}
		if err := m.Commit([]Op{op}); err != nil {
			t.Fatal(err)
		}
	}
	if err := handed.Commit([]Op{{Bucket: Key, Key: []byte("mine"), Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(image(t, clone), before) {
		t.Fatal("the clone changed")
	}
	if bytes.Equal(image(t, m), before) || bytes.Equal(image(t, handed), before) {
		t.Fatal("a store did not change")
	}
	if m.Size() < clone.Size() || m.SizeInUse() > m.Size() {
		t.Fatalf("size %d, in use %d, was %d", m.Size(), m.SizeInUse(), clone.Size())
	}
}

// TestMemSize follows what is in use down again; the size stays.
func TestMemSize(t *testing.T) {
	m := NewMem()
	if m.Size() != emptySize || m.SizeInUse() != emptySize {
		t.Fatal(m.Size(), m.SizeInUse())
	}
	big := Op{Bucket: Key, Key: []byte("k"), Value: make([]byte, 1<<20)}
	m.Commit([]Op{big})
	m.Commit([]Op{big}) // an overwrite takes no more room
	if m.SizeInUse() < 1<<20 || m.SizeInUse() > 1<<20+emptySize+pageSize {
		t.Fatal(m.SizeInUse())
	}
	high := m.Size()
	m.Commit([]Op{{Bucket: Key, Key: []byte("k"), Delete: true}})
	if m.SizeInUse() != emptySize || m.Size() != high {
		t.Fatal(m.Size(), m.SizeInUse())
	}
}

func FuzzOpenMemSnapshot(f *testing.F) {
	f.Add(image(f, NewMem()))
	f.Add(image(f, filled(f, 3)))
	f.Add([]byte(memMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := len(data) - 4; n > 0 { // or nothing gets past the checksum
			sum := crc32.Checksum(data[:n], crc32.MakeTable(crc32.Castagnoli))
			data = binary.LittleEndian.AppendUint32(bytes.Clone(data[:n]), sum)
		}
		m, err := OpenMemSnapshot(data)
		if err != nil {
			if !errors.Is(err, ErrBadSnapshot) {
				t.Fatal(err)
			}
			return
		}
		// Lengths may be written in more than one way; the pairs may not
		// change, so the second round is a fixed point.
		once := image(t, m)
		again, err := OpenMemSnapshot(once)
		if err != nil || !bytes.Equal(image(t, again), once) {
			t.Fatalf("%v: %x", err, once)
		}
	})
}

// broken is a store whose commits fail.
type broken struct{ *Mem }

var errDisk = errors.New("disk on fire")

func (broken) Commit([]Op) error { return errDisk }

// TestCommitFailure: a failed commit is final, and reads go on with what was
// written.
func TestCommitFailure(t *testing.T) {
	b, err := New(broken{NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	batch := NewBatch()
	batch.Reset(Applied{Index: 3, Term: 1})
	batch.Put(Key, []byte("k"), []byte("v"))
	b.Write(batch)
	if err := b.Flush(); !errors.Is(err, errDisk) || !errors.Is(b.Err(), errDisk) {
		t.Fatal(err, b.Err())
	}
	b.Write(batch)
	if c := b.BeginCommit(); c != nil {
		t.Fatal("a commit began after a failed one")
	}
	if b.Durable().Index != 0 || b.Applied().Index != 3 || string(b.Get(Key, []byte("k"))) != "v" {
		t.Fatal(b.Durable(), b.Applied())
	}
}

// TestReservedKeys: the position has no other way in than Batch.Reset.
func TestReservedKeys(t *testing.T) {
	for _, key := range []string{"consistent_index", "term", "confState"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a batch took %q", key)
				}
			}()
			NewBatch().Put(Meta, []byte(key), nil)
		}()
	}
}
