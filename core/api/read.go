package api

import (
	"slices"

	"vitrine/core/consensus"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// read sends a request to the store: at once, or when the store is known to be new enough.
func (b *Book) read(p *pending, local bool) {
	if local {
		b.serve(p)
		return
	}
	p.stage = asking
	b.waiting = append(b.waiting, p)
}

// askNext opens a question for all reads that wait, if none is open. A read that arrives later waits for the next one.
func (b *Book) askNext() {
	if b.batch != 0 {
		if b.asked = drop(b.asked); len(b.asked) > 0 {
			return
		}
		b.node.DropRead() // everyone who asked has gone
		b.batch = 0
	}
	if b.waiting = drop(b.waiting); len(b.waiting) == 0 {
		return
	}
	invariant.Assert(len(b.asked) == 0, "api: a question is asked while another is open")
	b.batch = b.node.ReadIndex()
	b.asked, b.waiting = b.waiting, b.asked[:0]
}

// readState answers the open question: all who asked may read at its index.
func (b *Book) readState(rs consensus.ReadState) {
	if rs.Batch != b.batch || b.batch == 0 {
		return
	}
	b.batch = 0
	applied := b.node.AppliedIndex()
	for _, p := range b.asked {
		if p.stage == done {
			continue
		}
		if rs.Err != nil && p.term != 0 {
			b.askLeader(p)
			continue
		}
		if rs.Err != nil {
			b.answer(p, nil, AsError(rs.Err))
			continue
		}
		p.index = rs.Index
		b.station(p, stationIndex)
		if rs.Index <= applied || mutant.On(mutant.ReplyBeforeApply) {
			b.agreed(p)
			continue
		}
		p.stage = catching
		b.confirmed = append(b.confirmed, p)
	}
	clear(b.asked)
	b.asked = b.asked[:0]
}

// caughtUp lets reads go that waited for the store.
func (b *Book) caughtUp() {
	if len(b.confirmed) == 0 {
		return
	}
	applied := b.node.AppliedIndex()
	for _, p := range b.confirmed {
		if p.stage == catching && p.index <= applied {
			b.station(p, stationCaughtUp)
			b.agreed(p)
		}
	}
	b.confirmed = slices.DeleteFunc(b.confirmed, func(p *pending) bool { return p.stage != catching })
}

func (b *Book) agreed(p *pending) {
	b.station(p, stationAgreed)
	if p.term != 0 {
		b.proved(p)
		return
	}
	b.serve(p)
}

// header is the identity of an answer that is made now.
func (b *Book) header(op Operation) Header {
	h := Header{ClusterID: b.cfg.ClusterID, MemberID: b.cfg.MemberID, RaftTerm: b.node.Term(), Revision: b.revision}
	if op.row().noRevision {
		h.Revision = 0
	}
	if mutant.On(mutant.HeaderTermStale) {
		h.RaftTerm--
	}
	return h
}

// serve lets the driver answer from its store, or answers what the member itself knows.
func (b *Book) serve(p *pending) {
	p.served = true
	if p.op == Authenticate {
		b.checkPassword(p)
		return
	}
	if !b.letIn(p) {
		return
	}
	if p.op == LeaseLeases && !b.keysAllowed(p) {
		return
	}
	switch p.op {
	case MemberList:
		b.answer(p, b.memberList(), nil)
		return
	case Downgrade:
		b.downgradeAt(p, p.body.(*pb.DowngradeRequest))
		return
	}
	r := ReadReady{ID: p.id, Operation: p.op, Body: p.body, Index: p.index, Header: b.header(p.op), Who: p.who}
	switch p.op {
	case Status:
		r.Partial = b.status()
	case LeaseLeases:
		r.leases = b.lessor.clock.All()
	}
	b.finish(p)
	b.reads = append(b.reads, r)
}
