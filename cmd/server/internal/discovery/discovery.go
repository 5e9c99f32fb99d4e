// Package discovery finds the members of a cluster that is being founded, for those who do not know one another yet.
//
// With version 3 of etcd's protocol they meet in another etcd. It has, under a token that they share, how many they are
// to be; each puts its name and peer URLs beside it and waits until so many have:
//
//	/_etcd/registry/TOKEN/_config/size     3
//	/_etcd/registry/TOKEN/members/ID       m1=http://10.0.0.1:2380
//
//	cluster, err := discovery.Join(ctx, cfg, id, "m1=http://10.0.0.1:2380", log)
//
// Or the name server knows them, by SRV records:
//
//	cluster, err := discovery.SRV(ctx, discovery.Names{Domain: "example.com"}, log)
//
// Either way the answer is what --initial-cluster would say.
package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/pb"
)

// Config is where members meet, as etcd's flags say it.
type Config struct {
	Token                            string
	Endpoints                        []string
	DialTimeout, RequestTimeout      time.Duration
	KeepAliveTime, KeepAliveTimeout  time.Duration
	InsecureTransport, SkipTLSVerify bool
	CertFile, KeyFile, CAFile        string
	User, Password                   string // User may be name:password
}

// The reasons why nobody is found, in etcd's words.
var (
	ErrInvalidURL   = errors.New("discovery: invalid peer URL")
	ErrBadSize      = errors.New("discovery: size key is bad")
	ErrSizeNotFound = errors.New("discovery: size key not found")
	ErrFull         = errors.New("discovery: cluster is full")
)

// meeting is a place where members meet.
type meeting struct {
	Config
	log     *zap.Logger
	conn    *grpc.ClientConn
	token   string // that the service wants to see, if it knows users
	self    string // this member's key
	retries uint
}

// Join puts this member beside the others and returns when all are there. Of more than there should be, those who came
// first are the cluster. What fails for lack of an answer is tried again until ctx ends.
func Join(ctx context.Context, c Config, id string, self string, log *zap.Logger) (cluster string, err error) {
	m := &meeting{Config: c, log: log.With(zap.String("discovery-token", c.Token),
		zap.Strings("discovery-endpoints", c.Endpoints)), self: path.Join(prefix, c.Token, "members", id)}
	if m.conn, err = c.dial(); err != nil {
		return "", err
	}
	defer m.conn.Close()
	if err := m.login(ctx); err != nil {
		return "", err
	}
	if _, _, err := m.look(ctx); err != nil {
		return "", err
	}
	put := &pb.PutRequest{Key: []byte(m.self), Value: []byte(self)}
	for m.ask(ctx, "/etcdserverpb.KV/Put", put, &pb.PutResponse{}) != nil {
		if err := m.backOff(ctx, "register member itself"); err != nil {
			return "", err
		}
	}
	log.Info("register member itself successfully", zap.String("memberKey", m.self), zap.String("memberInfo", self))
	for {
		here, size, err := m.look(ctx)
		if err != nil {
			return "", err
		}
		if len(here) >= size {
			return strings.Join(here[:size], ","), nil
		}
		log.Info("waiting for peers from discovery service", zap.Int("clusterSize", size), zap.Int("found-peers", len(here)))
		if err := m.pause(ctx, lookInterval); err != nil {
			return "", err
		}
	}
}

const (
	prefix = "/_etcd/registry"
	// lookInterval is how often a member looks whether the others are there.
	lookInterval = 200 * time.Millisecond
	// mostRetries is up to which the pauses between attempts grow, as powers of two, in seconds.
	mostRetries = 8
)

// look returns who is there, those who came first in front, and how many are to come.
func (m *meeting) look(ctx context.Context) (here []string, size int, err error) {
	for {
		if size, err = m.size(ctx); err == nil || errors.Is(err, ErrSizeNotFound) || errors.Is(err, ErrBadSize) {
			if err != nil {
				return nil, 0, err
			}
			var found []*pb.KeyValue
			if found, err = m.members(ctx); err == nil {
				m.retries = 0
				return m.sort(found, size)
			}
		}
		m.log.Warn("failed to get cluster members from discovery service", zap.Error(err))
		if err := m.backOff(ctx, "cluster status check"); err != nil {
			return nil, 0, err
		}
	}
}

