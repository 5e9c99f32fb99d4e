package model

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"vitrine/core/limits"
	"vitrine/core/pb"
)

// Apply executes a request: *pb.RangeRequest, PutRequest, DeleteRangeRequest,
// TxnRequest, CompactionRequest, AlarmRequest, LeaseGrantRequest or LeaseRevokeRequest. The
// response is etcd's, with the revision as its whole header; an Error leaves the
// state as it was. Responses share pairs with the state: do not change them.
func (s *State) Apply(request any) (response any, err error) {
	if err := Validate(request, s.MaxTxnOps); err != nil {
		return nil, err
	}
	if err := s.alarmed(request); err != nil {
		return nil, err
	}
	switch r := request.(type) {
	case *pb.RangeRequest:
		return pb.Answer(s.at().rangeKeys(r))
	case *pb.PutRequest:
		t := s.at()
		if err := t.checkPut(r); err != nil {
			return nil, err
		}
		return t.end(t.put(r)), nil
	case *pb.DeleteRangeRequest:
		t := s.at()
		return t.end(t.deleteRange(r)), nil
	case *pb.TxnRequest:
		return s.txn(r)
	case *pb.CompactionRequest:
		return pb.Answer(s.compact(r))
	case *pb.AlarmRequest:
		return s.alarm(r), nil
	case *pb.LeaseGrantRequest:
		return pb.Answer(s.grant(r))
	case *pb.LeaseRevokeRequest:
		return pb.Answer(s.revoke(r))
	}
	if is, err := s.manage(request); is {
		return nil, err
	}
	return nil, fmt.Errorf("model: no such request: %T", request)
}

// ApplyAs is Apply for a request that the log has of a user, who must be allowed to ask it.
func (s *State) ApplyAs(user string, revision uint64, request any) (response any, err error) {
	if err := s.alarmed(request); err != nil {
		return nil, err
	}
	if err := s.may(user, revision, request); err != nil {
		return nil, err
	}
	return s.Apply(request)
}

// Apply is State.Apply on a copy: s stays as it is.
func Apply(s *State, request any) (response any, next *State, err error) {
	next = s.Clone()
	response, err = next.Apply(request)
	return response, next, err
}

func header(rev int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: rev} }

// turn is the execution of one request: all it writes has revision base+1.
type turn struct {
	s    *State
	base int64
	sub  int64 // changes so far
}

func (s *State) at() *turn { return &turn{s: s, base: s.revision} }

// rev is what the request sees: once it has written, its own revision.
func (t *turn) rev() int64 {
	if t.sub > 0 {
		return t.base + 1
	}
	return t.base
}

// end publishes the turn's revision.
func (t *turn) end(response any) any {
	t.s.revision = t.rev()
	return response
}

func (t *turn) record(key string, kv *pb.KeyValue) {
	t.s.write(record{key: key, rev: t.base + 1, sub: t.sub, kv: kv})
	t.sub++
}

func (t *turn) live(in interval) (kvs []*pb.KeyValue) {
	t.s.scan(in, t.rev(), func(kv *pb.KeyValue) { kvs = append(kvs, kv) })
	return kvs
}

func (t *turn) rangeKeys(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rev := r.Revision
	if rev > t.rev() {
		return nil, ErrFutureRev
	}
	if rev <= 0 {
		rev = t.rev()
	}
	if rev < t.s.compacted {
		return nil, ErrCompacted
	}
	var kvs []*pb.KeyValue
	t.s.scan(intervalOf(r.Key, r.RangeEnd), rev, func(kv *pb.KeyValue) { kvs = append(kvs, kv) })
	resp := &pb.RangeResponse{Header: header(t.rev()), Count: int64(len(kvs))}
	if r.CountOnly {
		return resp, nil
	}
	filtered := r.MaxModRevision != 0 || r.MinModRevision != 0 || r.MaxCreateRevision != 0 || r.MinCreateRevision != 0
	keyOrder := r.SortOrder == pb.RangeRequest_NONE ||
		r.SortTarget == pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_ASCEND
	if r.Limit > 0 && r.Limit < math.MaxInt64 && keyOrder && !filtered && int64(len(kvs)) > r.Limit+1 {
		// A target without an order sorts, yet only among the first limit+1 keys:
		// an oddity of etcd that clients can see.
		kvs = kvs[:r.Limit+1]
	}
	kvs = slices.DeleteFunc(kvs, func(kv *pb.KeyValue) bool { return outside(r, kv) })
	order(kvs, r)
	if r.Limit > 0 && int64(len(kvs)) > r.Limit {
		kvs, resp.More = kvs[:r.Limit], true
	}
	if r.KeysOnly {
		kvs = withoutValues(kvs, r.SortTarget == pb.RangeRequest_VALUE)
	}
	resp.Kvs = kvs
	return resp, nil
}

// outside reports whether a revision filter keeps kv out; 0 = no filter.
func outside(r *pb.RangeRequest, kv *pb.KeyValue) bool {
	return r.MaxModRevision != 0 && kv.ModRevision > r.MaxModRevision ||
		r.MinModRevision != 0 && kv.ModRevision < r.MinModRevision ||
		r.MaxCreateRevision != 0 && kv.CreateRevision > r.MaxCreateRevision ||
		r.MinCreateRevision != 0 && kv.CreateRevision < r.MinCreateRevision
}

