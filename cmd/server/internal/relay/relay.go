// Package relay passes connections on to the members of a cluster, byte for byte: etcd's `gateway`, for clients that
// cannot know where the members are.
//
//	r := relay.New([]relay.Endpoint{{Address: "10.0.0.1:2379"}, {Address: "10.0.0.2:2379"}}, time.Minute, log)
//	go r.Serve(listener)
//	defer r.Close()
//
// A connection goes to one of those of the best priority that answer: by chance, as their weights say, or in turn where
// there are none. Who does not answer is left out until it answers a try, one an interval.
package relay

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/tasks"
)

// dialTimeout bounds the wait for an endpoint.
const dialTimeout = 5 * time.Second

// Endpoint is where a member serves clients. Less is the better priority.
type Endpoint struct {
	Address          string
	Priority, Weight uint16
}

type remote struct {
	Endpoint
	down bool
}

// Relay passes connections on. Its methods may be called from any goroutine.
type Relay struct {
	log   *zap.Logger
	retry time.Duration
	tasks tasks.Group
	ctx   context.Context
	stop  context.CancelFunc
	draw  func(n int) int

	mu      sync.Mutex
	remotes []*remote
	turn    int
	open    map[net.Conn]struct{}
}

// New makes a relay that tries endpoints that do not answer again after an interval.
func New(endpoints []Endpoint, retry time.Duration, log *zap.Logger) *Relay {
	r := &Relay{log: log, retry: retry, draw: rand.IntN, open: map[net.Conn]struct{}{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	for _, e := range endpoints {
		r.remotes = append(r.remotes, &remote{Endpoint: e})
	}
	return r
}

// Serve accepts connections until the listener or the relay is closed.
func (r *Relay) Serve(l net.Listener) error {
	defer context.AfterFunc(r.ctx, func() { l.Close() })()
	if !r.tasks.Go(r.monitor) {
		return net.ErrClosed
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if !r.tasks.Go(func() { r.pass(c) }) {
			c.Close()
			return net.ErrClosed
		}
	}
}

// Close ends all connections and waits for what runs on them.
func (r *Relay) Close() {
	r.tasks.Close()
	r.stop()
	r.mu.Lock()
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.tasks.Wait()
}

// hold notes a connection to be closed with the relay; false means that it is closed already.
func (r *Relay) hold(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		c.Close()
		return false
	}
	r.open[c] = struct{}{}
	return true
}

func (r *Relay) drop(c net.Conn) {
	c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

// pass copies both ways until one side has gone.
func (r *Relay) pass(in net.Conn) {
	if !r.hold(in) {
		return
	}
	defer r.drop(in)
	out := r.dial()
	if out == nil || !r.hold(out) {
		return
	}
	defer r.drop(out)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out)
		in.Close()
		out.Close()
	})
	_, _ = io.Copy(out, in)
	in.Close()
	out.Close()
	back.Wait()
}

// dial reaches an endpoint; nil if none answers.
func (r *Relay) dial() net.Conn {
	for {
		e := r.pick()
		if e == nil {
			return nil
		}
		c, err := r.reach(e)
		if err == nil {
			return c
		}
		if errors.Is(err, context.Canceled) {
			return nil
		}
		r.mark(e, true)
		r.log.Warn("deactivated endpoint", zap.String("address", e.Address), zap.Duration("interval", r.retry),
			zap.Error(err))
	}
}

func (r *Relay) reach(e *remote) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(r.ctx, "tcp", e.Address)
}

func (r *Relay) mark(e *remote, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.down = down
}

// pick chooses one of those of the best priority that are not down.
func (r *Relay) pick() *remote {
	r.mu.Lock()
	defer r.mu.Unlock()
	var best []*remote
	for _, e := range r.remotes {
		switch {
		case e.down:
		case len(best) == 0 || e.Priority < best[0].Priority:
			best = []*remote{e}
		case e.Priority == best[0].Priority:
			best = append(best, e)
		}
	}
	sum := 0
	for _, e := range best {
		sum += int(e.Weight)
	}
	// Whoever has no weight among those who have some gets a connection now and then.
	if sum > 0 && r.draw(100) > 0 {
		at := r.draw(sum)
		for _, e := range best {
			if at -= int(e.Weight); at < 0 {
				return e
			}
		}
	}
	if len(best) == 0 {
		return nil
	}
	r.turn++
	return best[r.turn%len(best)]
}

// monitor tries those who were down.
func (r *Relay) monitor() {
	for tasks.Sleep(r.retry, r.ctx.Done()) {
		r.mu.Lock()
		var down []*remote
		for _, e := range r.remotes {
			if e.down {
				down = append(down, e)
			}
		}
		r.mu.Unlock()
		for _, e := range down {
			c, err := r.reach(e)
			if err != nil {
				r.log.Warn("failed to activate endpoint (stay inactive for another interval)",
					zap.String("address", e.Address), zap.Duration("interval", r.retry), zap.Error(err))
				continue
			}
			c.Close()
			r.mark(e, false)
			r.log.Info("activated", zap.String("address", e.Address))
		}
	}
}
