package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/listen"
	"vitrine/cmd/server/internal/secure"
	"vitrine/core/limits"
)

// socket is a listener and what is served on it.
type socket struct {
	net.Listener
	address string // as it is told
	terms   listen.Terms
}

// sides opens what clients and peers meet over TLS.
func (s *Server) sides() error {
	c := s.cfg
	var err error
	s.clientTLS, err = s.side("client", c.ClientTLS, c.ClientAutoTLS, c.ListenClientURLs, c.ListenClientHTTPURLs)
	if err != nil {
		return err
	}
	s.peerTLS, err = s.side("peer", c.PeerTLS, c.PeerAutoTLS, c.ListenPeerURLs)
	return err
}

func (s *Server) side(name string, t secure.Settings, auto bool, urls ...config.URLs) (*secure.Side, error) {
	if auto && !t.Empty() {
		s.log.Warn("ignoring " + name + " auto TLS since certs given")
	} else if auto {
		var hosts []string
		for _, group := range urls {
			for i := range group {
				hosts = append(hosts, group[i].Host)
			}
		}
		dir := filepath.Join(s.cfg.DataDir, "fixtures", name)
		if err := t.MakeOwn(dir, hosts, s.cfg.SelfSignedCertYears, s.log); err != nil {
			return nil, fmt.Errorf("cannot make a certificate for %ss: %w", name, err)
		}
	}
	if !t.Empty() {
		s.log.Info("starting with "+name+" TLS", zap.Stringer("tls-info", &t))
	}
	for _, group := range urls {
		for i := range group {
			if u := &group[i]; !config.Secure(u) && !t.Empty() {
				s.log.Warn("scheme is http or unix while key and cert files are present; ignoring key and cert files",
					zap.String(name+"-url", u.String()), zap.Bool("client-cert-auth", t.ClientCertAuth))
			}
		}
	}
	return secure.Open(t, s.log)
}

func (s *Server) listen() error {
	c := s.cfg
	for i := range c.ListenPeerURLs {
		err := s.listenAt(&s.peers, &c.ListenPeerURLs[i],
			s.terms(&c.ListenPeerURLs[i], s.peerTLS, "rejected connection on peer endpoint", true, true, false))
		if err != nil {
			return err
		}
	}
	split := len(c.ListenClientHTTPURLs) > 0
	for g, group := range []config.URLs{c.ListenClientURLs, c.ListenClientHTTPURLs} {
		for i := range group {
			terms := s.terms(&group[i], s.clientTLS, "rejected connection on client endpoint", false, g == 1 || !split, g == 0)
			if err := s.listenAt(&s.clients, &group[i], terms); err != nil {
				return err
			}
		}
	}
	for i := range c.ListenMetricsURLs {
		err := s.listenAt(&s.metrics, &c.ListenMetricsURLs[i],
			s.terms(&c.ListenMetricsURLs[i], s.clientTLS, "rejected connection on client endpoint", true, true, false))
		if err != nil {
			return err
		}
	}
	if err := s.limit(); err != nil {
		return err
	}
	s.log.Info("configuring peer listeners", zap.Strings("listen-peer-urls", s.cfg.ListenPeerURLs.Strings()))
	s.log.Info("configuring client listeners", zap.Strings("listen-client-urls", s.cfg.ListenClientURLs.Strings()))
	return nil
}

// terms are on which a URL is served.
func (s *Server) terms(u *url.URL, side *secure.Side, refused string, fromAddress, http, grpc bool) listen.Terms {
	t := listen.Terms{FromAddress: fromAddress, HTTP: http, GRPC: grpc, Plain: !config.Secure(u)}
	if !t.Plain {
		t.TLS = side
		t.Refused = func(c *tls.Conn, err error) { s.refused(refused, c, err) }
	}
	return t
}