func order(kvs []*pb.KeyValue, r *pb.RangeRequest) {
	if r.SortTarget == pb.RangeRequest_KEY && r.SortOrder != pb.RangeRequest_DESCEND {
		return // they come in key order
	}
	compare := map[pb.RangeRequest_SortTarget]func(a, b *pb.KeyValue) int{
		pb.RangeRequest_KEY:     func(a, b *pb.KeyValue) int { return bytes.Compare(a.Key, b.Key) },
		pb.RangeRequest_VERSION: func(a, b *pb.KeyValue) int { return cmp.Compare(a.Version, b.Version) },
		pb.RangeRequest_CREATE:  func(a, b *pb.KeyValue) int { return cmp.Compare(a.CreateRevision, b.CreateRevision) },
		pb.RangeRequest_MOD:     func(a, b *pb.KeyValue) int { return cmp.Compare(a.ModRevision, b.ModRevision) },
		pb.RangeRequest_VALUE:   func(a, b *pb.KeyValue) int { return bytes.Compare(a.Value, b.Value) },
	}[r.SortTarget]
	// The algorithm is part of what clients see: it decides between equals.
	s := sorter{kvs, compare}
	if r.SortOrder == pb.RangeRequest_DESCEND {
		sort.Sort(sort.Reverse(s))
		return
	}
	sort.Sort(s)
}

type sorter struct {
	kvs     []*pb.KeyValue
	compare func(a, b *pb.KeyValue) int
}

func (s sorter) Len() int           { return len(s.kvs) }
func (s sorter) Less(i, j int) bool { return s.compare(s.kvs[i], s.kvs[j]) < 0 }
func (s sorter) Swap(i, j int)      { s.kvs[i], s.kvs[j] = s.kvs[j], s.kvs[i] }

// withoutValues answers keys_only. etcd answers it from its index, which knows
// no leases, unless it needed the values to sort by.
func withoutValues(kvs []*pb.KeyValue, keepLease bool) []*pb.KeyValue {
	out := make([]*pb.KeyValue, len(kvs))
	for i, kv := range kvs {
		out[i] = &pb.KeyValue{Key: kv.Key, CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision,
			Version: kv.Version}
		if keepLease {
			out[i].Lease = kv.Lease
		}
	}
	return out
}

// checkPut refuses a put that cannot be done on the state before the request.
func (t *turn) checkPut(r *pb.PutRequest) error {
	if r.Lease != 0 && !t.s.leases.Has(r.Lease) {
		return ErrLeaseNotFound
	}
	if (r.IgnoreValue || r.IgnoreLease) && t.s.get(string(r.Key), t.base) == nil {
		return ErrKeyNotFound
	}
	return nil
}

func (t *turn) put(r *pb.PutRequest) *pb.PutResponse {
	prev := t.s.get(string(r.Key), t.rev())
	kv := &pb.KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, Version: 1, CreateRevision: t.base + 1,
		ModRevision: t.base + 1}
	if prev != nil {
		kv.Version, kv.CreateRevision = prev.Version+1, prev.CreateRevision
		if r.IgnoreValue {
			kv.Value = prev.Value
		}
		if r.IgnoreLease {
			kv.Lease = prev.Lease
		}
	}
	t.record(string(r.Key), kv)
	resp := &pb.PutResponse{Header: header(t.rev())}
	if r.PrevKv {
		resp.PrevKv = prev
	}
	return resp
}

func (t *turn) deleteRange(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	victims := t.live(intervalOf(r.Key, r.RangeEnd))
	for _, kv := range victims {
		t.record(string(kv.Key), nil)
	}
	resp := &pb.DeleteRangeResponse{Header: header(t.rev()), Deleted: int64(len(victims))}
	if r.PrevKv {
		resp.PrevKvs = victims
	}
	return resp
}

func (s *State) compact(r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	if r.Revision <= s.compacted {
		return nil, ErrCompacted
	}
	if r.Revision > s.revision {
		return nil, ErrFutureRev
	}
	var gone []record
	var newest record // of the key being looked at, up to the compact revision
	drop := func(superseded bool) {
		if newest.key != "" && (superseded || newest.kv == nil) {
			gone = append(gone, newest)
		}
		newest = record{}
	}
	s.records.Ascend(func(rec record) bool {
		if rec.key != newest.key {
			drop(false)
		}
		if rec.rev <= r.Revision {
			drop(true)
			newest = rec
		}
		return true
	})
	drop(false)
	for _, rec := range gone {
		s.records.Delete(rec)
	}
	s.compacted = r.Revision
	s.note(uint64(r.Revision))
	return &pb.CompactionResponse{Header: header(s.revision)}, nil
}

// minTTL is the least time that a lease gets, in seconds, with an election timeout of one second.
const minTTL = 2

func (s *State) grant(r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	if r.TTL > limits.MaxLeaseTTL {
		return nil, ErrLeaseTTL
	}
	if s.leases.Has(r.ID) {
		return nil, ErrLeaseExist
	}
	s.leases.ReplaceOrInsert(r.ID)
	s.note(uint64(r.ID))
	return &pb.LeaseGrantResponse{Header: header(s.revision), ID: r.ID, TTL: max(r.TTL, minTTL)}, nil
}

// leased are the keys of a lease.
func (t *turn) leased(id int64) (keys []string) {
	for _, kv := range t.live(interval{open: true}) {
		if kv.Lease == id {
			keys = append(keys, string(kv.Key))
		}
	}
	return keys
}

// revoke ends a lease; its keys go with it, in key order, in one revision.
func (s *State) revoke(r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	if !s.leases.Has(r.ID) {
		return nil, ErrLeaseNotFound
	}
	s.leases.Delete(r.ID)
	s.note(uint64(r.ID))
	t := s.at()
	for _, key := range t.leased(r.ID) {
		t.record(key, nil)
	}
	t.end(nil)
	return &pb.LeaseRevokeResponse{Header: header(s.revision)}, nil
}
