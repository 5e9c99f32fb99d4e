// Package upstream is the way to the members of a cluster for whoever asks on behalf of others: one connection of gRPC
// that takes the members in turn and leaves out who does not answer.
//
//	cluster, err := upstream.Open(upstream.Config{Endpoints: []string{"10.0.0.1:2379", "10.0.0.2:2379"}, Log: log})
//	defer cluster.Close()
//	err = cluster.Ask(ctx, "/etcdserverpb.KV/Range", request, response, true)
//	stream, err := cluster.Stream(ctx, "/etcdserverpb.Watch/Watch")
//
// Messages are those of core/pb, or Raw ones, which nobody looks into.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/dial"
	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/pb"
)

// Config is what an operator says of the way.
type Config struct {
	Endpoints     []string
	TLS           *secure.Side // nil: only where an endpoint's scheme asks for it, with the authorities of the system
	SkipTLSVerify bool
	DialTimeout   time.Duration // of one attempt to connect

	KeepAliveTime, KeepAliveTimeout time.Duration // of pings; no time: there are none
	PermitWithoutStream             bool          // ping connections that carry nothing
	MaxSendBytes, MaxReceiveBytes   int
	AutoSync                        time.Duration // from one look who the members are to the next; 0: none

	Log *zap.Logger
}

// Cluster is the way. Its methods may be called from any goroutine.
type Cluster struct {
	cfg      Config
	conn     *grpc.ClientConn
	resolver *manual.Resolver
	syncs    tasks.Group
	stopping chan struct{}
	once     sync.Once

	mu        sync.Mutex
	endpoints []string
}

// Open prepares the way. It connects when it is needed.
func Open(cfg Config) (*Cluster, error) {
	if len(cfg.Endpoints) == 0 {
		return nil, errors.New("upstream: no endpoints")
	}
	c := &Cluster{cfg: cfg, resolver: manual.NewBuilderWithScheme("etcd-endpoints"), stopping: make(chan struct{}),
		endpoints: cfg.Endpoints}
	c.resolver.InitialState(stateOf(cfg.Endpoints))
	options := []grpc.DialOption{
		grpc.WithResolvers(c.resolver), grpc.WithTransportCredentials(cfg.credentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: cfg.DialTimeout,
			Backoff: backoff.Config{BaseDelay: 25 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(Codec{}), grpc.MaxCallSendMsgSize(cfg.MaxSendBytes),
			grpc.MaxCallRecvMsgSize(cfg.MaxReceiveBytes)),
	}
	if cfg.KeepAliveTime > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: cfg.KeepAliveTime,
			Timeout: cfg.KeepAliveTimeout, PermitWithoutStream: cfg.PermitWithoutStream}))
	}
	var err error
	if c.conn, err = grpc.NewClient(c.resolver.Scheme()+":///", options...); err != nil {
		return nil, err
	}
	if cfg.AutoSync > 0 {
		c.syncs.Go(c.follow)
	}
	return c, nil
}

// credentials are as clients of etcd choose them: the first endpoint's scheme decides, and without one the flags do.
func (cfg *Config) credentials() credentials.TransportCredentials {
	scheme, _, found := strings.Cut(cfg.Endpoints[0], "://")
	overTLS := cfg.TLS != nil
	if found {
		overTLS = scheme == "https" || scheme == "unixs"
	}
	if !overTLS {
		return insecure.NewCredentials()
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		c = cfg.TLS.ClientConfig("")
	}
	c.InsecureSkipVerify = cfg.SkipTLSVerify
	return credentials.NewTLS(c)
}

func stateOf(endpoints []string) resolver.State {
	var s resolver.State
	for _, e := range endpoints {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{dial.Address(e)}})
	}
	return s
}

// Close ends the way, and with it all calls on it.
func (c *Cluster) Close() error {
	c.once.Do(func() { close(c.stopping) })
	c.syncs.Close()
	err := c.conn.Close()
	c.syncs.Wait()
	return err
}

// Endpoints is where the members are.
func (c *Cluster) Endpoints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.endpoints)
}

const (
	// attempts bounds how often a call is made that changes nothing, retryPause is the wait between two.
	attempts   = 100
	retryPause = 25 * time.Millisecond
	// syncTimeout bounds the wait for the list of members.
	syncTimeout = 5 * time.Second
)

// Ask makes a call. If it can be made again without harm, it is until somebody answers.
func (c *Cluster) Ask(ctx context.Context, method string, request, response any, again bool) error {
	for i := 1; ; i++ {
		err := c.conn.Invoke(ctx, method, request, response)
		if !again || i == attempts || status.Code(err) != codes.Unavailable || !c.pause(ctx) {
			return err
		}
	}
}

// pause waits a little, at random, so that those who failed together do not come back together.
func (c *Cluster) pause(ctx context.Context) bool {
	timer := time.NewTimer(retryPause*9/10 + rand.N(retryPause/5))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.stopping:
	}
	return false
}

// Stream opens a stream in both directions.
func (c *Cluster) Stream(ctx context.Context, method string) (grpc.ClientStream, error) {
	return c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
}

// follow goes where the members are, as they say it themselves.
func (c *Cluster) follow() {
	for tasks.Sleep(c.cfg.AutoSync, c.stopping) {
		if err := c.sync(); err != nil {
			c.cfg.Log.Info("Auto sync endpoints failed.", zap.Error(err))
		}
	}
}

func (c *Cluster) sync() error {
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	list := &pb.MemberListResponse{}
	if err := c.Ask(ctx, "/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{Linearizable: true}, list,
		true); err != nil {
		return err
	}
	var found []string
	for _, m := range list.Members {
		if m.Name != "" && !m.IsLearner {
			found = append(found, m.ClientURLs...)
		}
	}
	if len(found) == 0 {
		return errors.New("upstream: no member serves clients")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(found, c.endpoints) {
		c.endpoints = found
		c.resolver.UpdateState(stateOf(found))
		c.cfg.Log.Info("endpoints have changed", zap.Strings("endpoints", found))
	}
	return nil
}
