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
// Services and methods that this server does not have yet (leases, users,
// changes of membership) are not registered, so that gRPC itself answers
// Unimplemented.
package grpcapi

import (
	"context"

	"vitrine/core/pb"
	"vitrine/core/watch"
)

// Node is the server behind the API.
type Node interface {
	// Ask performs one request and returns its complete response.
	// Errors are *api.Error, or the context's.
	Ask(ctx context.Context, request any, requireLeader bool) (any, error)
	// RangeStream sends the answer to a range in parts; their merge is the whole.
	RangeStream(ctx context.Context, r *pb.RangeRequest, requireLeader bool, send func(*pb.RangeStreamResponse) error) error
	// Snapshot sends the database in parts, and its SHA-256 last.
	Snapshot(ctx context.Context, send func(*pb.SnapshotResponse) error) error
	// Watch opens a stream of watchers.
	Watch(requireLeader bool) (WatchStream, error)
	// Leader is the leader that this member knows of; 0 = none.
	Leader() uint64
	// Learner tells whether this member is one; a learner answers little.
	Learner() bool
}

// WatchStream is the node's side of a watch stream. Request and Close may be
// called beside Next and Sent.
type WatchStream interface {
	// Request passes on what the client asks for.
	Request(r *pb.WatchRequest)
	// Next waits for responses and returns all that wait, in order, with the header
	// that they carry (but for the revision). It returns an error when the stream has to end.
	Next(ctx context.Context, into []*watch.Response) ([]*watch.Response, *pb.ResponseHeader, error)
	// Sent gives back the credit of the n oldest responses, which had so many bytes.
	Sent(n, bytes int)
	Close()
}
