package grpcapi

import (
	"context"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"vitrine/core/api"
)

// The metadata that name a client: the token of etcd's clients, and that which came as an HTTP header. A gateway marks
// what it passes on; the certificate is its own then, and not the client's.
const (
	keyToken         = "token"
	keyAuthorization = "authorization"
	keyGateway       = "grpcgateway-accept"
)

// identity is who calls: the owner of the token, or the common name of the client's certificate.
func (s *Server) identity(ctx context.Context) api.Identity {
	shown := metadata.ValueFromIncomingContext(ctx, keyToken)
	if len(shown) == 0 {
		shown = metadata.ValueFromIncomingContext(ctx, keyAuthorization)
	}
	if len(shown) > 0 {
		return s.node.Identify(strings.TrimPrefix(shown[0], "Bearer "))
	}
	if !s.certs || len(metadata.ValueFromIncomingContext(ctx, keyGateway)) > 0 {
		return api.Identity{}
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return api.Identity{}
	}
	info, _ := p.AuthInfo.(credentials.TLSInfo)
	for _, chain := range info.State.VerifiedChains {
		if len(chain) > 0 {
			return api.Identity{CommonName: chain[0].Subject.CommonName, Certified: true}
		}
	}
	return api.Identity{}
}
