package grpcapi

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/descriptors"
	"vitrine/cmd/server/internal/tracing"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// operations are the methods of etcd's services: each is an operation of core/api with its handler.
func operations() []rpc {
	return []rpc{
		unary[pb.RangeRequest](api.Range), unary[pb.PutRequest](api.Put), unary[pb.DeleteRangeRequest](api.DeleteRange),
		unary[pb.TxnRequest](api.Txn), unary[pb.CompactionRequest](api.Compact),
		stream(api.RangeStream, false, (*Server).rangeStream),
		stream(api.Watch, true, (*Server).watch),
		unary[pb.LeaseGrantRequest](api.LeaseGrant), unary[pb.LeaseRevokeRequest](api.LeaseRevoke),
		unary[pb.LeaseTimeToLiveRequest](api.LeaseTimeToLive), unary[pb.LeaseLeasesRequest](api.LeaseLeases),
		stream(api.LeaseKeepAlive, true, (*Server).keepAlive),
		unary[pb.MemberListRequest](api.MemberList), unary[pb.MemberAddRequest](api.MemberAdd),
		unary[pb.MemberRemoveRequest](api.MemberRemove), unary[pb.MemberUpdateRequest](api.MemberUpdate),
		unary[pb.MemberPromoteRequest](api.MemberPromote),
		unary[pb.AlarmRequest](api.Alarm), unary[pb.StatusRequest](api.Status), unary[pb.DefragmentRequest](api.Defragment),
		unary[pb.HashRequest](api.Hash), unary[pb.HashKVRequest](api.HashKV), unary[pb.MoveLeaderRequest](api.MoveLeader),
		unary[pb.DowngradeRequest](api.Downgrade),
		stream(api.Snapshot, false, (*Server).snapshot),
		unary[pb.AuthEnableRequest](api.AuthEnable), unary[pb.AuthDisableRequest](api.AuthDisable),
		unary[pb.AuthStatusRequest](api.AuthStatus), unary[pb.AuthenticateRequest](api.Authenticate),
		unary[pb.AuthUserAddRequest](api.AuthUserAdd), unary[pb.AuthUserGetRequest](api.AuthUserGet),
		unary[pb.AuthUserListRequest](api.AuthUserList), unary[pb.AuthUserDeleteRequest](api.AuthUserDelete),
		unary[pb.AuthUserChangePasswordRequest](api.AuthUserChangePassword),
		unary[pb.AuthUserGrantRoleRequest](api.AuthUserGrantRole),
		unary[pb.AuthUserRevokeRoleRequest](api.AuthUserRevokeRole),
		unary[pb.AuthRoleAddRequest](api.AuthRoleAdd), unary[pb.AuthRoleGetRequest](api.AuthRoleGet),
		unary[pb.AuthRoleListRequest](api.AuthRoleList), unary[pb.AuthRoleDeleteRequest](api.AuthRoleDelete),
		unary[pb.AuthRoleGrantPermissionRequest](api.AuthRoleGrantPermission),
		unary[pb.AuthRoleRevokePermissionRequest](api.AuthRoleRevokePermission),
	}
}

// rpc is one method of a service: a stream, or one request and one response.
type rpc struct {
	service, name   string
	asked, answered reflect.Type // pointers to messages
	unary           func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error)
	stream          grpc.StreamHandler
	clientStreams   bool
}

// gather sorts methods into services, in order.
func gather(rpcs []rpc) []*grpc.ServiceDesc {
	var all []*grpc.ServiceDesc
	for _, r := range rpcs {
		at := slices.IndexFunc(all, func(d *grpc.ServiceDesc) bool { return d.ServiceName == r.service })
		if at < 0 {
			at = len(all)
			all = append(all, &grpc.ServiceDesc{ServiceName: r.service, HandlerType: (*any)(nil),
				Metadata: descriptors.FileOf(r.service)})
		}
		if d := all[at]; r.unary != nil {
			d.Methods = append(d.Methods, grpc.MethodDesc{MethodName: r.name, Handler: r.unary})
		} else {
			d.Streams = append(d.Streams, grpc.StreamDesc{StreamName: r.name, ServerStreams: true,
				ClientStreams: r.clientStreams, Handler: r.stream})
		}
	}
	return all
}

// named is the method of an operation, without its handler.
func named(op api.Operation) rpc {
	service, name, _ := strings.Cut(strings.TrimPrefix(op.Method(), "/"), "/")
	asked, answered := op.Messages()
	return rpc{service: service, name: name, asked: asked, answered: answered}
}

// unary describes a method that one call of the node answers.
func unary[T any](op api.Operation) rpc {
	full, r := op.Method(), named(op)
	r.unary = func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		s := srv.(*Server)
		m := s.metrics.method(full)
		begun := m.begin()
		request := new(T)
		if err := decode(request); err != nil {
			m.done(begun, err)
			return nil, err
		}
		m.received.Inc()
		call := api.Call{Operation: op, Body: request}
		err := s.admit(ctx, "unary", &call)
		var response any
		if err == nil {
			asked, end := s.tracer.Begin(ctx, request)
			response, err = s.node.Ask(asked, call)
			end()
			err = statusOf(err)
		}
		m.done(begun, err)
		s.noteSlow(ctx, op, begun, request, response)
		if err != nil {
			return nil, err
		}
		m.sent.Inc()
		return response, nil
	}
	return r
}

// stream describes a method that sends more than one message, and wraps its handler with what every one needs.
func stream(op api.Operation, clientStreams bool, serve func(s *Server, ss grpc.ServerStream, m *method,
	c api.Call) error) rpc {
	full, r := op.Method(), named(op)
	r.clientStreams = clientStreams
	r.stream = func(srv any, ss grpc.ServerStream) error {
		s := srv.(*Server)
		m := s.metrics.method(full)
		begun := m.begin()
		call := api.Call{Operation: op}
		err := s.admit(ss.Context(), "stream", &call)
		if err == nil {
			err = statusOf(serve(s, ss, m, call))
		}
		m.done(begun, err)
		return err
	}
	return r
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

func (s *Server) rangeStream(ss grpc.ServerStream, m *method, c api.Call) error {
	request, err := receive[pb.RangeRequest](ss, m)
	if err != nil {
		return err
	}
	c.Body = request
	return s.inParts(ss, c, func(ctx context.Context) error {
		ctx, end := s.tracer.Begin(ctx, tracing.Streamed{RangeRequest: request})
		defer end()
		return s.node.RangeStream(ctx, c, func(r *pb.RangeStreamResponse) error { return send(ctx, ss, m, r) })
	})
}

func (s *Server) snapshot(ss grpc.ServerStream, m *method, c api.Call) error {
	request, err := receive[pb.SnapshotRequest](ss, m)
	if err != nil {
		return err
	}
	c.Body = request
	return s.inParts(ss, c, func(ctx context.Context) error {
		return s.node.Snapshot(ctx, c, func(r *pb.SnapshotResponse) error { return send(ctx, ss, m, r) })
	})
}

// inParts lets serve send an answer in parts, as long as there is a leader if the client wants one.
func (s *Server) inParts(ss grpc.ServerStream, c api.Call, serve func(context.Context) error) error {
	if !c.RequireLeader {
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
