package listen

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// silent is a listener that nobody calls.
type silent struct{}

func (silent) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (silent) Close() error              { return nil }
func (silent) Addr() net.Addr            { return &net.TCPAddr{} }

// FuzzSplit: whatever a connection sends first, and in whatever pieces, the server that speaks its protocol gets all of
// it; one that ends before it has said what it speaks goes to nobody.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), uint8(3))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(0))
	f.Add([]byte("PRI * HTTP/2.1"), uint8(13))
	f.Add([]byte("PRI"), uint8(1))
	f.Fuzz(split)
}

// split sends bytes in two pieces and looks who gets them.
func split(t *testing.T, sent []byte, cut uint8) {
	s := Split(silent{}, Terms{Plain: true, GRPC: true, HTTP: true})
	defer s.Close()
	here, there := net.Pipe()
	undecided := len(sent) < len(preface) && strings.HasPrefix(preface, string(sent))
	taken := make(chan struct{})
	go func() {
		at := min(int(cut), len(sent))
		here.Write(sent[:at])
		here.Write(sent[at:])
		if !undecided { // a pipe that one side has closed takes no deadline
			<-taken
		}
		here.Close()
	}()
	sorted := make(chan struct{})
	go func() { defer close(sorted); s.sort(there) }()
	var c net.Conn
	grpc := false
	select {
	case c = <-s.grpc.conns:
		grpc = true
	case c = <-s.http.conns:
	case <-sorted:
		close(taken)
		if !undecided {
			t.Fatalf("%q reached nobody", sent)
		}
		return
	}
	close(taken)
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) || grpc != strings.HasPrefix(string(sent), preface) {
		t.Fatalf("gRPC %v got %q of %q: %v", grpc, got, sent, err)
	}
	c.Close()
	<-sorted
}
