package mvcc

import (
	"errors"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
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
