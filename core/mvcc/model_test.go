//go:build !js

package mvcc_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/model"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// member is a store that commits, compacts and crashes at times of its own.
// After a crash it applies again what its backend had not made durable, as a
// member does from its log.
type member struct {
	rt    *rapid.T
	name  string
	b     *backend.Backend
	s     *mvcc.Store
	batch *backend.Batch
	log   []proto.Message // entry i+1 of the raft log
	// reopen is what the machine finds after a crash.
	reopen func(backend.Store) backend.Store
}

const lease = 7

func newMember(rt *rapid.T, name string, store backend.Store, reopen func(backend.Store) backend.Store) *member {
	m := &member{rt: rt, name: name, batch: backend.NewBatch(), reopen: reopen}
	m.open(store)
	return m
}

func (m *member) open(store backend.Store) {
	var err error
	if m.b, err = backend.New(store); err != nil {
		m.rt.Fatal(err)
	}
	if m.s, err = mvcc.Open(m.b, oneLease{}, nil); err != nil {
		m.rt.Fatal(err)
	}
}

// oneLease is the only one that exists.
type oneLease struct{}

func (oneLease) Exists(id int64) bool { return id == lease }
func (oneLease) Attach([]byte, int64) {}

func (m *member) crash() {
	old := m.b.Store()
	m.b.Close()
	m.open(m.reopen(old))
	for i := m.b.Applied().Index; i < uint64(len(m.log)); i++ {
		m.apply(i+1, m.log[i])
	}
}

func (m *member) propose(req proto.Message) (proto.Message, error) {
	m.log = append(m.log, req)
	return m.apply(uint64(len(m.log)), req)
}

func (m *member) apply(index uint64, req proto.Message) (resp proto.Message, err error) {
	m.batch.Reset(backend.Applied{Index: index, Term: 1})
	w := m.s.Begin(m.batch, index%2 == 0)
	switch r := req.(type) {
	case *pb.PutRequest:
		resp, err = w.Put(r)
	case *pb.DeleteRangeRequest:
		resp, err = w.DeleteRange(r)
	case *pb.TxnRequest:
		resp, err = w.Txn(r, false)
	case *pb.CompactionRequest:
		err = m.s.Compact(r.Revision, m.batch)
		resp = &pb.CompactionResponse{Header: &pb.ResponseHeader{Revision: m.s.Revision()}}
	}
	w.End()
	m.b.Write(m.batch)
	return resp, err
}

// work does something of the member's own.
func (m *member) work() {
	switch n := rapid.IntRange(0, 9).Draw(m.rt, "work"); {
	case n < 2:
		if err := m.b.Flush(); err != nil {
			m.rt.Fatal(err)
		}
	case n == 2:
		m.crash()
	default:
		m.batch.Reset(backend.Applied{})
		m.s.CompactStep(m.batch, rapid.IntRange(1, 4).Draw(m.rt, "limit"))
		m.b.Write(m.batch)
	}
}

func bytesOf(t *rapid.T, m proto.Message) string {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// agree compares an answer with the model's.
func agree(t *rapid.T, who string, req, got proto.Message, gotErr error, want any, wantErr error) {
	t.Helper()
	if wantErr != nil || gotErr != nil {
		if wantErr == nil || gotErr == nil || wantErr.Error() != "etcdserver: "+gotErr.Error() {
			t.Fatalf("%s: %T %v: error %v, want %v", who, req, req, gotErr, wantErr)
		}
		return
	}
	if bytesOf(t, got) != bytesOf(t, want.(proto.Message)) {
		t.Fatalf("%s: %T %v:\n%v\nwant:\n%v", who, req, req, got, want)
	}
}

// sums compares the members' hashes, however far each is with a compaction.
func sums(t *rapid.T, members []*member, rev int64) {
	t.Helper()
	type answer struct {
		sum        uint32
		compactRev int64
		err        error
	}
	var all []answer
	for _, m := range members {
		var a answer
		a.sum, a.compactRev, _, a.err = m.s.HashKV(rev)
		v := m.s.View()
		if sum, compactRev, _, err := v.HashKV(rev); (answer{sum, compactRev, err}) != a {
			t.Fatalf("%s: hash of a view at %d: %08x from %d %v, want %v", m.name, rev, sum, compactRev, err, a)
		}
		v.Close()
		all = append(all, a)
	}
	// A finished compaction leaves the sum of what it went over; the other
	// member has not come to it yet, or has crashed since.
	remembered := (all[0].err == nil) != (all[1].err == nil) || all[0].compactRev != all[1].compactRev
	if all[0] != all[1] && !remembered {
		t.Fatalf("hash at %d: %v and %v", rev, all[0], all[1])
	}
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		newBolt := func() backend.Store {
			db, err := bolt.Open(filepath.Join(dir, "db"), bolt.Options{NoSync: true, MmapSize: 1 << 24})
			if err != nil {
				rt.Fatal(err)
			}
			return db
		}
		spec := model.New()
		if _, err := spec.Apply(&pb.LeaseGrantRequest{ID: lease, TTL: 1}); err != nil {
			rt.Fatal(err)
		}
		members := []*member{
			newMember(rt, "mem", backend.NewMem(), func(s backend.Store) backend.Store { return s.(*backend.Mem).Clone() }),
			newMember(rt, "bolt", newBolt(), func(backend.Store) backend.Store { return newBolt() }),
		}
		defer func() { members[1].b.Close() }()
		d := drawer{rt, func() int64 { return spec.Revision() }}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(*rapid.T) {
				req := d.write()
				if model.Validate(req, 0) != nil {
					rt.Skip("the API would not let it through")
				}
				want, wantErr := spec.Apply(req)
				for _, m := range members {
					got, err := m.propose(req)
					agree(rt, m.name, req, got, err, want, wantErr)
				}
			},
			"range": func(*rapid.T) {
				req := d.rangeRequest()
				want, wantErr := spec.Apply(req)
				for _, m := range members {
					got, err := m.s.Range(req)
					agree(rt, m.name, req, got, err, want, wantErr)
					v := m.s.View()
					got, err = v.Range(req)
					v.Close()
					agree(rt, m.name+" view", req, got, err, want, wantErr)
				}
			},
			"part": func(*rapid.T) {
				req := &pb.RangeRequest{Key: d.key(), RangeEnd: d.end(), Revision: d.revision(), Limit: 1 + d.upTo(5),
					KeysOnly: d.one(3)}
				want, wantErr := spec.Apply(req)
				if whole, ok := want.(*pb.RangeResponse); ok && wantErr == nil {
					whole.Count = 0 // a part does not count what is behind it
				}
				for _, m := range members {
					got, err := m.s.RangePart(req)
					agree(rt, m.name+" part", req, got, err, want, wantErr)
				}
			},
			"work": func(*rapid.T) {
				for _, m := range members {
					m.work()
				}
			},
			"hash": func(*rapid.T) {
				sums(rt, members, 0)
				sums(rt, members, d.revision())
			},
			"": func(*rapid.T) {
				for _, m := range members {
					if m.s.Revision() != spec.Revision() || m.s.CompactRevision() != spec.CompactRevision() {
						rt.Fatalf("%s: at %d, compacted at %d, want %d and %d", m.name,
							m.s.Revision(), m.s.CompactRevision(), spec.Revision(), spec.CompactRevision())
					}
					all, err := m.s.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, CountOnly: true})
					if err != nil || all.Count != int64(m.s.Keys()) || m.s.Indexed() < m.s.Keys() {
						rt.Fatalf("%s: %d keys of %d in the index, %v counted, %v", m.name, m.s.Keys(), m.s.Indexed(), all, err)
					}
				}
			},
		})
	})
}

