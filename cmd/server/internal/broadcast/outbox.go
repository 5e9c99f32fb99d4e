package broadcast

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/core/limits"
	"vitrine/core/pb"
)

// outbox is what is on its way to one client.
type outbox struct {
	wake chan struct{} // a token when there is something to take
	room chan struct{} // a token when something was taken

	mu    sync.Mutex
	queue []*pb.WatchResponse
	bytes int
	err   error
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// offer queues events if there is room for them. Those of a watcher that is gone are dropped.
func (o *outbox) offer(w *watcher, r *pb.WatchResponse, size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w.gone {
		return true
	}
	if len(o.queue) >= limits.WatchStreamPushes || o.bytes > 0 && o.bytes+size > limits.WatchStreamBytes {
		return false
	}
	o.bytes += size
	o.put(r)
	return true
}

// tell queues what a client has to know: there are few of them, each for something that the client asked.
func (o *outbox) tell(w *watcher, r *pb.WatchResponse) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !w.gone {
		w.gone = r.Canceled
		o.put(r)
	}
}

func (o *outbox) put(r *pb.WatchResponse) {
	o.queue = append(o.queue, r)
	token(o.wake)
}

// fail ends the stream.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	token(o.wake)
}

// awaitRoom waits until something was taken, or ctx ends.
func (o *outbox) awaitRoom(ctx context.Context) {
	select {
	case <-o.room:
	case <-ctx.Done():
	}
}

// take waits for responses. It ends with either context.
func (o *outbox) take(ctx, hub context.Context) ([]*pb.WatchResponse, error) {
	for {
		o.mu.Lock()
		queue, err := o.queue, o.err
		o.queue, o.bytes = nil, 0
		o.mu.Unlock()
		if len(queue) > 0 {
			token(o.room)
			return queue, nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-hub.Done():
			return nil, status.Error(codes.Unavailable, "the proxy is stopping")
		}
	}
}
