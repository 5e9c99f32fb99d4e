package grpcapi

import (
	"cmp"
	"context"
	"math"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"vitrine/cmd/server/internal/lock"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/tracing"
	"vitrine/core/api"
	"vitrine/core/limits"
)

// Config is what the API needs besides a node.
type Config struct {
	Node     Node
	Log      *zap.Logger
	Registry prometheus.Registerer

	MaxRequestBytes      int
	MaxConcurrentStreams uint32
	KeepAliveMinTime     time.Duration // a client that pings more often is sent away
	KeepAliveInterval    time.Duration
	KeepAliveTimeout     time.Duration
	SlowRequest          time.Duration   // requests that take longer leave a line in the log
	Extensive            bool            // measure how long all calls take
	Tracer               *tracing.Tracer // nil: calls are not traced
	ClientCertAuth       bool            // the common name of a client's verified certificate is its user
	ElectionTimeout      time.Duration   // three of them without a leader end the streams that ask for one
}

// Server serves the API.
type Server struct {
	node    Node
	log     *zap.Logger
	slow    time.Duration
	elect   time.Duration // how often a stream looks whether there is a leader
	certs   bool          // see Config.ClientCertAuth
	metrics *metrics
	grpc    *grpc.Server
	health  *health.Server
	locks   *lock.Server
	tracer  *tracing.Tracer
	readers tasks.Group // of what watch streams ask for

	awayMu sync.Mutex
	away   int // reasons why the health service says that this server does not serve
}

const (
	// bufferBytes is the size of a connection's buffers: large enough that a
	// hundred answers leave in one write.
	bufferBytes = 128 << 10
	// handshakeTimeout is how long a connection may take to begin as HTTP/2 does.
	handshakeTimeout = 10 * time.Second
)

// New builds the server; nothing is served until Serve.
func New(cfg Config) *Server {
	s := &Server{certs: cfg.ClientCertAuth, node: cfg.Node, log: cfg.Log, slow: cfg.SlowRequest,
		elect:   cmp.Or(cfg.ElectionTimeout, limits.ElectionTicks*limits.Tick),
		metrics: newMetrics(cfg.Registry, cfg.Extensive),
		health:  health.NewServer(), locks: lock.New(cfg.Node), tracer: cfg.Tracer}
	options := []grpc.ServerOption{
		grpc.Creds(landed{}),
		grpc.ForceServerCodecV2(newCodec(s.metrics.sentBytes, s.metrics.receivedBytes)),
		grpc.MaxRecvMsgSize(cfg.MaxRequestBytes + limits.RequestOverheadBytes),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(cfg.MaxConcurrentStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.WriteBufferSize(bufferBytes),
		// Fixed windows spare the pings that would estimate better ones.
		grpc.InitialWindowSize(limits.ClientStreamWindow),
		grpc.InitialConnWindowSize(limits.ClientConnWindow),
		// Workers keep their grown stacks from one request to the next.
		grpc.NumStreamWorkers(uint32(128 * runtime.GOMAXPROCS(0))),
		grpc.ChainUnaryInterceptor(s.othersUnary),
	}
	if s.tracer != nil {
		options = append(options, s.tracer.ServerOption())
	}
	if cfg.KeepAliveMinTime > 0 {
		options = append(options, grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: cfg.KeepAliveMinTime}))
	}
	if cfg.KeepAliveInterval > 0 && cfg.KeepAliveTimeout > 0 {
		options = append(options,
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: cfg.KeepAliveInterval, Timeout: cfg.KeepAliveTimeout}))
	}
	s.grpc = grpc.NewServer(options...)
	methods := slices.Concat(operations(), recipes())
	for _, d := range gather(methods) {
		s.grpc.RegisterService(d, s)
	}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	s.metrics.initialize(s.grpc)
	s.reflect(methods) // last: its calls are not counted
	return s
}

// Away tells the health service that calls are better made elsewhere, for a reason, or that the reason is gone.
func (s *Server) Away(yes bool, reason string) {
	s.awayMu.Lock()
	defer s.awayMu.Unlock()
	if yes {
		s.away++
	} else {
		s.away--
	}
	switch {
	case yes && s.away == 1:
		s.log.Warn("grpc service status changed", zap.String("service", ""),
			zap.Stringer("status", healthpb.HealthCheckResponse_NOT_SERVING), zap.String("reason", reason))
		s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	case !yes && s.away == 0:
		s.log.Info("grpc service status changed", zap.String("service", ""),
			zap.Stringer("status", healthpb.HealthCheckResponse_SERVING))
		s.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	}
}

// Or serves calls of gRPC that come by way of net/http, and leaves everything else to h. Nothing but clients that speak
// HTTP/1.1 as well come this way.
func (s *Server) Or(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.Contains(r.Header.Get("Content-Type"), "application/grpc") {
			s.grpc.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Serve accepts connections until Stop. Those over TLS come after their handshake.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// localBytes is what a connection within the process holds on its way.
const localBytes = 256 << 10

// Local is a connection to this server that needs no socket. It ends with the server.
func (s *Server) Local() (*grpc.ClientConn, error) {
	l := bufconn.Listen(localBytes)
	if !s.readers.Go(func() { _ = s.grpc.Serve(l) }) {
		return nil, api.ErrStopped
	}
	return grpc.NewClient("passthrough:local", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
}

// Stop lets running calls finish for a while, then ends them. It returns when none runs any more.
func (s *Server) Stop(patience time.Duration) {
	s.health.Shutdown()
	done := make(chan struct{})
	var graceful sync.WaitGroup
	graceful.Go(func() {
		defer close(done)
		s.grpc.GracefulStop()
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.grpc.Stop()
	}
	graceful.Wait()
	s.readers.Close()
	s.readers.Wait()
}

// othersUnary counts calls of services that are not ours (health).
func (s *Server) othersUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler) (any, error) {
	m := s.metrics.method(info.FullMethod)
	begun := m.begin()
	m.received.Inc()
	resp, err := handler(ctx, req)
	if err == nil {
		m.sent.Inc()
	}
	m.done(begun, err)
	return resp, err
}

// admit does what must be done before any call: it reads the metadata, asks the gate as far as it can be asked before
// the message is looked at, and counts the client.
func (s *Server) admit(ctx context.Context, kind string, c *api.Call) error {
	requireLeader, version := readMetadata(ctx)
	c.RequireLeader = requireLeader
	c.Identity = s.identity(ctx)
	gate := s.node.Gate()
	if err := gate.Serves(c); err != nil {
		return statusOf(err)
	}
	if err := s.metrics.countClient(kind, version); err != nil {
		return err
	}
	if err := gate.Led(c); err != nil {
		return statusOf(err)
	}
	return nil
}
