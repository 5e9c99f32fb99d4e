package grpcapi

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/peer"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// noteSlow writes etcd's line about a request that took long (or, at debug
// level, about every one): who asked what, how large, but no values.
func (s *Server) noteSlow(ctx context.Context, op api.Operation, start time.Time, request, response any) {
	took := time.Since(start)
	level := zapcore.WarnLevel
	if took <= s.slow {
		if level = zapcore.DebugLevel; !s.log.Core().Enabled(level) {
			return
		}
	}
	remote := "No remote client info."
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	st := statsOf(op, request, response)
	s.log.Log(level, "request stats",
		zap.Time("start time", start), zap.Duration("time spent", took), zap.String("remote", remote),
		zap.String("response type", op.Method()),
		zap.Int64("request count", st.requests), zap.Int("request size", st.requestBytes),
		zap.Int64("response count", st.responses), zap.Int("response size", st.responseBytes),
		zap.String("request content", st.content))
}

type stats struct {
	requests, responses         int64
	requestBytes, responseBytes int
	content                     string
}

func statsOf(op api.Operation, request, response any) stats {
	requests, responses, ok := op.Counts(request, response)
	if !ok {
		return stats{requests: -1, responses: -1, requestBytes: -1, responseBytes: -1}
	}
	size := func(m any) int {
		if f, ok := m.(pb.Message); ok {
			return f.SizeVT()
		}
		return 0
	}
	return stats{
		requests: requests, responses: responses, requestBytes: size(request), responseBytes: size(response),
		content: api.Describe(request),
	}
}
