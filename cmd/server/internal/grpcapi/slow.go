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
func (s *Server) noteSlow(ctx context.Context, full string, start time.Time, request, response any) {
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
	st := statsOf(request, response)
	s.log.Log(level, "request stats",
		zap.Time("start time", start), zap.Duration("time spent", took), zap.String("remote", remote), zap.String("response type", full),
		zap.Int64("request count", st.requests), zap.Int("request size", st.requestBytes),
		zap.Int64("response count", st.responses), zap.Int("response size", st.responseBytes),
		zap.String("request content", st.content))
}

type stats struct {
	requests, responses         int64
	requestBytes, responseBytes int
	content                     string
}

func statsOf(request, response any) stats {
	size := func(m any) int {
		if f, ok := m.(pb.Message); ok {
			return f.SizeVT()
		}
		return 0
	}
	st := stats{requestBytes: size(request), responseBytes: size(response), content: api.Describe(request)}
	switch r := request.(type) {
	case *pb.RangeRequest:
		if a, ok := response.(*pb.RangeResponse); ok {
			st.responses = a.GetCount()
		}
	case *pb.PutRequest:
		st.requests = 1
	case *pb.DeleteRangeRequest:
		if a, ok := response.(*pb.DeleteRangeResponse); ok {
			st.responses = a.GetDeleted()
		}
	case *pb.TxnRequest:
		ops := r.GetSuccess()
		if a, ok := response.(*pb.TxnResponse); ok && !a.GetSucceeded() {
			ops = r.GetFailure()
		}
		st.requests = int64(len(ops))
	default:
		st = stats{requests: -1, responses: -1, requestBytes: -1, responseBytes: -1}
	}
	return st
}
