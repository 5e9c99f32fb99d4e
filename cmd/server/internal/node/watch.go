package node

import (
	"context"
	"sync"

	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// stream is one client's stream of watchers: what the hub pushed and the client
// has not read yet. Its length is bounded by the hub, which pushes on credit.
type stream struct {
	n     *Node
	id    uint64
	token string // of its client

	mu     sync.Mutex
	queue  []*watch.Response
	err    error
	closed bool
	signal chan struct{} // something to write, or the end
	room   chan struct{} // the queue was emptied, or the end

	// Of the writer alone: credit that was not given back yet.
	sent, sentBytes int
}

const (
	// Credit goes back in portions: one input of the core loop for many responses. What is
	// held back is small against the hub's bound.
	creditPushes = limits.WatchStreamPushes / 8
	creditBytes  = limits.WatchStreamLeastBytes / 2
)

// WatchStream is one client's watchers. Request and Close may be called beside Next and Sent.
type WatchStream interface {
	// Request passes on what the client asks for.
	Request(r *pb.WatchRequest)
	// Next waits for responses and returns all that wait, in order, with the header
	// that they carry (but for the revision). It returns an error when the stream has to end.
	Next(ctx context.Context, into []*watch.Response) ([]*watch.Response, *pb.ResponseHeader, error)
	// Sent gives back the credit of the n oldest responses, which had so many bytes.
	Sent(n, bytes int)
	Close()
}

// Watch opens a stream of watchers. Whether it may stay open, the member says.
func (n *Node) Watch(c api.Call) (WatchStream, error) {
	s := &stream{n: n, id: n.nextStream.Add(1), token: c.Identity.Token,
		signal: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	n.metrics.Streams.Inc()
	if !n.inbox.add(item{in: member.Input{Kind: member.WatchOpen, Stream: s.id, OK: c.RequireLeader, Call: &c}, stream: s},
		true) {
		n.metrics.Streams.Dec()
		return nil, api.ErrStopped
	}
	return s, nil
}

// push queues a response. Only the core loop calls it.
func (s *stream) push(r *watch.Response) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	first := len(s.queue) == 0
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	s.n.metrics.Waiting.Add(int64(telemetry.Events(r)))
	if first {
		s.wake()
	}
}

// end lets Next return err once the queue is empty.
func (s *stream) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.wake()
	poke(s.room)
}

func (s *stream) wake() { poke(s.signal) }

// poke leaves a token if there is none.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Request passes on what the client asks for. Answers to it are not on credit, so a client
// that only asks and never reads has to wait here.
func (s *stream) Request(r *pb.WatchRequest) {
	for {
		s.mu.Lock()
		wait := len(s.queue) > limits.WatchStreamPushes && s.err == nil && !s.closed
		s.mu.Unlock()
		if !wait {
			break
		}
		<-s.room
	}
	rev := s.n.disk.Revision() // the core may not have heard of it yet, but a client may have read it
	s.n.inbox.put(member.Input{Kind: member.WatchRequest, Stream: s.id, Watch: r, Revision: rev, Call: s.shown(r)})
}

// shown reads a signed token again for a new watcher: it may have run out since the stream began.
func (s *stream) shown(r *pb.WatchRequest) *api.Call {
	if s.token == "" || r.GetCreateRequest() == nil || !s.n.cfg.Secrets.Signed() {
		return nil
	}
	return &api.Call{Identity: s.n.Identify(s.token)}
}

// Next waits for responses and appends all that wait.
func (s *stream) Next(ctx context.Context, into []*watch.Response) ([]*watch.Response, *pb.ResponseHeader, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			into = append(into, s.queue...)
			clear(s.queue)
			s.queue = s.queue[:0]
			s.mu.Unlock()
			poke(s.room)
			s.n.metrics.Taken(into)
			return into, api.Header{ClusterID: s.n.cluster, MemberID: s.n.id, RaftTerm: s.n.term.Load()}.Response(), nil
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return into, nil, err
		}
		select {
		case <-s.signal:
		case <-ctx.Done():
			return into, nil, ctx.Err()
		}
	}
}

// Sent gives back the credit of the oldest responses: how many have left, and their bytes.
func (s *stream) Sent(n, bytes int) {
	s.sent, s.sentBytes = s.sent+n, s.sentBytes+bytes
	if s.sent >= creditPushes || s.sentBytes >= creditBytes {
		s.n.inbox.put(member.Input{Kind: member.WatchSent, Stream: s.id, N: s.sent})
		s.sent, s.sentBytes = 0, 0
	}
}

// Close forgets the stream.
func (s *stream) Close() {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.queue {
		s.n.metrics.Waiting.Add(-int64(telemetry.Events(r)))
	}
	s.queue = nil
	s.mu.Unlock()
	poke(s.room)
	s.n.metrics.Streams.Dec()
	s.n.inbox.put(member.Input{Kind: member.WatchClose, Stream: s.id})
}

// scan reads history for the hub.
func (n *Node) scan(q watch.Scan) {
	n.inbox.put(member.Input{Kind: member.Scanned, Scan: n.disk.Scan(q)})
}
