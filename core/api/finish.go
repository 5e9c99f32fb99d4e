package api

import (
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// header is the identity of an answer that is made now. The cluster service leaves the revision out.
func (s *Server) header(op Operation) Header {
	h := Header{ClusterID: s.cfg.ClusterID, MemberID: s.cfg.MemberID, RaftTerm: s.node.Term(), Revision: s.revision}
	if op == MemberList {
		h.Revision = 0
	}
	if mutant.On(mutant.HeaderTermStale) {
		h.RaftTerm--
	}
	return h
}

// Finish completes the answer to a request: it fills the header, or maps the error to what a client hears. The
// response is changed in place; it must be the caller's own.
func Finish(resp any, h Header, err error) (any, error) {
	if err != nil {
		return nil, AsError(err)
	}
	if slot := headerOf(resp); slot != nil {
		if *slot == nil {
			*slot = &pb.ResponseHeader{}
		}
		(*slot).ClusterId, (*slot).MemberId, (*slot).RaftTerm = h.ClusterID, h.MemberID, h.RaftTerm
		if (*slot).Revision == 0 {
			(*slot).Revision = h.Revision
		}
	}
	return resp, nil
}

// headerOf is where a response keeps its header; nil if it has none.
func headerOf(resp any) **pb.ResponseHeader {
	switch r := resp.(type) {
	case *pb.RangeResponse:
		return &r.Header
	case *pb.PutResponse:
		return &r.Header
	case *pb.DeleteRangeResponse:
		return &r.Header
	case *pb.TxnResponse:
		return &r.Header
	case *pb.CompactionResponse:
		return &r.Header
	case *pb.StatusResponse:
		return &r.Header
	case *pb.HashResponse:
		return &r.Header
	case *pb.HashKVResponse:
		return &r.Header
	case *pb.AlarmResponse:
		return &r.Header
	case *pb.MemberListResponse:
		return &r.Header
	}
	return nil
}
