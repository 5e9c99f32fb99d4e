package grpcapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"vitrine/cmd/server/internal/node"
	"vitrine/core/api"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// fake is a node that answers what the test says.
type fake struct {
	answer        func(request any) (any, error)
	requireLeader bool
	learner       bool
	leaderless    atomic.Bool
	parts         int // of a range stream; beyond the first it waits for the leader to be lost
	streams       chan *fakeStream
}

func (f *fake) Gate() api.Gate { return api.Gate{Learner: f.learner, Leader: f.Leader()} }
func (f *fake) Ask(_ context.Context, c api.Call) (any, error) {
	f.requireLeader = c.RequireLeader
	return f.answer(c.Body)
}

func (f *fake) RangeStream(ctx context.Context, _ api.Call, send func(*pb.RangeStreamResponse) error) error {
	for range f.parts {
		if err := send(&pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{Count: 7}}); err != nil {
			return err
		}
		f.leaderless.Store(true)
		time.Sleep(time.Millisecond)
	}
	return errors.Join(send(&pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{Count: 1}}), api.ErrCompacted)
}
func (f *fake) Snapshot(context.Context, api.Call, func(*pb.SnapshotResponse) error) error {
	return nil
}
func (f *fake) Identify(token string) api.Identity {
	return api.Identity{Token: token, Forged: token == ""}
}
func (f *fake) Leader() uint64 {
	if f.leaderless.Load() {
		return 0
	}
	return 1
}
func (f *fake) Watch(api.Call) (node.WatchStream, error) {
	s := &fakeStream{requests: make(chan *pb.WatchRequest, 10), responses: make(chan []*watch.Response, 10),
		closed: make(chan struct{})}
	f.streams <- s
	return s, nil
}

type fakeStream struct {
	requests  chan *pb.WatchRequest
	responses chan []*watch.Response
	closed    chan struct{}
	sent      int
}

func (s *fakeStream) Request(r *pb.WatchRequest) { s.requests <- r }
func (s *fakeStream) Next(ctx context.Context, into []*watch.Response) ([]*watch.Response, *pb.ResponseHeader, error) {
	select {
	case rs, ok := <-s.responses:
		if !ok {
			return nil, nil, api.ErrNoLeader
		}
		return append(into, rs...), &pb.ResponseHeader{ClusterId: 1, MemberId: 2, RaftTerm: 3}, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}
func (s *fakeStream) Sent(n, _ int) { s.sent += n }
func (s *fakeStream) Close()        { close(s.closed) }

// soon is what arrives on a channel in reasonable time.
func soon[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(waiting):
		t.Fatalf("never: %s", what)
	}
	return v
}

const waiting = 30 * time.Second

// bounded is a context for one call.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), waiting)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, f *fake, log *zap.Logger, slow time.Duration) *grpc.ClientConn {
	t.Helper()
	f.streams = make(chan *fakeStream, 10)
	s := New(Config{Node: f, Log: log, Registry: prometheus.NewRegistry(), MaxRequestBytes: 1 << 20,
		MaxConcurrentStreams: 100, SlowRequest: slow, ElectionTimeout: 20 * time.Millisecond})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Stop(0) })
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestErrorsKeepCodeAndText(t *testing.T) {
	f := &fake{}
	conn := start(t, f, zap.NewNop(), time.Hour)
	for _, test := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{api.ErrCompacted, codes.OutOfRange, "etcdserver: mvcc: required revision has been compacted"},
		{api.ErrTooManyRequests, codes.Unknown, "etcdserver: too many requests"},
		{errors.New("something else"), codes.Unknown, "something else"},
		{context.Canceled, codes.Canceled, "context canceled"},
	} {
		f.answer = func(any) (any, error) { return nil, test.err }
		err := conn.Invoke(bounded(t), "/etcdserverpb.KV/Range", &pb.RangeRequest{}, &pb.RangeResponse{})
		if s := status.Convert(err); s.Code() != test.code || s.Message() != test.text {
			t.Errorf("%v: %v %q", test.err, s.Code(), s.Message())
		}
	}
}

