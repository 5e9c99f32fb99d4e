package upstream

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"  // clients may compress with it
	_ "google.golang.org/grpc/encoding/proto" // the codec that others fall back to
	"google.golang.org/grpc/mem"

	"vitrine/core/pb"
)

// Raw is a message that is passed on as it is.
type Raw struct{ Bytes []byte }

// Codec codes raw messages not at all and ours by generated code. Clients and members speak it.
type Codec struct{}

// Name is the content subtype that clients ask for.
func (Codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *Raw:
		return mem.BufferSlice{mem.SliceBuffer(m.Bytes)}, nil
	case pb.Message:
		b, err := m.MarshalVT()
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return encoding.GetCodecV2("proto").Marshal(v)
}

// Unmarshal implements encoding.CodecV2. The message owns its bytes afterwards.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *Raw:
		m.Bytes = data.Materialize()
		return nil
	case pb.Message:
		b := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer b.Free()
		return pb.Unmarshal(b.ReadOnlyData(), m)
	}
	return encoding.GetCodecV2("proto").Unmarshal(data, v)
}
