package proxy

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/upstream"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// renewals are what clients ask in order to keep their leases. Those of one caller go over one stream.
type renewals struct {
	cluster *upstream.Cluster
	tasks   tasks.Group
	ctx     context.Context
	stop    context.CancelFunc

	mu  sync.Mutex
	all map[upstream.Caller]*renewer
}

// renewer renews the leases of a caller. Who asks for one that is just being renewed waits for the same answer.
type renewer struct {
	of     *renewals
	caller upstream.Caller
	users  int // streams of clients; guarded by renewals
	ctx    context.Context
	stop   context.CancelFunc
	wake   chan struct{} // a token when there is something to send

	mu      sync.Mutex
	waiting map[int64][]chan<- renewed // by lease
	unsent  []int64
}

type renewed struct {
	answer *pb.LeaseKeepAliveResponse
	err    error
}

func newRenewals(cluster *upstream.Cluster) *renewals {
	r := &renewals{cluster: cluster, all: map[upstream.Caller]*renewer{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

func (r *renewals) close() {
	r.stop()
	r.tasks.Close()
	r.tasks.Wait()
}

// join finds or makes the renewer of a caller, until leave.
func (r *renewals) join(caller upstream.Caller) (*renewer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.all[caller]
	if n == nil {
		n = &renewer{of: r, caller: caller, wake: make(chan struct{}, 1), waiting: map[int64][]chan<- renewed{}}
		n.ctx, n.stop = context.WithCancel(r.ctx)
		if !r.tasks.Go(n.run) {
			n.stop()
			return nil, api.ErrStopped
		}
		r.all[caller] = n
	}
	n.users++
	return n, nil
}

func (r *renewals) leave(n *renewer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(r.all, n.caller)
		n.stop()
	}
}

// ask renews a lease; the answer goes to a channel that has room for it.
func (n *renewer) ask(lease int64, to chan<- renewed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting[lease] = append(n.waiting[lease], to); len(n.waiting[lease]) > 1 {
		return
	}
	n.unsent = append(n.unsent, lease)
	n.hurry()
}

func (n *renewer) hurry() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *renewer) answer(a *pb.LeaseKeepAliveResponse) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, to := range n.waiting[a.ID] {
		to <- renewed{answer: a}
	}
	delete(n.waiting, a.ID)
}

// renewPause is the wait before another member is asked.
const renewPause = 100 * time.Millisecond

func (n *renewer) run() {
	for n.await(n.ctx) {
		err := n.renew()
		if n.ctx.Err() != nil {
			return
		}
		n.again(err)
		if !tasks.Sleep(renewPause, n.ctx.Done()) {
			return
		}
	}
}

// await waits until there is something to send.
func (n *renewer) await(ctx context.Context) bool {
	select {
	case <-n.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// again lets what a member has left unanswered be asked of another one, if that can help.
func (n *renewer) again(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unsent = nil
	for lease, waiting := range n.waiting {
		if n.caller.Resumable(err) {
			n.unsent = append(n.unsent, lease)
			continue
		}
		for _, to := range waiting {
			to <- renewed{err: err}
		}
		delete(n.waiting, lease)
	}
	if len(n.unsent) > 0 {
		n.hurry()
	}
}

// renew talks to one member until one of the two goes away.
func (n *renewer) renew() error {
	ctx, cancel := context.WithCancel(n.caller.Context(n.ctx))
	s, err := n.of.cluster.Stream(ctx, api.LeaseKeepAlive.Method())
	if err != nil {
		cancel()
		return err
	}
	var sending sync.WaitGroup
	sending.Go(func() { n.send(ctx, s) })
	defer sending.Wait()
	defer cancel()
	for {
		a := &pb.LeaseKeepAliveResponse{}
		if err := s.RecvMsg(a); err != nil {
			return err
		}
		n.answer(a)
	}
}

// send asks what there is to ask. What goes wrong, who reads the stream hears.
func (n *renewer) send(ctx context.Context, s grpc.ClientStream) {
	for {
		n.mu.Lock()
		leases := n.unsent
		n.unsent = nil
		n.mu.Unlock()
		for _, lease := range leases {
			if s.SendMsg(&pb.LeaseKeepAliveRequest{ID: lease}) != nil {
				return
			}
		}
		if !n.await(ctx) {
			return
		}
	}
}

// renewalsAhead bounds the renewals of one client's stream that are under way.
const renewalsAhead = 256

// keepAlive answers the renewals of one client as the answers come.
func (p *Proxy) keepAlive(c *call) error {
	n, err := p.renewals.join(c.caller)
	if err != nil {
		return err
	}
	defer p.renewals.leave(n)
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	underWay, answers := make(chan struct{}, renewalsAhead), make(chan renewed, renewalsAhead)
	// It outlives this call: reading ends when gRPC has ended the call.
	if !p.readers.Go(func() {
		err := c.readRenewals(ctx, n, underWay, answers)
		if err != nil {
			cancel(err)
		}
	}) {
		return api.ErrStopped
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ctx.Done():
			return api.ErrStopped
		case a, more := <-answers:
			if !more {
				return nil
			}
			if a.err != nil {
				return a.err
			}
			if err := c.send(a.answer); err != nil {
				return err
			}
			<-underWay
		}
	}
}

// readRenewals asks what the client asks, and closes the answers behind the last.
func (c *call) readRenewals(ctx context.Context, n *renewer, underWay chan<- struct{}, answers chan renewed) error {
	take := func() bool {
		select {
		case underWay <- struct{}{}:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		r := &pb.LeaseKeepAliveRequest{}
		if err := c.receive(r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if !take() {
			return nil
		}
		n.ask(r.ID, answers)
	}
	for range renewalsAhead { // until none is under way
		if !take() {
			return nil
		}
	}
	close(answers)
	return nil
}
