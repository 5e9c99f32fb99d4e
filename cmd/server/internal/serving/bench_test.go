package serving

import (
	"context"
	"testing"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// BenchmarkAsk is a call without its transport, sixteen callers a processor. The disk is not synced.
func BenchmarkAsk(b *testing.B) {
	s := open(b, true)
	value := make([]byte, 256)
	for _, c := range []struct {
		name string
		body func() any
	}{
		{"put", func() any { return &pb.PutRequest{Key: []byte("key"), Value: value} }},
		{"get", func() any { return &pb.RangeRequest{Key: []byte("key")} }},
		{"stale get", func() any { return &pb.RangeRequest{Key: []byte("key"), Serializable: true} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					body := c.body()
					if _, err := s.Ask(context.Background(), api.Call{Operation: api.OperationOf(body), Body: body}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
