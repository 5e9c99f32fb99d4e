package api

import (
	"math"

	"vitrine/core/consensus"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// write gives a request its proposal id and queues it for raft.
func (s *Server) write(p *pending, r *pb.InternalRaftRequest) {
	if p.own == notOwn && s.node.Committed() > s.node.AppliedIndex()+limits.MaxApplyLag {
		s.answer(p, nil, ErrTooManyRequests)
		return
	}
	p.proposal = s.ids.Next()
	s.head.ID = p.proposal
	r.Header = &s.head
	data, err := r.MarshalVT()
	switch {
	case err != nil:
		s.answer(p, nil, AsError(err))
		return
	case len(data) > s.cfg.MaxRequestBytes:
		s.answer(p, nil, ErrRequestTooLarge)
		return
	case s.queueBytes+len(data) > limits.MaxUncommittedBytes:
		s.answer(p, nil, ErrTooManyRequests)
		return
	}
	p.stage, p.data = queued, data
	s.queueBytes += len(data)
	s.proposals[p.proposal] = p
	s.queue = append(s.queue, p)
}

// canPropose: without a leader raft drops proposals, so they wait here until there is one or their time is up.
func (s *Server) canPropose() bool { return s.node.Leader() != 0 }

// flush hands the queue to raft, many entries at a time, so that they share messages and writes. What raft drops
// (leadership is moving) stays at the head of the queue: it is nowhere else.
func (s *Server) flush() {
	if len(s.queue) == 0 || !s.canPropose() {
		return
	}
	for len(s.queue) > 0 {
		n, size := 0, 0
		s.batches = s.batches[:0]
		for n < len(s.queue) && (n == 0 || size < limits.MaxAppendBytes) {
			if p := s.queue[n]; p.stage == queued {
				s.batches = append(s.batches, p.data)
				size += len(p.data)
			}
			n++
		}
		if err := s.node.Propose(s.batches); err != nil {
			s.stuck = true
			break
		}
		s.taken(s.queue[:n])
		clear(s.queue[:n])
		s.queue = s.queue[n:]
	}
	clear(s.batches[:cap(s.batches)])
	if len(s.queue) == 0 {
		s.queue = nil
	}
}

func (s *Server) taken(ps []*pending) {
	for _, p := range ps {
		if p.stage != queued {
			continue
		}
		p.stage = proposed
		s.dequeue(p)
		s.t.Emit(trace.Event{Kind: trace.RequestProposed, Request: p.id, A: p.proposal})
	}
}

// dequeue gives up the bytes of a write that raft has, or that is over.
func (s *Server) dequeue(p *pending) {
	s.queueBytes -= len(p.data)
	p.data = nil
}

// outcome answers the request that an entry came from, if it came from here.
func (s *Server) outcome(o *store.Outcome) {
	p := s.proposals[o.ID]
	if p == nil || p.stage == done || !consensus.Ours(s.cfg.MemberID, o.ID) {
		return
	}
	p.index = o.Index
	s.passed(p, o.Err != nil, o.Wrote)
	if o.Err != nil {
		s.answer(p, nil, AsError(o.Err))
		return
	}
	if o.Physical {
		p.stage, p.response = finishing, o.Response
		s.finishing = append(s.finishing, p)
		if !p.byClient { // as long as it takes: it is decided, and a large compaction is slow
			s.deadlines.move(p, trace.Instant(math.MaxInt64))
		}
		return
	}
	s.answerWrite(p, o.Response)
}

func (s *Server) answerWrite(p *pending, response any) {
	if p.own == publication {
		s.published = true
	}
	resp, err := Finish(response, s.header(p.op), nil)
	s.answer(p, resp, AsError(err))
}

// Compacted: the deletions of all compactions up to rev are done, so those who waited for that are answered.
func (s *Server) Compacted(rev int64) {
	for _, p := range s.finishing {
		if r, ok := p.body.(*pb.CompactionRequest); ok && p.stage == finishing && r.Revision <= rev {
			s.station(p, stationCompacted)
			s.answerWrite(p, p.response)
		}
	}
	s.finishing = drop(s.finishing)
}

// timeoutCause is etcd's guess at why a write got no answer: the leader failed while it was under way, or we lost the
// connection to the leader or, as the leader, to the quorum.
func (s *Server) timeoutCause(start trace.Instant) *Error {
	l := &s.links
	lost := l.elected - trace.Instant(2*s.cfg.electionTimeout())
	if l.elected != 0 && start > lost && start < l.elected {
		return ErrTimeoutDueToLeaderFail
	}
	if !s.connected(start) {
		return ErrTimeoutDueToConnectionLost
	}
	return ErrTimeout
}
