package mvcc

import (
	"bytes"
	"cmp"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// A transaction runs in three passes over the same tree of operations. The
// first evaluates all comparisons, also those of nested transactions, against
// the state before anything is written, and notes the branch that each
// transaction takes, in depth-first order. The second checks every operation
// on the chosen branches against that state too. Only then does the third
// write; by now nothing can fail, so a transaction has all of its effects or
// none.
type path struct {
	taken []bool
	at    int
}

func (p *path) next() bool {
	p.at++
	return p.taken[p.at-1]
}

func branch(r *pb.TxnRequest, succeeded bool) []*pb.RequestOp {
	if mutant.On(mutant.TxnOtherBranch) && len(r.Success) == 0 {
		return r.Failure
	}
	if succeeded {
		return r.Success
	}
	return r.Failure
}

// Txn runs a transaction. With skipRanges the ranges in it are not executed
// and answer with a bare header: only the member that a client asked needs
// them. An error means that nothing was written.
func (w *Writer) Txn(r *pb.TxnRequest, skipRanges bool) (*pb.TxnResponse, error) {
	rd := w.reader()
	p := &path{}
	before := rd
	if mutant.On(mutant.TxnStaleCompare) {
		before.rev--
	}
	before.choose(r, p)
	if mutant.On(mutant.TxnCompactedRead) && skipRanges {
		rd.compactRev = 0
	}
	if err := w.s.checkTxn(&rd, r, p); err != nil {
		return nil, err
	}
	p.at = 0
	if n := len(p.taken); mutant.On(mutant.TxnSiblingsSwapped) && n > 2 && len(r.Compare) == 0 {
		p.taken[n-1], p.taken[n-2] = p.taken[n-2], p.taken[n-1]
	}
	resp := w.execute(r, p, skipRanges)
	resp.Header.Revision = w.revision()
	return resp, nil
}

// txn evaluates a transaction without writes.
func (r *reader) txn(req *pb.TxnRequest) (*pb.TxnResponse, error) {
	succeeded := r.compare(req.Compare)
	resp := &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: r.rev}, Succeeded: succeeded}
	ops := branch(req, succeeded)
	for _, op := range ops {
		if err := r.check(op.GetRequestRange().GetRevision()); err != nil {
			return nil, err
		}
	}
	for _, op := range ops {
		req := op.GetRequestRange()
		invariant.Assert(req != nil, "mvcc: a write in a read-only transaction")
		ranged, err := r.rangeKeys(req)
		invariant.Assert(err == nil, "mvcc: a range failed in a transaction that had been checked")
		resp.Responses = append(resp.Responses, rangeOp(ranged))
	}
	return resp, nil
}

func rangeOp(r *pb.RangeResponse) *pb.ResponseOp {
	return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: r}}
}

// choose is the first pass.
func (r *reader) choose(req *pb.TxnRequest, p *path) {
	succeeded := r.compare(req.Compare)
	p.taken = append(p.taken, succeeded)
	for _, op := range branch(req, succeeded) {
		if nested := op.GetRequestTxn(); nested != nil {
			r.choose(nested, p)
		}
	}
}

// checkTxn is the second pass.
func (s *Store) checkTxn(rd *reader, req *pb.TxnRequest, p *path) error {
	for _, op := range branch(req, p.next()) {
		var err error
		switch op := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			err = rd.check(op.RequestRange.GetRevision())
		case *pb.RequestOp_RequestPut:
			err = s.checkPut(rd, op.RequestPut)
		case *pb.RequestOp_RequestTxn:
			err = s.checkTxn(rd, op.RequestTxn, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// execute is the third pass.
func (w *Writer) execute(req *pb.TxnRequest, p *path, skipRanges bool) *pb.TxnResponse {
	succeeded := p.next()
	ops := branch(req, succeeded)
	resp := &pb.TxnResponse{Header: &pb.ResponseHeader{}, Succeeded: succeeded}
	resp.Responses = make([]*pb.ResponseOp, len(ops))
	for i, op := range ops {
		out := &pb.ResponseOp{}
		switch op := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			out = rangeOp(w.txnRange(op.RequestRange, skipRanges))
		case *pb.RequestOp_RequestPut:
			out.Response = &pb.ResponseOp_ResponsePut{ResponsePut: w.put(op.RequestPut)}
		case *pb.RequestOp_RequestDeleteRange:
			out.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: w.deleteRange(op.RequestDeleteRange)}
		case *pb.RequestOp_RequestTxn:
			out.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: w.execute(op.RequestTxn, p, skipRanges)}
		}
		resp.Responses[i] = out
	}
	return resp
}

func (w *Writer) txnRange(r *pb.RangeRequest, skip bool) *pb.RangeResponse {
	if skip {
		return &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: w.revision()}}
	}
	if mutant.On(mutant.TxnOwnWriteUnseen) {
		rd := w.s.reader()
		resp, _ := rd.rangeKeys(r)
		return resp
	}
	resp, err := w.Range(r)
	invariant.Assert(err == nil, "mvcc: a range failed in a transaction that had been checked")
	return resp
}

// compare is the conjunction of all comparisons.
func (r *reader) compare(all []*pb.Compare) bool {
	for _, c := range all {
		if !r.compareOne(c) {
			return false
		}
	}
	return true
}

// compareOne holds if it holds for every key of its range. A missing key has
// zeros everywhere, but no value: comparing that fails whatever the result.
func (r *reader) compareOne(c *pb.Compare) bool {
	holds, any := true, false
	r.index.visit(c.Key, c.RangeEnd, r.rev, func(i item, v version) bool {
		any = true
		kv := pb.KeyValue{CreateRevision: v.created, ModRevision: v.mod.Main, Version: v.number}
		if c.Target == pb.Compare_VALUE || c.Target == pb.Compare_LEASE {
			holds = compareKeyValue(c, r.one(i.keyBytes(), v.mod))
		} else {
			holds = compareKeyValue(c, &kv)
		}
		return holds && !mutant.On(mutant.TxnFirstKeyCompared)
	})
	if !any {
		return c.Target != pb.Compare_VALUE && compareKeyValue(c, &pb.KeyValue{})
	}
	return holds
}

func compareKeyValue(c *pb.Compare, kv *pb.KeyValue) bool {
	order := 0
	switch c.Target {
	case pb.Compare_VALUE:
		order = bytes.Compare(kv.Value, c.GetValue())
	case pb.Compare_CREATE:
		order = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		order = cmp.Compare(kv.ModRevision, c.GetModRevision())
	case pb.Compare_VERSION:
		order = cmp.Compare(kv.Version, c.GetVersion())
	case pb.Compare_LEASE:
		order = cmp.Compare(kv.Lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_NOT_EQUAL:
		return order != 0
	case pb.Compare_GREATER:
		return order > 0
	case pb.Compare_LESS:
		return order < 0
	}
	return true
}
