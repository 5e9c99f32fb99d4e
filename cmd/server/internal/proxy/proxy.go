package proxy

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"vitrine/cmd/server/internal/broadcast"
	"vitrine/cmd/server/internal/listen"
	"vitrine/cmd/server/internal/namespace"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/upstream"
	"vitrine/core/api"
)

// Config is what an operator says of a proxy.
type Config struct {
	Cluster   *upstream.Cluster // the proxy's to close
	Namespace namespace.Space

	AdvertiseURL   string // where clients are told to find it; empty: the members answer who they are
	ResolverPrefix string // keys under which it registers; empty: it does not
	ResolverTTL    int64  // seconds that a registration outlives its proxy

	Ordering bool // answers never go back behind those before
	LogCalls bool
	Pprof    bool

	KeepAliveMinTime, KeepAliveInterval, KeepAliveTimeout time.Duration // of clients' connections
	MaxConcurrentStreams                                  uint32

	Web      *http.Client // how the members' pages are read
	Registry *prometheus.Registry
	Log      *zap.Logger
}

// Proxy is a running one. Its methods may be called from any goroutine.
type Proxy struct {
	cfg      Config
	log      *zap.Logger
	cluster  *upstream.Cluster
	space    namespace.Space
	memory   *memory
	order    order
	meters   *meters
	hub      *broadcast.Hub
	renewals *renewals
	roster   *roster
	grpc     *grpc.Server
	self     *grpc.ClientConn   // a connection to this proxy that needs no socket
	handlers map[string]handler // of methods that are not just passed on
	methods  map[string]bool    // all there are

	ctx     context.Context // ends with Stop
	stop    context.CancelFunc
	tasks   tasks.Group // what runs until Stop
	readers tasks.Group // of what clients ask on streams; they end when gRPC has ended their calls
	once    sync.Once
	stopped error // how the stop has ended

	mu        sync.Mutex
	splitters []*listen.Splitter
	https     []*http.Server
}

const (
	localBytes       = 256 << 10 // of a connection within the process, on their way
	handshakeTimeout = 10 * time.Second
	stopPatience     = time.Second // for calls under way
)

// New makes a proxy that registers at once, and serves nobody before Serve.
func New(cfg Config) (*Proxy, error) {
	p := &Proxy{cfg: cfg, log: cfg.Log, cluster: cfg.Cluster, space: cfg.Namespace, memory: newMemory(),
		order: order{on: cfg.Ordering}, meters: newMeters(cfg.Registry)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.hub = broadcast.New(cfg.Cluster, cfg.Namespace, p.meters.Meters, cfg.Log)
	p.renewals = newRenewals(cfg.Cluster)
	p.handlers, p.methods = handlers(), methods()
	p.grpc = grpc.NewServer(p.options()...)
	l := bufconn.Listen(localBytes)
	p.tasks.Go(func() { _ = p.grpc.Serve(l) })
	var err error
	p.self, err = grpc.NewClient("passthrough:self", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(upstream.Codec{}), grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	if err := p.firstLook(); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	p.roster = p.register()
	return p, nil
}

func (p *Proxy) options() []grpc.ServerOption {
	cfg := &p.cfg
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(upstream.Codec{}), grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(cfg.MaxConcurrentStreams), grpc.ConnectionTimeout(handshakeTimeout),
		grpc.UnknownServiceHandler(p.serve),
	}
	if cfg.KeepAliveMinTime > 0 {
		options = append(options, grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: cfg.KeepAliveMinTime}))
	}
	if cfg.KeepAliveInterval > 0 || cfg.KeepAliveTimeout > 0 {
		options = append(options,
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: cfg.KeepAliveInterval, Timeout: cfg.KeepAliveTimeout}))
	}
	return options
}

// Serve accepts connections until Stop, on a listener that terms say how to share.
func (p *Proxy) Serve(l net.Listener, terms listen.Terms) error {
	s := listen.Split(l, terms)
	web := &http.Server{Handler: p.owned(p.web()), ReadHeaderTimeout: handshakeTimeout, ErrorLog: zap.NewStdLog(p.log),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: int(min(p.cfg.MaxConcurrentStreams, math.MaxInt32))}}
	p.mu.Lock()
	p.splitters, p.https = append(p.splitters, s), append(p.https, web)
	p.mu.Unlock()
	if !p.tasks.Go(func() { _ = web.Serve(s.HTTP()) }) ||
		terms.GRPC && !p.tasks.Go(func() { _ = p.grpc.Serve(s.GRPC()) }) {
		return errors.Join(net.ErrClosed, s.Close())
	}
	err := s.Serve()
	if p.ctx.Err() != nil {
		return nil
	}
	return err
}

// owned counts the requests that h serves, so that the stop can wait for them. Calls of gRPC that come by way of
// net/http are not for h.
func (p *Proxy) owned(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.readers.Enter() {
			http.Error(w, "the proxy is stopping", http.StatusServiceUnavailable)
			return
		}
		defer p.readers.Leave()
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			p.grpc.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Stop takes the registration back, ends all calls, and returns when nothing of the proxy runs any more.
func (p *Proxy) Stop() error {
	p.once.Do(func() { p.stopped = p.down() })
	return p.stopped
}

func (p *Proxy) down() error {
	p.stop()
	p.roster.leave()
	p.hub.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.splitters {
		errs = append(errs, s.Close())
	}
	for _, s := range p.https {
		errs = append(errs, s.Close())
	}
	var graceful sync.WaitGroup
	graceful.Go(p.grpc.GracefulStop)
	timer := time.AfterFunc(stopPatience, p.grpc.Stop)
	graceful.Wait()
	timer.Stop()
	if p.self != nil {
		errs = append(errs, p.self.Close())
	}
	p.renewals.close()
	errs = append(errs, p.cluster.Close())
	p.tasks.Close()
	p.readers.Close()
	p.tasks.Wait()
	p.readers.Wait()
	return errors.Join(errs...)
}

// serve answers any call.
func (p *Proxy) serve(_ any, ss grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(ss)
	service, name, _ := strings.Cut(strings.TrimPrefix(full, "/"), "/")
	if !p.methods[full] {
		return status.Errorf(codes.Unimplemented, "unknown method %v for service %v", name, service)
	}
	h, special := p.handlers[full]
	if !special {
		h = handler{kind: "unary", serve: (*Proxy).passOn}
	}
	c := &call{ServerStream: ss, method: full, caller: upstream.CallerOf(ss.Context()),
		meter: p.meters.of(h.kind, service, name)}
	if p.cfg.LogCalls {
		c.log = p.log.With(zap.String("grpc.service", service), zap.String("grpc.method", name))
	}
	return c.end(statusOf(h.serve(p, c)), time.Now())
}

// statusOf is an error as gRPC carries it.
func statusOf(err error) error {
	var e *api.Error
	if errors.As(err, &e) {
		return status.Error(codes.Code(e.Code), e.Text)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return err
}
