package api

import (
	"vitrine/core/consensus"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// read sends a request to the store: at once, or when the store is known to be new enough.
func (s *Server) read(p *pending, local bool) {
	if local {
		s.serve(p)
		return
	}
	p.stage = asking
	s.waiting = append(s.waiting, p)
}

// askNext opens a question for all reads that wait, if none is open. A read that arrives later waits for the next one.
func (s *Server) askNext() {
	if s.batch != 0 {
		if s.asked = drop(s.asked); len(s.asked) > 0 {
			return
		}
		s.node.DropRead() // everyone who asked has gone
		s.batch = 0
	}
	if s.waiting = drop(s.waiting); len(s.waiting) == 0 {
		return
	}
	s.batch = s.node.ReadIndex()
	s.asked, s.waiting = s.waiting, s.asked[:0]
}

// readState answers the open question: all who asked may read at its index.
func (s *Server) readState(rs consensus.ReadState) {
	if rs.Batch != s.batch || s.batch == 0 {
		return
	}
	s.batch = 0
	applied := s.node.AppliedIndex()
	for _, p := range s.asked {
		if p.stage == done {
			continue
		}
		if rs.Err != nil {
			s.answer(p, nil, AsError(rs.Err))
			continue
		}
		p.index = rs.Index
		s.station(p, "read index received")
		if rs.Index <= applied || mutant.On(mutant.ReplyBeforeApply) {
			s.agreed(p)
			continue
		}
		p.stage = catching
		s.confirmed = append(s.confirmed, p)
	}
	clear(s.asked)
	s.asked = s.asked[:0]
}

// caughtUp lets reads go that waited for the store.
func (s *Server) caughtUp() {
	if len(s.confirmed) == 0 {
		return
	}
	applied := s.node.AppliedIndex()
	for _, p := range s.confirmed {
		if p.stage == catching && p.index <= applied {
			s.station(p, "applied index is now lower than readState.Index")
			s.agreed(p)
		}
	}
	s.confirmed = drop(s.confirmed)
}

func (s *Server) agreed(p *pending) {
	s.station(p, "agreement among raft nodes before linearized reading")
	s.serve(p)
}

// serve lets the driver answer from its store, or answers itself what it knows.
func (s *Server) serve(p *pending) {
	if _, ok := p.body.(*pb.MemberListRequest); ok {
		s.answer(p, s.memberList(), nil)
		return
	}
	r := ReadReady{ID: p.id, Body: p.body, Index: p.index, Header: s.header(p.op)}
	if _, ok := p.body.(*pb.StatusRequest); ok {
		r.Partial = s.status()
	}
	s.finish(p)
	s.reads = append(s.reads, r)
}
