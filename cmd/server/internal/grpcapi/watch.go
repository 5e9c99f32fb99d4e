package grpcapi

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"vitrine/cmd/server/internal/node"
	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// watch serves one stream: this goroutine writes what the watchers see, a
// second one reads what the client asks for. The writer takes all that waits at
// once and gives the credit back as it leaves, so a client that does not read
// costs its stream's credit and nothing else.
func (s *Server) watch(ss grpc.ServerStream, m *method, c api.Call) error {
	stream, err := s.node.Watch(c)
	if err != nil {
		return err
	}
	defer stream.Close()
	ctx, cancel := context.WithCancelCause(ss.Context())
	defer cancel(nil)
	// It outlives this call: reading ends when gRPC has ended the call.
	if !s.readers.Go(func() {
		// A client that only stops asking still wants to see.
		if err := s.readWatchRequests(ss, m, stream); !errors.Is(err, io.EOF) {
			cancel(err)
		}
	}) {
		return api.ErrStopped
	}
	err = s.push(ctx, ss, m, stream)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return api.ErrWatchCanceled
	}
	return err
}

func (s *Server) readWatchRequests(ss grpc.ServerStream, m *method, stream node.WatchStream) error {
	for {
		r := &pb.WatchRequest{}
		if err := ss.RecvMsg(r); err != nil {
			return err
		}
		m.received.Inc()
		stream.Request(r)
	}
}

// push writes responses until the stream ends. Their events were encoded when
// they happened, once for all watchers; only the header is new here.
func (s *Server) push(ctx context.Context, ss grpc.ServerStream, m *method, stream node.WatchStream) error {
	pool := mem.DefaultBufferPool()
	var responses []*watch.Response
	for {
		var header *pb.ResponseHeader
		var err error
		responses, header, err = stream.Next(ctx, responses[:0])
		if err != nil {
			return err
		}
		for _, r := range responses {
			start := time.Now()
			f := frameOf(pool, r, header)
			if err := ss.SendMsg(f); err != nil {
				return err
			}
			m.sent.Inc()
			s.metrics.pushed(r, time.Since(start))
			stream.Sent(1, f.size)
		}
		clear(responses)
	}
}
