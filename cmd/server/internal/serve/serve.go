// Package serve puts a member on its sockets: it opens listeners, builds the node and
// the handlers of each port, and takes them down in the right order.
//
//	s, err := serve.Start(cfg, log, page)
//	...
//	err = s.Stop()
//
// The peer port serves at once, since others may need this member for a quorum. The
// client port accepts connections at once and answers them when the member is ready:
// when it has a leader and the cluster knows its name.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/admin"
	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/disk"
	"vitrine/cmd/server/internal/gateway"
	"vitrine/cmd/server/internal/grpcapi"
	"vitrine/cmd/server/internal/listen"
	"vitrine/cmd/server/internal/node"
	"vitrine/cmd/server/internal/secret"
	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/serving"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/telemetry"
	"vitrine/cmd/server/internal/tracing"
	"vitrine/cmd/server/internal/v2"
	"vitrine/cmd/server/internal/version"
	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/duty"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/watch"
)

// Server is a running member with its ports.
type Server struct {
	cfg     *config.Config
	log     *zap.Logger
	node    *node.Node
	door    *serving.Server
	grpc    *grpcapi.Server
	tracer  *tracing.Tracer  // nil: calls are not traced
	gateway *gateway.Gateway // nil: there is none
	v2      *v2.Handler      // nil: there is none

	clientTLS, peerTLS      *secure.Side
	peers, clients, metrics []*socket
	splitters               []*listen.Splitter
	https                   []*http.Server
	requests                tasks.Group // of HTTP, whose servers close without waiting for them
	failed                  chan error
	wg                      sync.WaitGroup
	stopping                chan struct{}
	once                    sync.Once
}

// Start opens everything and returns when the member runs. Readiness comes later, with a line in the log.
func Start(cfg *config.Config, log *zap.Logger, page fs.FS) (*Server, error) {
	s := &Server{cfg: cfg, log: log, failed: make(chan error, 8), stopping: make(chan struct{})}
	if err := s.sides(); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		s.closeListeners()
		return nil, err
	}
	// Members that start together ask each other questions before they have a log. Somebody must
	// answer, even if only that it is too early.
	peers := &gate{}
	for _, l := range s.peers {
		s.log.Info("serving peer traffic", zap.String("address", l.Addr().String()))
		s.http(l, peers)
	}
	registry := admin.Registry()
	telemetry.Features(registry, cfg.Features.Switched())
	n, err := s.open(registry)
	if err != nil {
		close(s.stopping)
		_ = s.down(func() error { return nil })
		return nil, err
	}
	s.node = n
	s.door = serving.New(n)
	checker, err := s.check()
	if err != nil {
		close(s.stopping)
		_ = s.down(n.Stop)
		return nil, err
	}
	if cfg.EnableTracing {
		if s.tracer, err = tracing.New(context.Background(), cfg.Tracing); err != nil {
			close(s.stopping)
			_ = s.down(n.Stop)
			return nil, err
		}
		log.Info("distributed tracing setup enabled")
	}
	s.grpc = grpcapi.New(grpcapi.Config{
		Tracer: s.tracer,
		Node:   s.door, Log: log, Registry: registry,
		MaxRequestBytes: int(cfg.MaxRequestBytes), MaxConcurrentStreams: cfg.MaxConcurrentStreams,
		KeepAliveMinTime: cfg.GRPCKeepAliveMinTime, KeepAliveInterval: cfg.GRPCKeepAliveInterval,
		KeepAliveTimeout: cfg.GRPCKeepAliveTimeout,
		SlowRequest:      cfg.WarningUnaryRequestDuration, ElectionTimeout: cfg.ElectionTimeout,
		ClientCertAuth: cfg.ClientTLS.ClientCertAuth, Extensive: cfg.ExtensiveMetrics,
	})
	n.Start()
	peers.open(admin.Peer(s.door, log, n.Transport().Handler()))
	web, err := s.web(registry, page)
	if err != nil {
		s.Abort()
		return nil, err
	}
	s.serveMetrics(admin.Metrics(web))
	s.wg.Go(func() { s.awaitReady(admin.Client(web)) })
	s.wg.Go(func() { checker.Run(s.stopping, s.checkTimes()) })
	s.wg.Go(func() {
		select {
		case err := <-n.Failed():
			s.fail(err)
		case <-s.stopping:
		}
	})
	return s, nil
}

