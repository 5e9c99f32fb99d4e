package grpcapi

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/core/pb"
)

// services are etcd's services, as far as this server has them.
func services() []*grpc.ServiceDesc {
	return []*grpc.ServiceDesc{
		service("etcdserverpb.KV", []grpc.MethodDesc{
			unary[pb.RangeRequest]("etcdserverpb.KV", "Range", serializableRange),
			unary[pb.PutRequest]("etcdserverpb.KV", "Put", nil),
			unary[pb.DeleteRangeRequest]("etcdserverpb.KV", "DeleteRange", nil),
			unary[pb.TxnRequest]("etcdserverpb.KV", "Txn", nil),
			unary[pb.CompactionRequest]("etcdserverpb.KV", "Compact", nil),
		}, []grpc.StreamDesc{
			{StreamName: "RangeStream", ServerStreams: true, Handler: stream("/etcdserverpb.KV/RangeStream", false, (*Server).rangeStream)},
		}),
		service("etcdserverpb.Watch", nil, []grpc.StreamDesc{
			{StreamName: "Watch", ServerStreams: true, ClientStreams: true, Handler: stream("/etcdserverpb.Watch/Watch", false, (*Server).watch)},
		}),
		service("etcdserverpb.Cluster", []grpc.MethodDesc{
			unary[pb.MemberListRequest]("etcdserverpb.Cluster", "MemberList", nil),
		}, nil),
		service("etcdserverpb.Maintenance", []grpc.MethodDesc{
			unary[pb.AlarmRequest]("etcdserverpb.Maintenance", "Alarm", nil),
			unary[pb.StatusRequest]("etcdserverpb.Maintenance", "Status", always[pb.StatusRequest]),
			unary[pb.DefragmentRequest]("etcdserverpb.Maintenance", "Defragment", nil),
			unary[pb.HashRequest]("etcdserverpb.Maintenance", "Hash", nil),
			unary[pb.HashKVRequest]("etcdserverpb.Maintenance", "HashKV", nil),
			unary[pb.MoveLeaderRequest]("etcdserverpb.Maintenance", "MoveLeader", nil),
		}, []grpc.StreamDesc{
			{StreamName: "Snapshot", ServerStreams: true, Handler: stream("/etcdserverpb.Maintenance/Snapshot", true, (*Server).snapshot)},
		}),
	}
}

func service(name string, methods []grpc.MethodDesc, streams []grpc.StreamDesc) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Methods: methods, Streams: streams, Metadata: "etcdserverpb/rpc.proto"}
}

// A learner answers serializable ranges and status, and nothing else that is unary.
func serializableRange(r *pb.RangeRequest) bool { return r.GetSerializable() }
func always[T any](*T) bool                     { return true }

// unary describes a method that one request of the node answers.
func unary[T any](service, name string, learnerToo func(*T) bool) grpc.MethodDesc {
	full := "/" + service + "/" + name
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		s := srv.(*Server)
		m := s.metrics.method(full)
		m.started.Inc()
		start := time.Now()
		request := new(T)
		if err := decode(request); err != nil {
			m.done(err)
			return nil, err
		}
		m.received.Inc()
		requireLeader, err := s.admit(ctx, "unary", learnerToo != nil && learnerToo(request))
		var response any
		if err == nil {
			response, err = s.node.Ask(ctx, request, requireLeader)
			err = statusOf(err)
		}
		m.done(err)
		s.noteSlow(ctx, full, start, request, response)
		if err != nil {
			return nil, err
		}
		m.sent.Inc()
		return response, nil
	}}
}

// stream wraps a streaming method with what every one needs.
func stream(full string, learnerToo bool, serve func(s *Server, ss grpc.ServerStream, m *method, requireLeader bool) error) grpc.StreamHandler {
	return func(srv any, ss grpc.ServerStream) error {
		s := srv.(*Server)
		m := s.metrics.method(full)
		m.started.Inc()
		requireLeader, err := s.admit(ss.Context(), "stream", learnerToo)
		if err == nil {
			err = statusOf(serve(s, ss, m, requireLeader))
		}
		m.done(err)
		return err
	}
}

// receive reads the single request of a server stream.
func receive[T any](ss grpc.ServerStream, m *method) (*T, error) {
	request := new(T)
	if err := ss.RecvMsg(request); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	m.received.Inc()
	return request, nil
}

func (s *Server) rangeStream(ss grpc.ServerStream, m *method, requireLeader bool) error {
	request, err := receive[pb.RangeRequest](ss, m)
	if err != nil {
		return err
	}
	return s.inParts(ss, requireLeader, func(ctx context.Context) error {
		return s.node.RangeStream(ctx, request, requireLeader, func(r *pb.RangeStreamResponse) error { return send(ctx, ss, m, r) })
	})
}

func (s *Server) snapshot(ss grpc.ServerStream, m *method, requireLeader bool) error {
	if _, err := receive[pb.SnapshotRequest](ss, m); err != nil {
		return err
	}
	return s.inParts(ss, requireLeader, func(ctx context.Context) error {
		return s.node.Snapshot(ctx, func(r *pb.SnapshotResponse) error { return send(ctx, ss, m, r) })
	})
}

// inParts lets serve send an answer in parts, as long as there is a leader if the client wants one.
func (s *Server) inParts(ss grpc.ServerStream, requireLeader bool, serve func(context.Context) error) error {
	if !requireLeader {
		return serve(ss.Context())
	}
	ctx, ended := s.withLeader(ss.Context())
	return ended(serve(ctx))
}

// send sends one part, unless the call has ended.
func send(ctx context.Context, ss grpc.ServerStream, m *method, part any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.sent.Inc()
	return ss.SendMsg(part)
}
