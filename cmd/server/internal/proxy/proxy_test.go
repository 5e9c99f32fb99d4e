package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/upstream"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// member is one of a cluster: it answers ranges at its revision, counts renewals and answers them when it is told to.
type member struct {
	address string
	grpc    *grpc.Server
	serving sync.WaitGroup

	mu       sync.Mutex
	revision int64
	asked    map[string]int
	tokens   []string
	renewals chan struct{} // a token for each renewal that it may answer
	sick     error
}

func newMember(t *testing.T, revision int64) *member {
	t.Helper()
	m := &member{revision: revision, asked: map[string]int{}, renewals: make(chan struct{}, 1000)}
	m.start(t, "127.0.0.1:0")
	t.Cleanup(m.stop)
	return m
}

func (m *member) start(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	m.grpc = grpc.NewServer(grpc.ForceServerCodecV2(upstream.Codec{}), grpc.UnknownServiceHandler(m.serve))
	m.serving.Go(func() { _ = m.grpc.Serve(l) })
}

func (m *member) stop() {
	m.grpc.Stop()
	m.serving.Wait()
}

func (m *member) count(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[method]
}

func (m *member) serve(_ any, ss grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(ss)
	if method == api.LeaseKeepAlive.Method() {
		return m.renew(ss)
	}
	var request upstream.Raw
	if err := ss.RecvMsg(&request); err != nil {
		return err
	}
	m.mu.Lock()
	m.asked[method]++
	m.tokens = append(m.tokens, metadata.ValueFromIncomingContext(ss.Context(), "token")...)
	sick, rev := m.sick, m.revision
	m.mu.Unlock()
	switch {
	case sick != nil:
		return sick
	case method == api.Range.Method():
		return ss.SendMsg(&pb.RangeResponse{Header: &pb.ResponseHeader{Revision: rev}})
	}
	return ss.SendMsg(&upstream.Raw{})
}

func (m *member) renew(ss grpc.ServerStream) error {
	for {
		r := &pb.LeaseKeepAliveRequest{}
		if err := ss.RecvMsg(r); err != nil {
			return nil
		}
		m.mu.Lock()
		m.asked[api.LeaseKeepAlive.Method()]++
		m.mu.Unlock()
		select {
		case <-m.renewals:
		case <-ss.Context().Done():
			return nil
		}
		if err := ss.SendMsg(&pb.LeaseKeepAliveResponse{ID: r.ID, TTL: 7}); err != nil {
			return err
		}
	}
}

