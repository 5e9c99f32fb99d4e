package mvcc

import (
	"errors"
	"fmt"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// fixture is a store over memory, written to entry by entry.
type fixture struct {
	t     testing.TB
	s     *Store
	b     *backend.Backend
	batch *backend.Batch
	index uint64
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, batch: backend.NewBatch()}
	f.open(backend.NewMem())
	return f
}

func (f *fixture) open(store backend.Store) {
	b, err := backend.New(store)
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := Open(b, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.b, f.s, f.index = b, s, b.Applied().Index
}

func (f *fixture) reset() {
	f.index++
	f.batch.Reset(backend.Applied{Index: f.index, Term: 1})
}

// entry applies fn as one entry.
func (f *fixture) entry(fn func(w *Writer)) *Change {
	f.reset()
	w := f.s.Begin(f.batch, true)
	fn(w)
	c := w.End()
	f.b.Write(f.batch)
	return c
}

func (f *fixture) put(key, value string) *Change {
	return f.entry(func(w *Writer) {
		if _, err := w.Put(&pb.PutRequest{Key: []byte(key), Value: []byte(value)}); err != nil {
			f.t.Fatal(err)
		}
	})
}

func (f *fixture) del(key, end string) *Change {
	return f.entry(func(w *Writer) {
		if _, err := w.DeleteRange(&pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}); err != nil {
			f.t.Fatal(err)
		}
	})
}

func (f *fixture) compact(rev int64) {
	f.reset()
	if err := f.s.Compact(rev, f.batch); err != nil {
		f.t.Fatal(err)
	}
	f.b.Write(f.batch)
}

// settle runs the compaction to its end.
func (f *fixture) settle(limit int) {
	for done := false; !done; {
		f.batch.Reset(backend.Applied{})
		done = f.s.CompactStep(f.batch, limit)
		f.b.Write(f.batch)
	}
}

// crash reopens what was committed.
func (f *fixture) crash() { f.open(f.b.Store().(*backend.Mem).Clone()) }

func TestSmoke(t *testing.T) {
	f := newFixture(t)
	if f.s.Revision() != 1 || f.s.CompactRevision() != -1 {
		t.Fatalf("a new store is at %d, compacted at %d", f.s.Revision(), f.s.CompactRevision())
	}
	f.put("a", "1")
	f.put("b", "2")
	f.del("a", "")
	if c := f.del("a", ""); c != nil {
		t.Fatalf("deleting nothing changed %v", c)
	}
	f.put("a", "3")
	resp, err := f.s.Range(&pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte{0}})
	if err != nil || resp.Count != 2 || resp.Header.Revision != 5 {
		t.Fatal(resp, err)
	}
	if kv := resp.Kvs[0]; string(kv.Value) != "3" || kv.CreateRevision != 5 || kv.Version != 1 {
		t.Fatal(kv)
	}
	f.compact(4)
	if _, err := f.s.Range(&pb.RangeRequest{Key: []byte("a"), Revision: 3}); !errors.Is(err, ErrCompacted) {
		t.Fatal(err)
	}
	f.settle(1)
	f.b.Flush()
	f.crash()
	if f.s.Revision() != 5 || f.s.CompactRevision() != 4 || f.s.Keys() != 2 {
		t.Fatal(f.s.Revision(), f.s.CompactRevision(), f.s.Keys())
	}
}

