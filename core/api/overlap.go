package api

import (
	"bytes"
	"slices"

	"vitrine/core/pb"
)

// A txn writes all at one revision, so on no path through it may a key be put twice, or put and covered by a delete.
// The two branches of a nested txn exclude each other: a key may be put in both.

// writes is what one list of operations may put and delete, on any of its paths.
type writes struct {
	puts    [][]byte // sorted, each once
	deletes []span
}

// span is a range of keys as requests write it: no end = the key alone. An end of 0x00, which means everything from
// key on, is compared here like any other end, so such a delete collides with no put: etcd takes these txns, and its
// clients may rely on it. The operations still have an order, so nothing is ambiguous.
type span struct{ key, end []byte }

func (s span) covers(key []byte) bool {
	if len(s.end) == 0 {
		return bytes.Equal(s.key, key)
	}
	return bytes.Compare(s.key, key) <= 0 && bytes.Compare(key, s.end) < 0
}

func checkOverlaps(r *pb.TxnRequest) *Error {
	for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		if len(ops) > 1 || len(ops) == 1 && ops[0].GetRequestTxn() != nil {
			if _, err := collectWrites(ops); err != nil {
				return err
			}
		}
	}
	return nil
}

// collectWrites gathers what ops write and refuses what collides. A delete of this level collides with every put of
// this level and below; a delete of a txn further down collides with puts of its own level, of later sibling txns and
// of the levels above, but not with those of earlier siblings, as in etcd.
func collectWrites(ops []*pb.RequestOp) (writes, *Error) {
	var w writes
	for _, op := range ops {
		if d := op.GetRequestDeleteRange(); d != nil {
			w.deletes = append(w.deletes, span{d.Key, d.RangeEnd})
		}
	}
	for _, op := range ops {
		if t := op.GetRequestTxn(); t != nil {
			if err := w.addTxn(t); err != nil {
				return w, err
			}
		}
	}
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			if err := w.put(p.Key); err != nil {
				return w, err
			}
		}
	}
	return w, nil
}

func (w *writes) addTxn(t *pb.TxnRequest) *Error {
	then, err := collectWrites(t.GetSuccess())
	if err != nil {
		return err
	}
	otherwise, err := collectWrites(t.GetFailure())
	if err != nil {
		return err
	}
	for _, k := range then.puts {
		if err := w.put(k); err != nil {
			return err
		}
	}
	for _, k := range otherwise.puts {
		if _, both := slices.BinarySearchFunc(then.puts, k, bytes.Compare); both {
			if w.deleted(k) {
				return ErrDuplicateKey
			}
			continue
		}
		if err := w.put(k); err != nil {
			return err
		}
	}
	w.deletes = append(w.deletes, then.deletes...)
	w.deletes = append(w.deletes, otherwise.deletes...)
	return nil
}

func (w *writes) put(key []byte) *Error {
	at, twice := slices.BinarySearchFunc(w.puts, key, bytes.Compare)
	if twice || w.deleted(key) {
		return ErrDuplicateKey
	}
	w.puts = slices.Insert(w.puts, at, key)
	return nil
}

func (w *writes) deleted(key []byte) bool {
	return slices.ContainsFunc(w.deletes, func(s span) bool { return s.covers(key) })
}
