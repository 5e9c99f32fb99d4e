// Package overlap finds what a txn writes twice.
//
// A txn writes all at one revision, so on no path through it may a key be put twice, or put and covered by a delete.
// The two branches of a nested txn exclude each other: a key may be put in both.
package overlap

import (
	"bytes"
	"slices"

	"vitrine/core/pb"
)

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

// Twice tells whether a txn may put a key twice, or put one that it deletes.
func Twice(r *pb.TxnRequest) bool {
	for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		if len(ops) > 1 || len(ops) == 1 && ops[0].GetRequestTxn() != nil {
			if _, ok := collect(ops); !ok {
				return true
			}
		}
	}
	return false
}

// collect gathers what ops write, unless something collides. A delete of this level collides with every put of
// this level and below; a delete of a txn further down collides with puts of its own level, of later sibling txns and
// of the levels above, but not with those of earlier siblings, as in etcd.
func collect(ops []*pb.RequestOp) (w writes, ok bool) {
	for _, op := range ops {
		if d := op.GetRequestDeleteRange(); d != nil {
			w.deletes = append(w.deletes, span{d.Key, d.RangeEnd})
		}
	}
	for _, op := range ops {
		if t := op.GetRequestTxn(); t != nil {
			if !w.addTxn(t) {
				return w, false
			}
		}
	}
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			if !w.put(p.Key) {
				return w, false
			}
		}
	}
	return w, true
}

func (w *writes) addTxn(t *pb.TxnRequest) bool {
	then, ok := collect(t.GetSuccess())
	if !ok {
		return false
	}
	otherwise, ok := collect(t.GetFailure())
	if !ok {
		return false
	}
	for _, k := range then.puts {
		if !w.put(k) {
			return false
		}
	}
	for _, k := range otherwise.puts {
		if _, both := slices.BinarySearchFunc(then.puts, k, bytes.Compare); both {
			if w.deleted(k) {
				return false
			}
			continue
		}
		if !w.put(k) {
			return false
		}
	}
	w.deletes = append(w.deletes, then.deletes...)
	w.deletes = append(w.deletes, otherwise.deletes...)
	return true
}

func (w *writes) put(key []byte) bool {
	at, twice := slices.BinarySearchFunc(w.puts, key, bytes.Compare)
	if twice || w.deleted(key) {
		return false
	}
	w.puts = slices.Insert(w.puts, at, key)
	return true
}

func (w *writes) deleted(key []byte) bool {
	return slices.ContainsFunc(w.deletes, func(s span) bool { return s.covers(key) })
}
