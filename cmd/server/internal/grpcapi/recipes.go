package grpcapi

import (
	"context"
	"reflect"

	"google.golang.org/grpc"

	"vitrine/cmd/server/internal/lock"
	"vitrine/cmd/server/internal/lockpb"
	"vitrine/core/api"
)

const (
	lockService     = "v3lockpb.Lock"
	electionService = "v3electionpb.Election"
)

// recipes are the services that are made of transactions and watches: they are no operations of the core.
func recipes() []rpc {
	return []rpc{
		recipe(lockService, "Lock", (*lock.Server).Lock), recipe(lockService, "Unlock", (*lock.Server).Unlock),
		recipe(electionService, "Campaign", (*lock.Server).Campaign),
		recipe(electionService, "Proclaim", (*lock.Server).Proclaim),
		recipe(electionService, "Leader", (*lock.Server).Leader),
		{service: electionService, name: "Observe", stream: observe,
			asked: reflect.TypeFor[*lockpb.LeaderRequest](), answered: reflect.TypeFor[*lockpb.LeaderResponse]()},
		recipe(electionService, "Resign", (*lock.Server).Resign),
	}
}

// recipe describes a method of them. The gate is asked as for a transaction, of which each is made.
func recipe[Q, A any](service, name string,
	serve func(s *lock.Server, ctx context.Context, who api.Identity, request *Q) (*A, error)) rpc {
	r := rpc{service: service, name: name, asked: reflect.TypeFor[*Q](), answered: reflect.TypeFor[*A]()}
	full := "/" + service + "/" + name
	r.unary = func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		s := srv.(*Server)
		m := s.metrics.method(full)
		begun := m.begin()
		request := new(Q)
		if err := decode(request); err != nil {
			m.done(begun, err)
			return nil, err
		}
		m.received.Inc()
		call := api.Call{Operation: api.Txn, Body: request}
		err := s.admit(ctx, "unary", &call)
		var response *A
		if err == nil {
			response, err = serve(s.locks, ctx, call.Identity, request)
			err = statusOf(err)
		}
		m.done(begun, err)
		if err != nil {
			return nil, err
		}
		m.sent.Inc()
		return response, nil
	}
	return r
}

func observe(srv any, ss grpc.ServerStream) error {
	s := srv.(*Server)
	m := s.metrics.method("/" + electionService + "/Observe")
	begun := m.begin()
	call := api.Call{Operation: api.Txn}
	err := s.admit(ss.Context(), "stream", &call)
	var request *lockpb.LeaderRequest
	if err == nil {
		request, err = receive[lockpb.LeaderRequest](ss, m)
	}
	if err == nil {
		err = statusOf(s.inParts(ss, call, func(ctx context.Context) error {
			return s.locks.Observe(ctx, call.Identity, request, func(r *lockpb.LeaderResponse) error {
				return send(ctx, ss, m, r)
			})
		}))
	}
	m.done(begun, err)
	return err
}