// web is what there is over HTTP.
func (s *Server) web(registry *prometheus.Registry, page fs.FS) (admin.Config, error) {
	cfg := s.cfg
	web := admin.Config{Node: s.door, Log: s.log, Registry: registry, Pprof: cfg.EnablePprof || cfg.LogLevel == "debug",
		Requests: cfg.LogLevel == "debug",
		Flight:   cfg.FlightRecorderBytes > 0, UI: cfg.UI, Files: page,
		Access: admin.Access{Origins: cfg.CORS.Strings(), Hosts: cfg.HostWhitelist}}
	if cfg.EnableV2 {
		s.v2 = v2.New(v2.Config{Door: s.door, Log: s.log, Timeout: cfg.RequestTimeout(),
			MaxRequestBytes: int(cfg.MaxRequestBytes), ClientCertAuth: cfg.ClientTLS.ClientCertAuth,
			TokenTTL: cfg.AuthTokenTTL})
		web.V2 = s.v2
	}
	if !cfg.EnableGRPCGateway {
		return web, nil
	}
	if cfg.ClientTLS.ClientCertAuth {
		web.Access.CertifiedUsers = s.node.UsersOn
	}
	conn, err := s.grpc.Local()
	if err != nil {
		return web, err
	}
	// JSON has four letters for three bytes of a key or a value, six for a byte of a text that it must escape.
	bound := 6 * int64(cfg.MaxRequestBytes+limits.RequestOverheadBytes)
	if s.gateway, err = gateway.New(conn, bound, s.log); err != nil {
		return web, errors.Join(err, conn.Close())
	}
	web.Gateway = s.gateway
	return web, nil
}

func (s *Server) open(registry prometheus.Registerer) (*node.Node, error) {
	cfg, log := s.cfg, s.log
	c := nodeConfig(cfg, log, registry)
	c.PeerTLS = s.peerTLS
	s.discover(&c)
	s.switched(&c)
	var err error
	if c.Secrets, err = secret.New(cfg.AuthToken, int(cfg.BcryptCost)); err != nil {
		log.Warn("failed to create token provider", zap.Error(err))
		return nil, err
	}
	if cost, ok := secret.CostInRange(int(cfg.BcryptCost)); !ok {
		log.Warn("use default bcrypt cost instead of the invalid given cost", zap.Uint("given-cost", cfg.BcryptCost),
			zap.Int("default-cost", cost))
	}
	return node.Open(c)
}

func nodeConfig(cfg *config.Config, log *zap.Logger, registry prometheus.Registerer) node.Config {
	return node.Config{
		Config: member.Config{
			Config: consensus.Config{
				ElectionTicks: cfg.ElectionTicks(), NoPreVote: !cfg.PreVote,
				SnapshotCount: cfg.SnapshotCount, CatchUpEntries: cfg.SnapshotCatchUpEntries,
			},
			Limits: api.Limits{
				MaxRequestBytes: int(cfg.MaxRequestBytes), MaxTxnOps: int(cfg.MaxTxnOps),
				SlowRequest: cfg.WarningUnaryRequestDuration,
				TokenTTL:    cfg.AuthTokenTTL,
			},
			Self: duty.Self{Name: cfg.Name, ClientURLs: cfg.AdvertiseClientURLs.Strings(),
				Retention: cfg.Retention},
			TickInterval: cfg.HeartbeatInterval, LooseReconfig: !cfg.StrictReconfig,
			Watch: watch.Config{ProgressInterval: cfg.WatchProgressNotifyInterval},
		},
		Disk: disk.Settings{
			DataDir: cfg.DataDir, WALDir: cfg.WALDir, QuotaBytes: cfg.QuotaBackendBytes,
			MaxLearners: maxLearners(cfg.MaxLearners),
			Alone:       cfg.ForceNewCluster, PeerURLs: cfg.AdvertisePeerURLs.Strings(),
			BackendInterval: cfg.BackendBatchInterval, BackendOps: cfg.BackendBatchLimit,
			CompactionBatch: cfg.CompactionBatchLimit, CompactionPause: cfg.CompactionSleepInterval,
			SlowApply: cfg.WarningApplyDuration, NoFsync: cfg.UnsafeNoFsync,
			ArrayFreelist: cfg.BackendFreelistType == "array", Mlock: cfg.MemoryMlock,
			DefragAtStart: int64(cfg.BootstrapDefragMegabytes) << 20, SegmentBytes: cfg.WALSegmentBytes,
		},
		PeerURLs: cfg.AdvertisePeerURLs.Strings(), PeerReadTimeout: cfg.RaftReadTimeout,
		PeerWriteTimeout: cfg.RaftWriteTimeout,
		Cluster:          cfg.InitialCluster, NewCluster: cfg.InitialClusterState == config.StateNew,
		Token:  cfg.InitialClusterToken,
		Verify: cfg.VerifyBootstrap, Version: version.Etcd, TickAdvance: cfg.ElectionTickAdvance,
		DowngradeCheck:      cfg.DowngradeCheckTime,
		FlightRecorderBytes: cfg.FlightRecorderBytes, Log: log, Registry: registry,
	}
}

