// Package broadcast lets many watchers share one watch of a member.
//
// A feed is a watch of a member. Each new watcher begins with one of its own, which tells it where it stands. As soon
// as it has seen what the feed has that all of its kind share, it goes over there and its own one ends. Who asks for
// the past stays alone until it has caught up; who does not read what it asked for is put back alone, and holds up
// nobody. Watchers are of one kind if they ask for the same in the name of the same caller, so that a member has said
// yes to each of them.
//
//	h := broadcast.New(cluster, "", meters, log)
//	s := h.Open(caller)
//	s.Request(create)                 // and whatever else the client asks
//	responses, err := s.Next(ctx)     // what its watchers see
//	s.Close()
//	h.Close()
//
// A feed whose member goes away goes on at another one, at the revision where it stopped.
package broadcast

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"vitrine/cmd/server/internal/namespace"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/upstream"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// Source is the way to the members.
type Source interface {
	Stream(ctx context.Context, method string) (grpc.ClientStream, error)
}

// Meters count what sharing spares.
type Meters struct {
	Watchers prometheus.Gauge   // that are on a feed that another one has already
	Events   prometheus.Counter // responses that came once and went to more than one, without the first
}

// Hub has all watchers. Its methods may be called from any goroutine.
type Hub struct {
	source Source
	space  namespace.Space
	meters Meters
	log    *zap.Logger
	tasks  tasks.Group // feeds
	ctx    context.Context
	stop   context.CancelFunc

	mu     sync.Mutex // guards feeds and watchers; it goes before the mutex of an outbox
	shared map[kind]*feed
}

// kind is what watchers that can share have in common. The filters are in one text, to be compared.
type kind struct {
	caller            upstream.Caller
	key, end, filters string
	previous          bool
}

// New makes a hub of watchers who see a space of the keys.
func New(source Source, space namespace.Space, meters Meters, log *zap.Logger) *Hub {
	h := &Hub{source: source, space: space, meters: meters, log: log, shared: map[kind]*feed{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// Close ends all feeds and streams, and waits for the feeds.
func (h *Hub) Close() {
	h.stop()
	h.tasks.Close()
	h.tasks.Wait()
}

// Stream is what one client watches over one stream.
type Stream struct {
	hub      *Hub
	caller   upstream.Caller
	out      *outbox
	nextID   int64              // of the goroutine that calls Request
	watchers map[int64]*watcher // guarded by the hub
	closed   bool               // guarded by the hub
}

// watcher is one of a stream. The hub guards it.
type watcher struct {
	kind     kind
	id       int64
	stream   *Stream
	feed     *feed
	next     int64 // the revision of the next event that it may see; 0: as the member says
	created  bool  // the client was told of it
	progress bool  // the client wants to know how far it is when nothing happens
	gone     bool  // guarded by the outbox: the client was told that it will see nothing more
}

// Open makes a stream of a caller.
func (h *Hub) Open(caller upstream.Caller) *Stream {
	return &Stream{hub: h, caller: caller, out: newOutbox(), watchers: map[int64]*watcher{}}
}

// Next waits for responses and returns all there are. The error is why the stream has to end.
func (s *Stream) Next(ctx context.Context) ([]*pb.WatchResponse, error) {
	return s.out.take(ctx, s.hub.ctx)
}

// Close ends the stream's watchers.
func (s *Stream) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.closed = true
	for _, w := range s.watchers {
		w.feed.drop(w)
	}
	clear(s.watchers)
}

// Request does what a client asks for. It is for one goroutine.
func (s *Stream) Request(r *pb.WatchRequest) {
	switch {
	case r.GetCreateRequest() != nil:
		s.create(r.GetCreateRequest())
	case r.GetCancelRequest() != nil:
		s.cancel(r.GetCancelRequest().WatchId)
	default:
		s.hub.log.Debug("not supported request type by gRPC proxy", zap.Stringer("request", r))
	}
}

// noWatcher is the id of a watcher that could not be made.
const noWatcher = -1

func (s *Stream) create(r *pb.WatchCreateRequest) {
	h := s.hub
	key, end := h.space.Watch(r.Key, r.RangeEnd)
	filters := make([]byte, len(r.Filters))
	for i, f := range r.Filters {
		filters[i] = byte(f)
	}
	slices.Sort(filters)
	w := &watcher{stream: s, id: s.nextID, next: r.StartRevision, progress: r.ProgressNotify,
		kind: kind{s.caller, string(key), string(end), string(slices.Compact(filters)), r.PrevKv}}
	s.nextID++
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case s.closed:
	case r.StartRevision < 0:
		s.refuse(w, api.ErrCompacted.Text)
	case len(s.watchers) >= limits.MaxWatchersPerStream:
		s.refuse(w, "vitrine: too many watchers on one stream")
	default:
		s.watchers[w.id] = w
		h.alone(w)
	}
}

func (s *Stream) refuse(w *watcher, reason string) {
	s.out.tell(w, &pb.WatchResponse{Header: &pb.ResponseHeader{}, WatchId: noWatcher, Created: true, Canceled: true,
		CancelReason: reason})
}

func (s *Stream) cancel(id int64) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	w := s.watchers[id]
	if w == nil {
		return
	}
	delete(s.watchers, id)
	header := cmp.Or(w.feed.header, &pb.ResponseHeader{})
	w.feed.drop(w)
	if !w.created { // a client learns that there is one before it learns that there is none
		s.out.tell(w, &pb.WatchResponse{Header: header, WatchId: id, Created: true})
	}
	s.out.tell(w, &pb.WatchResponse{Header: header, WatchId: id, Canceled: true})
}

// alone gives a watcher a feed of its own, from what it has not seen.
func (h *Hub) alone(w *watcher) {
	f := &feed{hub: h, kind: w.kind, next: w.next, watchers: map[*watcher]struct{}{w: {}}}
	f.ctx, f.stop = context.WithCancel(h.ctx)
	w.feed = f
	if !h.tasks.Go(f.run) {
		f.stop()
	}
}
