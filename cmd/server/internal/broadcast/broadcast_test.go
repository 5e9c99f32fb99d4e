package broadcast

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/namespace"
	"vitrine/cmd/server/internal/upstream"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// store is a member that has one key, and an event at each revision.
type store struct {
	mu      sync.Mutex
	rev     int64
	changed chan struct{}
	streams map[*stream]struct{}
	opened  int
	down    error // of those who come
}

func newStore() *store {
	return &store{rev: 1, changed: make(chan struct{}), streams: map[*stream]struct{}{}}
}

// stream is a watch as the client of a member sees it.
type stream struct {
	grpc.ClientStream
	ctx  context.Context
	of   *store
	next int64 // 0: nothing was asked yet
	told bool
	cut  error
}

func (s *store) Stream(ctx context.Context, _ string) (grpc.ClientStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return nil, s.down
	}
	s.opened++
	st := &stream{ctx: ctx, of: s}
	s.streams[st] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.streams, st)
	})
	return st, nil
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// change lets something happen.
func (s *store) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// put makes events.
func (s *store) put(n int) { s.change(func() { s.rev += int64(n) }) }

// cut ends all streams.
func (s *store) cut(err error) {
	s.change(func() {
		for st := range s.streams {
			st.cut = err
		}
	})
}

func (st *stream) SendMsg(m any) error {
	st.of.mu.Lock()
	defer st.of.mu.Unlock()
	if st.next = m.(*pb.WatchRequest).GetCreateRequest().StartRevision; st.next == 0 {
		st.next = st.of.rev + 1
	}
	return nil
}

func (st *stream) RecvMsg(m any) error {
	r, s := m.(*pb.WatchResponse), st.of
	for {
		s.mu.Lock()
		changed := s.changed
		r.Header = &pb.ResponseHeader{Revision: s.rev}
		switch {
		case st.cut != nil:
			s.mu.Unlock()
			return st.cut
		case !st.told:
			st.told, r.Created = true, true
			s.mu.Unlock()
			return nil
		case st.next <= s.rev:
			e := &pb.Event{Kv: &pb.KeyValue{Key: []byte("p/k"), ModRevision: st.next}}
			r.Events = []*pb.Event{e}
			st.next++
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-st.ctx.Done():
			return status.FromContextError(st.ctx.Err()).Err()
		}
	}
}

type world struct {
	*testing.T
	store  *store
	hub    *Hub
	meters Meters
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, store: newStore(), meters: Meters{prometheus.NewGauge(prometheus.GaugeOpts{Name: "w"}),
		prometheus.NewCounter(prometheus.CounterOpts{Name: "e"})}}
	w.hub = New(w.store, namespace.Space("p/"), w.meters, zap.NewNop())
	t.Cleanup(w.hub.Close)
	return w
}

// sharing is how many watchers are on a feed that another one has already.
func (w *world) sharing() float64 {
	w.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(w.meters.Watchers)
	families, err := reg.Gather()
	if err != nil {
		w.Fatal(err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

// client is one stream with what it has seen.
type client struct {
	w    *world
	s    *Stream
	seen []string
}

func (w *world) open(caller upstream.Caller) *client {
	c := &client{w: w, s: w.hub.Open(caller)}
	w.Cleanup(c.s.Close)
	return c
}

func create(start int64) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: start}}}
}

// read reads until something was seen, and returns the error that came instead.
func (c *client) read(until string) error { return c.readFor(10*time.Second, until) }

func (c *client) readFor(patience time.Duration, until string) error {
	c.w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !slices.Contains(c.seen, until) {
		responses, err := c.s.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range responses {
			switch {
			case r.Canceled:
				c.seen = append(c.seen, fmt.Sprintf("%d canceled %s", r.WatchId, r.CancelReason))
			case r.Created:
				c.seen = append(c.seen, fmt.Sprintf("%d created", r.WatchId))
			}
			for _, e := range r.Events {
				c.seen = append(c.seen, fmt.Sprintf("%d %s@%d", r.WatchId, e.Kv.Key, e.Kv.ModRevision))
			}
		}
	}
	return nil
}

func (c *client) mustRead(until string) {
	c.w.Helper()
	if err := c.read(until); err != nil {
		c.w.Fatalf("before %q: %v; seen: %q", until, err, c.seen)
	}
}

// inOrder checks that a watcher has seen each event from a revision on once.
func (c *client) inOrder(id int, from, to int64) {
	c.w.Helper()
	want := from
	for _, line := range c.seen {
		var rev int64
		var got int
		if n, _ := fmt.Sscanf(line, "%d k@%d", &got, &rev); n < 2 || got != id {
			continue
		}
		if rev != want {
			c.w.Fatalf("watcher %d: event %d, want %d", id, rev, want)
		}
		want++
	}
	if want != to+1 {
		c.w.Fatalf("watcher %d has seen up to %d, want %d", id, want-1, to)
	}
}

