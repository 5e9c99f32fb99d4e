// Package listen opens the server's sockets and lets gRPC and HTTP share one.
//
// A client port speaks two protocols. gRPC clients open with HTTP/2's preface
// ("PRI * HTTP/2.0"), which no HTTP/1 request can begin with, so the first
// bytes of a connection decide who gets it: grpc-go, which then owns the
// connection and its buffers, or net/http. Nothing stands between grpc-go and
// the socket afterwards but the replay of those first bytes.
//
//	l, err := listen.Open(u)
//	s := listen.Split(l)
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
	"time"

	"vitrine/cmd/server/internal/tasks"
)

const (
	keepAlive = 30 * time.Second
	// prefaceTimeout is how long a new connection may stay silent.
	prefaceTimeout = 10 * time.Second
)

// Open listens where a URL says: host and port, or the path of a unix socket.
func Open(u url.URL) (net.Listener, error) {
	if u.Scheme == "unix" {
		path := SocketPath(u)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		return net.Listen("unix", path)
	}
	lc := net.ListenConfig{KeepAlive: keepAlive}
	return lc.Listen(context.Background(), "tcp", u.Host)
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

// Splitter hands the connections of one listener to two servers.
type Splitter struct {
	under net.Listener
	grpc  *half
	http  *half
	once  sync.Once
	done  chan struct{}
	sorts tasks.Group // connections that have not shown yet what they speak

	mu      sync.Mutex
	unknown map[net.Conn]struct{} // those connections
}

// Split prepares to share l; Serve does it.
func Split(l net.Listener) *Splitter {
	s := &Splitter{under: l, done: make(chan struct{}), unknown: map[net.Conn]struct{}{}}
	s.grpc = &half{s: s, conns: make(chan net.Conn)}
	s.http = &half{s: s, conns: make(chan net.Conn)}
	return s
}

// GRPC is the listener for connections that speak HTTP/2.
func (s *Splitter) GRPC() net.Listener { return s.grpc }

// HTTP is the listener for all others.
func (s *Splitter) HTTP() net.Listener { return s.http }

// Serve accepts until the listener is closed, and returns why it stopped, when nothing of it runs any more.
func (s *Splitter) Serve() error {
	defer s.sorts.Wait()
	defer s.Close()
	for {
		c, err := s.under.Accept()
		if err != nil {
			if ne, ok := err.(interface{ Temporary() bool }); ok && ne.Temporary() {
				time.Sleep(5 * time.Millisecond) // out of file descriptors: later there may be some
				continue
			}
			return err
		}
		if !s.sorts.Go(func() { s.sort(c) }) {
			c.Close()
		}
	}
}

// Close closes the listener, both halves, and the connections that neither has taken.
func (s *Splitter) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		s.sorts.Close()
		err = s.under.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.unknown {
			c.Close()
		}
	})
	return err
}

// hold notes a connection to be closed with the splitter, until the function that it returns is called.
func (s *Splitter) hold(c net.Conn) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknown[c] = struct{}{}
	select {
	case <-s.done:
		c.Close() // Close has looked already
	default:
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.unknown, c)
	}
}

const preface = "PRI * HTTP/2.0"

// sort reads until the connection has shown what it speaks.
func (s *Splitter) sort(c net.Conn) {
	defer s.hold(c)()
	if err := c.SetReadDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		c.Close()
		return
	}
	p := &replayed{Conn: c}
	h := s.grpc
	for len(p.first) < len(preface) {
		n, err := c.Read(p.room[len(p.first):len(preface)])
		p.first = p.room[:len(p.first)+n]
		if string(p.first) != preface[:len(p.first)] {
			h = s.http
			break
		}
		if err != nil {
			c.Close()
			return
		}
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		c.Close()
		return
	}
	select {
	case h.conns <- p:
	case <-s.done:
		c.Close()
	}
}

// half is one server's view of a shared listener.
type half struct {
	s     *Splitter
	conns chan net.Conn
}

func (h *half) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.s.done:
		return nil, net.ErrClosed
	}
}

func (h *half) Close() error   { return h.s.Close() }
func (h *half) Addr() net.Addr { return h.s.under.Addr() }

// replayed is a connection whose first bytes were read ahead.
type replayed struct {
	net.Conn
	first []byte
	room  [len(preface)]byte
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	r.first = r.first[n:]
	return n, nil
}
