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

	"google.golang.org/protobuf/encoding/protowire"
)

// TestNamesOfSegments: a name says sequence and index, in hexadecimal; what is no such name is passed over.
func TestNamesOfSegments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for range 200 {
		want := Segment{Seq: r.Uint64() >> r.IntN(64), Index: r.Uint64() >> r.IntN(64)}
		want.Name = segmentName(want.Seq, want.Index)
		if got, ok := parseSegmentName(want.Name); !ok || got != want {
			t.Errorf("%v: %v, %v", want, got, ok)
		}
	}
	name := segmentName(1, 2)
	for _, bad := range []string{"", ".", "next.tmp", "spare.tmp", name + ".broken", name[1:], "0" + name,
		strings.Replace(name, "-", "_", 1), strings.Replace(name, ".wal", ".log", 1), strings.Replace(name, "1", "g", 1),
		strings.Replace(name, "2", "g", 1), strings.Replace(name, "2", " ", 1), strings.Replace(name, "1", "-", 1)} {
		if s, ok := parseSegmentName(bad); ok {
			t.Errorf("%q is taken for a segment: %v", bad, s)
		}
	}
	m := vfs.NewMem()
	check(t, m.MkdirAll("m/wal"))
	exists := func(fsys vfs.FS, dir string, want bool) {
		t.Helper()
		if got, err := Exists(fsys, dir); got != want || err != nil {
			t.Errorf("a log in %s: %v, %v", dir, got, err)
		}
	}
	exists(m, "m/wal", false)
	exists(m, "nowhere", false)
	check(t, vfs.WriteFile(m, "m/wal/"+name, nil))
	exists(m, "m/wal", true)
	eio := errors.New("input/output error")
	if there, err := Exists(vfs.WithFaults(m, func(vfs.Op) error { return eio }), "m/wal"); there || !errors.Is(err, eio) {
		t.Errorf("a log in a directory that cannot be read: %v, %v", there, err)
	}
}

// body is a record as it stands behind its length field.
func body(kind byte, data []byte) []byte {
	var e encoder
	e.record(kind, data, nil)
	n, _ := unframe(binary.LittleEndian.Uint64(e.buf))
	return e.buf[frameBytes : frameBytes+n]
}

// TestPromisedLengths: the header of a record tells its length as soon as all of it is there, and nothing before; a
// header of other fields tells nothing.
func TestPromisedLengths(t *testing.T) {
	promises := func(p []byte, n int64, head int) {
		t.Helper()
		if gotN, gotHead := promisedLen(p); gotN != n || gotHead != head {
			t.Errorf("% x promises %d bytes with a header of %d, want %d and %d", p[:min(len(p), 20)], gotN, gotHead, n, head)
		}
	}
	for _, size := range []int{0, 1, 127, 128, 5000, 1 << 14, 1 << 21} {
		p := body(entryRecord, bytes.Repeat([]byte{'x'}, size))
		head := len(p) - size
		for n := range min(len(p), head+20) + 1 {
			if n < head {
				promises(p[:n], 0, 0)
			} else {
				promises(p[:n], int64(len(p)), head)
			}
		}
	}
	header := func(tags [3]byte, size uint64) []byte {
		p := []byte{tags[0], entryRecord, tags[1], 0xff, 0xff, 0x3f, tags[2]}
		return protowire.AppendVarint(p, size)
	}
	right := [3]byte{0x08, 0x10, 0x1a}
	for i := range right {
		for b := range byte(0x80) {
			tags := right
			if tags[i] = b; tags != right {
				promises(header(tags, 3), 0, 0)
			}
		}
	}
	promises(header(right, 3), 8+3, 8)
	most := header(right, 1<<56)
	promises(most, int64(len(most))+1<<56, len(most))
	promises(header(right, 1<<56+1), 0, 0)
	promises(header(right, 1<<63), 0, 0)
}

// TestRecordsAreReadAsByProtobuf: also with fields that nobody knows, cut off anywhere, and with any bit flipped.
func TestRecordsAreReadAsByProtobuf(t *testing.T) {
	whole := body(stateRecord, []byte("data"))
	for _, more := range []string{"", "\x20\x05", "\x22\x01x", "\x0912345678", "\x151234", "\x0a\x01x", "\x12\x01x",
		"\x18\x01", "\x23\x28\x01\x24", "\xf8\xff\xff\xff\x0f\x01", "\x80\x80\x80\x80\x10\x01"} {
		for _, p := range [][]byte{slices.Concat(whole, []byte(more)), slices.Concat([]byte(more), whole)} {
			for n := range len(p) + 1 {
				asProtobuf(t, p[:n])
			}
			for bit := range 8 * len(p) {
				hurt := slices.Clone(p)
				hurt[bit/8] ^= 1 << (bit % 8)
				asProtobuf(t, hurt)
			}
		}
	}
}