// listenAt opens a socket, or finds the one that another URL has opened at the same address: with and without TLS can
// be served there.
func (s *Server) listenAt(sockets *[]*socket, u *url.URL, terms listen.Terms) error {
	address := u.Host + u.Path
	for _, p := range *sockets {
		if p.address == address && p.terms.Plain != terms.Plain && p.terms.GRPC == terms.GRPC {
			p.terms.Plain = true
			if terms.TLS != nil {
				p.terms.TLS, p.terms.Refused = terms.TLS, terms.Refused
			}
			return nil
		}
	}
	l, err := listen.Open(*u, listen.Options{ReusePort: s.cfg.SocketReusePort, ReuseAddress: s.cfg.SocketReuseAddress})
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", u.String(), err)
	}
	*sockets = append(*sockets, &socket{Listener: l, address: address, terms: terms})
	return nil
}

// refused tells of a connection that was not let in, in etcd's words.
func (s *Server) refused(text string, c *tls.Conn, err error) {
	say := s.log.Warn
	if errors.Is(err, io.EOF) {
		say = s.log.Debug // it just went away
	}
	state := c.ConnectionState()
	fields := []zap.Field{zap.Stringer("remote-addr", c.RemoteAddr()), zap.String("server-name", state.ServerName)}
	if len(state.PeerCertificates) > 0 {
		cert := state.PeerCertificates[0]
		ips := make([]string, len(cert.IPAddresses))
		for i, ip := range cert.IPAddresses {
			ips[i] = ip.String()
		}
		fields = append(fields, zap.Strings("ip-addresses", ips), zap.Strings("dns-names", cert.DNSNames))
	}
	say(text, append(fields, zap.Error(err))...)
}

// limit bounds clients' connections, over all their listeners, by the descriptors there are.
func (s *Server) limit() error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("cannot find the limit of open files: %w", err)
	}
	// each listener is a file, and holds one connection that waits
	own := uint64(limits.ReservedFiles + limits.PeerFiles + 2*len(s.clients) + 2*len(s.peers))
	if files.Cur <= own {
		return fmt.Errorf("the limit of %d open files is too low, the server itself may need %d", files.Cur, own)
	}
	share(s.clients, int(min(files.Cur-own, math.MaxInt32)))
	share(s.metrics, limits.MetricsFiles)
	share(s.peers, limits.PeerFiles)
	return nil
}

// share gives sockets one budget of n connections.
func share(sockets []*socket, n int) {
	budget := listen.NewBudget(n)
	for _, p := range sockets {
		p.Listener = budget.Limit(p.Listener)
	}
}

func (s *Server) closeListeners() {
	for _, group := range [][]*socket{s.peers, s.clients, s.metrics} {
		for _, p := range group {
			p.Close()
		}
	}
}

// http serves a handler, and nothing else, on a port.
func (s *Server) http(p *socket, h http.Handler) {
	server := s.httpServer(h)
	s.https = append(s.https, server)
	l := p.Listener
	if p.terms.TLS != nil {
		split := listen.Split(l, p.terms)
		s.splitters = append(s.splitters, split)
		l = split.HTTP()
		s.wg.Go(func() { s.ended("listener", split.Serve()) })
	}
	s.wg.Go(func() { s.ended("http", server.Serve(l)) })
}

// client serves what clients ask on a port.
func (s *Server) client(p *socket, h http.Handler) {
	split := listen.Split(p.Listener, p.terms)
	s.splitters = append(s.splitters, split)
	traffic := "grpc"
	if p.terms.HTTP {
		traffic = "http"
		if p.terms.GRPC {
			traffic, h = "grpc+http", s.grpc.Or(h)
		}
		server := s.httpServer(h)
		s.wg.Go(func() { s.ended("http", server.Serve(split.HTTP())) })
		s.wg.Go(func() { <-s.stopping; server.Close() })
	}
	if p.terms.GRPC {
		s.wg.Go(func() { s.ended("grpc", s.grpc.Serve(split.GRPC())) })
	}
	s.wg.Go(func() { s.ended("listener", split.Serve()) })
	fields := []zap.Field{zap.String("traffic", traffic), zap.String("address", p.Addr().String())}
	if p.terms.Plain {
		s.log.Info("serving client traffic insecurely; this is strongly discouraged!", fields...)
	}
	if p.terms.TLS != nil {
		s.log.Info("serving client traffic securely", fields...)
	}
}