func (m *meeting) size(ctx context.Context) (int, error) {
	resp := &pb.RangeResponse{}
	key := path.Join(prefix, m.Token, "_config/size")
	if err := m.ask(ctx, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte(key)}, resp); err != nil {
		return 0, err
	}
	if len(resp.Kvs) == 0 {
		return 0, ErrSizeNotFound
	}
	size, err := strconv.Atoi(string(resp.Kvs[0].Value))
	if err != nil || size <= 0 {
		return 0, ErrBadSize
	}
	return size, nil
}

func (m *meeting) members(ctx context.Context) ([]*pb.KeyValue, error) {
	from := []byte(path.Join(prefix, m.Token, "members") + "/")
	to := slices.Clone(from)
	to[len(to)-1]++
	resp := &pb.RangeResponse{}
	err := m.ask(ctx, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: from, RangeEnd: to}, resp)
	return resp.Kvs, err
}

// sort refuses a member that comes after the cluster is full.
func (m *meeting) sort(found []*pb.KeyValue, size int) (here []string, _ int, err error) {
	slices.SortStableFunc(found, func(a, b *pb.KeyValue) int { return int(a.CreateRevision - b.CreateRevision) })
	ours := false
	for _, kv := range found {
		value := strings.TrimSpace(string(kv.Value))
		if !strings.Contains(value, "=") {
			m.log.Warn("invalid peer info returned from discovery service", zap.ByteString("memberKey", kv.Key))
			continue
		}
		if len(here) == size && !ours {
			return nil, 0, ErrFull
		}
		ours = ours || string(kv.Key) == m.self
		here = append(here, value)
	}
	if len(here) >= size && !ours {
		return nil, 0, ErrFull
	}
	return here, size, nil
}

func (m *meeting) backOff(ctx context.Context, what string) error {
	m.retries = min(m.retries+1, mostRetries)
	pause := time.Second << m.retries
	m.log.Warn("retry connecting to discovery service", zap.String("reason", what), zap.Duration("backoff", pause))
	return m.pause(ctx, pause)
}

func (m *meeting) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *meeting) ask(ctx context.Context, method string, request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, m.RequestTimeout)
	defer cancel()
	if m.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "token", m.token)
	}
	return m.conn.Invoke(ctx, method, request, answer, grpc.WaitForReady(true))
}

// login shows who this is, if the service knows users.
func (m *meeting) login(ctx context.Context) error {
	name, password := m.User, m.Password
	if name == "" {
		return nil
	}
	if before, after, ok := strings.Cut(name, ":"); ok && password == "" {
		name, password = before, after
	}
	resp := &pb.AuthenticateResponse{}
	err := m.ask(ctx, "/etcdserverpb.Auth/Authenticate", &pb.AuthenticateRequest{Name: name, Password: password}, resp)
	m.token = resp.Token
	return err
}

// dial reaches any of the endpoints.
func (c *Config) dial() (*grpc.ClientConn, error) {
	creds, err := c.credentials()
	if err != nil {
		return nil, err
	}
	var addresses []resolver.Endpoint
	for _, e := range c.Endpoints {
		addresses = append(addresses, resolver.Endpoint{Addresses: []resolver.Address{dial.Address(e)}})
	}
	r := manual.NewBuilderWithScheme("discovery")
	r.InitialState(resolver.State{Endpoints: addresses})
	return grpc.NewClient(r.Scheme()+":///", grpc.WithResolvers(r), grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig,
			MinConnectTimeout: c.DialTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.KeepAliveTime, Timeout: c.KeepAliveTimeout}))
}

func (c *Config) credentials() (credentials.TransportCredentials, error) {
	secure := slices.ContainsFunc(c.Endpoints, func(e string) bool {
		return strings.HasPrefix(e, "https://") || strings.HasPrefix(e, "unixs:")
	})
	if c.InsecureTransport && !secure && c.CertFile == "" && c.CAFile == "" {
		return insecure.NewCredentials(), nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.SkipTLSVerify}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if c.CAFile != "" {
		data, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("discovery: %s has no certificate", c.CAFile)
		}
	}
	return credentials.NewTLS(t), nil
}