// maxLearners is a flag's value where 0 means the default.
func maxLearners(flag uint) int {
	if flag == 0 {
		return -1
	}
	return int(min(flag, limits.MaxMembers))
}

// handshakeTimeout is how long a connection may take to say what it wants, and how long it may stay open without
// wanting anything. What it then does (a stream between members, a watch, a database on its way) has its own bounds.
const handshakeTimeout = 10 * time.Second

func (s *Server) httpServer(h http.Handler) *http.Server {
	server := &http.Server{Handler: s.owned(h), ReadHeaderTimeout: handshakeTimeout, IdleTimeout: handshakeTimeout,
		ErrorLog: zap.NewStdLog(s.log)}
	if s.cfg != nil {
		// What is more, net/http takes for nonsense.
		server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: int(min(s.cfg.MaxConcurrentStreams, math.MaxInt32))}
	}
	return server
}

// owned counts the requests that h serves, so that the stop can wait for them.
func (s *Server) owned(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.requests.Enter() {
			http.Error(w, "this member is stopping", http.StatusServiceUnavailable)
			return
		}
		defer s.requests.Leave()
		h.ServeHTTP(w, r)
		if r.Body != http.NoBody {
			// net/http reads what the handler has left of a small body, and would wait for it for ever.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(handshakeTimeout))
		}
	})
}

// gate answers 503 until there is a handler behind it.
type gate struct{ behind atomic.Pointer[http.Handler] }

func (g *gate) open(h http.Handler) { g.behind.Store(&h) }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := g.behind.Load()
	if h == nil {
		http.Error(w, "this member is starting", http.StatusServiceUnavailable)
		return
	}
	(*h).ServeHTTP(w, r)
}

func (s *Server) serveMetrics(h http.Handler) {
	for _, p := range s.metrics {
		s.log.Info("serving metrics and health endpoints", zap.String("address", p.address))
		s.http(p, h)
	}
}

// awaitReady serves clients as soon as the cluster knows this member.
func (s *Server) awaitReady(h http.Handler) {
	select {
	case <-s.node.Ready():
	case <-s.stopping:
		return
	}
	s.log.Info("ready to serve client requests")
	for _, p := range s.clients {
		s.client(p, h)
	}
}

// ended reports a server that ended by itself.
func (s *Server) ended(what string, err error) {
	select {
	case <-s.stopping:
	default:
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.fail(fmt.Errorf("%s server: %w", what, err))
		}
	}
}

func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Failed delivers what made the server unable to go on.
func (s *Server) Failed() <-chan error { return s.failed }

const (
	// grace is how long clients' running calls may take to end.
	grace = 500 * time.Millisecond
)

// Stop hands leadership over, ends calls and closes the member in order.
func (s *Server) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.RequestTimeout())
	defer cancel()
	if err := s.node.Resign(ctx); err != nil {
		s.log.Warn("leadership transfer failed", zap.Error(err))
	}
	s.once.Do(func() { close(s.stopping) })
	s.grpc.Stop(grace)
	return s.down(s.node.Stop)
}

// Abort closes everything at once, after a failure.
func (s *Server) Abort() {
	s.once.Do(func() { close(s.stopping) })
	s.grpc.Stop(0)
	_ = s.down(func() error { s.node.Kill(); return nil })
}

func (s *Server) down(stopNode func() error) error {
	s.requests.Close()
	if s.gateway != nil {
		s.gateway.Close()
	}
	if s.v2 != nil {
		s.v2.Close()
	}
	for _, h := range s.https {
		h.Close()
	}
	err := stopNode()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	if err := s.tracer.Close(ctx); err != nil {
		s.log.Warn("the collector has not taken all spans", zap.Error(err))
	}
	cancel()
	s.closeListeners()
	for _, split := range s.splitters {
		split.Close()
	}
	s.wg.Wait()
	s.requests.Wait()
	return err
}
