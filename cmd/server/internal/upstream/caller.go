package upstream

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"vitrine/core/api"
)

// Keys of the metadata that a member reads.
const (
	keyToken         = "token"
	keyAuthorization = "authorization"
	keyRequireLeader = "hasleader"
	keyVersion       = "client-api-version"
)

// Caller is on whose behalf a member is asked. Callers that are equal may share what a member says.
type Caller struct {
	Token, Authorization string // who it is; empty: nobody in particular
	RequireLeader        bool   // it wants no word of a member that has no leader
}

// CallerOf is who makes a call that came in.
func CallerOf(ctx context.Context) Caller {
	first := func(key string) string {
		if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	return Caller{Token: first(keyToken), Authorization: first(keyAuthorization),
		RequireLeader: first(keyRequireLeader) == "true"}
}

// Anonymous tells whether the caller shows nothing by which a member could know it.
func (c Caller) Anonymous() bool { return c.Token == "" && c.Authorization == "" }

// Context is that of a call on behalf of the caller.
func (c Caller) Context(ctx context.Context) context.Context {
	pairs := []string{keyVersion, apiVersion}
	if c.Token != "" {
		pairs = append(pairs, keyToken, c.Token)
	}
	if c.Authorization != "" {
		pairs = append(pairs, keyAuthorization, c.Authorization)
	}
	if c.RequireLeader {
		pairs = append(pairs, keyRequireLeader, "true")
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// apiVersion is which release's API is spoken here: members count their clients by it.
const apiVersion = "3.7"

// Resumable tells whether another member may go on with a stream of the caller's that has ended so.
func (c Caller) Resumable(err error) bool {
	if errors.Is(err, io.EOF) {
		return true
	}
	s := status.Convert(err)
	if c.RequireLeader && s.Message() == api.ErrNoLeader.Text {
		return false // the caller wants to know
	}
	return s.Code() == codes.Unavailable || s.Code() == codes.Internal
}
