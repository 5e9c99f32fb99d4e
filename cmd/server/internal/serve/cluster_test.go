package serve

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/port"
	"vitrine/core/pb"
)

// patience bounds every wait: far more than is needed, as the machine may be busy.
const patience = 40 * time.Second

// cluster is a number of servers in this process, on sockets and disks like real ones.
type cluster struct {
	t       *testing.T
	flags   [][]string
	servers []*Server
	conns   []*grpc.ClientConn
	clients []string // host:port
	log     *zap.Logger
}

func newCluster(t *testing.T, n int, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, servers: make([]*Server, n), conns: make([]*grpc.ClientConn, n), log: zap.NewNop()}
	var initial []string
	var peers []string
	for i := range n {
		peers = append(peers, port.Free(t))
		c.clients = append(c.clients, port.Free(t))
		initial = append(initial, fmt.Sprintf("m%d=http://%s", i, peers[i]))
	}
	dir := t.TempDir()
	for i := range n {
		c.flags = append(c.flags, append([]string{
			fmt.Sprintf("--name=m%d", i), "--data-dir=" + filepath.Join(dir, fmt.Sprintf("m%d", i)),
			"--listen-client-urls=http://" + c.clients[i], "--advertise-client-urls=http://" + c.clients[i],
			"--listen-peer-urls=http://" + peers[i], "--initial-advertise-peer-urls=http://" + peers[i],
			"--initial-cluster=" + strings.Join(initial, ","), "--heartbeat-interval=30", "--election-timeout=300",
			"--log-level=error",
		}, flags...))
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})
	for i := range n {
		c.awaitReady(i)
	}
	return c
}

var testPage = fstest.MapFS{
	"index.html":    {Data: []byte("<html>page")},
	"index.html.br": {Data: []byte("compressed")},
	"vitrine.wasm":  {Data: []byte("\x00asm")},
}

func (c *cluster) start(i int) {
	c.t.Helper()
	cfg, err := config.Parse(c.flags[i], nil, os.Stderr)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.servers[i], err = Start(cfg, c.log, testPage); err != nil {
		c.t.Fatal(err)
	}
	if c.conns[i], err = grpc.NewClient(c.clients[i],
		grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) awaitReady(i int) {
	c.t.Helper()
	select {
	case <-c.servers[i].node.Ready():
	case <-time.After(patience):
		c.t.Fatalf("member %d never became ready", i)
	}
	until(c.t, "a cluster version", func() bool { return c.servers[i].node.Members().Version() != nil })
}

func (c *cluster) stop(i int) {
	if s := c.servers[i]; s != nil {
		c.servers[i] = nil
		c.conns[i].Close()
		if err := s.Stop(); err != nil {
			c.t.Errorf("stop of member %d: %v", i, err)
		}
	}
}

// kill ends a member as a crash of its process would.
func (c *cluster) kill(i int) {
	s := c.servers[i]
	c.servers[i] = nil
	c.conns[i].Close()
	s.Abort()
}

func (c *cluster) restart(i int) {
	c.t.Helper()
	c.start(i)
	c.awaitReady(i)
}

func (c *cluster) leader() int {
	c.t.Helper()
	var at int
	until(c.t, "a leader", func() bool {
		for i, s := range c.servers {
			if s != nil && s.node.Leader() == s.node.ID() {
				at = i
				return true
			}
		}
		return false
	})
	return at
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// call is a unary call to a member.
func call[T any](c *cluster, i int, method string, req proto.Message) (*T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp := new(T)
	err := c.conns[i].Invoke(ctx, method, req, resp, grpc.WaitForReady(true))
	return resp, err
}

func must[T any](t *testing.T, resp *T, err error) *T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (c *cluster) put(i int, key, value string) *pb.PutResponse {
	c.t.Helper()
	resp, err := call[pb.PutResponse](c, i, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte(key), Value: []byte(value),
		PrevKv: true})
	return must(c.t, resp, err)
}

func (c *cluster) get(i int, key string) string {
	c.t.Helper()
	resp, err := call[pb.RangeResponse](c, i, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte(key)})
	if must(c.t, resp, err); len(resp.Kvs) == 0 {
		return ""
	}
	return string(resp.Kvs[0].Value)
}

func (c *cluster) hash(i int) *pb.HashKVResponse {
	c.t.Helper()
	resp, err := call[pb.HashKVResponse](c, i, "/etcdserverpb.Maintenance/HashKV", &pb.HashKVRequest{})
	return must(c.t, resp, err)
}

func (c *cluster) status(i int) *pb.StatusResponse {
	c.t.Helper()
	resp, err := call[pb.StatusResponse](c, i, "/etcdserverpb.Maintenance/Status", &pb.StatusRequest{})
	return must(c.t, resp, err)
}

func wantError(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if s := status.Convert(err); s.Code() != code || s.Message() != text {
		t.Errorf("error %v %q, want %v %q", s.Code(), s.Message(), code, text)
	}
}

// watcher is a client's watch stream.
type watcher struct {
	t      *testing.T
	stream grpc.ClientStream
}

func (c *cluster) watch(ctx context.Context, i int, creates ...*pb.WatchCreateRequest) *watcher {
	c.t.Helper()
	s, err := c.conns[i].NewStream(ctx, &grpc.StreamDesc{StreamName: "Watch", ClientStreams: true, ServerStreams: true},
		"/etcdserverpb.Watch/Watch", grpc.WaitForReady(true))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range creates {
		if err := s.SendMsg(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}); err != nil {
			c.t.Fatal(err)
		}
	}
	return &watcher{c.t, s}
}

func (w *watcher) next() (*pb.WatchResponse, error) {
	r := &pb.WatchResponse{}
	return r, w.stream.RecvMsg(r)
}

// events reads until n events have come and returns their keys and mod revisions in order.
func (w *watcher) events(n int) []string {
	w.t.Helper()
	var got []string
	for len(got) < n {
		r, err := w.next()
		if err != nil {
			w.t.Fatalf("after %d of %d events: %v", len(got), n, err)
		}
		if r.Canceled {
			w.t.Fatalf("canceled: %v", r)
		}
		for _, e := range r.Events {
			got = append(got, fmt.Sprintf("%s@%d", e.Kv.Key, e.Kv.ModRevision))
		}
	}
	return got
}
