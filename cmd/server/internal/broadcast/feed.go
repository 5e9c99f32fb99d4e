package broadcast

import (
	"context"
	"errors"
	"io"
	"time"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/pb"
)

// feed is one watch of a member, and who sees it. The hub guards it.
type feed struct {
	hub      *Hub
	kind     kind
	ctx      context.Context
	stop     context.CancelFunc
	next     int64              // the revision of the next event; 0: as the member says
	header   *pb.ResponseHeader // of the last response
	common   bool               // it is the one that its kind shares; else it has one watcher
	watchers map[*watcher]struct{}
}

// drop takes a watcher off; nobody needs an empty feed.
func (f *feed) drop(w *watcher) {
	delete(f.watchers, w)
	if len(f.watchers) > 0 {
		f.hub.meters.Watchers.Dec()
		return
	}
	f.end()
}

// end ends the feed, whoever is on it.
func (f *feed) end() {
	if len(f.watchers) > 1 {
		f.hub.meters.Watchers.Sub(float64(len(f.watchers) - 1))
	}
	clear(f.watchers)
	if f.common {
		delete(f.hub.shared, f.kind)
	}
	f.stop()
}

// resumePause is the wait before a feed goes on at another member.
const resumePause = 100 * time.Millisecond

// run reads the feed until it ends.
func (f *feed) run() {
	defer f.stop()
	for {
		err := f.read()
		if f.ctx.Err() != nil {
			return
		}
		if !f.kind.caller.Resumable(err) {
			f.fail(err)
			return
		}
		if !tasks.Sleep(resumePause, f.ctx.Done()) {
			return
		}
	}
}

// fail ends the streams of those who see the feed.
func (f *feed) fail(err error) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	for w := range f.watchers {
		delete(w.stream.watchers, w.id)
		w.stream.out.fail(err)
	}
	f.end()
}

const method = "/etcdserverpb.Watch/Watch"

// read is one attempt, at one member.
func (f *feed) read() error {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	stream, err := f.hub.source.Stream(f.kind.caller.Context(ctx), method)
	if err != nil {
		return err
	}
	create := &pb.WatchCreateRequest{Key: []byte(f.kind.key), RangeEnd: []byte(f.kind.end), PrevKv: f.kind.previous,
		ProgressNotify: true, StartRevision: f.position()}
	for _, b := range []byte(f.kind.filters) {
		create.Filters = append(create.Filters, pb.WatchCreateRequest_FilterType(b))
	}
	err = stream.SendMsg(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	if err != nil && !errors.Is(err, io.EOF) { // what is wrong then is what comes back
		return err
	}
	for {
		r := &pb.WatchResponse{}
		if err := stream.RecvMsg(r); err != nil {
			return err
		}
		f.hub.space.Events(r.Events)
		if !f.pass(r) {
			return context.Canceled
		}
	}
}

func (f *feed) position() int64 {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	return f.next
}

// pass hands a response to whoever sees the feed; false: the feed has ended.
func (f *feed) pass(r *pb.WatchResponse) bool {
	h := f.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	f.header = r.Header
	switch {
	case f.ctx.Err() != nil:
		return false
	case r.Canceled:
		f.canceled(r)
		return false
	case r.Created:
		f.created(r)
	case len(r.Events) == 0:
		f.progress(r)
	case f.common:
		f.spread(r)
	default:
		f.feedOne(r)
	}
	f.settle(r)
	return f.ctx.Err() == nil
}

func (f *feed) canceled(r *pb.WatchResponse) {
	for w := range f.watchers {
		out := &pb.WatchResponse{Header: r.Header, WatchId: w.id, Canceled: true, CancelReason: r.CancelReason,
			CompactRevision: r.CompactRevision}
		if r.Created && !w.created {
			out.Created, out.WatchId = true, noWatcher
		}
		delete(w.stream.watchers, w.id)
		w.stream.out.tell(w, out)
	}
	f.end()
}

func (f *feed) created(r *pb.WatchResponse) {
	if f.next == 0 {
		f.next = r.Header.GetRevision() + 1
	}
	for w := range f.watchers {
		if !w.created {
			w.created, w.next = true, f.next
			w.stream.out.tell(w, &pb.WatchResponse{Header: r.Header, WatchId: w.id, Created: true})
		}
	}
}

// progress says that all up to a revision has been seen.
func (f *feed) progress(r *pb.WatchResponse) {
	f.next = max(f.next, r.Header.GetRevision()+1)
	for w := range f.watchers {
		w.next = max(w.next, f.next)
		if w.progress {
			w.stream.out.tell(w, &pb.WatchResponse{Header: r.Header, WatchId: w.id})
		}
	}
}

// spread hands events to all, but for those who have no room: they go back to a feed of their own.
func (f *feed) spread(r *pb.WatchResponse) {
	after, size := r.Events[len(r.Events)-1].Kv.ModRevision+1, r.SizeVT()
	f.hub.meters.Events.Add(float64(len(f.watchers) - 1))
	f.next = max(f.next, after)
	for w := range f.watchers {
		out := w.unseen(r)
		if out != nil && !w.stream.out.offer(w, out, size) {
			f.drop(w)
			f.hub.alone(w)
			continue
		}
		w.next = max(w.next, after)
	}
}

// feedOne hands events to a watcher that is alone, and waits until it has room.
func (f *feed) feedOne(r *pb.WatchResponse) {
	after, size := r.Events[len(r.Events)-1].Kv.ModRevision+1, r.SizeVT()
	for w := range f.watchers {
		out := w.unseen(r)
		for out != nil && !w.stream.out.offer(w, out, size) {
			f.hub.mu.Unlock()
			w.stream.out.awaitRoom(f.ctx)
			f.hub.mu.Lock()
			if f.ctx.Err() != nil {
				return // it was taken off meanwhile
			}
		}
		w.next = max(w.next, after)
	}
	f.next = max(f.next, after)
}

// unseen is the response for a watcher, without what it has seen; nil: it has seen it all.
func (w *watcher) unseen(r *pb.WatchResponse) *pb.WatchResponse {
	events := r.Events
	for len(events) > 0 && events[0].Kv.ModRevision < w.next {
		events = events[1:]
	}
	if len(events) == 0 {
		return nil
	}
	return &pb.WatchResponse{Header: r.Header, WatchId: w.id, Events: events}
}

// settle lets a watcher that is alone go over to the feed of its kind, or makes its feed that one. What its member told
// last must be the newest there is: who lags would hold up the others.
func (f *feed) settle(r *pb.WatchResponse) {
	if f.common || f.next == 0 {
		return
	}
	common := f.hub.shared[f.kind]
	if common == nil {
		if f.next == r.Header.GetRevision()+1 {
			f.common = true
			f.hub.shared[f.kind] = f
		}
		return
	}
	if common.next > f.next {
		return // it would miss what comes between
	}
	for w := range f.watchers {
		delete(f.watchers, w)
		w.feed = common
		common.watchers[w] = struct{}{}
		f.hub.meters.Watchers.Inc()
	}
	f.end()
}
