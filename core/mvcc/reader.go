package mvcc

import (
	"bytes"
	"math"
	"sort"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"
)

// reader reads one state: the current one, a view, or the one inside a
// transaction that has already written.
type reader struct {
	index      *treeIndex
	data       getter
	rev        int64
	compactRev int64
	pending    []Event // of revision rev, by sub; not in data yet
}

// found is a key that a range selected, with its version.
type found struct {
	item item
	version
}

// check says whether revision rev (0: the newest) can be read.
func (r *reader) check(rev int64) error {
	switch {
	case rev == 0:
		return nil
	case rev > r.rev:
		return ErrFutureRev
	case rev < r.compactRev && !mutant.On(mutant.CompactedReadable):
		return ErrCompacted
	}
	return nil
}

// rangeKeys answers a RangeRequest.
func (r *reader) rangeKeys(req *pb.RangeRequest) (*pb.RangeResponse, error) {
	rev := max(req.Revision, 0)
	if err := r.check(rev); err != nil {
		return nil, err
	}
	if rev == 0 {
		rev = r.rev
	}
	if len(req.RangeEnd) == 0 && plain(req) {
		return r.point(req.Key, rev), nil
	}
	resp := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: r.rev}}
	if req.CountOnly {
		r.index.visit(req.Key, req.RangeEnd, rev, func(item, version) bool {
			resp.Count++
			return true
		})
		return resp, nil
	}
	hits, count := r.find(req.Key, req.RangeEnd, rev, pushedLimit(req))
	resp.Count = count
	// Without a sort by value, keys-only needs nothing but the index, so the
	// lease stays unknown (etcd 3.7 answers the same way).
	if req.KeysOnly && req.SortTarget != pb.RangeRequest_VALUE {
		resp.Kvs = keysOnly(hits)
	} else {
		resp.Kvs = r.load(hits)
	}
	resp.Kvs = filter(resp.Kvs, req)
	order(resp.Kvs, req)
	if req.Limit > 0 && int64(len(resp.Kvs)) > req.Limit {
		clear(resp.Kvs[req.Limit:])
		resp.Kvs = resp.Kvs[:req.Limit]
		resp.More = !mutant.On(mutant.MoreForgotten)
	}
	if req.KeysOnly {
		for _, kv := range resp.Kvs {
			kv.Value = nil
		}
	}
	return resp, nil
}

// plain says whether a request for one key asks for nothing but the pair.
func plain(req *pb.RangeRequest) bool { return !req.CountOnly && !req.KeysOnly && !filtered(req) }

func filtered(req *pb.RangeRequest) bool {
	return req.MinModRevision != 0 || req.MaxModRevision != 0 ||
		req.MinCreateRevision != 0 || req.MaxCreateRevision != 0
}

// point is the answer for one key: the commonest read, in two allocations. It shares the key with the request.
func (r *reader) point(key []byte, rev int64) *pb.RangeResponse {
	answer := &struct {
		resp   pb.RangeResponse
		header pb.ResponseHeader
		kv     pb.KeyValue
		kvs    [1]*pb.KeyValue
		rev    [revisionBytes]byte
	}{}
	resp := &answer.resp
	resp.Header = &answer.header
	resp.Header.Revision = r.rev
	if _, v, ok := r.index.get(key, rev); ok {
		r.loadInto(&answer.kv, key, v.mod, AppendRevision(answer.rev[:0], v.mod))
		answer.kvs[0] = &answer.kv
		resp.Kvs, resp.Count = answer.kvs[:], 1
	}
	return resp
}

// pushedLimit is how many keys have to be looked at, 0 for all: one more than
// asked for tells whether there are more. A sort or a filter needs all. An
// unspecified order counts as no sort here whatever the target: etcd sorts
// such an answer only after it was cut.
func pushedLimit(req *pb.RangeRequest) int {
	sorted := req.SortOrder != pb.RangeRequest_NONE &&
		!(req.SortTarget == pb.RangeRequest_KEY && req.SortOrder == pb.RangeRequest_ASCEND)
	if req.Limit <= 0 || req.Limit >= math.MaxInt32 || sorted || filtered(req) {
		return 0
	}
	return int(req.Limit) + 1
}

// find selects the first limit keys of a range (0: all) and counts all.
func (r *reader) find(key, end []byte, rev int64, limit int) (hits []found, count int64) {
	r.index.visit(key, end, rev, func(i item, v version) bool {
		count++
		if limit == 0 || len(hits) < limit {
			hits = append(hits, found{i, v})
		}
		return true
	})
	return hits, count
}

func keysOnly(hits []found) []*pb.KeyValue {
	kvs, slab := newKeyValues(len(hits))
	for i, h := range hits {
		kv := &slab[i]
		kv.Key = h.item.keyBytes()
		kv.CreateRevision, kv.ModRevision, kv.Version = h.created, h.mod.Main, h.number
	}
	return kvs
}

