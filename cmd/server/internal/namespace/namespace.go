// Package namespace shows a part of the keys as if it were all there is: the keys that begin with a prefix, without it.
//
//	s := namespace.Space("tenant/")
//	request = s.Range(request)       // "a" asks for "tenant/a"
//	... ask ...
//	s.RangeAnswer(response)          // "tenant/a" is "a" again
//
// Requests are copied, as the caller may need them as they were; answers are changed in place.
package namespace

import (
	"bytes"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// Space is the prefix; the empty one shows everything.
type Space string

// key is where a key really is.
func (s Space) key(key []byte) []byte { return append([]byte(s), key...) }

// from is the end of a range that has no end: it ends with the space.
var from = []byte{0}

func (s Space) end(end []byte) []byte {
	switch {
	case len(end) == 0:
		return nil
	case !bytes.Equal(end, from):
		return s.key(end)
	}
	next := []byte(s)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
	return from
}

// strip is a key as it is shown.
func (s Space) strip(key []byte) []byte { return bytes.TrimPrefix(key, []byte(s)) }

// Range is what a range asks of the whole store.
func (s Space) Range(r *pb.RangeRequest) (*pb.RangeRequest, error) {
	if len(r.Key) == 0 {
		return nil, api.ErrEmptyKey
	}
	if s == "" {
		return r, nil
	}
	return &pb.RangeRequest{Key: s.key(r.Key), RangeEnd: s.end(r.RangeEnd), Limit: r.Limit, Revision: r.Revision,
		SortOrder: r.SortOrder, SortTarget: r.SortTarget, Serializable: r.Serializable, KeysOnly: r.KeysOnly,
		CountOnly: r.CountOnly, MinModRevision: r.MinModRevision, MaxModRevision: r.MaxModRevision,
		MinCreateRevision: r.MinCreateRevision, MaxCreateRevision: r.MaxCreateRevision}, nil
}

// Put is what a put asks of the whole store.
func (s Space) Put(r *pb.PutRequest) (*pb.PutRequest, error) {
	if len(r.Key) == 0 {
		return nil, api.ErrEmptyKey
	}
	if s == "" {
		return r, nil
	}
	return &pb.PutRequest{Key: s.key(r.Key), Value: r.Value, Lease: r.Lease, PrevKv: r.PrevKv, IgnoreValue: r.IgnoreValue,
		IgnoreLease: r.IgnoreLease}, nil
}

// Delete is what a deletion asks of the whole store.
func (s Space) Delete(r *pb.DeleteRangeRequest) (*pb.DeleteRangeRequest, error) {
	if len(r.Key) == 0 {
		return nil, api.ErrEmptyKey
	}
	if s == "" {
		return r, nil
	}
	return &pb.DeleteRangeRequest{Key: s.key(r.Key), RangeEnd: s.end(r.RangeEnd), PrevKv: r.PrevKv}, nil
}

// Txn is what a transaction asks of the whole store.
func (s Space) Txn(r *pb.TxnRequest) (*pb.TxnRequest, error) {
	if s == "" {
		return r, nil
	}
	out := &pb.TxnRequest{}
	for _, c := range r.Compare {
		out.Compare = append(out.Compare, &pb.Compare{Result: c.Result, Target: c.Target, TargetUnion: c.TargetUnion,
			Key: s.key(c.Key), RangeEnd: s.end(c.RangeEnd)})
	}
	var err error
	if out.Success, err = s.operations(r.Success); err != nil {
		return nil, err
	}
	out.Failure, err = s.operations(r.Failure)
	return out, err
}

func (s Space) operations(ops []*pb.RequestOp) ([]*pb.RequestOp, error) {
	out := make([]*pb.RequestOp, len(ops))
	for i, op := range ops {
		var err error
		out[i] = &pb.RequestOp{}
		switch {
		case op.GetRequestRange() != nil:
			to := &pb.RequestOp_RequestRange{}
			to.RequestRange, err = s.Range(op.GetRequestRange())
			out[i].Request = to
		case op.GetRequestPut() != nil:
			to := &pb.RequestOp_RequestPut{}
			to.RequestPut, err = s.Put(op.GetRequestPut())
			out[i].Request = to
		case op.GetRequestDeleteRange() != nil:
			to := &pb.RequestOp_RequestDeleteRange{}
			to.RequestDeleteRange, err = s.Delete(op.GetRequestDeleteRange())
			out[i].Request = to
		case op.GetRequestTxn() != nil:
			to := &pb.RequestOp_RequestTxn{}
			to.RequestTxn, err = s.Txn(op.GetRequestTxn())
			out[i].Request = to
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Watch is what a watcher asks of the whole store. Like a member, it takes no key for the first one.
func (s Space) Watch(key, end []byte) (_, _ []byte) {
	if s == "" {
		return key, end
	}
	if len(key) == 0 {
		key = from
	}
	return s.key(key), s.end(end)
}

// RangeAnswer, PutAnswer, DeleteAnswer and TxnAnswer show answers; Events what watchers see.
func (s Space) RangeAnswer(a *pb.RangeResponse) { s.pairs(a.Kvs) }

// PutAnswer shows the answer to a put.
func (s Space) PutAnswer(a *pb.PutResponse) { s.pair(a.PrevKv) }

// DeleteAnswer shows the answer to a deletion.
func (s Space) DeleteAnswer(a *pb.DeleteRangeResponse) { s.pairs(a.PrevKvs) }

// TxnAnswer shows the answer to a transaction.
func (s Space) TxnAnswer(a *pb.TxnResponse) {
	if s == "" {
		return
	}
	for _, op := range a.Responses {
		if a := op.GetResponseRange(); a != nil {
			s.RangeAnswer(a)
		}
		if a := op.GetResponsePut(); a != nil {
			s.PutAnswer(a)
		}
		if a := op.GetResponseDeleteRange(); a != nil {
			s.DeleteAnswer(a)
		}
		if a := op.GetResponseTxn(); a != nil {
			s.TxnAnswer(a)
		}
	}
}

// Events shows what watchers see.
func (s Space) Events(events []*pb.Event) {
	if s == "" {
		return
	}
	for _, e := range events {
		s.pair(e.Kv)
		s.pair(e.PrevKv)
	}
}

// Keys shows those of them that are in the space.
func (s Space) Keys(keys [][]byte) [][]byte {
	if s == "" {
		return keys
	}
	var out [][]byte
	for _, key := range keys {
		if bytes.HasPrefix(key, []byte(s)) {
			out = append(out, s.strip(key))
		}
	}
	return out
}

func (s Space) pairs(all []*pb.KeyValue) {
	if s == "" {
		return
	}
	for _, kv := range all {
		s.pair(kv)
	}
}

func (s Space) pair(kv *pb.KeyValue) {
	if kv != nil {
		kv.Key = s.strip(kv.Key)
	}
}