// TestOpenWhatEtcdLeaves opens key buckets with records that only etcd's tools
// and compactions make.
func TestOpenWhatEtcdLeaves(t *testing.T) {
	open := func(pairs ...any) (*Store, error) {
		store := backend.NewMem()
		var ops []backend.Op
		for i := 0; i < len(pairs); i += 2 {
			ops = append(ops, backend.Op{Bucket: backend.Key, Key: pairs[i].([]byte), Value: pairs[i+1].([]byte)})
		}
		if err := store.Commit(ops); err != nil {
			t.Fatal(err)
		}
		b, err := backend.New(store)
		if err != nil {
			t.Fatal(err)
		}
		return Open(b, nil)
	}
	at := func(main int64) []byte { return AppendRevision(nil, Revision{Main: main}) }
	dead := func(main int64) []byte { return append(at(main), tombstoneMark) }
	kv := func(created, mod, version int64) []byte {
		return marshalled(t, &pb.KeyValue{Key: []byte("a"), CreateRevision: created, ModRevision: mod, Version: version})
	}
	bare := kv(0, 0, 0)

	// A restore that bumps the revision leaves an empty record at it.
	s, err := open(at(5), kv(3, 5, 2), at(1_000_005), []byte{})
	if err != nil || s.Revision() != 1_000_005 {
		t.Fatal(s.Revision(), err)
	}
	resp, err := s.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil || resp.Count != 1 || resp.Kvs[0].Version != 2 || resp.Kvs[0].CreateRevision != 3 {
		t.Fatal(resp, err)
	}

	// The oldest record left may be a tombstone, and a life may follow it.
	s, err = open(dead(4), bare, at(6), kv(6, 6, 1), at(7), kv(6, 7, 2))
	if err != nil || s.Keys() != 1 {
		t.Fatal(s.Keys(), err)
	}
	for rev, want := range map[int64]int64{4: 0, 5: 0, 6: 1, 7: 2} {
		resp, err := s.Range(&pb.RangeRequest{Key: []byte("a"), Revision: rev})
		if err != nil || (want == 0) != (len(resp.Kvs) == 0) || (want > 0 && resp.Kvs[0].Version != want) {
			t.Errorf("at %d: %v %v, want version %d", rev, resp, err, want)
		}
	}

	// A tombstone without a life before it, twice.
	if s, err = open(dead(4), bare, dead(5), bare); err != nil || s.Keys() != 0 || s.Revision() != 5 {
		t.Fatal(s.Keys(), s.Revision(), err)
	}

	// Damage is an error that says where.
	if _, err = open([]byte("not a revision"), bare); err == nil {
		t.Fatal("a bad revision was taken")
	}
	if _, err = open(at(9), []byte("\x0a\x7f")); err == nil || err.Error() != "mvcc: revision 9.0: mvcc: malformed KeyValue" {
		t.Fatal(err)
	}
}

// TestTrace: one pair of events a change, none without a revision.
func TestTrace(t *testing.T) {
	ring := trace.NewRing(100)
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, trace.NewTracer(trace.NewStream(ring), 3))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, s: s, b: b, batch: backend.NewBatch()}
	f.put("a", "1")
	f.del("b", "")
	f.del("a", "")
	f.compact(3)
	got := ""
	for i := range ring.Len() {
		e := ring.At(i)
		got += fmt.Sprintf("%v %d %d %s; ", e.Kind, e.Rev, e.A, e.Text)
	}
	want := "revision-advanced 2 0 a; key-indexed 2 0 a; revision-advanced 3 1 a; key-indexed 3 0 a; compacted 3 0 ; "
	if got != want {
		t.Fatalf("%s\nwant\n%s", got, want)
	}
}

// TestPreviousPairs holds the previous pairs of events as they are made to those
// that a scan of the history finds, where a transaction changes a key twice.
func TestPreviousPairs(t *testing.T) {
	put := func(key, value string) func(w *Writer) {
		return func(w *Writer) { w.put(&pb.PutRequest{Key: []byte(key), Value: []byte(value)}) }
	}
	del := func(key string) func(w *Writer) {
		return func(w *Writer) { w.deleteRange(&pb.DeleteRangeRequest{Key: []byte(key)}) }
	}
	for name, steps := range map[string][]func(w *Writer){
		"put and delete of a new key": {put("new", "1"), del("new")},
		"put and delete":              {put("a", "1"), del("a")},
		"delete and put":              {del("a"), put("a", "1")},
		"put, delete and put":         {put("a", "1"), del("a"), put("a", "2"), del("b")},
	} {
		f := newFixture(t)
		f.put("a", "0")
		f.put("b", "0")
		live := f.entry(func(w *Writer) {
			w.withPrev = true
			for _, step := range steps {
				step(w)
			}
		})
		scanned, _, err := f.s.Scan(live.Rev, live.Rev, 0, true)
		if err != nil || len(scanned) != 1 || len(scanned[0].Events) != len(live.Events) {
			t.Fatalf("%s: scanned %v, %v", name, scanned, err)
		}
		for i, e := range live.Events {
			if got, want := e.Prev.String(), scanned[0].Events[i].Prev.String(); got != want {
				t.Errorf("%s: event %d has the previous pair %s, history %s", name, i, got, want)
			}
		}
	}
}
