package wal

import (
	"bytes"
	"errors"
	"testing"

	"vitrine/core/pb"
	"vitrine/core/vfs"

	"google.golang.org/protobuf/proto"
)

// FuzzOpen opens a log whose last segment holds arbitrary bytes. Whatever they
// are, Open returns a log or an error that is one of its own, and a log that it
// accepted is the same when it is opened again.
func FuzzOpen(f *testing.F) {
	m, last := build(f)
	whole, err := vfs.ReadFile(m, last)
	check(f, err)
	whole = bytes.TrimRight(whole, "\x00")
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add(append(bytes.Clone(whole), 0x70, 0, 0, 0, 0, 0, 0, 0, 8, 2))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := m.Clone()
		file, err := m.Create(last)
		check(t, err)
		_, err = file.Write(data)
		check(t, err)
		check(t, file.Preallocate(small.SegmentBytes)) // a shorter one is refused for that
		w, log, err := Open(m, "m/wal", nil, small)
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			return
		}
		check(t, err)
		check(t, w.Append(hardState(9, 9, 9), nil))
		check(t, w.Close())
		_, again := open(t, m, nil, small)
		log.HardState = hardState(9, 9, 9)
		if text(again) != text(log) || again.Repaired {
			t.Fatalf("opened again:\n%s\nwant\n%s", text(again), text(log))
		}
		if _, err := Snapshots(m, "m/wal", small); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRecord holds the record parser against protobuf's.
func FuzzRecord(f *testing.F) {
	rec, err := (&pb.WALRecord{Type: new(int64(2)), Crc: new(uint32(77)), Data: []byte("data")}).MarshalVT()
	check(f, err)
	f.Add(rec)
	f.Add([]byte{8, 4, 16, 0})
	f.Add([]byte{0x1a, 3, 'a', 'b'})
	f.Fuzz(asProtobuf)
}

func asProtobuf(t *testing.T, data []byte) {
	t.Helper()
	got, ok := parseRecord(data)
	var want pb.WALRecord
	err := proto.Unmarshal(data, &want)
	if (err == nil) != ok {
		t.Fatalf("%x: accepted %v, protobuf says %v", data, ok, err)
	}
	if ok && (got.kind != uint64(want.GetType()) || got.crc != want.GetCrc() || !bytes.Equal(got.data, want.GetData())) {
		t.Fatalf("%x: %+v, want %v", data, got, &want)
	}
	if n, head := promisedLen(data); head > 0 && n == int64(len(data)) && !(ok && bytes.HasSuffix(data, got.data)) {
		t.Fatalf("%x promises its own length but is no record", data)
	}
}
