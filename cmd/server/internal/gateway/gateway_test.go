package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// TestEveryMethodHasAPath: what clients can ask over gRPC they can ask here, but for a range in parts, which etcd's
// gateway does not have.
func TestEveryMethodHasAPath(t *testing.T) {
	methods, paths := map[string]bool{}, map[string]bool{}
	for _, r := range routes() {
		if methods[r.method] {
			t.Errorf("%s twice", r.method)
		}
		methods[r.method] = true
		for _, p := range r.paths {
			if paths[p] {
				t.Errorf("%s twice", p)
			}
			paths[p] = true
		}
	}
	for o := range api.Operation(api.Operations) {
		if m := o.Method(); m != "" && o != api.RangeStream && !methods[m] {
			t.Errorf("%s has no path", m)
		}
	}
	if len(paths) != 51 {
		t.Errorf("%d paths", len(paths))
	}
}

// fake is a server that answers a range with its key, and each request of a watch with one response.
type fake struct{ closed chan struct{} }

func (f *fake) Close() error { close(f.closed); return nil }

func (f *fake) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	md, _ := metadata.FromOutgoingContext(ctx)
	if method != "/etcdserverpb.KV/Range" {
		return status.Error(codes.FailedPrecondition, "no")
	}
	key := args.(*pb.RangeRequest).Key
	if token := md.Get("authorization"); len(token) > 0 {
		key = []byte(token[0])
	}
	proto.Merge(reply.(proto.Message), &pb.RangeResponse{Kvs: []*pb.KeyValue{{Key: key}}, Count: 1})
	return nil
}

func (f *fake) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream,
	error) {
	return &fakeStream{ctx: ctx, asked: make(chan struct{}, 9)}, nil
}

type fakeStream struct {
	grpc.ClientStream
	ctx   context.Context
	asked chan struct{}
}

func (s *fakeStream) Header() (metadata.MD, error) { return nil, nil }
func (s *fakeStream) CloseSend() error             { return nil }
func (s *fakeStream) SendMsg(any) error            { s.asked <- struct{}{}; return nil }
func (s *fakeStream) RecvMsg(m any) error {
	select {
	case <-s.asked:
		m.(*pb.WatchResponse).Created = true
		return nil
	case <-s.ctx.Done():
		return status.FromContextError(s.ctx.Err()).Err()
	}
}

func serve(t *testing.T) (*Gateway, string) {
	t.Helper()
	g, err := New(&fake{make(chan struct{})}, 1000, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(g)
	t.Cleanup(func() { g.Close(); g.Close(); s.Close() })
	return g, s.URL
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.ReplaceAll(strings.ReplaceAll(string(b), " ", ""), "\u00a0", "")
}

func TestCalls(t *testing.T) {
	_, url := serve(t)
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v3/kv/range", `{"key":"YQ=="}`, 200, `{"kvs":[{"key":"YQ=="}],"count":"1"}`},
		{"/v3/kv/put", `{}`, 400, `{"code":9,"message":"no"}`},
		{"/v3/kv/range", `{`, 400, `{"code":3,"message":"unexpectedEOF"}`},
		{"/v3/kv/range", `{"key":"` + strings.Repeat("YQ==", 300) + `"}`, 400,
			`{"code":3,"message":"http:requestbodytoolarge"}`},
		{"/v3/kv/txn", `{"success":[{"request_put":{},"request_range":{}}]}`, 400,
			`{"code":3,"message":"proto:(line1:31):errorparsing\"request_range\",` +
				`oneofetcdserverpb.RequestOp.requestisalreadyset"}`},
		{"/v3/nowhere", `{}`, 404, `{"code":5,"message":"NotFound"}`},
	} {
		if status, body := post(t, url+c.path, c.body); status != c.status || body != c.want {
			t.Errorf("%s %.50s: %d %s, want %s", c.path, c.body, status, body, c.want)
		}
	}
}

// A stream whose client still has its body open ends when the client goes.
func TestStreamEnds(t *testing.T) {
	_, url := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v3/watch", r)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(w, `{"create_request":{}}`) }()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line := make([]byte, 10)
	if _, err := io.ReadFull(resp.Body, line); err != nil || string(line) != `{"result":` {
		t.Errorf("%q %v", line, err)
	}
	cancel()
}

func TestWebSocket(t *testing.T) {
	g, url := serve(t)
	header := http.Header{"Sec-Websocket-Protocol": {"Bearer, abc"}}
	c, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/v3/kv/range", header)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !slices.Equal(resp.Header["Sec-Websocket-Protocol"], []string{"Bearer"}) {
		t.Errorf("protocol %v", resp.Header)
	}
	watcher, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/v3/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	for range 3 {
		if err := watcher.WriteMessage(websocket.TextMessage, []byte(`{"progress_request":{}}`)); err != nil {
			t.Fatal(err)
		}
		_, text, err := watcher.ReadMessage()
		if want := `{"result":{"created":true}}`; err != nil || strings.ReplaceAll(string(text), " ", "") != want {
			t.Errorf("%s %v", text, err)
		}
	}
	g.Close() // wakes those that wait
	for _, conn := range []*websocket.Conn{c, watcher} {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		err := error(nil)
		for err == nil { // what was on its way still comes
			_, _, err = conn.ReadMessage()
		}
		if strings.Contains(err.Error(), "timeout") {
			t.Errorf("after the end: %v", err)
		}
	}
}
