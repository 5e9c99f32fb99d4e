package grpcapi

import (
	"bytes"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"vitrine/core/pb"
)

func testCodec() *codec {
	return newCodec(prometheus.NewCounter(prometheus.CounterOpts{Name: "s"}),
		prometheus.NewCounter(prometheus.CounterOpts{Name: "r"}))
}

// asked are empty messages of every type that a client may send.
func asked() []pb.Message {
	return []pb.Message{
		&pb.RangeRequest{}, &pb.PutRequest{}, &pb.DeleteRangeRequest{}, &pb.TxnRequest{}, &pb.CompactionRequest{},
		&pb.WatchRequest{},
		&pb.MemberListRequest{}, &pb.AlarmRequest{}, &pb.StatusRequest{}, &pb.DefragmentRequest{}, &pb.HashRequest{},
		&pb.HashKVRequest{},
		&pb.MoveLeaderRequest{}, &pb.SnapshotRequest{},
	}
}

// FuzzCodec: a request is read, or refused, as protobuf does it, however its bytes are spread over buffers, and is
// encoded again to the same bytes.
func FuzzCodec(f *testing.F) {
	f.Add(uint8(1), uint8(2), []byte("\n\x01k\x12\x01v"))
	f.Add(uint8(3), uint8(0), []byte("\n\x0b\x10\x04\x1a\x01k\x82\x04\x01l@\x03\x12\x08\x12\x06\n\x01k\x12\x01v"))
	f.Add(uint8(5), uint8(1), []byte("\n\x05\n\x01k8\x01"))
	f.Add(uint8(1), uint8(3), []byte("\n\x01k\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"))
	f.Add(uint8(0), uint8(3), []byte("\n\x01k\xeb\x04\xec\x04"))
	c := testCodec()
	f.Fuzz(func(t *testing.T, which, cut uint8, b []byte) {
		all := asked()
		ours := all[int(which)%len(all)]
		std := ours.ProtoReflect().New().Interface()
		at := min(int(cut), len(b))
		err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(b[:at]), mem.SliceBuffer(b[at:])}, ours)
		if want := proto.Unmarshal(b, std); (err == nil) != (want == nil) {
			t.Fatalf("%T from %x: %v, protobuf says %v", ours, b, err, want)
		}
		if err != nil {
			return
		}
		got, err := c.Marshal(ours)
		want, werr := proto.Marshal(std)
		if err != nil || werr != nil || !bytes.Equal(got.Materialize(), want) {
			t.Fatalf("%T from %x: encoded again %x (%v), protobuf writes %x (%v)", ours, b, got.Materialize(), err, want, werr)
		}
	})
}
