package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
)

// wires is a network in memory: waiting on it is seen by a bubble of testing/synctest, so that time passes there as
// fast as everybody waits, and the end of a test finds whoever is left.
type wires struct {
	mu sync.Mutex
	at map[string]*plug // by host
}

// bubble runs a test in a bubble with a network of its own.
func bubble(t *testing.T, test func(t *testing.T, w *wires)) {
	synctest.Test(t, func(t *testing.T) { test(t, &wires{at: map[string]*plug{}}) })
}

// plug is where a host listens.
type plug struct {
	w     *wires
	host  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (w *wires) listen(host string) *plug {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &plug{w: w, host: host, conns: make(chan net.Conn), done: make(chan struct{})}
	w.at[host] = p
	return p
}

func (w *wires) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	p := w.at[host]
	w.mu.Unlock()
	if p == nil {
		return nil, errors.New("nobody listens at " + host)
	}
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, errors.New("nobody listens any more at " + host)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *plug) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *plug) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *plug) Addr() net.Addr { return &net.UnixAddr{Name: p.host, Net: "wires"} }
