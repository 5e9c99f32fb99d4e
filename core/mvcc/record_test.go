package mvcc

import (
	"bytes"
	"testing"

	"vitrine/core/pb"
)

func marshalled(t testing.TB, kv *pb.KeyValue) []byte {
	data, err := kv.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzParseKeyValue compares the parser that copies nothing with the
// generated one.
func FuzzParseKeyValue(f *testing.F) {
	f.Add(marshalled(f, &pb.KeyValue{}))
	f.Add(marshalled(f, &pb.KeyValue{Key: []byte("a"), Value: []byte("b"), CreateRevision: 1, ModRevision: 1 << 40,
		Version: 3, Lease: -5}))
	f.Add([]byte{0x3d, 1, 2, 3, 4, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 1, 'k'}) // unknown fixed32 and fixed64
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseKeyValue(data)
		want := &pb.KeyValue{}
		if want.UnmarshalVT(data) != nil || err != nil {
			return
		}
		if !bytes.Equal(got.key, want.Key) || !bytes.Equal(got.value, want.Value) || got.lease != want.Lease ||
			got.created != want.CreateRevision || got.mod != want.ModRevision || got.version != want.Version {
			t.Fatalf("%x: %+v, want %v", data, got, want)
		}
	})
}

func TestRecord(t *testing.T) {
	kv := &pb.KeyValue{Key: []byte("a"), Value: []byte("b"), CreateRevision: 2, ModRevision: 3, Version: 2, Lease: 7}
	key, value := record(Revision{Main: 3, Sub: 1}, false, kv)
	if want := "\x00\x00\x00\x00\x00\x00\x00\x03_\x00\x00\x00\x00\x00\x00\x00\x01"; string(key) != want {
		t.Errorf("key %q, want %q", key, want)
	}
	if want := "\x0a\x01a\x10\x02\x18\x03\x20\x02\x2a\x01b\x30\x07"; string(value) != want {
		t.Errorf("value %q, want %q", value, want)
	}
	key, value = record(Revision{Main: 4}, true, &pb.KeyValue{Key: []byte("a")})
	if want := "\x00\x00\x00\x00\x00\x00\x00\x04_\x00\x00\x00\x00\x00\x00\x00\x00t"; string(key) != want {
		t.Errorf("tombstone %q, want %q", key, want)
	}
	if rev, dead, err := ParseRevision(key); rev != (Revision{Main: 4}) || !dead || err != nil {
		t.Error(rev, dead, err)
	}
	if string(value) != "\x0a\x01a" {
		t.Errorf("tombstone holds %q", value)
	}
	for _, bad := range []string{"", "short", string(key) + "x", string(key[:17]) + "x",
		"\x00\x00\x00\x00\x00\x00\x00\x04-\x00\x00\x00\x00\x00\x00\x00\x00",
		"\xff\x00\x00\x00\x00\x00\x00\x04_\x00\x00\x00\x00\x00\x00\x00\x00",
		"\x00\x00\x00\x00\x00\x00\x00\x04_\xff\x00\x00\x00\x00\x00\x00\x00"} {
		if _, _, err := ParseRevision([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a revision", bad)
		}
	}
	for _, bad := range []string{"\x0a", "\x0a\x05abc", "\x10\x80", "\x0b", "\x3d\x01"} {
		if _, err := parseKeyValue([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a KeyValue", bad)
		}
	}
}