// open makes a proxy of members; the connection is a client's.
func open(t *testing.T, cfg Config, members ...*member) (*Proxy, *grpc.ClientConn) {
	t.Helper()
	var endpoints []string
	for _, m := range members {
		endpoints = append(endpoints, m.address)
	}
	cluster, err := upstream.Open(upstream.Config{Endpoints: endpoints, DialTimeout: time.Second, MaxSendBytes: 1 << 20,
		MaxReceiveBytes: math.MaxInt32, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Cluster, cfg.Log, cfg.Registry, cfg.MaxConcurrentStreams = cluster, zap.NewNop(), prometheus.NewRegistry(), 1000
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p, p.self
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func get(t *testing.T, c *grpc.ClientConn, key string) (int64, error) {
	t.Helper()
	r := &pb.RangeResponse{}
	err := c.Invoke(bounded(t), api.Range.Method(), &pb.RangeRequest{Key: []byte(key), Serializable: true}, r)
	return r.Header.GetRevision(), err
}

// Of members that know less than others, none is heard twice: answers do not go back.
func TestOrdering(t *testing.T) {
	ahead, behind := newMember(t, 10), newMember(t, 5)
	_, c := open(t, Config{Ordering: true}, ahead, behind)
	for i, seen := 0, int64(0); i < 20 || seen < 10; i++ {
		rev, err := get(t, c, fmt.Sprint(i))
		if err != nil || rev < seen {
			t.Fatalf("after %d, an answer at %d: %v", seen, rev, err)
		}
		seen = rev
	}
	ahead.mu.Lock()
	ahead.revision = 1
	ahead.mu.Unlock()
	if rev, err := get(t, c, "none"); err == nil || status.Convert(err).Message() != errNoGreaterRev.Error() {
		t.Errorf("when nobody knows as much: %d, %v", rev, err)
	}
}

// What changes nothing is asked until somebody answers; the rest once.
func TestFailover(t *testing.T) {
	well, sick := newMember(t, 1), newMember(t, 1)
	sick.sick = status.Error(codes.Unavailable, "etcdserver: no leader")
	_, c := open(t, Config{}, sick, well)
	for i := range 10 {
		if _, err := get(t, c, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if sick.count(api.Range.Method()) == 0 {
		t.Error("only one of two members is asked")
	}
	failed := 0
	for range 10 {
		if c.Invoke(bounded(t), api.LeaseGrant.Method(), &pb.LeaseGrantRequest{TTL: 5}, &pb.LeaseGrantResponse{}) != nil {
			failed++
		}
	}
	if failed == 0 || failed != sick.count(api.LeaseGrant.Method()) {
		t.Errorf("%d grants failed, and %d were asked of who cannot", failed, sick.count(api.LeaseGrant.Method()))
	}
	sick.stop()
	for i := range 10 {
		err := c.Invoke(bounded(t), api.LeaseGrant.Method(), &pb.LeaseGrantRequest{TTL: 5}, &pb.LeaseGrantResponse{})
		if err != nil && i > 2 { // some may have been on their way
			t.Errorf("with one member down: %v", err)
		}
	}
}

// Answers are remembered for those who show no token, and for nobody else.
func TestMemoryIsForAnybody(t *testing.T) {
	m := newMember(t, 1)
	_, c := open(t, Config{}, m)
	for range 3 {
		if _, err := get(t, c, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.count(api.Range.Method()); n != 1 {
		t.Errorf("the member was asked %d times, want once", n)
	}
	ctx := metadata.AppendToOutgoingContext(bounded(t), "token", "secret")
	for range 3 {
		err := c.Invoke(ctx, api.Range.Method(), &pb.RangeRequest{Key: []byte("a"), Serializable: true}, &pb.RangeResponse{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := m.count(api.Range.Method()); n != 4 || len(m.tokens) != 3 || m.tokens[2] != "secret" {
		t.Errorf("the member was asked %d times, with tokens %q", n, m.tokens)
	}
	for _, method := range []string{api.LeaseRevoke.Method(), api.AuthEnable.Method(), api.Put.Method()} {
		before := m.count(api.Range.Method())
		request := any(&upstream.Raw{})
		if method == api.Put.Method() {
			request = &pb.PutRequest{Key: []byte("a")}
		}
		if err := c.Invoke(bounded(t), method, request, &upstream.Raw{}); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, c, "a"); err != nil || m.count(api.Range.Method()) != before+1 {
			t.Errorf("after %s the old answer is still there (%v)", method, err)
		}
	}
}

func TestUnknownMethods(t *testing.T) {
	m := newMember(t, 1)
	_, c := open(t, Config{}, m)
	for _, method := range []string{"/etcdserverpb.KV/Nothing", "/grpc.health.v1.Health/Check", api.RangeStream.Method()} {
		err := c.Invoke(bounded(t), method, &upstream.Raw{}, &upstream.Raw{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
	if len(m.asked) != 0 {
		t.Errorf("the member was asked %v", m.asked)
	}
}

// client is a stream of renewals.
func renewing(t *testing.T, c *grpc.ClientConn, leases ...int64) grpc.ClientStream {
	t.Helper()
	s, err := c.NewStream(bounded(t), streaming, api.LeaseKeepAlive.Method())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range leases {
		if err := s.SendMsg(&pb.LeaseKeepAliveRequest{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Renewals of one lease that meet are one to the member, who gives each client its answer; also when it goes away in
// between.
func TestRenewalsShare(t *testing.T) {
	m := newMember(t, 1)
	p, c := open(t, Config{}, m)
	const clients = 50
	var all []grpc.ClientStream
	for range clients {
		all = append(all, renewing(t, c, 1, 2))
	}
	for deadline := time.Now().Add(10 * time.Second); waiting(p) < 2*clients; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d renewals wait, want %d", waiting(p), 2*clients)
		}
	}
	address := m.address
	m.stop()
	m.start(t, address)
	for range 4 { // two of them may have been asked of the old one
		m.renewals <- struct{}{}
	}
	for i, s := range all {
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		got := map[int64]int64{}
		for {
			a := &pb.LeaseKeepAliveResponse{}
			err := s.RecvMsg(a)
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("client %d: %v", i, err)
			}
			got[a.ID] = a.TTL
		}
		if len(got) != 2 || got[1] != 7 || got[2] != 7 {
			t.Errorf("client %d was answered %v", i, got)
		}
	}
	if n := m.count(api.LeaseKeepAlive.Method()); n > 4 {
		t.Errorf("the member was asked %d times", n)
	}
	p.renewals.mu.Lock()
	defer p.renewals.mu.Unlock()
	if len(p.renewals.all) != 0 {
		t.Errorf("%d renewers are left", len(p.renewals.all))
	}
}

func waiting(p *Proxy) (n int) {
	p.renewals.mu.Lock()
	defer p.renewals.mu.Unlock()
	for _, r := range p.renewals.all {
		r.mu.Lock()
		for _, w := range r.waiting {
			n += len(w)
		}
		r.mu.Unlock()
	}
	return n
}

// A stop ends whatever clients have open.
func TestStopEndsStreams(t *testing.T) {
	m := newMember(t, 1)
	p, c := open(t, Config{}, m)
	s := renewing(t, c, 1)
	begun := time.Now()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if err := s.RecvMsg(&pb.LeaseKeepAliveResponse{}); err == nil {
		t.Error("a renewal was answered by nobody")
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
}
