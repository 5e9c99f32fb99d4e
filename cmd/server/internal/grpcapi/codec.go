package grpcapi

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"  // clients may compress with it; gRPC bounds what it becomes
	_ "google.golang.org/grpc/encoding/proto" // the codec that others fall back to
	"google.golang.org/grpc/mem"

	"vitrine/core/pb"
)

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
	case pb.Message:
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

// Unmarshal implements encoding.CodecV2. The message owns its bytes afterwards. What protobuf would refuse is refused:
// a client's bytes go into the log as they are understood here.
func (c *codec) Unmarshal(data mem.BufferSlice, v any) error {
	c.received.Add(float64(data.Len()))
	m, ok := v.(pb.Message)
	if !ok {
		return c.others.Unmarshal(data, v)
	}
	b := data.MaterializeToBuffer(c.pool)
	defer b.Free()
	return pb.Unmarshal(b.ReadOnlyData(), m)
}
