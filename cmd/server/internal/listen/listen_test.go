package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, raw string) (*Splitter, net.Addr) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(*u, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := Split(l, Terms{Plain: true, GRPC: true, HTTP: true})
	done := make(chan struct{})
	go func() { defer close(done); s.Serve() }()
	t.Cleanup(func() { s.Close(); <-done })
	return s, l.Addr()
}

func TestSplit(t *testing.T) {
	s, addr := open(t, "http://127.0.0.1:0")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		fmt.Fprint(w, r.URL.Path)
	})}
	go server.Serve(s.HTTP())
	defer server.Close()

	for range 3 {
		resp, err := http.Get("http://" + addr.String() + "/version")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "/version" {
			t.Fatalf("HTTP answered %q", body)
		}
	}

	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, part := range []string{"PR", "I * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"} {
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.GRPC().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	all := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"))
	if _, err := io.ReadFull(got, all); err != nil || string(all) != "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest" {
		t.Fatalf("read %q, %v", all, err)
	}
}

func TestPostIsNotAPreface(t *testing.T) {
	s, addr := open(t, "http://127.0.0.1:0")
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "PRX / HTTP/1.1\r\n")
	got, err := s.HTTP().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	line, err := bufio.NewReader(got).ReadString('\n')
	if err != nil || line != "PRX / HTTP/1.1\r\n" {
		t.Fatalf("read %q, %v", line, err)
	}
}

func TestCloseEndsBothHalves(t *testing.T) {
	s, _ := open(t, "http://127.0.0.1:0")
	s.HTTP().Close()
	if _, err := s.GRPC().Accept(); err != net.ErrClosed {
		t.Errorf("accept after close: %v", err)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 2 { // a file left behind by the first does not stop the second
		s, addr := open(t, "unix://"+path)
		if addr.Network() != "unix" {
			t.Fatalf("network %s", addr.Network())
		}
		s.under.(*net.UnixListener).SetUnlinkOnClose(false)
		s.Close()
	}
}

// Several listeners share one budget, and one that nobody calls takes nothing from it.
func TestBudget(t *testing.T) {
	budget := NewBudget(2)
	accepted := make(chan net.Conn)
	ended := make(chan error)
	var limits []net.Listener
	for range 3 {
		under, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := budget.Limit(under)
		limits = append(limits, l)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				accepted <- c
			}
		}()
	}
	for i := range 4 {
		c, err := net.Dial("tcp", limits[i%2].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	none := func(what string) {
		t.Helper()
		select {
		case <-accepted:
			t.Fatal(what)
		case <-time.After(50 * time.Millisecond):
		}
	}
	var conns []net.Conn
	for range 2 {
		conns = append(conns, <-accepted)
	}
	none("a third connection was accepted")
	conns[0].Close()
	conns[0].Close() // gives back one place only
	conns = append(conns, <-accepted)
	none("one place was given twice")
	for _, l := range limits {
		l.Close() // two while they wait for a place
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after close: %v", err)
		}
	}
	for _, c := range conns {
		c.Close()
	}
}
