package serve

import (
	"context"
	"fmt"

	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/discovery"
	"vitrine/cmd/server/internal/node"
	"vitrine/core/membership"
)

// discover lets a node that is not born yet find the others as the operator wants.
func (s *Server) discover(c *node.Config) {
	cfg := s.cfg
	switch {
	case len(cfg.Discovery.Endpoints) > 0:
		c.Token = cfg.Discovery.Token
		c.Discover = func(self uint64) (map[string][]string, error) {
			found, err := discovery.Join(context.Background(), cfg.Discovery, membership.IDString(self),
				cfg.InitialCluster.String(), s.log)
			if err != nil {
				return nil, fmt.Errorf("failed to join discovery cluster (%w)", err)
			}
			return s.founders(found)
		}
	case cfg.DiscoverySRV != "":
		c.Discover = func(uint64) (map[string][]string, error) {
			n := discovery.Names{Domain: cfg.DiscoverySRV, Suffix: cfg.DiscoverySRVName, Self: cfg.Name,
				Advertised: cfg.AdvertisePeerURLs.Strings()}
			found, secure, err := discovery.SRV(context.Background(), n.System(), s.log)
			if err != nil {
				return nil, fmt.Errorf("error setting up initial cluster: %w", err)
			}
			if secure && cfg.PeerTLS.TrustedCAFile == "" {
				s.peerTLS.ServerName = cfg.DiscoverySRV // nobody has dialled yet
			}
			return s.founders(found)
		}
	}
}

// founders are the members of a cluster that was found, of whom this one must be one.
func (s *Server) founders(text string) (map[string][]string, error) {
	cluster, err := config.ParseCluster(text)
	if err != nil {
		return nil, err
	}
	found := *s.cfg
	found.InitialCluster = cluster
	return cluster, found.VerifyBootstrap()
}
