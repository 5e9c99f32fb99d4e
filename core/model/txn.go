package model

import (
	"bytes"
	"cmp"

	"vitrine/core/pb"
)

// txn runs a transaction. All compares, those of nested ones too, look at the
// state before it; so do the checks that can refuse it. Then nothing can fail,
// and operations run in order, each seeing the ones before.
func (s *State) txn(r *pb.TxnRequest) (any, error) {
	t := s.at()
	p := t.choose(r)
	if err := t.check(p); err != nil {
		return nil, err
	}
	resp, err := t.run(p)
	if err != nil {
		return nil, err
	}
	resp.Header = header(t.rev())
	return t.end(resp), nil
}

// path is a transaction with its compares decided.
type path struct {
	succeeded bool
	ops       []*pb.RequestOp
	nested    []*path // of the ops that are transactions, in order
}

func (t *turn) choose(r *pb.TxnRequest) *path {
	p := &path{succeeded: true, ops: r.Success}
	for _, c := range r.Compare {
		if !t.holds(c) {
			p.succeeded, p.ops = false, r.Failure
			break
		}
	}
	for _, op := range p.ops {
		if nested, ok := bodyOf(op).(*pb.TxnRequest); ok {
			p.nested = append(p.nested, t.choose(nested))
		}
	}
	return p
}

// check refuses the whole transaction if any operation on its path cannot be done.
func (t *turn) check(p *path) error {
	nested := p.nested
	for _, op := range p.ops {
		var err error
		switch r := bodyOf(op).(type) {
		case *pb.RangeRequest:
			err = t.checkRange(r)
		case *pb.PutRequest:
			err = t.checkPut(r)
		case *pb.TxnRequest:
			err = t.check(nested[0])
			nested = nested[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRange is stricter than a Range on its own: a negative revision counts as
// compacted once it lies below the compact revision.
func (t *turn) checkRange(r *pb.RangeRequest) error {
	switch {
	case r.Revision == 0:
		return nil
	case r.Revision > t.base:
		return ErrFutureRev
	case r.Revision < t.s.compacted:
		return ErrCompacted
	}
	return nil
}

func (t *turn) run(p *path) (*pb.TxnResponse, error) {
	resp := &pb.TxnResponse{Header: &pb.ResponseHeader{}, Succeeded: p.succeeded}
	nested := p.nested
	for _, op := range p.ops {
		out := &pb.ResponseOp{}
		switch r := bodyOf(op).(type) {
		case *pb.RangeRequest:
			got, err := t.rangeKeys(r)
			if err != nil {
				return nil, err
			}
			out.Response = &pb.ResponseOp_ResponseRange{ResponseRange: got}
		case *pb.PutRequest:
			out.Response = &pb.ResponseOp_ResponsePut{ResponsePut: t.put(r)}
		case *pb.DeleteRangeRequest:
			out.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: t.deleteRange(r)}
		case *pb.TxnRequest:
			got, err := t.run(nested[0])
			if err != nil {
				return nil, err
			}
			nested = nested[1:]
			out.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: got}
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp, nil
}

// holds decides a compare: it must be true of every key in its range. Where
// there is no key, numbers compare as 0 and a value compares as false.
func (t *turn) holds(c *pb.Compare) bool {
	kvs := t.live(intervalOf(c.Key, c.RangeEnd))
	if len(kvs) == 0 {
		if c.Target == pb.Compare_VALUE {
			return false
		}
		kvs = []*pb.KeyValue{{}}
	}
	for _, kv := range kvs {
		if !satisfies(c, kv) {
			return false
		}
	}
	return true
}

func satisfies(c *pb.Compare, kv *pb.KeyValue) bool {
	var sign int
	switch c.Target {
	case pb.Compare_VALUE:
		sign = bytes.Compare(kv.Value, c.GetValue())
	case pb.Compare_CREATE:
		sign = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		sign = cmp.Compare(kv.ModRevision, c.GetModRevision())
	case pb.Compare_VERSION:
		sign = cmp.Compare(kv.Version, c.GetVersion())
	case pb.Compare_LEASE:
		sign = cmp.Compare(kv.Lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return sign == 0
	case pb.Compare_NOT_EQUAL:
		return sign != 0
	case pb.Compare_GREATER:
		return sign > 0
	case pb.Compare_LESS:
		return sign < 0
	}
	return true
}