func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("%s: not within ten seconds; %d streams", what, w.store.count())
		}
	}
}

// Watchers of the present and of the past end on one feed, and each sees what it asked for.
func TestWatchersShare(t *testing.T) {
	w := newWorld(t)
	w.store.put(9) // revision 10
	var all []*client
	for i := range 20 {
		c := w.open(upstream.Caller{})
		all = append(all, c)
		c.s.Request(create(0))
		c.s.Request(create(int64(i + 1)))
	}
	w.store.put(30)
	for _, c := range all {
		c.s.Request(create(0))
		w.store.put(1)
	}
	w.eventually("one feed of 60 watchers", func() bool {
		for _, c := range all { // a watcher that is alone does not catch up with a client that does not read
			_ = c.readFor(time.Millisecond, "the end")
		}
		return w.sharing() == 59 && w.store.count() == 1
	})
	w.store.put(1)
	w.store.mu.Lock()
	last := w.store.rev
	w.store.mu.Unlock()
	for i, c := range all {
		for id := range 3 {
			c.mustRead(fmt.Sprintf("%d k@%d", id, last))
		}
		c.inOrder(1, int64(i+1), last)
	}
	for _, c := range all {
		c.s.Close()
	}
	w.eventually("no feed", func() bool { return w.store.count() == 0 })
	if got := w.sharing(); got != 0 {
		t.Errorf("%v watchers share a feed, and there are none", got)
	}
}

// Other callers have other rights: what they watch is asked for in their own name.
func TestCallersDoNotShare(t *testing.T) {
	w := newWorld(t)
	for _, c := range []upstream.Caller{{}, {Token: "a"}, {Token: "b"}, {Token: "b"}, {RequireLeader: true}} {
		client := w.open(c)
		client.s.Request(create(0))
		client.mustRead("0 created")
	}
	w.eventually("four feeds", func() bool { return w.store.count() == 4 })
}

// A feed goes on where it was when its member went away, and nobody sees anything twice or not at all.
func TestFeedGoesOn(t *testing.T) {
	w := newWorld(t)
	a, b := w.open(upstream.Caller{}), w.open(upstream.Caller{})
	for _, c := range []*client{a, b} {
		c.s.Request(create(0))
		c.mustRead("0 created")
	}
	for i, err := range []error{status.Error(codes.Unavailable, "gone"), io.EOF, status.Error(codes.Internal, "odd")} {
		w.store.put(2)
		w.store.cut(err)
		w.store.put(3)
		last := int64(1 + 5*(i+1))
		a.mustRead(fmt.Sprintf("0 k@%d", last))
		b.mustRead(fmt.Sprintf("0 k@%d", last))
		a.inOrder(0, 2, last)
		b.inOrder(0, 2, last)
	}
	w.store.cut(status.Error(codes.Unauthenticated, "who are you"))
	for _, c := range []*client{a, b} {
		if err := c.read("nothing"); status.Code(err) != codes.Unauthenticated {
			t.Errorf("the stream ended with %v", err)
		}
	}
}

// Who does not read holds up nobody, and misses nothing.
func TestSlowWatcher(t *testing.T) {
	w := newWorld(t)
	slow, quick := w.open(upstream.Caller{}), w.open(upstream.Caller{})
	for _, c := range []*client{slow, quick} {
		c.s.Request(create(0))
		c.mustRead("0 created")
	}
	w.eventually("one feed", func() bool { return w.sharing() == 1 && w.store.count() == 1 })
	const n = 20 * limits.WatchStreamPushes
	for i := range n {
		w.store.put(1)
		quick.mustRead(fmt.Sprintf("0 k@%d", i+2))
	}
	slow.mustRead(fmt.Sprintf("0 k@%d", n+1))
	slow.inOrder(0, 2, n+1)
	quick.inOrder(0, 2, n+1)
	w.eventually("one feed again", func() bool {
		w.store.put(1)
		slow.drain()
		quick.drain()
		return w.store.count() == 1
	})
}

// drain takes what is there.
func (c *client) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, _ = c.s.Next(ctx)
}

// A watcher that was cancelled sees nothing more, also when it had no room.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	c := w.open(upstream.Caller{})
	c.s.Request(create(0))
	c.mustRead("0 created")
	w.store.put(5 * limits.WatchStreamPushes)
	w.eventually("a full outbox", func() bool {
		c.s.out.mu.Lock()
		defer c.s.out.mu.Unlock()
		return len(c.s.out.queue) == limits.WatchStreamPushes
	})
	c.s.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: 0}}})
	c.mustRead("0 canceled ")
	if err := c.readFor(100*time.Millisecond, "0 nothing more"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("after the end: %v", err)
	}
	if c.seen[len(c.seen)-1] != "0 canceled " {
		t.Errorf("after the end: %q", c.seen[len(c.seen)-1])
	}
	c.s.Request(create(-1))
	c.mustRead("-1 canceled etcdserver: mvcc: required revision has been compacted")
}
