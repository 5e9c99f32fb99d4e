package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"vitrine/core/pb"
)

func TestOneMember(t *testing.T) {
	c := newCluster(t, 1)
	first := c.put(0, "a", "1")
	if first.Header.Revision != 2 || first.PrevKv != nil || first.Header.MemberId == 0 || first.Header.ClusterId == 0 ||
		first.Header.RaftTerm < 2 {
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
	_, err = call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range",
		&pb.RangeRequest{Key: []byte("a"), Revision: 99, Serializable: true})
	wantError(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision is a future revision")
	_, err = call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Put",
		&pb.PutRequest{Key: []byte("a"), Value: make([]byte, 1600000)})
	wantError(t, err, codes.InvalidArgument, "etcdserver: request is too large")
	_, err = call[pb.LeaseGrantResponse](c, 0, "/v3lockpb.Lock/Nothing", &pb.LeaseGrantRequest{TTL: 5})
	wantError(t, err, codes.Unimplemented, "unknown method Nothing for service v3lockpb.Lock")
	lease, err := call[pb.LeaseGrantResponse](c, 0, "/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{TTL: 5})
	if must(t, lease, err); lease.ID <= 0 || lease.TTL != 5 || lease.Header.Revision != 3 {
		t.Errorf("lease %v", lease)
	}

	txn, err := call[pb.TxnResponse](c, 0, "/etcdserverpb.KV/Txn", &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_VALUE, Result: pb.Compare_EQUAL,
			TargetUnion: &pb.Compare_Value{Value: []byte("2")}}},
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("a")}}}},
	})
	if must(t, txn, err); !txn.Succeeded || txn.Header.Revision != 4 ||
		txn.Responses[0].GetResponseDeleteRange().GetDeleted() != 1 {
		t.Errorf("txn: %v", txn)
	}
	compacted, err := call[pb.CompactionResponse](c, 0, "/etcdserverpb.KV/Compact",
		&pb.CompactionRequest{Revision: 3, Physical: true})
	if must(t, compacted, err); compacted.Header.Revision != 4 {
		t.Errorf("compaction: %v", compacted)
	}
	_, err = call[pb.CompactionResponse](c, 0, "/etcdserverpb.KV/Compact", &pb.CompactionRequest{Revision: 3})
	wantError(t, err, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted")

	if h := c.hash(0); h.CompactRevision != 3 || h.HashRevision != 4 || h.Header.Revision != 4 {
		t.Errorf("hashkv: %v", h)
	}
	if s := c.status(0); s.Version != "3.7.3" || s.Leader != s.Header.MemberId || s.DbSize == 0 ||
		s.DbSizeQuota != 2<<30 || s.StorageVersion != "3.7.0" || s.RaftAppliedIndex != s.RaftIndex {
		t.Errorf("status: %v", s)
	}
	list, err := call[pb.MemberListResponse](c, 0, "/etcdserverpb.Cluster/MemberList",
		&pb.MemberListRequest{Linearizable: true})
	if must(t, list, err); len(list.Members) != 1 || list.Members[0].Name != "m0" ||
		list.Members[0].ClientURLs[0] != "http://"+c.clients[0] || list.Header.Revision != 0 {
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

func TestWatch(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "a", "old")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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
	if err := w.stream.SendMsg(
		&pb.WatchRequest{
			RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}); err != nil {
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
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w := c.watch(ctx, 0, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if r, err := w.next(); err != nil || !r.Created {
		t.Fatalf("created: %v %v", r, err)
	}
	done := make(chan error, 8)
	for k := range 8 {
		go func() {
			for i := range n / 8 {
				if _, err := call[pb.PutResponse](c, 0, "/etcdserverpb.KV/Put", &pb.PutRequest{Key: fmt.Appendf(nil, "%d-%d", k, i),
					Value: make([]byte, 1000)}); err != nil {
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
	if got := late.events(n); got[0][strings.Index(got[0], "@"):] != "@2" ||
		!strings.HasSuffix(got[n-1], fmt.Sprintf("@%d", n+1)) {
		t.Errorf("history from %s to %s", got[0], got[n-1])
	}
}

func TestRangeStreamEqualsRange(t *testing.T) {
	c := newCluster(t, 1, "--max-request-bytes=20000")
	for i := range 300 {
		c.put(0, fmt.Sprintf("k%03d", i), fmt.Sprint(i*7%300, strings.Repeat("v", 200)))
	}
	for _, r := range []*pb.RangeRequest{
		{Key: []byte("k"), RangeEnd: []byte("l")},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 100},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 7, Serializable: true, KeysOnly: true},
		{Key: []byte("k"), RangeEnd: []byte("l"), CountOnly: true},
		{Key: []byte("k"), RangeEnd: []byte("l"), Revision: 50},
		{Key: []byte("k"), RangeEnd: []byte("l"), SortTarget: pb.RangeRequest_VALUE}, // without an order: upwards
		{Key: []byte("k"), RangeEnd: []byte("l"), SortTarget: pb.RangeRequest_MOD, Limit: 150},
		{Key: []byte("k"), RangeEnd: []byte("l"), SortTarget: pb.RangeRequest_VERSION, Limit: 5, KeysOnly: true},
		{Key: []byte("none"), SortTarget: pb.RangeRequest_CREATE},
		{Key: []byte("none")},
	} {
		want, err := call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range", r)
		must(t, want, err)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
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
			t.Errorf("%v: merged %d parts: count %d more %v kvs %d, want count %d more %v kvs %d, header %v want %v", r, parts,
				got.Count, got.More, len(got.Kvs), want.Count, want.More, len(want.Kvs), got.Header, want.Header)
		}
		if len(want.Kvs) > 150 && parts < 3 {
			t.Errorf("%v came in %d parts", r, parts)
		}
	}
}

func TestSnapshotStream(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "just", "written") // not in the database yet: the snapshot must have it all the same
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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
	client := &http.Client{Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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
		{"GET", "/readyz?verbose&exclude=non_learner", 200,
			"[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n$"},
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
	if resp, _ := c.http("GET", "/", "Accept", "text/html,*/*"); resp.StatusCode != 302 ||
		resp.Header.Get("Location") != "/ui/" {
		t.Errorf("/ for a browser: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp, _ := c.http("GET", "/"); resp.StatusCode != 404 {
		t.Errorf("/ for a tool: %d", resp.StatusCode)
	}
	resp, body := c.http("GET", "/ui/", "Accept-Encoding", "gzip, br")
	if body != "compressed" || resp.Header.Get("Content-Encoding") != "br" ||
		!strings.Contains(resp.Header.Get("Content-Security-Policy"), "wasm-unsafe-eval") {
		t.Errorf("/ui/ for brotli: %q %v", body, resp.Header)
	}
	if again, _ := c.http("GET", "/ui/", "Accept-Encoding", "gzip, br", "If-None-Match",
		resp.Header.Get("ETag")); again.StatusCode != 304 {
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
		`grpc_server_handled_total{grpc_code="Unavailable",grpc_method="Watch",` +
			`grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 0`,
		`etcd_server_has_leader 1`, `etcd_server_is_leader 1`, `etcd_mvcc_put_total 1`,
		`etcd_server_version{server_version="3.7.3"} 1`,
		`etcd_cluster_version{cluster_version="3.7"} 1`,
		`etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 2`,
		`etcd_debugging_mvcc_current_revision 2`, `etcd_debugging_auth_revision 1`, `etcd_debugging_mvcc_keys_total 1`,
		`etcd_server_quota_backend_bytes 2.147483648e+09`,
		`etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"}`, `etcd_disk_backend_commit_duration_seconds_count`,
		`etcd_network_client_grpc_received_bytes_total`, `process_resident_memory_bytes`, `go_goroutines`, `os_fd_limit`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}
