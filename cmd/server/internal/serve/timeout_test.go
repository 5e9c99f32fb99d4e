package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/listen"
)

// pipes is a listener in memory, so that time in a bubble passes while its connections wait.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// aliveFor is how long the other end keeps a connection that says what is given and nothing more. What it answers
// is read and left.
func aliveFor(t *testing.T, c net.Conn, say string) time.Duration {
	t.Helper()
	start := time.Now()
	if _, err := io.WriteString(c, say); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c) // until it is closed, or an hour has passed
	c.Close()
	return time.Since(start)
}

// ports runs a test on the two kinds of ports: one that net/http has for itself, and one that gRPC shares.
func ports(t *testing.T, test func(t *testing.T, p *pipes)) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream": // as between members: it begins, and then nothing is to be said for long
			_ = http.NewResponseController(w).Flush()
			for range 6 {
				time.Sleep(time.Minute)
				fmt.Fprint(w, ".")
			}
		case "/body":
			_, _ = io.Copy(io.Discard, r.Body)
		}
	})
	for name, split := range map[string]bool{"peer": false, "client": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				s := &Server{log: zap.NewNop()}
				server := s.httpServer(handler)
				var l net.Listener = p
				var wg sync.WaitGroup
				if split {
					splitter := listen.Split(p, listen.Terms{Plain: true, GRPC: true, HTTP: true})
					l = splitter.HTTP()
					wg.Go(func() { _ = splitter.Serve() })
				}
				wg.Go(func() { _ = server.Serve(l) })
				test(t, p)
				p.Close()
				server.Close()
				wg.Wait()
			})
		})
	}
}

func TestSilenceIsBounded(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n"
	for name, say := range map[string]string{
		"nothing":        "",
		"half a header":  get,
		"between two":    get + "\r\n",
		"a body unread":  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx",
		"half a preface": "PRI * HT",
	} {
		t.Run(name, func(t *testing.T) {
			ports(t, func(t *testing.T, p *pipes) {
				// The port that is shared begins to count anew when it knows that it is net/http's.
				if took := aliveFor(t, p.dial(), say); took > 2*handshakeTimeout {
					t.Errorf("the connection is kept for %v", took)
				}
			})
		})
	}
}

// A stream lives as long as both ends do.
func TestStreamsOutliveTheHandshake(t *testing.T) {
	ports(t, func(t *testing.T, p *pipes) {
		client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn,
			error) {
			return p.dial(), nil
		}}}
		defer client.CloseIdleConnections()
		resp, err := client.Get("http://a/stream")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		start := time.Now()
		b, err := io.ReadAll(resp.Body)
		if string(b) != "......" || err != nil || time.Since(start) < 6*time.Minute {
			t.Errorf("%q after %v (%v)", b, time.Since(start), err)
		}
	})
}

// A slow sender of a body is not taken for a silent one: bodies have the bounds of those who read them.
func TestSlowBody(t *testing.T) {
	ports(t, func(t *testing.T, p *pipes) {
		c := p.dial()
		defer c.Close()
		go func() {
			_, _ = io.WriteString(c, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
			for range 5 {
				time.Sleep(8 * time.Second)
				_, _ = io.WriteString(c, "x")
			}
		}()
		status, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(status, "200") {
			t.Errorf("answer %q (%v)", status, err)
		}
	})
}
