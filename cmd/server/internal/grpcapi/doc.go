// Package grpcapi is etcd's gRPC API: the services under etcd's names over the
// messages of core/pb.
//
// The messages here have a proto package of their own, so the service
// descriptions are written by hand and messages are coded by the generated fast
// path; on the wire nothing differs from etcd. What a service answers is not
// decided here: a request is handed to the node, which asks its member. This
// package turns calls into requests and errors into status codes, and it does
// what etcd's interceptors do: metadata (hasleader, client-api-version), the
// counters, and the line in the log when a request was slow.
//
//	s := grpcapi.New(grpcapi.Config{Node: n, Log: log, Registry: reg, ...})
//	go s.Serve(listener)
//	defer s.Stop()
//
// Besides etcd's services there is that of reflection, which tells tools like
// grpcurl what there is.
package grpcapi

import (
	"context"

	"vitrine/cmd/server/internal/node"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// Node is the server behind the API. Its errors are *api.Error, or the context's.
type Node interface {
	// Gate is which calls it takes now.
	Gate() api.Gate
	// Ask performs one call and returns its complete response.
	Ask(ctx context.Context, c api.Call) (any, error)
	// RangeStream sends the answer to a range in parts; their merge is the whole.
	RangeStream(ctx context.Context, c api.Call, send func(*pb.RangeStreamResponse) error) error
	// Snapshot sends the database in parts, and its SHA-256 last.
	Snapshot(ctx context.Context, c api.Call, send func(*pb.SnapshotResponse) error) error
	// Watch opens a stream of watchers.
	Watch(c api.Call) (node.WatchStream, error)
	// Identify is who shows a token.
	Identify(token string) api.Identity
	// Leader is the leader that this member knows of; 0 = none.
	Leader() uint64
}