func TestMetadata(t *testing.T) {
	f := &fake{answer: func(any) (any, error) { return &pb.PutResponse{Header: &pb.ResponseHeader{Revision: 7}}, nil }}
	conn := start(t, f, zap.NewNop(), time.Hour)
	put := func(kv ...string) error {
		resp := &pb.PutResponse{}
		err := conn.Invoke(metadata.AppendToOutgoingContext(bounded(t), kv...), "/etcdserverpb.KV/Put",
			&pb.PutRequest{Key: []byte("k")}, resp)
		if err == nil && resp.Header.Revision != 7 {
			t.Errorf("response %v", resp)
		}
		return err
	}
	if err := put(); err != nil || f.requireLeader {
		t.Errorf("without metadata: %v, leader required %v", err, f.requireLeader)
	}
	if err := put("hasleader", "true", "client-api-version", "3.7"); err != nil || !f.requireLeader {
		t.Errorf("with hasleader: %v, leader required %v", err, f.requireLeader)
	}
	f.learner = true
	if err := put(); status.Convert(err).Message() != "etcdserver: rpc not supported for learner" {
		t.Errorf("on a learner: %v", err)
	}
	f.answer = func(any) (any, error) { return &pb.RangeResponse{}, nil }
	if err := conn.Invoke(bounded(t), "/etcdserverpb.KV/Range", &pb.RangeRequest{Serializable: true},
		&pb.RangeResponse{}); err != nil {
		t.Errorf("a serializable range on a learner: %v", err)
	}
}

func TestHealthService(t *testing.T) {
	conn := start(t, &fake{}, zap.NewNop(), time.Hour)
	resp, err := healthpb.NewHealthClient(conn).Check(bounded(t), &healthpb.HealthCheckRequest{})
	if err != nil || resp.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("%v %v", resp, err)
	}
}

// A server that is better left alone says so as long as any reason lasts.
func TestHealthServiceSendsAway(t *testing.T) {
	s := New(Config{Node: &fake{}, Log: zap.NewNop(), Registry: prometheus.NewRegistry(), MaxConcurrentStreams: 1})
	defer s.Stop(0)
	want := func(status healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		resp, err := s.health.Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil || resp.Status != status {
			t.Errorf("%v %v, want %v", resp, err, status)
		}
	}
	s.Away(true, "one")
	s.Away(true, "two")
	want(healthpb.HealthCheckResponse_NOT_SERVING)
	s.Away(false, "one")
	want(healthpb.HealthCheckResponse_NOT_SERVING)
	s.Away(false, "two")
	want(healthpb.HealthCheckResponse_SERVING)
}

func TestStreamEndsWithItsError(t *testing.T) {
	f := &fake{}
	conn := start(t, f, zap.NewNop(), time.Hour)
	s, err := conn.NewStream(bounded(t), &grpc.StreamDesc{ServerStreams: true}, "/etcdserverpb.KV/RangeStream")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.SendMsg(&pb.RangeRequest{Key: []byte("k")}), s.CloseSend()); err != nil {
		t.Fatal(err)
	}
	part := &pb.RangeStreamResponse{}
	if err := s.RecvMsg(part); err != nil || part.RangeResponse.Count != 1 {
		t.Fatalf("%v %v", part, err)
	}
	if err := s.RecvMsg(part); status.Code(err) != codes.OutOfRange {
		t.Errorf("end: %v", err)
	}
}

// Streams that ask for a leader are refused without one, and end when it is lost on the way; others go on.
func TestStreamsAskForALeader(t *testing.T) {
	f := &fake{}
	conn := start(t, f, zap.NewNop(), time.Hour)
	ask := func(method string, md ...string) (parts int, err error) {
		ctx := metadata.AppendToOutgoingContext(bounded(t), md...)
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
		if err == nil {
			err = errors.Join(s.SendMsg(&pb.RangeRequest{Key: []byte("k")}), s.CloseSend())
		}
		for err == nil {
			if err = s.RecvMsg(&pb.RangeStreamResponse{}); err == nil {
				parts++
			}
		}
		return parts, err
	}
	const ranges, snapshot = "/etcdserverpb.KV/RangeStream", "/etcdserverpb.Maintenance/Snapshot"
	f.leaderless.Store(true)
	for _, method := range []string{ranges, snapshot, "/etcdserverpb.Watch/Watch"} {
		if parts, err := ask(method, "hasleader", "true"); parts != 0 || status.Code(err) != codes.Unavailable ||
			status.Convert(err).Message() != "etcdserver: no leader" {
			t.Errorf("%s: %d parts, %v", method, parts, err)
		}
	}
	if _, err := ask(snapshot); !errors.Is(err, io.EOF) {
		t.Errorf("a snapshot from a member alone: %v", err)
	}
	f.leaderless.Store(false)
	f.parts = 100_000
	if parts, err := ask(ranges, "hasleader", "true"); parts == 0 ||
		status.Convert(err).Message() != "etcdserver: no leader" {
		t.Errorf("the leader is lost on the way: %d parts, %v", parts, err)
	}
	f.parts = 200
	if parts, err := ask(ranges); parts != 201 || status.Code(err) != codes.OutOfRange {
		t.Errorf("nobody asked for a leader: %d parts, %v", parts, err)
	}
}

