package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"vitrine/cmd/server/internal/config"
	"vitrine/core/pb"
)

// cluster is a number of servers in this process, on sockets and disks like real ones.
type cluster struct {
	t       *testing.T
	flags   [][]string
	servers []*Server
	conns   []*grpc.ClientConn
	clients []string // host:port
}

// address finds a port that is free now.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newCluster(t *testing.T, n int, flags ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, servers: make([]*Server, n), conns: make([]*grpc.ClientConn, n)}
	var initial []string
	var peers []string
	for i := range n {
		peers = append(peers, address(t))
		c.clients = append(c.clients, address(t))
		initial = append(initial, fmt.Sprintf("m%d=http://%s", i, peers[i]))
	}
	dir := t.TempDir()
	for i := range n {
		c.flags = append(c.flags, append([]string{
			fmt.Sprintf("--name=m%d", i), "--data-dir=" + filepath.Join(dir, fmt.Sprintf("m%d", i)),
			"--listen-client-urls=http://" + c.clients[i], "--advertise-client-urls=http://" + c.clients[i],
			"--listen-peer-urls=http://" + peers[i], "--initial-advertise-peer-urls=http://" + peers[i],
			"--initial-cluster=" + strings.Join(initial, ","), "--heartbeat-interval=20", "--election-timeout=200", "--log-level=error",
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
	if c.servers[i], err = Start(cfg, zap.NewNop(), testPage); err != nil {
		c.t.Fatal(err)
	}
	if c.conns[i], err = grpc.NewClient(c.clients[i], grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) awaitReady(i int) {
	c.t.Helper()
	select {
	case <-c.servers[i].node.Ready():
	case <-time.After(10 * time.Second):
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
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// call is a unary call to a member.
func call[T any](c *cluster, i int, method string, req proto.Message) (*T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
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
	resp, err := call[pb.PutResponse](c, i, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte(key), Value: []byte(value), PrevKv: true})
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

func TestOneMember(t *testing.T) {
	c := newCluster(t, 1)
	first := c.put(0, "a", "1")
	if first.Header.Revision != 2 || first.PrevKv != nil || first.Header.MemberId == 0 || first.Header.ClusterId == 0 || first.Header.RaftTerm < 2 {
		t.Errorf("first put: %v", first)
	}
	if second := c.put(0, "a", "2"); second.Header.Revision != 3 || string(second.PrevKv.GetValue()) != "1" {
		t.Errorf("second put: %v", second)
	}
	if got := c.get(0, "a"); got != "2" {
		t.Errorf("get: %q", got)
	}
	_, err := call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range", &pb.RangeRequest{})
	wantError(t, err, codes.InvalidArgument, "etcdserver: key is not provided")
	_, err = call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte("a"), Revision: 99, Serializable: true})
	wantError(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision")
	_, err = call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte("a"), Value: make([]byte, 1600000)})
	wantError(t, err, codes.InvalidArgument, "etcdserver: request is too large")
	_, err = call[pb.LeaseGrantResponse](c, 0, "/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{TTL: 5})
	wantError(t, err, codes.Unimplemented, "unknown service etcdserverpb.Lease")

	txn, err := call[pb.TxnResponse](c, 0, "/etcdserverpb.KV/Txn", &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_VALUE, Result: pb.Compare_EQUAL, TargetUnion: &pb.Compare_Value{Value: []byte("2")}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("a")}}}},
	})
	if must(t, txn, err); !txn.Succeeded || txn.Header.Revision != 4 || txn.Responses[0].GetResponseDeleteRange().GetDeleted() != 1 {
		t.Errorf("txn: %v", txn)
	}
	compacted, err := call[pb.CompactionResponse](c, 0, "/etcdserverpb.KV/Compact", &pb.CompactionRequest{Revision: 3, Physical: true})
	if must(t, compacted, err); compacted.Header.Revision != 4 {
		t.Errorf("compaction: %v", compacted)
	}
	_, err = call[pb.CompactionResponse](c, 0, "/etcdserverpb.KV/Compact", &pb.CompactionRequest{Revision: 3})
	wantError(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted")

	if h := c.hash(0); h.CompactRevision != 3 || h.HashRevision != 4 || h.Header.Revision != 4 {
		t.Errorf("hashkv: %v", h)
	}
	if s := c.status(0); s.Version != "3.7.3" || s.Leader != s.Header.MemberId || s.DbSize == 0 || s.DbSizeQuota != 2<<30 || s.StorageVersion != "3.7.0" || s.RaftAppliedIndex != s.RaftIndex {
		t.Errorf("status: %v", s)
	}
	list, err := call[pb.MemberListResponse](c, 0, "/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{Linearizable: true})
	if must(t, list, err); len(list.Members) != 1 || list.Members[0].Name != "m0" || list.Members[0].ClientURLs[0] != "http://"+c.clients[0] || list.Header.Revision != 0 {
		t.Errorf("members: %v", list)
	}
	_, err = call[pb.MoveLeaderResponse](c, 0, "/etcdserverpb.Maintenance/MoveLeader", &pb.MoveLeaderRequest{TargetID: 1})
	wantError(t, err, codes.FailedPrecondition, "etcdserver: bad leader transferee")
}

func TestRestartAndKill(t *testing.T) {
	c := newCluster(t, 1, "--backend-batch-interval=1h")
	for i := range 50 {
		c.put(0, fmt.Sprintf("k%d", i), "v")
	}
	before := c.hash(0)
	c.kill(0) // nothing of this has reached the database: the log must bring it back
	c.restart(0)
	if after := c.hash(0); after.Hash != before.Hash || after.HashRevision != before.HashRevision {
		t.Errorf("after kill: %v, before %v", after, before)
	}
	c.put(0, "last", "v")
	c.stop(0)
	c.restart(0)
	if c.get(0, "last") != "v" || c.status(0).Header.Revision != before.Header.Revision+1 {
		t.Errorf("after restart: %v", c.status(0))
	}
}

// watcher is a client's watch stream.
type watcher struct {
	t      *testing.T
	stream grpc.ClientStream
}

func (c *cluster) watch(ctx context.Context, i int, creates ...*pb.WatchCreateRequest) *watcher {
	c.t.Helper()
	s, err := c.conns[i].NewStream(ctx, &grpc.StreamDesc{StreamName: "Watch", ClientStreams: true, ServerStreams: true}, "/etcdserverpb.Watch/Watch", grpc.WaitForReady(true))
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

func TestWatch(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "a", "old")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	w := c.watch(ctx, 0, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("b"), StartRevision: 2, PrevKv: true})
	if r, err := w.next(); err != nil || !r.Created || r.WatchId != 0 || r.Header.Revision != 2 || r.Header.MemberId == 0 {
		t.Fatalf("created: %v %v", r, err)
	}
	c.put(0, "a1", "x")
	c.put(0, "b", "not watched")
	c.put(0, "a", "new")
	if got := strings.Join(w.events(3), " "); got != "a@2 a1@3 a@5" {
		t.Errorf("events %s", got)
	}
	if err := w.stream.SendMsg(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := w.next(); err != nil || r.WatchId != -1 || r.Header.Revision != 5 || len(r.Events) != 0 {
		t.Errorf("progress: %v %v", r, err)
	}
	if err := w.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	c.put(0, "a2", "a client that asks no more still sees")
	w.events(1)
	cancel()
	if _, err := w.next(); status.Code(err) != codes.Canceled {
		t.Errorf("end: %v", err)
	}
}

func TestManyEventsInOrder(t *testing.T) {
	const n = 2000
	c := newCluster(t, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w := c.watch(ctx, 0, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if r, err := w.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	done := make(chan error, 8)
	for k := range 8 {
		go func() {
			for i := range n / 8 {
				if _, err := call[pb.PutResponse](c, 0, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: fmt.Appendf(nil, "%d-%d", k, i), Value: make([]byte, 1000)}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for i, got := range w.events(n) { // reads while they write
		if want := fmt.Sprintf("@%d", i+2); !strings.HasSuffix(got, want) {
			t.Fatalf("event %d is %s, want revision %s", i, got, want)
		}
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	late := c.watch(ctx, 0, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1})
	if r, err := late.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	if got := late.events(n); got[0][strings.Index(got[0], "@"):] != "@2" || !strings.HasSuffix(got[n-1], fmt.Sprintf("@%d", n+1)) {
		t.Errorf("history from %s to %s", got[0], got[n-1])
	}
}

func TestRangeStreamEqualsRange(t *testing.T) {
	c := newCluster(t, 1, "--max-request-bytes=20000")
	for i := range 300 {
		c.put(0, fmt.Sprintf("k%03d", i), strings.Repeat("v", 200))
	}
	for _, r := range []*pb.RangeRequest{
		{Key: []byte("k"), RangeEnd: []byte("l")},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 100},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 7, Serializable: true, KeysOnly: true},
		{Key: []byte("k"), RangeEnd: []byte("l"), CountOnly: true},
		{Key: []byte("k"), RangeEnd: []byte("l"), Revision: 50},
		{Key: []byte("none")},
	} {
		want, err := call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range", r)
		must(t, want, err)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		s, err := c.conns[0].NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/etcdserverpb.KV/RangeStream")
		if err != nil {
			t.Fatal(err)
		}
		if err = errors.Join(s.SendMsg(r), s.CloseSend()); err != nil {
			t.Fatal(err)
		}
		got, parts := &pb.RangeResponse{}, 0
		for {
			part := &pb.RangeStreamResponse{}
			if err := s.RecvMsg(part); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			parts++
			proto.Merge(got, part.RangeResponse)
		}
		cancel()
		if !proto.Equal(got, want) {
			t.Errorf("%v: merged %d parts: count %d more %v kvs %d, want count %d more %v kvs %d, header %v want %v", r, parts, got.Count, got.More, len(got.Kvs), want.Count, want.More, len(want.Kvs), got.Header, want.Header)
		}
		if len(want.Kvs) > 100 && parts < 3 {
			t.Errorf("%v came in %d parts", r, parts)
		}
	}
}

func TestSnapshotStream(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "just", "written") // not in the database yet: the snapshot must have it all the same
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := c.conns[0].NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/etcdserverpb.Maintenance/Snapshot")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.SendMsg(&pb.SnapshotRequest{}), s.CloseSend()); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for {
		r := &pb.SnapshotResponse{}
		if err := s.RecvMsg(r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if r.Version != "3.7.0" || len(r.Blob) > 32<<10 {
			t.Fatalf("piece of %d bytes, version %q", len(r.Blob), r.Version)
		}
		all = append(all, r.Blob...)
	}
	if len(all)%512 != sha256.Size {
		t.Fatalf("%d bytes", len(all))
	}
	db, sum := all[:len(all)-sha256.Size], all[len(all)-sha256.Size:]
	if want := sha256.Sum256(db); string(want[:]) != string(sum) {
		t.Error("the checksum at the end is not the database's")
	}
	if !strings.Contains(string(db), "written") {
		t.Error("the last write is not in the snapshot")
	}
}

func (c *cluster) http(method, path string, header ...string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequest(method, "http://"+c.clients[0]+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

func TestHTTP(t *testing.T) {
	c := newCluster(t, 1, "--enable-pprof")
	for _, test := range []struct {
		method, path string
		code         int
		body         string // a part of it, or all if it ends in "$"
	}{
		{"GET", "/health", 200, `{"health":"true","reason":""}$`},
		{"GET", "/health?serializable=true&exclude=NOSPACE", 200, `{"health":"true","reason":""}$`},
		{"POST", "/health", 405, "Method Not Allowed\n$"},
		{"GET", "/livez", 200, "ok\n$"},
		{"GET", "/livez?verbose", 200, "[+]serializable_read ok\nok\n$"},
		{"GET", "/readyz?verbose&exclude=non_learner", 200, "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n$"},
		{"GET", "/readyz/linearizable_read?verbose", 200, "[+]linearizable_read ok\nok\n$"},
		{"GET", "/version", 200, `{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0"}$`},
		{"GET", "/debug/vars", 200, `"raft.status": {"id":"`},
		{"GET", "/debug/pprof/cmdline", 200, ""},
		{"GET", "/ui/", 200, "<html>page$"},
		{"GET", "/ui/vitrine.wasm", 200, "\x00asm$"},
		{"GET", "/ui/none", 404, ""},
		{"GET", "/nothing", 404, ""},
	} {
		resp, body := c.http(test.method, test.path)
		whole, all := strings.CutSuffix(test.body, "$")
		if resp.StatusCode != test.code || all && body != whole || !strings.Contains(body, whole) {
			t.Errorf("%s %s: %d %q, want %d %q", test.method, test.path, resp.StatusCode, body, test.code, test.body)
		}
	}
	if resp, _ := c.http("GET", "/", "Accept", "text/html,*/*"); resp.StatusCode != 302 || resp.Header.Get("Location") != "/ui/" {
		t.Errorf("/ for a browser: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp, _ := c.http("GET", "/"); resp.StatusCode != 404 {
		t.Errorf("/ for a tool: %d", resp.StatusCode)
	}
	resp, body := c.http("GET", "/ui/", "Accept-Encoding", "gzip, br")
	if body != "compressed" || resp.Header.Get("Content-Encoding") != "br" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "wasm-unsafe-eval") {
		t.Errorf("/ui/ for brotli: %q %v", body, resp.Header)
	}
	if again, _ := c.http("GET", "/ui/", "Accept-Encoding", "gzip, br", "If-None-Match", resp.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("/ui/ again: %d", again.StatusCode)
	}
}

func TestMetrics(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "a", "b")
	c.get(0, "a")
	_, body := c.http("GET", "/metrics")
	for _, want := range []string{
		`grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1`,
		`grpc_server_handled_total{grpc_code="Unavailable",grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 0`,
		`etcd_server_has_leader 1`, `etcd_server_is_leader 1`, `etcd_mvcc_put_total 1`, `etcd_server_version{server_version="3.7.3"} 1`,
		`etcd_cluster_version{cluster_version="3.7.0"} 1`, `etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 2`,
		`etcd_debugging_mvcc_current_revision 2`, `etcd_debugging_mvcc_keys_total 1`, `etcd_server_quota_backend_bytes 2.147483648e+09`,
		`etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"}`, `etcd_disk_backend_commit_duration_seconds_count`,
		`etcd_network_client_grpc_received_bytes_total`, `process_resident_memory_bytes`, `go_goroutines`, `os_fd_limit`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestThreeMembers(t *testing.T) {
	c := newCluster(t, 3)
	for i := range 3 {
		c.put(i, fmt.Sprintf("from%d", i), "v") // two of them are followers
		for j := range 3 {
			if got := c.get(j, fmt.Sprintf("from%d", i)); got != "v" {
				t.Errorf("member %d does not see what member %d wrote: %q", j, i, got)
			}
		}
	}
	old := c.leader()
	target := (old + 1) % 3
	_, err := call[pb.MoveLeaderResponse](c, target, "/etcdserverpb.Maintenance/MoveLeader", &pb.MoveLeaderRequest{TargetID: c.servers[target].node.ID()})
	wantError(t, err, codes.FailedPrecondition, "etcdserver: not leader")
	_, err = call[pb.MoveLeaderResponse](c, old, "/etcdserverpb.Maintenance/MoveLeader", &pb.MoveLeaderRequest{TargetID: c.servers[target].node.ID()})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the target leads", func() bool { return c.leader() == target })

	c.stop(target) // in order: it hands over
	third := 3 - old - target
	if lead := c.servers[third].node.Leader(); lead == 0 {
		t.Error("a leader that stops leaves nobody in charge")
	}
	c.put(third, "two", "left")
	c.restart(target)
	if got := c.get(target, "two"); got != "left" {
		t.Errorf("after its restart, the member reads %q", got)
	}

	lead := c.leader()
	c.kill(lead)
	follower := (lead + 1) % 3
	gone := c.flags[lead][0]
	until(t, "another leader than "+gone, func() bool {
		l := c.leader()
		return l != lead && c.servers[follower].node.Leader() == c.servers[l].node.ID()
	})
	c.put(follower, "after", "kill")
	c.restart(lead)
	if c.get(lead, "after") != "kill" {
		t.Error("the killed leader did not catch up")
	}
	want := c.hash(0)
	for i := 1; i < 3; i++ {
		until(t, "same revision", func() bool { return c.hash(i).HashRevision == want.HashRevision })
		if got := c.hash(i); got.Hash != want.Hash {
			t.Errorf("member %d: %v, member 0: %v", i, got, want)
		}
	}
}

func TestNoLeader(t *testing.T) {
	c := newCluster(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fenced := metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
	w := c.watch(fenced, 0, &pb.WatchCreateRequest{Key: []byte("a")})
	if r, err := w.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	c.kill(1)
	c.kill(2)
	until(t, "no leader", func() bool { return c.servers[0].node.Leader() == 0 })
	err := c.conns[0].Invoke(fenced, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte("a"), Serializable: true}, &pb.RangeResponse{})
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	if err := c.conns[0].Invoke(ctx, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte("a"), Serializable: true}, &pb.RangeResponse{}); err != nil {
		t.Errorf("a serializable read needs no leader: %v", err)
	}
	short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	if err := c.conns[0].Invoke(short, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte("a")}, &pb.PutResponse{}); status.Code(err) != codes.DeadlineExceeded && status.Convert(err).Message() != "etcdserver: request timed out" {
		t.Errorf("a put without a quorum: %v", err) // whose clock is first is open
	}
	_, err = w.next()
	wantError(t, err, codes.Unavailable, "etcdserver: no leader")
	if resp, body := c.http("GET", "/health"); resp.StatusCode != 503 || body != `{"health":"false","reason":"RAFT NO LEADER"}`+"\n" {
		t.Errorf("health: %d %q", resp.StatusCode, body)
	}
	if s := c.status(0); s.Leader != 0 || len(s.Errors) != 1 || s.Errors[0] != "etcdserver: no leader" {
		t.Errorf("status: %v", s)
	}
}

func TestSnapshotCatchUp(t *testing.T) {
	c := newCluster(t, 3, "--snapshot-count=50", "--snapshot-catchup-entries=10", "--backend-batch-interval=10ms")
	lead := c.leader()
	behind := (lead + 1) % 3
	c.put(lead, "first", "v")
	c.kill(behind)
	const n = 200
	for i := range n {
		c.put(lead, fmt.Sprintf("k%d", i%20), fmt.Sprint(i))
	}
	c.restart(behind)
	want := c.hash(lead)
	until(t, "the member has caught up", func() bool { return c.hash(behind).HashRevision == want.HashRevision })
	if got := c.hash(behind); got.Hash != want.Hash {
		t.Errorf("after the snapshot: %v, leader: %v", got, want)
	}
	dir := c.servers[behind].cfg.DataDir
	if left, err := filepath.Glob(filepath.Join(dir, "member", "snap", "*.snap.db")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	// It lives on what it received: crash, restart, history for watchers.
	c.kill(behind)
	c.restart(behind)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	w := c.watch(ctx, behind, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1})
	if got := w.events(n + 1); got[0] != "first@2" || got[n] != fmt.Sprintf("k19@%d", n+2) {
		t.Errorf("history from %s to %s", got[0], got[n])
	}
	c.put(behind, "still", "works")
	if c.get(lead, "still") != "works" {
		t.Error("the member that was behind cannot write")
	}
}

func TestWatchSurvivesSnapshotInstall(t *testing.T) {
	c := newCluster(t, 3, "--snapshot-count=50", "--snapshot-catchup-entries=10", "--backend-batch-interval=10ms")
	lead := c.leader()
	behind := (lead + 1) % 3
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	w := c.watch(ctx, behind, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if r, err := w.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	c.put(lead, "before", "v")
	w.events(1)
	// Cut the member off at both ends of its streams; it stays alive with its watchers.
	id := c.servers[behind].node.ID()
	for i, s := range c.servers {
		if i != behind {
			c.servers[behind].node.Transport().Remove(s.node.ID())
			s.node.Transport().Remove(id)
		}
	}
	const n = 150
	for i := range n {
		c.put(c.leader(), fmt.Sprintf("k%d", i), "v")
	}
	for i, s := range c.servers {
		if i != behind {
			c.servers[behind].node.Transport().Add(s.node.ID(), s.node.Members().Get(s.node.ID()).PeerURLs)
			s.node.Transport().Add(id, s.node.Members().Get(id).PeerURLs)
		}
	}
	for i, got := range w.events(n) {
		if want := fmt.Sprintf("k%d@%d", i, i+3); got != want {
			t.Fatalf("event %d is %s, want %s", i, got, want)
		}
	}
}
