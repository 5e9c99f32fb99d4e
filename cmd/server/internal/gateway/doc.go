// Package gateway is etcd's API for those who have no gRPC: requests as JSON over HTTP, under /v3/.
//
//	POST /v3/kv/range {"key": "YQ=="}   →   {"header": {...}, "kvs": [{"key": "YQ==", ...}], "count": "1"}
//
//	h, err := gateway.New(conn, 8<<20, log) // conn reaches the gRPC server
//	mux.Handle("/v3/", h)
//	defer h.Close()
//
// Each path stands for one method (routes). A body is read and an answer written as protobuf says that JSON looks, with
// the fields' own names; headers, errors, status codes and the form of streams (a line for each message, in "result"
// or "error") are grpc-gateway's, whose runtime does this work for etcd, too. What its generator would write is done
// here once for all methods.
//
// A stream may also come as a WebSocket on the same paths: each message is one text.
package gateway

import (
	"context"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

// Conn reaches the gRPC server.
type Conn interface {
	grpc.ClientConnInterface
	Close() error
}

// Gateway is the handler of /v3/.
type Gateway struct {
	conn  Conn
	mux   *runtime.ServeMux
	bound int64 // of a request's bytes
	log   *zap.Logger
	up    websocket.Upgrader

	ctx  context.Context // ends with the gateway, and all WebSockets with it
	stop context.CancelFunc
	once sync.Once
}

// New passes calls on to a connection, which is the gateway's then. Bodies have no more bytes than the bound.
func New(conn Conn, bound int64, log *zap.Logger) (*Gateway, error) {
	any := func(*http.Request) bool { return true } // whoever may ask over HTTP may ask over WebSockets
	g := &Gateway{conn: conn, bound: bound, log: log, up: websocket.Upgrader{CheckOrigin: any}}
	g.ctx, g.stop = context.WithCancel(context.Background())
	g.mux = runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{
		Marshaler: &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
		},
	}))
	for _, r := range routes() {
		for _, path := range r.paths {
			if err := g.mux.HandlePath(http.MethodPost, path, r.handler(g.mux, conn, path)); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if websocket.IsWebSocketUpgrade(r) {
		g.serveWebSocket(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, g.bound)
	g.mux.ServeHTTP(w, r)
}

// Close ends WebSockets, which the HTTP server does not know any more, and the connection.
func (g *Gateway) Close() {
	g.once.Do(func() {
		g.stop()
		if err := g.conn.Close(); err != nil {
			g.log.Warn("failed to close the connection of the gateway", zap.Error(err))
		}
	})
}