func TestWatchStream(t *testing.T) {
	f := &fake{}
	conn := start(t, f, zap.NewNop(), time.Hour)
	open := func() (grpc.ClientStream, *fakeStream, context.CancelFunc) {
		ctx, cancel := context.WithTimeout(t.Context(), waiting)
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/etcdserverpb.Watch/Watch")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SendMsg(
			&pb.WatchRequest{
				RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: 5}}}); err != nil {
			t.Fatal(err)
		}
		side := soon(t, f.streams, "a stream")
		if r := soon(t, side.requests, "a request"); r.GetCancelRequest().GetWatchId() != 5 {
			t.Errorf("request %v", r)
		}
		return s, side, cancel
	}
	s, side, cancel := open()
	side.responses <- []*watch.Response{{WatchID: 5, Rev: 9, Canceled: true}, {WatchID: 6, Rev: 10, Created: true}}
	for _, want := range []*pb.WatchResponse{
		{Header: &pb.ResponseHeader{ClusterId: 1, MemberId: 2, RaftTerm: 3, Revision: 9}, WatchId: 5, Canceled: true},
		{Header: &pb.ResponseHeader{ClusterId: 1, MemberId: 2, RaftTerm: 3, Revision: 10}, WatchId: 6, Created: true},
	} {
		got := &pb.WatchResponse{}
		if err := s.RecvMsg(got); err != nil || !proto.Equal(got, want) {
			t.Errorf("response %v, want %v (%v)", got, want, err)
		}
	}
	cancel()
	soon(t, side.closed, "the end of the stream") // a client that goes away leaves nothing behind
	if side.sent != 2 {
		t.Errorf("credit for %d responses was given back", side.sent)
	}
	s, side, cancel = open()
	defer cancel()
	close(side.responses)
	if err := s.RecvMsg(&pb.WatchResponse{}); status.Convert(err).Message() != "etcdserver: no leader" {
		t.Errorf("end: %v", err)
	}
	soon(t, side.closed, "the end of the stream")
}

func TestSlowRequestIsNotedWithoutValues(t *testing.T) {
	var out bytes.Buffer
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out),
		zapcore.InfoLevel))
	s := &Server{log: log, slow: time.Millisecond}
	put := &pb.PutRequest{Key: []byte("the-key"), Value: []byte("the-secret")}
	txn := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("compared"), Target: pb.Compare_VALUE,
			TargetUnion: &pb.Compare_Value{Value: []byte("the-secret")}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}},
		Failure: []*pb.RequestOp{
			{
				Request: &pb.RequestOp_RequestTxn{
					RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}}}}}},
	}
	txn.Success = append(txn.Success,
		&pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("the-key"),
			MinModRevision: 4}}}, &pb.RequestOp{})
	get, remove := &pb.RangeRequest{Key: []byte("the-key"), Limit: 3}, &pb.DeleteRangeRequest{Key: []byte("the-key")}
	for _, r := range []any{put, txn, get, remove} {
		s.noteSlow(t.Context(), api.OperationOf(r), time.Now().Add(-time.Second), r, &pb.TxnResponse{})
		if line := out.String(); !strings.Contains(line, `"msg":"request stats"`) || !strings.Contains(line, "the-key") ||
			strings.Contains(line, "the-secret") {
			t.Errorf("line %s", line)
		}
		out.Reset()
	}
	s.noteSlow(t.Context(), api.Put, time.Now(), put, nil)
	if out.Len() > 0 {
		t.Errorf("a fast request left %s", out.String())
	}
}

