package api

import (
	"math"

	"vitrine/core/duty"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// write gives a request its proposal id and queues it for raft.
func (b *Book) write(p *pending, r *pb.InternalRaftRequest) {
	if p.own == duty.None && b.node.Committed() > b.node.AppliedIndex()+limits.MaxApplyLag {
		b.answer(p, nil, ErrTooManyRequests)
		return
	}
	p.proposal = b.ids.Next()
	b.head.ID, b.head.Username, b.head.AuthRevision = p.proposal, p.who.User, p.who.Revision
	r.Header = &b.head
	data, err := r.MarshalVT()
	switch {
	case err != nil:
		b.answer(p, nil, AsError(err))
		return
	case len(data) > b.cfg.MaxRequestBytes:
		b.answer(p, nil, ErrRequestTooLarge)
		return
	case b.queueBytes+len(data) > limits.MaxUncommittedBytes:
		b.answer(p, nil, ErrTooManyRequests)
		return
	}
	invariant.Assert(b.proposals[p.proposal] == nil, "api: two proposals have one id")
	p.stage, p.data = queued, data
	if p.fence != 0 {
		b.fenced++
	}
	b.queueBytes += len(data)
	b.proposals[p.proposal] = p
	b.queue = append(b.queue, p)
}

// canPropose: without a leader raft drops proposals, so they wait here until there is one or their time is up.
func (b *Book) canPropose() bool { return b.node.Leader() != 0 }

// flush hands the queue to raft, many entries at a time, so that they share messages and writes. What raft drops
// (leadership is moving) stays at the head of the queue: it is nowhere else.
func (b *Book) flush() {
	b.dropFenced()
	if len(b.queue) == 0 || !b.canPropose() {
		return
	}
	for len(b.queue) > 0 {
		n, size := 0, 0
		b.batches = b.batches[:0]
		for n < len(b.queue) && (n == 0 || size < limits.MaxAppendBytes) {
			if p := b.queue[n]; p.stage == queued {
				b.batches = append(b.batches, p.data)
				size += len(p.data)
			}
			n++
		}
		if err := b.node.Propose(b.batches); err != nil {
			b.stuck = true
			break
		}
		b.taken(b.queue[:n])
		clear(b.queue[:n])
		b.queue = b.queue[n:]
	}
	clear(b.batches[:cap(b.batches)])
	if len(b.queue) == 0 {
		b.queue = nil
	}
}

func (b *Book) taken(ps []*pending) {
	for _, p := range ps {
		if p.stage != queued {
			continue
		}
		p.stage = proposed
		b.traceProposed(p)
		b.dequeue(p)
	}
}

// traceProposed tells the trace that raft has a request, and what its entry does.
func (b *Book) traceProposed(p *pending) {
	if !b.t.On() { // hashing is work
		return
	}
	e := trace.Event{Kind: trace.RequestProposed, Request: p.id, A: p.proposal, B: trace.HashData(p.data)}
	if put, ok := p.body.(*pb.PutRequest); ok && !b.cfg.TraceValues {
		b.t.EmitKey(e, put.Key)
		return
	}
	if p.change {
		tellChange(&e, p.data)
	}
	if p.body != nil && p.op.row().propose != nil {
		e.Text = wordsOf(p.body, b.cfg.TraceValues)
	} else { // the member's own, or what it makes of a request
		e.Text = EntryWords(&raftpb.Entry{Data: p.data}, b.cfg.TraceValues)
	}
	b.t.Emit(e)
}

// dequeue gives up the bytes of a write that raft has, or that is over.
func (b *Book) dequeue(p *pending) {
	if p.data != nil && p.fence != 0 {
		b.fenced--
	}
	b.queueBytes -= len(p.data)
	invariant.Assert(b.queueBytes >= 0, "api: fewer than no bytes wait for raft")
	p.data = nil
}

// outcome answers the request that an entry came from, if it came from here.
func (b *Book) outcome(o *store.Outcome) {
	p := b.proposals[o.ID]
	if p == nil || p.stage == done {
		return
	}
	p.index = o.Index
	if p.op == LeaseKeepAlive {
		b.renew(p)
		return
	}
	if o.Err == nil {
		o.Response = b.configured(p, o.Response)
	}
	b.passed(p, o.Err != nil, o.Wrote)
	if o.Err != nil {
		p.refused = true
		b.denied(p, o.Err)
		b.answer(p, nil, AsError(o.Err))
		return
	}
	if p.op == Authenticate && !b.loggedIn(p, o.Response) {
		return
	}
	if o.Physical {
		p.stage, p.response = finishing, o.Response
		b.finishing = append(b.finishing, p)
		if !p.byClient { // as long as it takes: it is decided, and a large compaction is slow
			b.deadlines.move(p, trace.Instant(math.MaxInt64))
		}
		return
	}
	taken := p.stage == proposed
	b.answerWrite(p, o.Response)
	if taken && !p.change { // it is in no list: it has left the queue, and is none of the changes of the members
		b.reuse(p)
	}
}

func (b *Book) answerWrite(p *pending, response any) {
	resp, err := p.op.finish(response, b.header(p.op), nil)
	b.answer(p, resp, AsError(err))
}

// Compacted: the deletions of all compactions up to rev are done, so those who waited for that are answered.
func (b *Book) Compacted(rev int64) {
	for _, p := range b.finishing {
		if r, ok := p.body.(*pb.CompactionRequest); ok && p.stage == finishing && r.Revision <= rev {
			b.station(p, stationCompacted)
			b.answerWrite(p, p.response)
		}
	}
	b.finishing = drop(b.finishing)
}

// timeoutCause is etcd's guess at why a write got no answer: the leader failed while it was under way, or we lost the
// connection to the leader or, as the leader, to the quorum.
func (b *Book) timeoutCause(start trace.Instant) *Error {
	l := &b.links
	lost := l.elected - trace.Instant(2*b.cfg.electionTimeout())
	if l.elected != 0 && start > lost && start < l.elected {
		return ErrTimeoutDueToLeaderFail
	}
	if !b.connected(start) {
		return ErrTimeoutDueToConnectionLost
	}
	return ErrTimeout
}
