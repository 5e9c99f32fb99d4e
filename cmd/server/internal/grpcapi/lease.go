package grpcapi

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// keepAlivesAhead bounds the renewals of one stream that are under way. Each waits for a word of the majority, which
// many may share: a client keeps all its leases alive over one stream.
const keepAlivesAhead = 256

// renewal is the answer to one request of a stream, when it comes.
type renewal chan result

type result struct {
	response any
	err      error
}

// keepAlive answers the renewals of a stream in the order in which they were asked for.
func (s *Server) keepAlive(ss grpc.ServerStream, m *method, c api.Call) error {
	return s.inParts(ss, c, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		answers := make(chan renewal, keepAlivesAhead)
		// It outlives this call: reading ends when gRPC has ended the call.
		if !s.readers.Go(func() {
			defer close(answers)
			if err := s.readKeepAlives(ctx, ss, m, c, answers); err != nil && !errors.Is(err, io.EOF) {
				cancel(err)
			}
		}) {
			return api.ErrStopped
		}
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case answer, more := <-answers:
				if !more {
					return context.Cause(ctx)
				}
				if err := answer.send(ctx, ss, m); err != nil {
					return err
				}
			}
		}
	})
}

// readKeepAlives puts what the client asks for to the node, and queues where the answer will be.
func (s *Server) readKeepAlives(ctx context.Context, ss grpc.ServerStream, m *method, c api.Call,
	answers chan<- renewal) error {
	for {
		request := &pb.LeaseKeepAliveRequest{}
		if err := ss.RecvMsg(request); err != nil {
			return err
		}
		m.received.Inc()
		answer := make(renewal, 1)
		select {
		case answers <- answer:
		case <-ctx.Done():
			return nil
		}
		call := c
		call.Body = request
		if !s.readers.Go(func() {
			asked, end := s.tracer.Begin(ctx, request)
			response, err := s.node.Ask(asked, call)
			end()
			answer <- result{response, err}
		}) {
			return api.ErrStopped
		}
	}
}

func (r renewal) send(ctx context.Context, ss grpc.ServerStream, m *method) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case a := <-r:
		if a.err != nil {
			return a.err
		}
		return send(ctx, ss, m, a.response)
	}
}
