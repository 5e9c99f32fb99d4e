package serve

import (
	"net"
	"net/netip"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/node"
)

// switched carries out the features that concern more than one package.
func (s *Server) switched(c *node.Config) {
	if s.cfg.Features.SetMemberLocalAddr {
		c.LocalAddr = localAddr(s.cfg.AdvertisePeerURLs, s.log)
	}
	if s.cfg.Features.StopGRPCServiceOnDefrag {
		// The node defragments once it has been started, which is after s.grpc was made.
		c.Disk.Defragmenting = func(active bool) { s.grpc.Away(active, "defrag is active") }
	}
}

// localAddr is where connections to peers come from: the first address among the advertised URLs that others can
// reach, so that a peer sees the address that the certificate names. nil: there is none, and the system chooses.
func localAddr(advertised config.URLs, log *zap.Logger) net.Addr {
	log.Info("searching for a suitable member local address in AdvertisePeerURLs",
		zap.Strings("advertise-peer-urls", advertised.Strings()))
	for _, u := range advertised {
		addr, err := netip.ParseAddr(u.Hostname())
		if err != nil || addr.IsLoopback() || addr.IsUnspecified() {
			continue
		}
		log.Info("setting member local address", zap.String("LocalAddr", addr.String()))
		return &net.TCPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
	}
	log.Warn("unable to set a member local address due to lack of suitable local addresses",
		zap.Strings("advertise-peer-urls", advertised.Strings()))
	return nil
}
