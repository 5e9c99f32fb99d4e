package model

import (
	"slices"

	"vitrine/core/pb"
)

// Validate refuses what can be refused without looking at data. maxOps bounds a
// txn; 0 = no bound.
func Validate(request any, maxOps int) error {
	switch r := request.(type) {
	case *pb.RangeRequest:
		if len(r.Key) == 0 {
			return ErrEmptyKey
		}
		if r.SortOrder < pb.RangeRequest_NONE || r.SortOrder > pb.RangeRequest_DESCEND ||
			r.SortTarget < pb.RangeRequest_KEY || r.SortTarget > pb.RangeRequest_VALUE {
			return ErrInvalidSort
		}
	case *pb.PutRequest:
		switch {
		case len(r.Key) == 0:
			return ErrEmptyKey
		case r.IgnoreValue && len(r.Value) != 0:
			return ErrValueProvided
		case r.IgnoreLease && r.Lease != 0:
			return ErrLeaseProvided
		}
	case *pb.DeleteRangeRequest:
		if len(r.Key) == 0 {
			return ErrEmptyKey
		}
	case *pb.TxnRequest:
		return validateTxn(r, maxOps)
	}
	return nil
}

func validateTxn(r *pb.TxnRequest, maxOps int) error {
	if err := validateOps(r, maxOps, maxOps > 0); err != nil {
		return err
	}
	for _, branch := range [][]*pb.RequestOp{r.Success, r.Failure} {
		if _, err := writesOf(branch); err != nil {
			return err
		}
	}
	return nil
}

// validateOps checks sizes and single operations; a nested txn may have as many
// operations as its parent left.
func validateOps(r *pb.TxnRequest, left int, bounded bool) error {
	most := max(len(r.Compare), len(r.Success), len(r.Failure))
	if bounded && most > left {
		return ErrTooManyOps
	}
	for _, c := range r.Compare {
		if len(c.Key) == 0 {
			return ErrEmptyKey
		}
	}
	for _, branch := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range branch {
			var err error
			switch body := bodyOf(op).(type) {
			case nil:
				err = ErrKeyNotFound
			case *pb.TxnRequest:
				err = validateOps(body, left-most, bounded)
			default:
				err = Validate(body, 0)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// bodyOf is the request inside op, nil if there is none.
func bodyOf(op *pb.RequestOp) any {
	switch u := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return u.RequestRange
	case *pb.RequestOp_RequestPut:
		return u.RequestPut
	case *pb.RequestOp_RequestDeleteRange:
		return u.RequestDeleteRange
	case *pb.RequestOp_RequestTxn:
		return u.RequestTxn
	}
	return nil
}

// writes are the keys that some way through a list of operations may touch.
type writes struct {
	puts    []string
	deletes []interval
}

func (w *writes) put(key string) error {
	if slices.Contains(w.puts, key) || slices.ContainsFunc(w.deletes, func(d interval) bool { return d.contains(key) }) {
		return ErrDuplicateKey
	}
	w.puts = append(w.puts, key)
	return nil
}

// writesOf refuses a list of operations that could, in one execution, put a key
// twice, or put a key that it also deletes. The two branches of a nested txn
// exclude each other, so they may put the same key.
func writesOf(ops []*pb.RequestOp) (*writes, error) {
	w := &writes{}
	for _, op := range ops {
		if d, ok := bodyOf(op).(*pb.DeleteRangeRequest); ok {
			in := intervalOf(d.Key, d.RangeEnd)
			if in.open {
				// etcd takes the zero byte literally here, so that a delete without an
				// end covers no put: put and delete of one key then happen in order.
				in = interval{start: in.start, end: "\x00"}
			}
			w.deletes = append(w.deletes, in)
		}
	}
	for _, op := range ops {
		if nested, ok := bodyOf(op).(*pb.TxnRequest); ok {
			if err := w.nest(nested); err != nil {
				return nil, err
			}
		}
	}
	for _, op := range ops {
		if p, ok := bodyOf(op).(*pb.PutRequest); ok {
			if err := w.put(string(p.Key)); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

func (w *writes) nest(r *pb.TxnRequest) error {
	then, err := writesOf(r.Success)
	if err != nil {
		return err
	}
	other, err := writesOf(r.Failure)
	if err != nil {
		return err
	}
	for _, key := range then.puts {
		if err := w.put(key); err != nil {
			return err
		}
	}
	for _, key := range other.puts {
		if slices.Contains(then.puts, key) {
			continue
		}
		if err := w.put(key); err != nil {
			return err
		}
	}
	w.deletes = append(append(w.deletes, then.deletes...), other.deletes...)
	return nil
}
