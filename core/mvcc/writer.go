package mvcc

import (
	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// Writer makes one revision: everything between Begin and End happens at once.
// Reads through it see its own writes.
type Writer struct {
	s        *Store
	batch    *backend.Batch
	withPrev bool
	events   []Event
	first    *first // memory of the change and its first event; nil before that
}

// first is what nearly every change consists of, in one allocation.
type first struct {
	change Change
	events [1]Event
	event  pb.Event
	kv     pb.KeyValue
}

// Begin starts the writes of one entry. The changes go into batch, which the
// caller hands to the backend after End; until then nobody may read the Store.
// With withPrev every event carries the pair before it.
func (s *Store) Begin(batch *backend.Batch, withPrev bool) *Writer {
	s.writer = Writer{s: s, batch: batch, withPrev: withPrev}
	return &s.writer
}

// End publishes the revision. It returns nil if nothing was written.
func (w *Writer) End() *Change {
	if len(w.events) == 0 {
		return nil
	}
	w.s.rev++
	invariant.Assert(w.s.rev > w.s.compactRev || mutant.On(mutant.CompactRevisionLost),
		"mvcc: a revision that is compacted is written")
	c := &w.first.change
	c.Rev, c.Events = w.s.rev, w.events
	w.events, w.first = nil, nil
	if w.s.trace.On() {
		w.emit(c)
	}
	return c
}

func (w *Writer) emit(c *Change) {
	for _, e := range c.Events {
		w.s.trace.EmitKey(trace.Event{Kind: trace.RevisionAdvanced, Rev: c.Rev, A: uint64(e.Type)}, e.Kv.Key)
		w.s.trace.EmitKey(trace.Event{Kind: trace.KeyIndexed, Rev: c.Rev}, e.Kv.Key)
	}
}

// next is the revision of the next change.
func (w *Writer) next() Revision { return Revision{Main: w.s.rev + 1, Sub: int64(len(w.events))} }

// revision is the newest one inside the transaction.
func (w *Writer) revision() int64 {
	if len(w.events) > 0 {
		return w.s.rev + 1
	}
	return w.s.rev
}

// reader reads what is visible inside the transaction.
func (w *Writer) reader() reader {
	r := w.s.reader()
	r.rev, r.pending = w.revision(), w.events
	return r
}

// Range reads what is visible inside the transaction.
func (w *Writer) Range(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rd := w.reader()
	return rd.rangeKeys(r)
}

// Put writes one pair. It fails before it writes anything.
func (w *Writer) Put(r *pb.PutRequest) (*pb.PutResponse, error) {
	rd := w.reader()
	if err := w.s.checkPut(&rd, r); err != nil {
		return nil, err
	}
	return w.put(r), nil
}

// checkPut says whether a put may go ahead in the state that rd reads.
func (s *Store) checkPut(rd *reader, r *pb.PutRequest) error {
	if r.Lease != 0 && (s.leases == nil || !s.leases.Exists(r.Lease)) {
		return ErrLeaseNotFound
	}
	if r.IgnoreValue || r.IgnoreLease {
		if _, _, ok := rd.index.get(r.Key, rd.rev); !ok {
			return ErrKeyNotFound
		}
	}
	return nil
}

// put writes a pair that checkPut has let through.
func (w *Writer) put(r *pb.PutRequest) *pb.PutResponse {
	answer := &struct {
		resp   pb.PutResponse
		header pb.ResponseHeader
	}{}
	resp := &answer.resp
	resp.Header = &answer.header
	resp.Header.Revision = w.s.rev + 1
	rev := w.next()
	made, old, existed := w.s.index.put(r.Key, rev)
	e, kv := w.newEvent()
	invariant.Assert(!existed || old.number < made.number && old.created == made.created,
		"mvcc: a version does not follow the one before it")
	var prev *pb.KeyValue
	if existed && (w.withPrev || r.PrevKv || r.IgnoreValue || r.IgnoreLease) {
		rd := w.reader()
		prev = rd.one(r.Key, old.mod)
	}
	kv.Key, kv.Value, kv.Lease = r.Key, r.Value, r.Lease
	kv.CreateRevision, kv.ModRevision, kv.Version = made.created, rev.Main, made.number
	// The pair may be gone: the transaction that checkPut let through may have
	// deleted it a moment ago, by "everything from here on". Then there is
	// nothing to keep, which must not stop a member (it does stop etcd).
	if r.IgnoreValue {
		kv.Value = prev.GetValue()
	}
	if r.IgnoreLease {
		kv.Lease = prev.GetLease()
	}
	if r.PrevKv {
		resp.PrevKv = prev
	}
	key, value := record(rev, false, kv)
	w.batch.Put(backend.Key, key, value)
	w.s.attach(kv.Key, kv.Lease)
	w.append(e, prev)
	return resp
}

// newEvent makes an event with an empty pair.
func (w *Writer) newEvent() (*pb.Event, *pb.KeyValue) {
	e, kv := (*pb.Event)(nil), (*pb.KeyValue)(nil)
	if w.first == nil {
		w.first = &first{}
		w.events = w.first.events[:0]
		e, kv = &w.first.event, &w.first.kv
	} else {
		e, kv = &pb.Event{}, &pb.KeyValue{}
	}
	e.Kv = kv
	return e, kv
}

func (w *Writer) append(e *pb.Event, prev *pb.KeyValue) {
	all := Event{Event: e, HasPrev: w.withPrev}
	if w.withPrev {
		all.Prev = w.before(e.Kv.Key, prev)
	}
	w.events = append(w.events, all)
}

// before is the pair that a key had before this revision, as history has it,
// given the one that it has had until now.
func (w *Writer) before(key []byte, now *pb.KeyValue) *pb.KeyValue {
	if len(w.events) == 0 || now != nil && now.ModRevision <= w.s.rev || mutant.On(mutant.PreviousInside) {
		return now
	}
	rd := w.s.reader()
	_, v, ok := rd.index.get(key, rd.rev)
	if !ok {
		return nil
	}
	return rd.one(key, v.mod)
}

// DeleteRange deletes the keys of a range in key order.
func (w *Writer) DeleteRange(r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return w.deleteRange(r), nil
}

func (w *Writer) deleteRange(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	rd := w.reader()
	hits, count := rd.find(r.Key, r.RangeEnd, rd.rev, 0)
	var prev []*pb.KeyValue
	if r.PrevKv || w.withPrev {
		prev = rd.load(hits)
	}
	for i, h := range hits {
		var before *pb.KeyValue
		if prev != nil {
			before = prev[i]
		}
		w.tombstone(h.item, before)
	}
	resp := &pb.DeleteRangeResponse{Header: &pb.ResponseHeader{Revision: w.revision()}, Deleted: count}
	if r.PrevKv {
		resp.PrevKvs = prev
	}
	return resp
}

// Delete deletes one key, if it exists, and answers nothing.
func (w *Writer) Delete(key []byte) {
	rd := w.reader()
	hits, _ := rd.find(key, nil, rd.rev, 0)
	for _, h := range hits {
		var prev *pb.KeyValue
		if w.withPrev {
			prev = rd.load(hits)[0]
		}
		w.tombstone(h.item, prev)
	}
}

func (w *Writer) tombstone(i item, prev *pb.KeyValue) {
	rev := w.next()
	invariant.Assert(rev.Main > w.s.rev, "mvcc: a change is written into the past")
	w.s.index.tombstone(i, rev)
	e, kv := w.newEvent()
	e.Type = pb.Event_DELETE
	// The bucket keeps the bare key; watchers also see the revision.
	kv.Key = i.keyBytes()
	key, value := record(rev, true, kv)
	w.batch.Put(backend.Key, key, value)
	w.s.attach(kv.Key, 0)
	kv.ModRevision = rev.Main
	w.append(e, prev)
}
