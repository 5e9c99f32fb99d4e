package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// handler translates calls of one path.
func (r route) handler(mux *runtime.ServeMux, conn grpc.ClientConnInterface, path string) runtime.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request, _ map[string]string) {
		ctx, cancel := context.WithCancel(req.Context())
		defer cancel()
		in, out := runtime.MarshalerForRequest(mux, req)
		ctx, err := runtime.AnnotateContext(ctx, mux, req, r.method, runtime.WithHTTPPathPattern(path))
		if err != nil {
			runtime.HTTPError(req.Context(), mux, out, w, req, err)
			return
		}
		c := call{route: r, mux: mux, conn: conn, in: in, out: out, ctx: ctx}
		if r.flow == single {
			c.once(w, req)
			return
		}
		c.stream(w, req, cancel)
	}
}

// call is one that is under way.
type call struct {
	route
	mux     *runtime.ServeMux
	conn    grpc.ClientConnInterface
	in, out runtime.Marshaler
	ctx     context.Context
}

func (c *call) fail(w http.ResponseWriter, req *http.Request, err error) {
	runtime.HTTPError(c.ctx, c.mux, c.out, w, req, err)
}

// once is a request and its answer.
func (c *call) once(w http.ResponseWriter, req *http.Request) {
	var md runtime.ServerMetadata
	request, answer := c.request(), c.answer()
	err := c.read(req, request)
	if err == nil {
		err = c.conn.Invoke(c.ctx, c.method, request, answer, grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD))
	}
	c.ctx = runtime.NewServerMetadataContext(c.ctx, md)
	if err != nil {
		c.fail(w, req, err)
		return
	}
	runtime.ForwardResponseMessage(c.ctx, c.mux, c.out, w, req, answer)
}

// read takes the one message of a body. None is an empty one.
func (c *call) read(req *http.Request, into proto.Message) error {
	if err := c.in.NewDecoder(req.Body).Decode(into); err != nil && !errors.Is(err, io.EOF) {
		// A oneof is told by its full name, which is the only one that differs from etcd's.
		return status.Error(codes.InvalidArgument, strings.ReplaceAll(err.Error(), "vitrine.rpc.", "etcdserverpb."))
	}
	_, _ = io.Copy(io.Discard, req.Body) // else the connection is not used again
	return nil
}

// stream is a call with many answers, and maybe many requests.
func (c *call) stream(w http.ResponseWriter, req *http.Request, cancel context.CancelFunc) {
	first := c.request()
	if c.flow == answers {
		if err := c.read(req, first); err != nil {
			c.fail(w, req, err)
			return
		}
	}
	s, err := c.conn.NewStream(c.ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: c.flow == both}, c.method)
	if err != nil {
		c.fail(w, req, err)
		return
	}
	if c.flow == both {
		// else net/http reads the body to its end before the first answer leaves; only HTTP/1 has to be told
		_ = http.NewResponseController(w).EnableFullDuplex()
		asked := make(chan struct{})
		var asking sync.WaitGroup
		asking.Go(func() {
			defer close(asked)
			c.ask(s, c.in.NewDecoder(req.Body))
		})
		defer asking.Wait()
		defer wake(asked, w, req)
	} else if err = s.SendMsg(first); err == nil || errors.Is(err, io.EOF) {
		err = s.CloseSend()
	}
	var md runtime.ServerMetadata
	if err == nil {
		md.HeaderMD, err = s.Header()
	}
	c.ctx = runtime.NewServerMetadataContext(c.ctx, md)
	if err != nil {
		c.fail(w, req, err)
		return
	}
	runtime.ForwardResponseStream(c.ctx, c.mux, c.out, w, req, func() (proto.Message, error) {
		m := c.answer()
		return m, s.RecvMsg(m)
	})
	cancel()
}

// wake ends the reading of a body whose rest nobody wants.
func wake(asked <-chan struct{}, w http.ResponseWriter, req *http.Request) {
	select {
	case <-asked:
		return
	default:
	}
	if http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) != nil {
		req.Body.Close() // it is that of a WebSocket
	}
}

// ask passes on requests until there are no more, or one makes no sense.
func (c *call) ask(s grpc.ClientStream, dec runtime.Decoder) {
	for {
		m := c.request()
		if dec.Decode(m) != nil || s.SendMsg(m) != nil {
			break
		}
	}
	_ = s.CloseSend() // the answers tell how it ended
}
