package grpcapi

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that others fall back to
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"vitrine/core/pb"
)

// fast is what vtprotobuf generates for every message of core/pb.
type fast interface {
	SizeVT() int
	MarshalToSizedBufferVT(b []byte) (int, error)
	UnmarshalVT(b []byte) error
}

// frame is a message that is encoded already.
type frame struct{ bytes *[]byte }

// codec codes our messages by generated code, frames not at all, and whatever
// else there is (the health service) as gRPC does.
type codec struct {
	pool           mem.BufferPool
	others         encoding.CodecV2
	sent, received prometheus.Counter
}

func newCodec(sent, received prometheus.Counter) *codec {
	return &codec{pool: mem.DefaultBufferPool(), others: encoding.GetCodecV2("proto"), sent: sent, received: received}
}

// Name is the content subtype that clients ask for.
func (c *codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (c *codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case fast:
		size := m.SizeVT()
		c.sent.Add(float64(size))
		if mem.IsBelowBufferPoolingThreshold(size) {
			b := make([]byte, size)
			if _, err := m.MarshalToSizedBufferVT(b); err != nil {
				return nil, err
			}
			return mem.BufferSlice{mem.SliceBuffer(b)}, nil
		}
		b := c.pool.Get(size)
		if _, err := m.MarshalToSizedBufferVT((*b)[:size]); err != nil {
			c.pool.Put(b)
			return nil, err
		}
		return mem.BufferSlice{mem.NewBuffer(b, c.pool)}, nil
	case frame:
		c.sent.Add(float64(len(*m.bytes)))
		return mem.BufferSlice{mem.NewBuffer(m.bytes, c.pool)}, nil
	}
	data, err := c.others.Marshal(v)
	c.sent.Add(float64(data.Len()))
	return data, err
}

// Unmarshal implements encoding.CodecV2. The message owns its bytes afterwards.
func (c *codec) Unmarshal(data mem.BufferSlice, v any) error {
	c.received.Add(float64(data.Len()))
	m, ok := v.(fast)
	if !ok {
		return c.others.Unmarshal(data, v)
	}
	b := data.MaterializeToBuffer(c.pool)
	defer b.Free()
	if err := m.UnmarshalVT(b.ReadOnlyData()); err != nil {
		return fmt.Errorf("grpc: cannot read %T: %w", v, err)
	}
	if message := v.(proto.Message); strange(message) {
		return proto.Unmarshal(b.ReadOnlyData(), message)
	}
	return nil
}

// strange tells whether a request has fields that we do not know. The generated code keeps such fields without a close
// look, and what it would keep may be more than others can read: it must not get into the log.
func strange(m proto.Message) bool {
	switch m.(type) {
	case *pb.TxnRequest, *pb.WatchRequest: // those with messages inside
		return unknownIn(m.ProtoReflect())
	}
	return len(m.ProtoReflect().GetUnknown()) > 0
}

func unknownIn(m protoreflect.Message) bool {
	found := len(m.GetUnknown()) > 0
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case found || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				found = found || unknownIn(v.List().Get(i).Message())
			}
		default:
			found = unknownIn(v.Message())
		}
		return !found
	})
	return found
}
