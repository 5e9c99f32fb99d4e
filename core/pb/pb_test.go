package pb_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"vitrine/core/pb"
)

type fast interface {
	proto.Message
	MarshalVT() ([]byte, error)
	UnmarshalVT([]byte) error
	SizeVT() int
}

// Each message of the package has the fast methods; the WAL's, the log's and the
// clients' among them.
func TestEveryMessageIsFast(t *testing.T) {
	n := 0
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		if strings.HasPrefix(string(m.Descriptor().FullName()), "vitrine.") {
			n++
			if _, ok := m.New().Interface().(fast); !ok {
				t.Errorf("%s has no MarshalVT", m.Descriptor().FullName())
			}
		}
		return true
	})
	if n != 121 {
		t.Errorf("%d messages", n)
	}
}

// Bytes that data directories hold, written down once.
func TestGoldenBytes(t *testing.T) {
	txn := &pb.TxnRequest{
		Compare: []*pb.Compare{{Target: pb.Compare_LEASE, Key: []byte("k"), TargetUnion: &pb.Compare_Lease{Lease: 3},
			RangeEnd: []byte("l")}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k"),
			Value: []byte("v")}}}},
	}
	for _, c := range []struct {
		name string
		m    fast
		want string
	}{
		{"a pair", &pb.KeyValue{Key: []byte("k"), CreateRevision: 2, ModRevision: 3, Version: 2, Value: []byte("v"),
			Lease: -1},
			"\n\x01k\x10\x02\x18\x03 \x02*\x01v0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{"a log entry: header, number 100, comes last", &pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 7},
			Put: &pb.PutRequest{Key: []byte("k")}},
			"\"\x03\n\x01k\xa2\x06\x02\b\a"},
		{"a oneof comes after all numbers", txn, "\n\x0b\x10\x04\x1a\x01k\x82\x04\x01l@\x03\x12\x08\x12\x06\n\x01k\x12\x01v"},
		{"a zero that proto2 writes", &pb.WALSnapshot{Index: new(uint64(0)), Term: new(uint64(0))}, "\x08\x00\x10\x00"},
		{"a record without data", &pb.WALRecord{Type: new(int64(4)), Crc: new(uint32(0))}, "\x08\x04\x10\x00"},
	} {
		got, err := c.m.MarshalVT()
		if err != nil || string(got) != c.want || c.m.SizeVT() != len(got) {
			t.Errorf("%s: %q (size %d), %v", c.name, got, c.m.SizeVT(), err)
		}
		if slow, err := proto.Marshal(c.m); err != nil || !bytes.Equal(slow, got) {
			t.Errorf("%s: the standard marshaller writes %q, %v", c.name, slow, err)
		}
	}
}

// FuzzInternalRaftRequest feeds the decoder of the raft log: what both it and the
// standard one read they read alike, and nothing makes it panic. (It is milder
// with strings that are not UTF-8 and with unknown groups, and stricter with a
// known field of a wrong type.)
func FuzzInternalRaftRequest(f *testing.F) {
	f.Add([]byte("\"\x03\n\x01k\xa2\x06\x02\b\a"))
	f.Add([]byte("2\x1b\n\x0b\x10\x04\x1a\x01k\x82\x04\x01l@\x03\x12\x08\x12\x06\n\x01k\x12\x01v"))
	f.Fuzz(func(t *testing.T, data []byte) {
		known := proto.UnmarshalOptions{DiscardUnknown: true}
		quick, slow := &pb.InternalRaftRequest{}, &pb.InternalRaftRequest{}
		errQuick, errSlow := quick.UnmarshalVT(data), known.Unmarshal(data, slow)
		if errQuick != nil || errSlow != nil {
			return
		}
		again, err := quick.MarshalVT()
		if err != nil || len(again) != quick.SizeVT() {
			t.Fatalf("%x: %d bytes of %d, %v", data, len(again), quick.SizeVT(), err)
		}
		back := &pb.InternalRaftRequest{}
		if err := known.Unmarshal(again, back); err != nil || !proto.Equal(back, slow) {
			t.Fatalf("%x: %v\n%v\n%v", data, err, back, slow)
		}
	})
}

func BenchmarkMarshalPut(b *testing.B) {
	m := &pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 7 << 50},
		Put: &pb.PutRequest{Key: make([]byte, 8), Value: make([]byte, 256)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.MarshalVT(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalPut(b *testing.B) {
	m := &pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 7 << 50},
		Put: &pb.PutRequest{Key: make([]byte, 8), Value: make([]byte, 256)}}
	data, _ := m.MarshalVT()
	b.ReportAllocs()
	for b.Loop() {
		if err := new(pb.InternalRaftRequest).UnmarshalVT(data); err != nil {
			b.Fatal(err)
		}
	}
}
