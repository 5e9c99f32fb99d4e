package api

import (
	"cmp"
	"slices"
	"time"

	"vitrine/core/duty"
	"vitrine/core/lease"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// What is asked of the clock of a lease only the leader can answer: to keep it alive, and how long it lives. A leader
// answers when it has proof that it led after the question had come (a read index of its term) and when it has applied
// what was committed by then. Every other member passes the question on, and so does a leader that was none.
//
//	asking, catching   at the leader: on the way to that proof
//	proposed           a renewal has to take back what a checkpoint says, in the log, before it counts
//	expiring           the lease has run out; whether it is revoked decides the answer
//	away               at another member, or at none: there is no leader, or it did not answer

// A Forward asks the driver to put a call to another member, who leads as far as this one knows. Its answer comes back
// as an input (member.Forwarded).
type Forward struct {
	ID   uint64
	Peer uint64
	Body any
	// Token is what the client has shown: a change of members is permitted by the member that makes it.
	Token string
}

// forwardRetry is the pause before a question is passed on once more.
const forwardRetry = 50 * time.Millisecond

// lessor is what the book keeps of such questions.
type lessor struct {
	clock    *lease.Lessor
	away     []*pending // those without an answerer wait for their time and a leader
	expiring map[int64][]*pending
	forwards []Forward
}

// leaseOf is the lease that a question is about.
func leaseOf(p *pending) int64 {
	switch r := p.body.(type) {
	case *pb.LeaseKeepAliveRequest:
		return r.ID
	case *pb.LeaseTimeToLiveRequest:
		return r.ID
	}
	return 0
}

// leads tells whether this member leads, as of the last poll.
func (b *Book) leads(term uint64) bool { return b.node.IsLeader() && b.node.Term() == term }

// askLeader sends a question to the leader: to this member, or to another.
func (b *Book) askLeader(p *pending) {
	switch lead := b.node.Leader(); {
	case b.node.IsLeader() && p.op == MemberPromote:
		b.promote(p)
	case b.node.IsLeader():
		p.term = b.node.Term()
		b.read(p, false)
	case p.identity.Forwarded:
		b.answer(p, nil, ErrNotLeader)
	case lead == 0:
		b.wait(p)
	default:
		p.stage = away
		f := Forward{ID: p.id, Peer: lead, Body: p.body, Token: p.identity.Token}
		b.lessor.forwards = append(b.lessor.forwards, f)
	}
}

// wait lets a question be put again a little later.
func (b *Book) wait(p *pending) {
	p.stage, p.again = away, b.now+trace.Instant(forwardRetry)
	b.lessor.away = append(b.lessor.away, p)
}

// askAway puts the questions again whose time has come.
func (b *Book) askAway() {
	if len(b.lessor.away) == 0 {
		return
	}
	list := b.lessor.away
	b.lessor.away = nil
	for _, p := range list {
		switch {
		case p.stage != away:
		case b.node.Leader() == 0 || p.again > b.now:
			b.lessor.away = append(b.lessor.away, p)
		default:
			b.askLeader(p)
		}
	}
}

// Forwarded takes another member's answer, or why there is none.
func (b *Book) Forwarded(id uint64, response any, err error) {
	p := b.requests[id]
	if p == nil || p.stage != away {
		return
	}
	switch {
	case p.op == MemberPromote:
		b.promoted(p, response, err)
		return
	case err != nil && AsError(err) == ErrLeaseNotFound:
		b.unknownLease(p)
		return
	case err != nil:
		b.wait(p)
		return
	}
	switch r := response.(type) {
	case *pb.LeaseKeepAliveResponse:
		r.Header = b.headerOf(p)
	case *pb.LeaseTimeToLiveResponse:
		r.Header = b.headerOf(p)
	default: // it is no answer to this question
		b.wait(p)
		return
	}
	b.answer(p, response, nil)
}

// headerOf is that of a question's answer. Its revision is not younger than the answer: a client that is told of a
// revision must not conclude that the lease lived then.
func (b *Book) headerOf(p *pending) *pb.ResponseHeader {
	h := b.header(p.op)
	if p.op == LeaseKeepAlive {
		h.Revision = p.revision
	}
	return h.Response()
}

// unknownLease answers that there is no such lease: to clients that is no error.
func (b *Book) unknownLease(p *pending) {
	switch {
	case p.identity.Forwarded:
		b.answer(p, nil, ErrLeaseNotFound)
	case p.op == LeaseKeepAlive:
		b.answer(p, &pb.LeaseKeepAliveResponse{Header: b.headerOf(p), ID: leaseOf(p)}, nil)
	default:
		b.answer(p, &pb.LeaseTimeToLiveResponse{Header: b.headerOf(p), ID: leaseOf(p), TTL: -1}, nil)
	}
}

// proved answers a question when it is proved that this member led after it had come, if it did.
func (b *Book) proved(p *pending) {
	switch {
	case !b.leads(p.term):
		b.askLeader(p)
	case p.op == LeaseKeepAlive:
		b.renew(p)
	default:
		b.timeToLive(p)
	}
}

func (b *Book) renew(p *pending) {
	id := leaseOf(p)
	switch ttl, verdict := b.lessor.clock.Renew(b.now, id); verdict {
	case lease.Renewed:
		b.t.Emit(trace.Event{Kind: trace.LeaseRenewed, Request: p.id, A: uint64(id), C: uint64(ttl), Term: p.term})
		b.answer(p, &pb.LeaseKeepAliveResponse{Header: b.headerOf(p), ID: id, TTL: ttl}, nil)
	case lease.Unknown:
		b.unknownLease(p)
	case lease.Expired:
		p.stage = expiring
		b.lessor.expiring[id] = append(b.lessor.expiring[id], p)
	case lease.Clear:
		delete(b.proposals, p.proposal)
		p.fence = p.term
		b.write(p, &pb.InternalRaftRequest{LeaseCheckpoint: &pb.LeaseCheckpointRequest{
			Checkpoints: []*pb.LeaseCheckpoint{{ID: id}},
		}})
	default:
		b.wait(p)
	}
}

func (b *Book) timeToLive(p *pending) {
	r := p.body.(*pb.LeaseTimeToLiveRequest)
	switch ttl, left, verdict := b.lessor.clock.Left(b.now, r.ID); verdict {
	case lease.Unknown:
		b.unknownLease(p)
	case lease.Renewed:
		answer := &pb.LeaseTimeToLiveResponse{Header: b.headerOf(p), ID: r.ID, TTL: int64(left.Seconds()), GrantedTTL: ttl}
		if !r.Keys {
			b.answer(p, answer, nil)
			return
		}
		b.finish(p)
		b.reads = append(b.reads, ReadReady{
			ID: p.id, Operation: p.op, Body: r, Index: p.index, Header: b.header(p.op), Who: p.who, lease: answer,
		})
	default:
		b.wait(p)
	}
}

// leasesApplied: leases that were revoked have no use for a renewal any more.
func (b *Book) leasesApplied(changes []lease.Change) {
	for _, c := range changes {
		if c.Kind != lease.Revoked {
			continue
		}
		waiting := b.lessor.expiring[c.ID]
		delete(b.lessor.expiring, c.ID)
		for _, p := range waiting {
			if p.stage == expiring {
				b.unknownLease(p)
			}
		}
	}
}

// Demoted: the clock of this member has stopped, so another member's decides about what has run out. Its own proposals
// of the term that is over are forgotten: they may be lost, and the duty that made them must not wait for them.
func (b *Book) Demoted() {
	var own []*pending
	for _, p := range b.proposals {
		if p.own != duty.None && p.fence != 0 && p.stage == proposed {
			own = append(own, p)
		}
	}
	slices.SortFunc(own, func(a, b *pending) int { return cmp.Compare(a.proposal, b.proposal) })
	for _, p := range own {
		b.answer(p, nil, ErrLeaderChanged)
	}
	var ids []int64
	for id := range b.lessor.expiring {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for _, p := range b.lessor.expiring[id] {
			if p.stage == expiring {
				b.wait(p)
			}
		}
		delete(b.lessor.expiring, id)
	}
}

// notExpiring takes a question out that is over before its lease is.
func (b *Book) notExpiring(p *pending) {
	id := leaseOf(p)
	rest := slices.DeleteFunc(b.lessor.expiring[id], func(x *pending) bool { return x == p })
	if b.lessor.expiring[id] = rest; len(rest) == 0 {
		delete(b.lessor.expiring, id)
	}
}

// dropFenced gives up what must be proposed in a term that is over. It costs a look at raft, if there is such.
func (b *Book) dropFenced() {
	if b.fenced == 0 {
		return
	}
	b.queue = slices.DeleteFunc(b.queue, func(p *pending) bool {
		if p.stage != queued || p.fence == 0 || b.node.Leads(p.fence) {
			return false
		}
		b.dequeue(p)
		if p.own != duty.None {
			b.answer(p, nil, ErrLeaderChanged)
			return true
		}
		delete(b.proposals, p.proposal)
		p.fence, p.proposal = 0, 0
		b.wait(p)
		return true
	})
}

// finishLease completes an answer about leases with what the store has found.
func (r *ReadReady) finishLease(response any) {
	switch found := response.(type) {
	case *pb.LeaseTimeToLiveResponse:
		if r.lease != nil {
			found.ID, found.TTL, found.GrantedTTL = r.lease.ID, r.lease.TTL, r.lease.GrantedTTL
		}
	case *pb.LeaseLeasesResponse:
		lease.SortByExpiry(r.leases)
		for _, l := range r.leases {
			found.Leases = append(found.Leases, &pb.LeaseStatus{ID: l.ID})
		}
	}
}