// drawer draws requests over a dozen keys. (Sorting leaves ties in key order
// up to a dozen elements, and the model always does.)
type drawer struct {
	*rapid.T
	rev func() int64
}

func (d drawer) n(limit int) int        { return rapid.IntRange(0, limit-1).Draw(d.T, "n") }
func (d drawer) one(in int) bool        { return d.n(in) == 0 }
func (d drawer) upTo(limit int64) int64 { return rapid.Int64Range(0, limit).Draw(d.T, "n") }

func (d drawer) key() []byte { return fmt.Appendf(nil, "%c%d", 'a'+d.n(3), d.n(4)) }

func (d drawer) end() []byte {
	switch d.n(4) {
	case 0:
		return nil
	case 1:
		return []byte{0}
	}
	return d.key()
}

func (d drawer) revision() int64 {
	if d.one(2) {
		return 0
	}
	return d.upTo(d.rev()+3) - 1
}

func (d drawer) rangeRequest() *pb.RangeRequest {
	r := &pb.RangeRequest{Key: d.key(), RangeEnd: d.end(), Revision: d.revision(), KeysOnly: d.one(5), CountOnly: d.one(8)}
	if d.one(3) {
		r.Limit = d.upTo(6)
	}
	if d.one(3) {
		r.SortOrder = pb.RangeRequest_SortOrder(d.n(3))
		r.SortTarget = pb.RangeRequest_SortTarget(d.n(5))
	}
	for _, bound := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if d.one(10) {
			*bound = d.upTo(d.rev() + 2)
		}
	}
	return r
}

func (d drawer) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: d.key(), Value: []byte(strings.Repeat("x", d.n(5))), PrevKv: d.one(3)}
	switch d.n(10) {
	case 0:
		r.Lease = lease
	case 1:
		r.Lease = 9 // there is no such lease
	case 2:
		r.IgnoreValue, r.Value = true, nil
	case 3:
		r.IgnoreLease = true
	}
	return r
}

func (d drawer) deleteRange() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{Key: d.key(), PrevKv: d.one(2)}
	if d.one(4) {
		r.RangeEnd = d.end()
	}
	return r
}

func (d drawer) compare() *pb.Compare {
	c := &pb.Compare{Key: d.key(), Result: pb.Compare_CompareResult(d.n(4)), Target: pb.Compare_CompareTarget(d.n(5))}
	if d.one(4) {
		c.RangeEnd = d.end()
	}
	n := d.upTo(3)
	switch c.Target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: n}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: n * d.rev() / 3}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: n * d.rev() / 3}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: []byte(strings.Repeat("x", int(n)))}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: n / 2 * lease}
	}
	return c
}

func (d drawer) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range d.n(3) {
		r.Compare = append(r.Compare, d.compare())
	}
	for range d.n(4) {
		r.Success = append(r.Success, d.op(depth))
	}
	for range d.n(4) {
		r.Failure = append(r.Failure, d.op(depth))
	}
	return r
}

func (d drawer) op(depth int) *pb.RequestOp {
	switch n := d.n(10); {
	case n < 4:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: d.put()}}
	case n < 6:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: d.deleteRange()}}
	case n < 8 && depth > 0:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: d.txn(depth - 1)}}
	}
	r := d.rangeRequest()
	if !d.one(4) {
		r.Revision = 0
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func (d drawer) write() proto.Message {
	switch n := d.n(20); {
	case n < 8:
		return d.put()
	case n < 12:
		return d.deleteRange()
	case n < 14:
		return &pb.CompactionRequest{Revision: max(0, d.rev()-d.upTo(12)+2)}
	}
	return d.txn(2)
}
