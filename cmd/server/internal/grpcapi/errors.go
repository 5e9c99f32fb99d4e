package grpcapi

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"vitrine/core/api"
)

// statusOf is the error as gRPC carries it. The end of a call's own context is
// the client's doing and keeps its own words.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	var e *api.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return status.FromContextError(err).Err()
		}
		if _, ok := status.FromError(err); ok {
			return err
		}
		e = api.AsError(err)
	}
	return status.Error(codes.Code(e.Code), e.Text)
}

// Keys and values of the metadata that etcd's clients send.
const (
	keyRequireLeader = "hasleader"
	hasLeader        = "true"
	keyClientVersion = "client-api-version"
)

func readMetadata(ctx context.Context) (requireLeader bool, version string) {
	version = "unknown"
	if vs := metadata.ValueFromIncomingContext(ctx, keyClientVersion); len(vs) > 0 {
		version = vs[0]
	}
	vs := metadata.ValueFromIncomingContext(ctx, keyRequireLeader)
	return len(vs) > 0 && vs[0] == hasLeader, version
}
