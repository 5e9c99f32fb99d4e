package mvcc

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
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
	s, err := Open(b, nil, nil)
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
	open := func(compacted int64, pairs ...any) (*Store, error) {
		store := backend.NewMem()
		var ops []backend.Op
		for i := 0; i < len(pairs); i += 2 {
			ops = append(ops, backend.Op{Bucket: backend.Key, Key: pairs[i].([]byte), Value: pairs[i+1].([]byte)})
		}
		if compacted > 0 {
			ops = append(ops, backend.Op{
				Bucket: backend.Meta, Key: []byte(metaScheduledCompact), Value: AppendRevision(nil, Revision{Main: compacted}),
			})
		}
		if err := store.Commit(ops); err != nil {
			t.Fatal(err)
		}
		b, err := backend.New(store)
		if err != nil {
			t.Fatal(err)
		}
		return Open(b, nil, nil)
	}
	at := func(main int64) []byte { return AppendRevision(nil, Revision{Main: main}) }
	dead := func(main int64) []byte { return append(at(main), tombstoneMark) }
	kv := func(created, mod, version int64) []byte {
		return marshalled(t, &pb.KeyValue{Key: []byte("a"), CreateRevision: created, ModRevision: mod, Version: version})
	}
	bare := kv(0, 0, 0)

	// A restore that bumps the revision leaves an empty record at it, and marks it compacted.
	s, err := open(1_000_005, at(5), kv(3, 5, 2), at(1_000_005), []byte{})
	if err != nil || s.Revision() != 1_000_005 {
		t.Fatal(s.Revision(), err)
	}
	resp, err := s.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil || resp.Count != 1 || resp.Kvs[0].Version != 2 || resp.Kvs[0].CreateRevision != 3 {
		t.Fatal(resp, err)
	}

	// The oldest record left may be a tombstone, and a life may follow it.
	b := marshalled(t, &pb.KeyValue{Key: []byte("b"), CreateRevision: 5, ModRevision: 5, Version: 1})
	s, err = open(4, dead(4), bare, at(5), b, at(6), kv(6, 6, 1), at(7), kv(6, 7, 2))
	if err != nil || s.Keys() != 2 {
		t.Fatal(s.Keys(), err)
	}
	for rev, want := range map[int64]int64{4: 0, 5: 0, 6: 1, 7: 2} {
		resp, err := s.Range(&pb.RangeRequest{Key: []byte("a"), Revision: rev})
		if err != nil || (want == 0) != (len(resp.Kvs) == 0) || (want > 0 && resp.Kvs[0].Version != want) {
			t.Errorf("at %d: %v %v, want version %d", rev, resp, err, want)
		}
	}

	// A tombstone without a life before it, twice.
	if s, err = open(4, dead(4), bare, dead(5), bare); err != nil || s.Keys() != 0 || s.Revision() != 5 {
		t.Fatal(s.Keys(), s.Revision(), err)
	}

	// A compaction of etcd before 3.5.16 deletes a tombstone at its revision, too, and that may have been the newest.
	if s, err = open(7, at(5), kv(5, 5, 1)); err != nil || s.Revision() != 7 || s.CompactRevision() != 7 {
		t.Fatal(s.Revision(), s.CompactRevision(), err)
	}

	// Damage is an error that says where.
	sub := func(main, sub int64) []byte { return AppendRevision(nil, Revision{Main: main, Sub: sub}) }
	for want, records := range map[string][]any{
		"mvcc: bad revision 6e6f in the key bucket":                 {[]byte("no"), bare},
		"revision 2.0: mvcc: malformed KeyValue":                    {at(2), []byte("\x0a\x7f")},
		"revision 2.0 has no key":                                   {at(2), []byte{}},
		"revision 2.0 holds a pair of revision 3":                   {at(2), kv(2, 3, 1)},
		"revision 3.0 follows 0.0":                                  {at(3), kv(3, 3, 1)},
		"revision 4.0 follows 2.0":                                  {at(2), kv(2, 2, 1), at(4), kv(2, 4, 2)},
		"revision 2.1 follows 0.0":                                  {sub(2, 1), kv(2, 2, 1)},
		"revision 2.2 follows 2.0":                                  {at(2), kv(2, 2, 1), sub(2, 2), kv(2, 2, 2)},
		"revision 3.0 is version 2 of a key created at 2, its rec":  {at(2), kv(2, 2, 1), at(3), kv(2, 3, 3)},
		"revision 3.0 is version 2 of a key created at 2, its reco": {at(2), kv(2, 2, 1), at(3), kv(1, 3, 2)},
		"revision 4.0 is version 1 of a key created at 4, its rec":  {at(2), kv(2, 2, 1), dead(3), bare, at(4), kv(2, 4, 3)},
	} {
		if _, err = open(-1, records...); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestTrace: one pair of events a change, none without a revision.
func TestTrace(t *testing.T) {
	ring := trace.NewRing(100)
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, nil, trace.NewTracer(trace.NewStream(ring), 3))
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
	end := func(key string) func(w *Writer) { return func(w *Writer) { w.Delete([]byte(key)) } }
	for name, steps := range map[string][]func(w *Writer){
		"keys of a lease":             {end("a"), end("none"), end("b")},
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

// TestHashAfterCompactionAtZero: the hash at revision 0 is the hash of everything, also after a compaction at revision
// 0, which etcd takes once, and whether the store was opened anew or not.
func TestHashAfterCompactionAtZero(t *testing.T) {
	f := newFixture(t)
	f.put("a", "1")
	f.put("b", "2")
	hashes := func() (out []string) {
		for _, rev := range []int64{0, 1, 2, 3, 4} {
			sum, from, current, err := f.s.HashKV(rev)
			out = append(out, fmt.Sprintf("%d: %08x from %d at %d, %v", rev, sum, from, current, err))
		}
		return out
	}
	f.compact(0)
	unfinished := hashes()
	f.settle(1)
	finished := hashes()
	f.b.Flush()
	f.crash()
	reopened := hashes()
	if !slices.Equal(finished, reopened) || !slices.Equal(unfinished, reopened) {
		t.Errorf("while compacting %s\nafter it        %s\nopened again    %s", unfinished, finished, reopened)
	}
	if zero, newest := reopened[0], reopened[3]; zero[2:] != newest[2:] {
		t.Errorf("the hash at 0 is %s, at the newest revision %s", zero, newest)
	}
	// At its own revision a later compaction answers with the hash that it has summed, at 0 with that of what is left.
	f.compact(3)
	f.settle(1)
	_, at3, _, _ := f.s.HashKV(3)
	_, at0, _, _ := f.s.HashKV(0)
	if at3 != 0 || at0 != 3 {
		t.Errorf("the hash at 3 begins at %d, the one at 0 at %d", at3, at0)
	}
}

// TestHashOfTheCompactRevision: the hash at the compact revision is the one that a
// compaction has summed, and of what is left once that is forgotten; what is older
// or newer than the store is refused.
func TestHashOfTheCompactRevision(t *testing.T) {
	f := newFixture(t)
	f.put("a", "1")
	f.put("b", "1")
	f.put("a", "2")
	f.del("b", "")
	f.put("c", "1")
	before, from, _, err := f.s.HashKV(4)
	if err != nil || from != -1 {
		t.Fatalf("from %d, %v", from, err)
	}
	f.compact(4)
	f.settle(1)
	if sum, from, current, err := f.s.HashKV(4); sum != before || from != -1 || current != 6 || err != nil {
		t.Errorf("by the compaction: %08x from %d at %d, %v; before it %08x", sum, from, current, err, before)
	}
	f.b.Flush()
	f.crash()
	left := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	left.Write([]byte("key"))
	f.b.Range(backend.Key, nil, AppendRevision(nil, Revision{Main: 5}), 0, func(k, v []byte) bool {
		left.Write(k)
		left.Write(v)
		return true
	})
	if sum, from, _, err := f.s.HashKV(4); sum != left.Sum32() || from != 4 || err != nil {
		t.Errorf("opened again: %08x from %d, %v; what is left has %08x", sum, from, err, left.Sum32())
	}
	for rev, want := range map[int64]error{1: ErrCompacted, 3: ErrCompacted, 7: ErrFutureRev} {
		if sum, _, _, err := f.s.HashKV(rev); sum != 0 || !errors.Is(err, want) {
			t.Errorf("at %d: %08x, %v", rev, sum, err)
		}
	}
	if _, _, current, _ := f.s.HashKV(7); current != 6 {
		t.Errorf("who asks for the future is told revision %d", current)
	}
}

// TestHashWhereNothingLives: at a revision at which every key is deleted the hash is
// that of what a compaction will leave, before it, half-way and after it.
func TestHashWhereNothingLives(t *testing.T) {
	f := newFixture(t)
	for _, key := range []string{"a", "b"} {
		f.put(key, "1")
		f.put(key, "2")
	}
	f.del("a", "c") // revision 6
	f.compact(5)
	seen := map[string][]string{}
	note := func(when string) {
		for _, rev := range []int64{0, 6} {
			sum, from, _, err := f.s.HashKV(rev)
			what := fmt.Sprintf("%08x from %d, %v", sum, from, err)
			seen[what] = append(seen[what], when)
		}
	}
	note("at first")
	f.batch.Reset(backend.Applied{})
	f.s.CompactStep(f.batch, 1)
	f.b.Write(f.batch)
	note("half-way")
	f.settle(1)
	note("at last")
	f.b.Flush()
	f.crash()
	note("opened again")
	if len(seen) != 1 {
		t.Errorf("one hash is several: %v", seen)
	}
}
