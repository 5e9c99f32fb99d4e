// Package listen opens the server's sockets and lets gRPC and HTTP share one.
//
// A client port speaks two protocols. gRPC clients open with HTTP/2's preface
// ("PRI * HTTP/2.0"), which no HTTP/1 request can begin with, so the first
// bytes of a connection decide who gets it: grpc-go, which then owns the
// connection and its buffers, or net/http. Nothing stands between grpc-go and
// the socket afterwards but the replay of those first bytes.
//
// Over TLS the protocols that a client offers in its first message decide: HTTP/2 alone is gRPC, as no browser or tool
// offers; whoever offers HTTP/1.1 besides is served by net/http, which knows both and passes on what is gRPC.
//
//	l, err := listen.Open(u, listen.Options{})
//	s := listen.Split(l, listen.Terms{Plain: true, GRPC: true, HTTP: true})
//	go grpcServer.Serve(s.GRPC())
//	go httpServer.Serve(s.HTTP())
//	err = s.Serve()
package listen

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const keepAlive = 30 * time.Second

// Options are those of sockets.
type Options struct{ ReusePort, ReuseAddress bool }

// Open listens where a URL says: host and port, or the path of a unix socket.
func Open(u url.URL, o Options) (net.Listener, error) {
	if u.Scheme == "unix" || u.Scheme == "unixs" {
		path := SocketPath(u)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		return net.Listen("unix", path)
	}
	lc := net.ListenConfig{KeepAlive: keepAlive, Control: o.control}
	return lc.Listen(context.Background(), "tcp", u.Host)
}

// control sets the options of a socket before it is bound.
func (o Options) control(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		if o.ReusePort {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
		if o.ReuseAddress && failed == nil {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
	})
	return errors.Join(err, failed)
}

// Budget bounds the connections of several listeners together: files of the member's own must find a descriptor,
// whatever its clients do. (netutil.LimitListener bounds one listener alone; and it takes a token before it accepts, so
// that a listener which nobody calls would hold one for ever.)
type Budget struct{ room chan struct{} } // a token for each open connection

// NewBudget makes a budget of n connections.
func NewBudget(n int) *Budget { return &Budget{make(chan struct{}, n)} }

// Limit makes l part of the budget. A connection beyond it is taken from the system's queue and waits, one a listener,
// so that a listener which nobody calls holds nothing.
func (b *Budget) Limit(l net.Listener) net.Listener {
	return &limited{Listener: l, budget: b, done: make(chan struct{})}
}

type limited struct {
	net.Listener
	budget *Budget
	done   chan struct{}
	once   sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.budget.room <- struct{}{}:
		return &counted{Conn: c, budget: l.budget}, nil
	case <-l.done:
		c.Close()
		return nil, net.ErrClosed
	}
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// counted gives its token back when it is closed for the first time.
type counted struct {
	net.Conn
	budget *Budget
	once   sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.budget.room })
	return err
}

// SocketPath is the file that a unix URL names; "unix://localhost:1" names the
// file localhost:1, as it does for etcd.
func SocketPath(u url.URL) string {
	if u.Opaque != "" {
		return u.Opaque
	}
	return u.Host + u.Path
}
