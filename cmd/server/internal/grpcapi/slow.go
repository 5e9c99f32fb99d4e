package grpcapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/peer"

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
		if f, ok := m.(fast); ok {
			return f.SizeVT()
		}
		return 0
	}
	st := stats{requestBytes: size(request), responseBytes: size(response), content: Describe(request)}
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

// Describe puts a request into words, for logs: values are left out. It does not use protobuf's text, which chokes
// on fields that it does not know and cannot read.
func Describe(request any) string {
	switch r := request.(type) {
	case *pb.PutRequest:
		return loggablePut(r)
	case *pb.TxnRequest:
		return loggableTxn(r)
	case *pb.RangeRequest:
		return loggableRange(r)
	case *pb.DeleteRangeRequest:
		return fmt.Sprintf("key:%q range_end:%q prev_kv:%t", r.GetKey(), r.GetRangeEnd(), r.GetPrevKv())
	case *pb.CompactionRequest:
		return fmt.Sprintf("revision:%d physical:%t", r.GetRevision(), r.GetPhysical())
	}
	return ""
}

func loggableRange(r *pb.RangeRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "key:%q range_end:%q limit:%d revision:%d sort:%v/%v serializable:%t keys_only:%t count_only:%t",
		r.GetKey(), r.GetRangeEnd(), r.GetLimit(), r.GetRevision(), r.GetSortOrder(), r.GetSortTarget(), r.GetSerializable(), r.GetKeysOnly(), r.GetCountOnly())
	for _, bound := range []struct {
		name string
		rev  int64
	}{
		{"min_mod_revision", r.GetMinModRevision()}, {"max_mod_revision", r.GetMaxModRevision()},
		{"min_create_revision", r.GetMinCreateRevision()}, {"max_create_revision", r.GetMaxCreateRevision()},
	} {
		if bound.rev != 0 {
			fmt.Fprintf(&b, " %s:%d", bound.name, bound.rev)
		}
	}
	return b.String()
}

func loggablePut(r *pb.PutRequest) string {
	return fmt.Sprintf("key:%q value_size:%d lease:%d prev_kv:%t ignore_value:%t ignore_lease:%t",
		r.GetKey(), len(r.GetValue()), r.GetLease(), r.GetPrevKv(), r.GetIgnoreValue(), r.GetIgnoreLease())
}

func loggableTxn(r *pb.TxnRequest) string {
	var b strings.Builder
	for _, c := range r.GetCompare() {
		fmt.Fprintf(&b, "compare:<%v %v key:%q> ", c.GetTarget(), c.GetResult(), c.GetKey())
	}
	branch := func(name string, ops []*pb.RequestOp) {
		for _, op := range ops {
			switch u := op.GetRequest().(type) {
			case *pb.RequestOp_RequestPut:
				fmt.Fprintf(&b, "%s:<request_put:<%s>> ", name, loggablePut(u.RequestPut))
			case *pb.RequestOp_RequestTxn:
				fmt.Fprintf(&b, "%s:<request_txn:<%s>> ", name, loggableTxn(u.RequestTxn))
			case *pb.RequestOp_RequestRange:
				fmt.Fprintf(&b, "%s:<request_range:<%s>> ", name, loggableRange(u.RequestRange))
			case *pb.RequestOp_RequestDeleteRange:
				fmt.Fprintf(&b, "%s:<request_delete_range:<%s>> ", name, Describe(u.RequestDeleteRange))
			}
		}
	}
	branch("success", r.GetSuccess())
	branch("failure", r.GetFailure())
	return strings.TrimSpace(b.String())
}
