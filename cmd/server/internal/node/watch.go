package node

import (
	"context"
	"sync"

	"vitrine/cmd/server/internal/grpcapi"
	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// stream is one client's stream of watchers: what the hub pushed and the client
// has not read yet. Its length is bounded by the hub, which pushes on credit.
type stream struct {
	n  *Node
	id uint64

	mu     sync.Mutex
	queue  []*watch.Response
	err    error
	signal chan struct{}
}

// Watch opens a stream of watchers.
func (n *Node) Watch(requireLeader bool) (grpcapi.WatchStream, error) {
	s := &stream{n: n, id: n.nextStream.Add(1), signal: make(chan struct{}, 1)}
	n.metrics.streams.Inc()
	if !n.inbox.add(item{in: member.Input{Kind: member.WatchOpen, Stream: s.id, OK: requireLeader}, stream: s}, true) {
		n.metrics.streams.Dec()
		return nil, api.ErrStopped
	}
	return s, nil
}

// push queues a response. Only the core loop calls it.
func (s *stream) push(r *watch.Response) {
	s.mu.Lock()
	first := len(s.queue) == 0
	s.queue = append(s.queue, r)
	s.mu.Unlock()
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
}

func (s *stream) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// Request passes on what the client asks for.
func (s *stream) Request(r *pb.WatchRequest) {
	s.n.mu.RLock()
	rev := s.n.store.KV.Revision() // the core may not have heard of it yet, but a client may have read it
	s.n.mu.RUnlock()
	s.n.inbox.put(member.Input{Kind: member.WatchRequest, Stream: s.id, Watch: r, Revision: rev})
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
			h := s.n.header()
			return into, &pb.ResponseHeader{ClusterId: h.ClusterID, MemberId: h.MemberID, RaftTerm: h.RaftTerm}, nil
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

// Sent gives back the credit of the n oldest responses.
func (s *stream) Sent(n int) {
	s.n.inbox.put(member.Input{Kind: member.WatchSent, Stream: s.id, N: n})
}

// Close forgets the stream.
func (s *stream) Close() {
	s.n.metrics.streams.Dec()
	s.n.inbox.put(member.Input{Kind: member.WatchClose, Stream: s.id})
}

// scan reads history for the hub.
func (n *Node) scan(q watch.Scan) {
	n.mu.RLock()
	r := n.store.Scan(q)
	n.mu.RUnlock()
	n.inbox.put(member.Input{Kind: member.Scanned, Scan: r})
}