// TestSyncPointsAreExact: a sync point is one at its own place only, and with any bit of it changed it is none, but for
// the checksum of what was before, which is not at hand when it is looked for.
func TestSyncPointsAreExact(t *testing.T) {
	for _, seq := range []uint64{0, 1, 300} {
		for _, at := range []int64{8, 512, 1 << 20} {
			d := &decoder{seq: seq}
			e := encoder{crc: 0xfedcba98}
			e.syncPoint(at, seq)
			n, _ := unframe(binary.LittleEndian.Uint64(e.buf))
			end := frameBytes + n
			for size := range len(e.buf) + 1 {
				if got, want := d.isPoint(e.buf[:size], at), int64(size) >= end; got != want {
					t.Errorf("%d bytes of a sync point of %d: %v", size, end, got)
				}
			}
			for _, other := range []int64{at - 8, at + 8, at << 1} {
				if d.isPoint(e.buf, other) {
					t.Errorf("the sync point of %d is one at %d", at, other)
				}
			}
			if d.seq++; d.isPoint(e.buf, at) {
				t.Errorf("the sync point of segment %d is one of segment %d", seq, d.seq)
			}
			d.seq--
			for bit := range 8 * end {
				i := bit / 8
				p := slices.Clone(e.buf)
				p[i] ^= 1 << (bit % 8)
				if sum := i >= frameBytes+2 && i < frameBytes+8; d.isPoint(p, at) && !sum {
					t.Errorf("a sync point with bit %d of byte %d flipped is one: % x", bit%8, i, p)
				}
			}
		}
	}
}

// TestFirstRecords: the first record of a segment says which segment it is and with how many bytes it was made, or, in
// one of etcd, nothing. Anything else is refused.
func TestFirstRecords(t *testing.T) {
	varints := func(numbers ...uint64) (b []byte) {
		for _, n := range numbers {
			b = protowire.AppendVarint(b, n)
		}
		return b
	}
	for _, c := range []struct {
		what string
		data []byte
		ok   bool
	}{
		{"nothing", nil, true},
		{"its size", varints(0, 0, 2048), true},
		{"a size of one byte", varints(0, 0, 1), true},
		{"no size", varints(0, 0), false},
		{"a size of zero", varints(0, 0, 0), false},
		{"a size below zero", varints(0, 0, 1<<63), false},
		{"half a size", []byte{0, 0, 0x80}, false},
		{"more than its size", varints(0, 0, 2048, 1), false},
		{"another segment", varints(0, 1, 2048), false},
		{"another offset", varints(8, 0, 2048), false},
		{"one byte", varints(0), false},
	} {
		var e encoder
		e.frame(crcRecord, c.data, nil)
		e.record(metadataRecord, []byte("m"), nil)
		e.record(snapshotRecord, []byte{1 << 3, 0, 2 << 3, 0}, nil)
		m := vfs.NewMem()
		check(t, m.MkdirAll("m/wal"))
		check(t, vfs.WriteFile(m, "m/wal/"+segmentName(0, 0), append(e.buf, make([]byte, 2048)...)))
		o := Options{SegmentBytes: 2048}
		if len(c.data) > 0 && c.ok {
			o.SegmentBytes = 1 << 20 // its own size counts
		}
		w, log, err := Open(m, "m/wal", nil, o)
		if (err == nil) != c.ok {
			t.Errorf("a first record that says %s: %v", c.what, err)
		}
		if err == nil {
			if string(log.Metadata) != "m" || log.Repaired {
				t.Errorf("a first record that says %s: %+v", c.what, log)
			}
			check(t, w.Close())
		}
	}
}

// TestLogsOfEtcd: a log whose checksum records say nothing is read and goes on, its torn tail is repaired, and it is
// refused when its last file is shorter than segments are.
func TestLogsOfEtcd(t *testing.T) {
	const size = 4096
	var e encoder
	write := func(m *vfs.Mem, name string, file int) {
		check(t, vfs.WriteFile(m, "m/wal/"+name, append(slices.Clone(e.buf), make([]byte, max(0, file-len(e.buf)))...)))
		e.buf = e.buf[:0]
	}
	m := vfs.NewMem()
	check(t, m.MkdirAll("m/wal"))
	e.frame(crcRecord, nil, nil)
	e.record(metadataRecord, []byte("m"), nil)
	e.record(snapshotRecord, []byte{1 << 3, 0, 2 << 3, 0}, nil)
	for i := range uint64(100) {
		e.entry(entry(1, i+1, "of the first segment"))
	}
	write(m, segmentName(0, 0), 0)
	e.frame(crcRecord, nil, nil)
	e.record(metadataRecord, []byte("m"), nil)
	for i := range uint64(20) {
		e.entry(entry(1, i+101, "of the second segment"))
	}
	last, used := segmentName(1, 101), len(e.buf)
	write(m, last, size)
	o := Options{SegmentBytes: size}

	w, log := open(t, m.Clone(), nil, o)
	if len(log.Entries) != 120 || log.Repaired {
		t.Errorf("%d entries, repaired %v", len(log.Entries), log.Repaired)
	}
	check(t, w.Append(nil, entries(1, 121, 1)))
	check(t, w.Close())
	for _, cut := range []int64{1, size - int64(used), size - int64(used) + 10} {
		hurt := m.Clone()
		f, err := hurt.OpenReadWrite("m/wal/" + last)
		check(t, err)
		check(t, f.Truncate(size-cut))
		_, _, err = Open(hurt, "m/wal", nil, o)
		if want := fmt.Sprintf("the file ends at offset %d", size-cut); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes are cut off: %v", cut, err)
		}
	}
}