// newKeyValues makes n messages in two allocations.
func newKeyValues(n int) ([]*pb.KeyValue, []pb.KeyValue) {
	slab := make([]pb.KeyValue, n)
	kvs := make([]*pb.KeyValue, n)
	for i := range slab {
		kvs[i] = &slab[i]
	}
	return kvs, slab
}

// loadChunk is how many pairs share one allocation for their values.
const loadChunk = 32

func (r *reader) load(hits []found) []*pb.KeyValue {
	kvs, slab := newKeyValues(len(hits))
	key := make([]byte, 0, revisionBytes)
	var parsed [loadChunk]fields
	for at := 0; at < len(hits); at += loadChunk {
		chunk := hits[at:min(at+loadChunk, len(hits))]
		size := 0
		for i, h := range chunk {
			key = AppendRevision(key[:0], h.mod)
			parsed[i] = r.fetch(h.mod, key)
			size += len(parsed[i].value)
		}
		values := make([]byte, 0, size)
		for i, h := range chunk {
			values = parsed[i].fill(&slab[at+i], h.item.keyBytes(), values)
		}
	}
	return kvs
}

// one loads the pair that a single revision made of a key.
func (r *reader) one(key []byte, rev Revision) *pb.KeyValue {
	kv := &pb.KeyValue{}
	r.loadInto(kv, key, rev, AppendRevision(make([]byte, 0, revisionBytes), rev))
	return kv
}

func (r *reader) loadInto(kv *pb.KeyValue, key []byte, rev Revision, place []byte) {
	f := r.fetch(rev, place)
	f.fill(kv, key, nil)
}

// fetch finds the record of a revision, by its place in the bucket. The bytes belong to the bucket.
func (r *reader) fetch(rev Revision, place []byte) fields {
	if len(r.pending) > 0 && rev.Main == r.rev {
		kv := r.pending[rev.Sub].Kv
		return fields{value: kv.Value, created: kv.CreateRevision, mod: kv.ModRevision, version: kv.Version, lease: kv.Lease}
	}
	raw := r.data.Get(backend.Key, place)
	invariant.Assert(raw != nil, "mvcc: a revision of the index is not in the key bucket")
	f, err := parseKeyValue(raw)
	invariant.Assert(err == nil, "mvcc: a pair in the key bucket cannot be decoded")
	invariant.Assert(f.mod == rev.Main, "mvcc: a pair in the key bucket is of another revision")
	return f
}

// filter drops the pairs outside the request's revision bounds.
func filter(kvs []*pb.KeyValue, req *pb.RangeRequest) []*pb.KeyValue {
	drop := func(bound int64, out func(kv *pb.KeyValue) bool) {
		if bound == 0 {
			return
		}
		n := 0
		for _, kv := range kvs {
			if !out(kv) {
				kvs[n] = kv
				n++
			}
		}
		kvs = kvs[:n]
	}
	drop(req.MaxModRevision, func(kv *pb.KeyValue) bool { return kv.ModRevision > req.MaxModRevision })
	drop(req.MinModRevision, func(kv *pb.KeyValue) bool { return kv.ModRevision < req.MinModRevision })
	drop(req.MaxCreateRevision, func(kv *pb.KeyValue) bool { return kv.CreateRevision > req.MaxCreateRevision })
	drop(req.MinCreateRevision, func(kv *pb.KeyValue) bool { return kv.CreateRevision < req.MinCreateRevision })
	return kvs
}

// order sorts as the request asks. The pairs come in key order.
func order(kvs []*pb.KeyValue, req *pb.RangeRequest) {
	var less func(a, b *pb.KeyValue) bool
	switch req.SortTarget {
	case pb.RangeRequest_KEY:
		if req.SortOrder != pb.RangeRequest_DESCEND {
			return
		}
		less = func(a, b *pb.KeyValue) bool { return bytes.Compare(a.Key, b.Key) < 0 }
	case pb.RangeRequest_VERSION:
		less = func(a, b *pb.KeyValue) bool { return a.Version < b.Version }
	case pb.RangeRequest_CREATE:
		less = func(a, b *pb.KeyValue) bool { return a.CreateRevision < b.CreateRevision }
	case pb.RangeRequest_MOD:
		less = func(a, b *pb.KeyValue) bool { return a.ModRevision < b.ModRevision }
	case pb.RangeRequest_VALUE:
		less = func(a, b *pb.KeyValue) bool { return bytes.Compare(a.Value, b.Value) < 0 }
	default:
		return
	}
	// The unstable sort.Sort is deterministic, and etcd's answers have ties in
	// the order that it leaves them in.
	var by sort.Interface = sorter{kvs, less}
	if req.SortOrder == pb.RangeRequest_DESCEND {
		by = sort.Reverse(by)
	}
	sort.Sort(by)
}

type sorter struct {
	kvs  []*pb.KeyValue
	less func(a, b *pb.KeyValue) bool
}

func (s sorter) Len() int           { return len(s.kvs) }
func (s sorter) Less(i, j int) bool { return s.less(s.kvs[i], s.kvs[j]) }
func (s sorter) Swap(i, j int)      { s.kvs[i], s.kvs[j] = s.kvs[j], s.kvs[i] }
