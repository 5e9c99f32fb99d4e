package listen

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/tasks"
)

// prefaceTimeout is how long a new connection may stay silent.
const prefaceTimeout = 10 * time.Second

// Terms are on which a listener is shared.
type Terms struct {
	Plain       bool         // serve without TLS
	TLS         *secure.Side // serve with it; both together is told by the first byte
	FromAddress bool         // a client's certificate must name where it comes from
	GRPC, HTTP  bool         // what there is; all connections go there if it is one
	// Refused hears of handshakes that fail.
	Refused func(c *tls.Conn, err error)
}

// Splitter hands the connections of one listener to two servers.
type Splitter struct {
	under net.Listener
	terms Terms
	ctx   context.Context // ends with the splitter
	grpc  *half
	http  *half
	once  sync.Once
	stop  context.CancelFunc
	sorts tasks.Group // connections that have not shown yet what they speak

	mu      sync.Mutex
	unknown map[net.Conn]struct{} // those connections
}

// Split prepares to share l; Serve does it.
func Split(l net.Listener, terms Terms) *Splitter {
	s := &Splitter{under: l, terms: terms, unknown: map[net.Conn]struct{}{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
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
		s.stop()
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
	case <-s.ctx.Done():
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

// handshake is the first byte of a TLS connection.
const handshake = 22

// sort reads until the connection has shown what it speaks.
func (s *Splitter) sort(c net.Conn) {
	defer s.hold(c)()
	if err := c.SetReadDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		c.Close()
		return
	}
	overTLS := s.terms.TLS != nil
	if overTLS && s.terms.Plain {
		p := &replayed{Conn: c}
		if p.readTo(1) != nil {
			c.Close()
			return
		}
		overTLS, c = p.first[0] == handshake, p
	}
	sort := s.sortPlain
	if overTLS {
		sort = s.sortSecure
	}
	to, c, err := sort(c)
	if err != nil {
		c.Close()
		return
	}
	select {
	case to.conns <- c:
	case <-s.ctx.Done():
		c.Close()
	}
}

// sortSecure performs the handshake. Whom it refuses is closed already.
func (s *Splitter) sortSecure(c net.Conn) (*half, net.Conn, error) {
	// The handshake has a deadline of its own, which starts here.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return nil, c, err
	}
	a, err := s.terms.TLS.Accept(s.ctx, c, s.terms.FromAddress)
	switch {
	case err != nil:
		if s.terms.Refused != nil && s.ctx.Err() == nil {
			s.terms.Refused(a.Conn, err)
		}
		return nil, c, err
	case s.terms.GRPC && (a.OnlyHTTP2 || !s.terms.HTTP):
		return s.grpc, a.Conn, nil
	}
	return s.http, a.Conn, nil // as it is: net/http looks for a *tls.Conn
}

// sortPlain looks for the preface of HTTP/2.
func (s *Splitter) sortPlain(c net.Conn) (*half, net.Conn, error) {
	to := s.http
	if s.terms.GRPC {
		p, ok := c.(*replayed)
		if !ok {
			p = &replayed{Conn: c}
		}
		to, c = s.grpc, p
		for len(p.first) < len(preface) && s.terms.HTTP {
			err := p.readTo(len(preface))
			if string(p.first) != preface[:len(p.first)] {
				to = s.http
				break
			}
			if err != nil {
				return nil, c, err
			}
		}
	}
	return to, c, c.SetReadDeadline(time.Time{})
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
	case <-h.s.ctx.Done():
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

// readTo reads ahead once, so that there are n bytes at most.
func (r *replayed) readTo(n int) error {
	got, err := r.Conn.Read(r.room[len(r.first):n])
	r.first = r.room[:len(r.first)+got]
	return err
}
