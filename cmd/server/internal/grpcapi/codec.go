package grpcapi

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"  // clients may compress with it; gRPC bounds what it becomes
	_ "google.golang.org/grpc/encoding/proto" // the codec that others fall back to
	"google.golang.org/grpc/mem"

	"vitrine/core/pb"
	"vitrine/core/watch"
)

// frame is a message that is encoded already.
type frame struct {
	data mem.BufferSlice
	size int
}

// sharedBytes is the size from which an event is sent from where it is. Smaller ones are copied together.
const sharedBytes = 8 << 10

// frameOf encodes a response: what is in it for this client alone, and small events, in buffers of the pool, and large
// events as they are for all clients. So a client that does not read keeps little for itself.
func frameOf(pool mem.BufferPool, r *watch.Response, header *pb.ResponseHeader) frame {
	var f frame
	parts := r.Parts()
	b := pool.Get(r.SizeWire() - r.Events.SizeBytes() + run(parts))
	*b = r.AppendHead((*b)[:0], header)
	for i, part := range parts {
		switch {
		case len(part) >= sharedBytes:
			f.add(mem.NewBuffer(b, pool))
			f.add(mem.SliceBuffer(part))
			b = pool.Get(run(parts[i+1:]))
			*b = (*b)[:0]
			continue
		case len(*b)+len(part) > cap(*b):
			f.add(mem.NewBuffer(b, pool))
			b = pool.Get(run(parts[i:]))
			*b = (*b)[:0]
		}
		*b = append(*b, part...)
	}
	f.add(mem.NewBuffer(b, pool))
	return f
}

func (f *frame) add(b mem.Buffer) {
	if b.Len() == 0 {
		b.Free()
		return
	}
	f.data = append(f.data, b)
	f.size += b.Len()
}

// run is the size of the small events in front, as far as they go into one buffer.
func run(parts [][]byte) (size int) {
	for _, part := range parts {
		if len(part) >= sharedBytes || size+len(part) > pooledBytes {
			break
		}
		size += len(part)
	}
	return size
}

// pooledBytes is what is copied into one buffer: the pool's next size is a megabyte.
const pooledBytes = 31 << 10

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
		c.sent.Add(float64(m.size))
		return m.data, nil
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