func TestCodecIsProto(t *testing.T) {
	c := testCodec()
	plain := encoding.GetCodecV2("proto")
	for _, m := range []proto.Message{
		&pb.PutRequest{Key: []byte("k"), Value: []byte("v"), Lease: -1},
		&pb.RangeResponse{Header: &pb.ResponseHeader{Revision: 5},
			Kvs: []*pb.KeyValue{{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 5000)}}, More: true, Count: 9},
		&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING},
	} {
		ours, err := c.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := plain.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours.Materialize(), theirs.Materialize()) {
			t.Errorf("%T: %x, want %x", m, ours.Materialize(), theirs.Materialize())
		}
		back := m.ProtoReflect().New().Interface()
		if err := c.Unmarshal(ours, back); err != nil || !proto.Equal(back, m) {
			t.Errorf("%T: read back %v (%v)", m, back, err)
		}
	}
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer([]byte{0xff})}, &pb.PutRequest{}); err == nil {
		t.Error("nonsense was read")
	}
}

// Fields that we do not know are kept if others can read them, and else the request is refused.
func TestCodecIsStrict(t *testing.T) {
	c := testCodec()
	good := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 5)
	// more than 64 bits
	bad := append(protowire.AppendTag(nil, 99, protowire.VarintType), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0x7f)
	put, err := proto.Marshal(&pb.PutRequest{Key: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	inTxn := func(unknown []byte) []byte {
		op := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), append(bytes.Clone(put), unknown...))
		return protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), op)
	}
	for _, test := range []struct {
		b    []byte
		into proto.Message
		ok   bool
	}{
		{append(bytes.Clone(put), good...), &pb.PutRequest{}, true}, {append(bytes.Clone(put), bad...), &pb.PutRequest{},
			false},
		{inTxn(good), &pb.TxnRequest{}, true}, {inTxn(bad), &pb.TxnRequest{}, false}, {bad, &pb.WatchRequest{}, false},
		{bad, &pb.StatusRequest{}, false},
	} {
		err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(test.b)}, test.into)
		if (err == nil) != test.ok {
			t.Errorf("%T: error %v", test.into, err)
		}
		if err != nil {
			continue
		}
		if back, err := proto.Marshal(test.into); err != nil || !bytes.Equal(back, test.b) {
			t.Errorf("%T: %x became %x (%v)", test.into, test.b, back, err)
		}
	}
}

// A client that compresses is served, in kind, and cannot make the server unpack more than a request may have.
func TestCompressedRequests(t *testing.T) {
	f := &fake{answer: func(any) (any, error) { return &pb.PutResponse{}, nil }}
	conn := start(t, f, zap.NewNop(), time.Hour)
	put := func(size int) error {
		return conn.Invoke(bounded(t), "/etcdserverpb.KV/Put", &pb.PutRequest{Key: []byte("k"), Value: make([]byte, size)},
			&pb.PutResponse{}, grpc.UseCompressor("gzip"))
	}
	if err := put(1 << 20); err != nil {
		t.Error(err)
	}
	if err := put(16 << 20); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a bomb: %v", err)
	}
}

// A request may be nested as deep as protobuf says; one that goes deeper is refused before anything is built of it.
func TestDeepRequestsAreRefused(t *testing.T) {
	asked := make(chan any, 20)
	f := &fake{answer: func(request any) (any, error) { asked <- request; return nil, api.ErrTooManyOps }}
	conn := start(t, f, zap.NewNop(), 0) // every request leaves a line
	txn := func(levels int) error {
		deep := &pb.TxnRequest{}
		for range levels - 1 {
			deep = &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: deep}}}}
		}
		return conn.Invoke(bounded(t), "/etcdserverpb.KV/Txn", deep, &pb.TxnResponse{})
	}
	if err := txn(5000); status.Code(err) != codes.InvalidArgument || len(asked) != 1 {
		t.Errorf("5000 levels: %v", err)
	}
	if err := txn(5001); status.Code(err) != codes.Internal ||
		!strings.Contains(err.Error(), "exceeded maximum recursion depth") || len(asked) != 1 {
		t.Errorf("5001 levels: %v", err)
	}
}

// Clients cannot make the server remember more and more versions.
func TestClientVersionsAreBounded(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry(), true)
	for i := range 1000 {
		if err := m.countClient("unary", fmt.Sprint("3.", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.countClient("stream", strings.Repeat("v", 1000)); err != nil {
		t.Fatal(err)
	}
	if err := m.countClient("unary", "\xff"); status.Convert(err).Message() != "etcdserver: invalid client api version" {
		t.Errorf("bad UTF-8: %v", err)
	}
	series := make(chan prometheus.Metric, 2000)
	m.clients.Collect(series)
	if len(m.versions) > maxClientVersions+2 || len(series) > maxClientVersions+2 {
		t.Errorf("%d versions, %d series", len(m.versions), len(series))
	}
}
