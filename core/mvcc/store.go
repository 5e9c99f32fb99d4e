package mvcc

import (
	"vitrine/core/backend"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// Change is what one revision did, in the order of sub revisions.
type Change struct {
	Rev    int64
	Events []Event
}

// Event is one put or delete. With HasPrev, Prev is the pair before it, nil if
// the key did not exist or that revision is compacted.
type Event struct {
	*pb.Event
	Prev    *pb.KeyValue
	HasPrev bool
}

// Store is the key-value state of one member.
type Store struct {
	b          *backend.Backend
	leases     Leases // nil = there are none
	trace      *trace.Tracer
	index      *treeIndex
	rev        int64
	compactRev int64 // -1 before the first compaction, as in etcd
	compaction compaction
	hashes     []CompactHash
	writer     Writer
}

// Leases are what keys may hang on. A put may name one that exists; each put and
// each deletion of a key says what it hangs on from then on, 0 = nothing.
type Leases interface {
	Exists(id int64) bool
	Attach(key []byte, id int64)
}

// Open rebuilds the index from the key bucket and resumes a compaction that
// was cut short. A nil tracer is fine. Without leases no put may name one.
func Open(b *backend.Backend, leases Leases, t *trace.Tracer) (*Store, error) {
	s := &Store{b: b, leases: leases, trace: t, index: newTreeIndex(), rev: 1, compactRev: -1}
	scheduled, finished, err := compactMarks(b)
	if err != nil {
		return nil, err
	}
	s.compactRev = max(finished, scheduled)
	if err := s.restoreIndex(); err != nil {
		return nil, err
	}
	// Compaction may have deleted the newest revisions.
	if !mutant.On(mutant.CompactRevisionLost) {
		s.rev = max(s.rev, s.compactRev)
	}
	if scheduled > finished {
		s.compaction = compaction{active: true, rev: scheduled, prev: finished}
	}
	return s, nil
}

// restoreIndex reads every revision in order.
func (s *Store) restoreIndex() error {
	var failed error
	seq := sequence{compactRev: s.compactRev}
	s.b.Range(backend.Key, nil, nil, 0, func(k, v []byte) bool {
		rev, dead, kv, err := seq.next(k, v)
		if err == nil {
			err = s.restoreKey(rev, dead, &kv)
		}
		if err != nil {
			failed = err
			return false
		}
		s.rev = rev.Main
		return true
	})
	return failed
}

// restoreKey adds a revision to the index. What the record says of the key must fit what came before it.
func (s *Store) restoreKey(rev Revision, dead bool, kv *fields) error {
	s.attach(kv.key, kv.lease)
	switch ki := s.index.history(kv.key); {
	case ki == nil:
		ki = &keyIndex{}
		if dead {
			ki.restoreTombstone(rev)
		} else {
			ki.restore(rev, kv.created, kv.version)
		}
		s.index.insert(kv.key, ki)
	case !dead:
		made, _, _ := s.index.put(kv.key, rev)
		if made.created != kv.created || made.number != kv.version {
			return damaged("revision %s is version %d of a key created at %d, its record says %d and %d",
				rev.text(), made.number, made.created, kv.version, kv.created)
		}
	case ki.alive():
		i := probe(kv.key)
		i.ki = ki
		s.index.tombstone(i, rev)
	}
	return nil
}

func (s *Store) attach(key []byte, lease int64) {
	if s.leases != nil {
		s.leases.Attach(key, lease)
	}
}

// Revision is the newest revision; 1 on an empty store.
func (s *Store) Revision() int64 { return s.rev }

// CompactRevision is the oldest revision that can be read; -1 before the first
// compaction.
func (s *Store) CompactRevision() int64 { return s.compactRev }

// Keys is the number of keys that exist.
func (s *Store) Keys() int { return s.index.live }

// Indexed is the number of keys in the index, the deleted ones included that
// no compaction has removed yet.
func (s *Store) Indexed() int { return s.index.tree.Len() }

// getter is a backend or a view of one.
type getter interface {
	Get(b backend.Bucket, key []byte) []byte
	Range(b backend.Bucket, start, end []byte, limit int, fn func(k, v []byte) bool)
}

func (s *Store) reader() reader {
	return reader{index: s.index, data: s.b, rev: s.rev, compactRev: s.compactRev}
}

// Range reads the current state. Only the header's revision is filled.
func (s *Store) Range(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rd := s.reader()
	if mutant.On(mutant.ReadFromOldView) && r.Serializable && rd.rev%4 == 0 && rd.rev > rd.compactRev {
		rd.rev--
	}
	return rd.rangeKeys(r)
}

// Txn evaluates a transaction that contains ranges only.
func (s *Store) Txn(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	rd := s.reader()
	return rd.txn(r)
}

// View is a stable image of the store for one reader on any goroutine.
type View struct {
	r          reader
	view       backend.View
	hashes     []CompactHash
	compacting bool
}

// View opens a View; the caller must close it. Opening is a writer's call.
func (s *Store) View() *View {
	v := &View{view: s.b.View(), hashes: s.hashes, compacting: s.Compacting()}
	v.r = reader{index: s.index.view(), data: v.view, rev: s.rev, compactRev: s.compactRev}
	return v
}

// Revision is the newest revision in the view.
func (v *View) Revision() int64 { return v.r.rev }

// CompactRevision is the oldest revision that can be read from the view.
func (v *View) CompactRevision() int64 { return v.r.compactRev }

// Range is Store.Range on the view.
func (v *View) Range(r *pb.RangeRequest) (*pb.RangeResponse, error) { return v.r.rangeKeys(r) }

// Txn is Store.Txn on the view.
func (v *View) Txn(r *pb.TxnRequest) (*pb.TxnResponse, error) { return v.r.txn(r) }

// Close lets the view's resources go.
func (v *View) Close() { v.view.Close() }
