package mvcc

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

// TestReadsShareRoom: the commonest reads make few allocations, however many pairs they find.
func TestReadsShareRoom(t *testing.T) {
	f := newFixture(t)
	for i := range 3 * loadChunk {
		f.put(fmt.Sprintf("k%03d", i), strings.Repeat("v", i))
	}
	f.b.Flush()
	read := func(req *pb.RangeRequest) (resp *pb.RangeResponse, allocs float64) {
		allocs = testing.AllocsPerRun(20, func() {
			var err error
			if resp, err = f.s.Range(req); err != nil {
				t.Fatal(err)
			}
		})
		return resp, allocs
	}
	point := &pb.RangeRequest{Key: []byte("k001")}
	if resp, allocs := read(point); allocs > 3 || string(resp.Kvs[0].Value) != "v" {
		t.Errorf("one key: %v allocations, %v", allocs, resp.Kvs)
	}
	part := func(n int) float64 {
		resp, allocs := read(&pb.RangeRequest{Key: []byte("k001"), RangeEnd: fmt.Appendf(nil, "k%03d", 1+n)})
		if len(resp.Kvs) != n {
			t.Fatalf("%d pairs, want %d", len(resp.Kvs), n)
		}
		for i, kv := range resp.Kvs {
			if string(kv.Value) != strings.Repeat("v", 1+i) || cap(kv.Value) != len(kv.Value) {
				t.Errorf("%s: %q, with room for %d", kv.Key, kv.Value, cap(kv.Value))
			}
		}
		return allocs
	}
	few, many := part(loadChunk/2), part(loadChunk)
	if many > few+1 { // the list of hits grows
		t.Errorf("%d pairs: %v allocations, %d: %v", loadChunk/2, few, loadChunk, many)
	}
	if more := part(2 * loadChunk); more > many+2 { // and the next values are together, too
		t.Errorf("%d pairs: %v allocations, %d: %v", loadChunk, many, 2*loadChunk, more)
	}
}

// counted counts the pairs that are read.
type counted struct {
	getter
	pairs int
}

func (c *counted) Get(b backend.Bucket, key []byte) []byte {
	c.pairs++
	return c.getter.Get(b, key)
}

// TestLimitBoundsWhatIsLoaded: of a range with a limit one pair more is loaded than is asked for, unless all of them
// decide which come first.
func TestLimitBoundsWhatIsLoaded(t *testing.T) {
	const keys = 40
	f := newFixture(t)
	for i := range keys {
		f.put(fmt.Sprintf("k%02d", i), fmt.Sprint(i))
	}
	const none, ascend, descend = pb.RangeRequest_NONE, pb.RangeRequest_ASCEND, pb.RangeRequest_DESCEND
	for _, c := range []struct {
		req         *pb.RangeRequest
		loaded, got int
	}{
		{&pb.RangeRequest{}, keys, keys},
		{&pb.RangeRequest{Limit: 1}, 2, 1},
		{&pb.RangeRequest{Limit: 3}, 4, 3},
		{&pb.RangeRequest{Limit: keys}, keys, keys},
		{&pb.RangeRequest{Limit: math.MaxInt32}, keys, keys},
		{&pb.RangeRequest{Limit: math.MaxInt64}, keys, keys},
		{&pb.RangeRequest{Limit: 3, SortTarget: pb.RangeRequest_VALUE, SortOrder: none}, 4, 3},
		{&pb.RangeRequest{Limit: 3, SortOrder: ascend}, 4, 3},
		{&pb.RangeRequest{Limit: 3, SortOrder: descend}, keys, 3},
		{&pb.RangeRequest{Limit: 3, SortTarget: pb.RangeRequest_VALUE, SortOrder: ascend}, keys, 3},
		{&pb.RangeRequest{Limit: 3, MinModRevision: 1}, keys, 3},
	} {
		c.req.Key, c.req.RangeEnd = []byte("k"), []byte("l")
		rd := f.s.reader()
		count := &counted{getter: rd.data}
		rd.data = count
		resp, err := rd.rangeKeys(c.req)
		if err != nil {
			t.Fatal(err)
		}
		if count.pairs != c.loaded || len(resp.Kvs) != c.got || resp.More != (c.got < keys) || resp.Count != keys {
			t.Errorf("%v: %d pairs loaded, want %d; answer of %d, more %v, count %d", c.req, count.pairs, c.loaded,
				len(resp.Kvs), resp.More, resp.Count)
		}
	}
}

// TestOwnHistories are not copied, unless a view may look at them, and then once.
func TestOwnHistories(t *testing.T) {
	x := newTreeIndex()
	x.put([]byte("k"), Revision{Main: 2})
	own := func() (ki *keyIndex) {
		i, ok := x.tree.Get(probe([]byte("k")))
		if !ok {
			t.Fatal("the key is gone")
		}
		return x.own(i)
	}
	first := own()
	if own() != first {
		t.Error("a history that nobody looks at is copied")
	}
	v := x.view()
	second := own()
	if second == first || own() != second {
		t.Error("a history that a view may look at is not copied, or twice")
	}
	second.put(Revision{Main: 3})
	if _, seen, ok := v.get([]byte("k"), 9); !ok || seen.mod.Main != 2 {
		t.Errorf("the view sees %+v", seen)
	}
}

// TestScanEnds with the revision that reaches the bound, and not before.
func TestScanEnds(t *testing.T) {
	f := newFixture(t)
	sizes := map[int64]int{}
	for i := range 4 {
		f.put("k", strings.Repeat("v", 10*i))
	}
	f.b.Flush()
	f.b.Range(backend.Key, nil, nil, 0, func(k, v []byte) bool {
		rev, _, err := ParseRevision(k)
		if err != nil {
			t.Fatal(err)
		}
		sizes[rev.Main] += len(k) + len(v)
		return true
	})
	first, two := sizes[2], sizes[2]+sizes[3]
	for _, c := range []struct {
		bound int
		next  int64
	}{{1, 3}, {first - 1, 3}, {first, 3}, {first + 1, 4}, {two, 4}, {two + 1, 5}, {0, 6}} {
		changes, next, err := f.s.Scan(2, 9, c.bound, false)
		if err != nil || next != c.next || len(changes) != int(c.next)-2 {
			t.Errorf("up to %d bytes: %d changes, next %d, %v; want next %d", c.bound, len(changes), next, err, c.next)
		}
	}
}

// TestHashesOfCompactions: of a few keys with any short history, what a compaction sums is the hash as of its
// revision before it, and after it until that is forgotten; also what the next compaction sums, if something lives
// there. Else it sums by a tombstone that is left, as etcd does, the hash before does not know that, and it says so.
func TestHashesOfCompactions(t *testing.T) {
	for _, keys := range []string{"a", "ab", "abac"} {
		for history := range 1 << 4 {
			for revs := range 5 * 5 {
				first, second := int64(1+revs/5), int64(1+revs%5)
				f := newFixture(t)
				f.shortHistory(keys, history)
				want := []CompactHash{f.summed(first, -1)}
				living, err := f.s.Range(&pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("d"), Revision: second})
				if err == nil && second > first {
					want = append(want, f.summed(second, first))
				}
				got := f.s.CompactHashes()
				if last := got[len(got)-1]; last.Tombs && len(want) == 2 && living.Count == 0 {
					want[1] = last
				}
				if !slices.Equal(got, want) {
					t.Errorf("keys %s, history %b: %+v, before them %+v", keys, history, got, want)
				}
				for _, h := range want {
					if sum, _, _, err := f.s.HashKV(h.Rev); sum != h.Sum || err != nil {
						t.Errorf("keys %s, history %b, at %d: %08x, %v, before it %08x", keys, history, h.Rev, sum, err, h.Sum)
					}
				}
			}
		}
	}
}

// shortHistory writes four revisions to the keys in turn: a bit deletes, if there is something.
func (f *fixture) shortHistory(keys string, bits int) {
	for step := range 4 {
		key := string(keys[step%len(keys)])
		resp, err := f.s.Range(&pb.RangeRequest{Key: []byte(key)})
		if err != nil {
			f.t.Fatal(err)
		}
		if bits>>step&1 == 1 && resp.Count == 1 {
			f.del(key, "")
		} else {
			f.put(key, fmt.Sprint(step))
		}
	}
}

// TestHashesOfNothing: where no record has been written a compaction keeps nothing, and no tombstones either.
func TestHashesOfNothing(t *testing.T) {
	f := newFixture(t)
	want := []CompactHash{f.summed(0, -1), f.summed(1, 0)}
	if got := f.s.CompactHashes(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestHashesAreForgotten: of many compactions the last ones are remembered.
func TestHashesAreForgotten(t *testing.T) {
	f := newFixture(t)
	var all []CompactHash
	from := int64(-1)
	for rev := int64(1); rev <= hashesKept+3; rev++ {
		f.put("k", fmt.Sprint(rev))
		all = append(all, f.summed(rev, from))
		from = rev
		if want := all[max(0, len(all)-hashesKept):]; !slices.Equal(f.s.CompactHashes(), want) {
			t.Errorf("after %d: %+v, want %+v", len(all), f.s.CompactHashes(), want)
		}
	}
}

// summed compacts at rev, and returns what the hash there was before.
func (f *fixture) summed(rev, from int64) CompactHash {
	sum, _, _, err := f.s.HashKV(rev)
	if err != nil {
		f.t.Fatal(err)
	}
	f.compact(rev)
	f.settle(3)
	return CompactHash{Rev: rev, From: from, Sum: sum}
}

// TestHashesByTheRule: of a few keys with any short history, compacted anywhere, the hash at each later revision is the
// sum of the records that etcd's rule names, while the compaction goes on and after it.
func TestHashesByTheRule(t *testing.T) {
	for _, keys := range []string{"a", "ab", "abac"} {
		for history := range 1 << 4 {
			for compacted := int64(1); compacted <= 5; compacted++ {
				f := newFixture(t)
				f.shortHistory(keys, history)
				all := f.records()
				f.compact(compacted)
				check := func(when string, from int64) {
					for rev := from; rev <= 5; rev++ {
						want := hashByTheRule(all, compacted, rev)
						if sum, _, _, err := f.s.HashKV(rev); sum != want || err != nil {
							t.Errorf("keys %s, history %b, compacted at %d, at %d, %s: %08x, %v, by the rule %08x",
								keys, history, compacted, rev, when, sum, err, want)
						}
					}
				}
				check("at first", compacted)
				f.settle(3)
				check("at last", compacted+1) // at its own revision it has left the hash from before it
			}
		}
	}
}

// stored is a record of the key bucket.
type stored struct {
	rev  Revision
	dead bool
	key  string // whose history it belongs to
	k, v []byte
}

func (f *fixture) records() (all []stored) {
	f.b.Range(backend.Key, nil, nil, 0, func(k, v []byte) bool {
		rev, dead, err := ParseRevision(k)
		if err != nil {
			f.t.Fatal(err)
		}
		pair, err := parseKeyValue(v)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, stored{rev, dead, string(pair.key), bytes.Clone(k), bytes.Clone(v)})
		return true
	})
	return all
}

// hashByTheRule sums records of a whole history that was compacted: of the revisions up to that of the compaction the
// ones that are living pairs at rev or, if nothing lives there, at the compaction; and all that is newer, up to rev.
func hashByTheRule(all []stored, compacted, rev int64) uint32 {
	kept := living(all, rev)
	if len(kept) == 0 {
		kept = living(all, compacted)
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	sum.Write([]byte("key"))
	for _, r := range all {
		if r.rev.Main <= rev && (r.rev.Main > compacted || kept[r.rev]) {
			sum.Write(r.k)
			sum.Write(r.v)
		}
	}
	return sum.Sum32()
}

// living are the revisions of the pairs that exist at rev.
func living(all []stored, rev int64) map[Revision]bool {
	last := map[string]stored{}
	for _, r := range all {
		if r.rev.Main <= rev {
			last[r.key] = r
		}
	}
	pairs := map[Revision]bool{}
	for _, r := range last {
		if !r.dead {
			pairs[r.rev] = true
		}
	}
	return pairs
}

// TestPutWithoutLeases: where there are no leases none can be had.
func TestPutWithoutLeases(t *testing.T) {
	f := newFixture(t)
	f.entry(func(w *Writer) {
		if _, err := w.Put(&pb.PutRequest{Key: []byte("k"), Lease: 5}); !errors.Is(err, ErrLeaseNotFound) {
			t.Errorf("%v", err)
		}
	})
	if f.s.Revision() != 1 {
		t.Errorf("revision %d", f.s.Revision())
	}
}

// tenants are leases that know which keys they hold.
type tenants map[string]int64

func (l tenants) Exists(id int64) bool { return id == 5 }

func (l tenants) Attach(key []byte, id int64) {
	if l[string(key)] = id; id == 0 {
		delete(l, string(key))
	}
}

// TestKeysOfLeases: a lease is told of each key that it holds, and of each that it holds no more, also when the store
// is opened.
func TestKeysOfLeases(t *testing.T) {
	mem := backend.NewMem()
	b, err := backend.New(mem)
	if err != nil {
		t.Fatal(err)
	}
	held := tenants{}
	s, err := Open(b, held, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := backend.NewBatch()
	batch.Reset(backend.Applied{Index: 1, Term: 1})
	for _, c := range []struct {
		key    string
		lease  int64
		delete bool
		want   string
	}{
		{"a", 5, false, "map[a:5]"}, {"b", 5, false, "map[a:5 b:5]"}, {"a", 0, false, "map[b:5]"},
		{"c", 5, false, "map[b:5 c:5]"}, {"b", 0, true, "map[c:5]"}, {"d", 0, false, "map[c:5]"},
	} {
		w := s.Begin(batch, false)
		if c.delete {
			w.Delete([]byte(c.key))
		} else if _, err := w.Put(&pb.PutRequest{Key: []byte(c.key), Lease: c.lease}); err != nil {
			t.Fatal(err)
		}
		w.End()
		if got := fmt.Sprint(map[string]int64(held)); got != c.want {
			t.Errorf("%s with lease %d: %s, want %s", c.key, c.lease, got, c.want)
		}
	}
	b.Write(batch)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if b, err = backend.New(mem.Clone()); err != nil {
		t.Fatal(err)
	}
	again := tenants{}
	if _, err := Open(b, again, nil); err != nil || fmt.Sprint(again) != fmt.Sprint(held) {
		t.Errorf("opened again: %v, %v, want %v", again, err, held)
	}
}

// TestIndexShrinks: a compaction takes so many keys a step, and a key of which nothing is left is forgotten.
func TestIndexShrinks(t *testing.T) {
	deleted := func() *fixture {
		f := newFixture(t)
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			f.put(key, "1")
		}
		f.del("b", "d") // revision 7
		f.put("f", "1")
		return f
	}
	for limit, want := range map[int]string{1: "b, 1", 2: "c, 1", 4: "e, 2", 5: "f, 3", 6: ", 4", 9: ", 4"} {
		next, kept := deleted().s.index.compactSome(nil, 8, limit)
		if got := fmt.Sprintf("%s, %d", next, kept); got != want {
			t.Errorf("after %d keys it goes on at %s are kept, want %s", limit, got, want)
		}
	}
	f := deleted()
	for _, c := range []struct {
		rev  int64
		keys int
	}{{6, 6}, {7, 6}, {8, 4}} { // at 7 the tombstones are left
		f.compact(c.rev)
		f.settle(1)
		if f.s.Keys() != 4 || f.s.Indexed() != c.keys {
			t.Errorf("compacted at %d: %d keys of %d, want 4 of %d", c.rev, f.s.Keys(), f.s.Indexed(), c.keys)
		}
	}
}

// TestOrders: with any sort and any limit an answer is the beginning of the whole, sorted, and says whether there is
// more and how many there are.
func TestOrders(t *testing.T) {
	f := newFixture(t)
	for _, p := range []string{"e5", "a3", "d1", "b4", "c2", "b1", "b7"} { // b is newest and has most versions
		f.put(p[:1], p[1:])
	}
	for target := range pb.RangeRequest_SortTarget_name {
		for order := range pb.RangeRequest_SortOrder_name {
			req := &pb.RangeRequest{
				Key: []byte("a"), RangeEnd: []byte("z"), SortTarget: pb.RangeRequest_SortTarget(target),
				SortOrder: pb.RangeRequest_SortOrder(order),
			}
			whole, err := f.s.Range(req)
			if err != nil || len(whole.Kvs) != 5 || whole.More {
				t.Fatalf("%v: %v, %v", req, whole, err)
			}
			// Without an order etcd cuts in the order of keys, one behind the limit, before it sorts.
			late := req.SortOrder == pb.RangeRequest_NONE && req.SortTarget != pb.RangeRequest_KEY
			for limit := range int64(7) {
				req.Limit = limit
				part, err := f.s.Range(req)
				if err != nil {
					t.Fatal(err)
				}
				n := 5
				if limit > 0 {
					n = min(5, int(limit))
				}
				got, want := keysOf(part.Kvs), keysOf(whole.Kvs[:n])
				if !late && !slices.Equal(got, want) || len(got) != n || part.More != (n < 5) || part.Count != 5 {
					t.Errorf("by %v, %v, limit %d: %v, more %v, count %d; want %v", req.SortTarget, req.SortOrder, limit, got,
						part.More, part.Count, want)
				}
			}
		}
	}
}

func keysOf(kvs []*pb.KeyValue) (keys []string) {
	for _, kv := range kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys
}

// TestTxnOfReads fails as a whole where one of its ranges does.
func TestTxnOfReads(t *testing.T) {
	f := newFixture(t)
	f.put("k", "1")
	get := func(rev int64) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{
			Key: []byte("k"), Revision: rev,
		}}}
	}
	resp, err := f.s.Txn(&pb.TxnRequest{Success: []*pb.RequestOp{get(0), get(2)}})
	if err != nil || len(resp.Responses) != 2 || resp.Header.Revision != 2 {
		t.Errorf("%v, %v", resp, err)
	}
	if resp, err := f.s.Txn(&pb.TxnRequest{Success: []*pb.RequestOp{get(0), get(3)}}); resp != nil ||
		!errors.Is(err, ErrFutureRev) {
		t.Errorf("of the future: %v, %v", resp, err)
	}
}

// TestIgnored: what a put leaves as it is stays, also where nobody wants the pair before.
func TestIgnored(t *testing.T) {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, tenants{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := backend.NewBatch()
	for i, c := range []struct {
		put  *pb.PutRequest
		want string
	}{
		{&pb.PutRequest{Value: []byte("1"), Lease: 5}, "1, lease 5"},
		{&pb.PutRequest{Value: []byte("2"), IgnoreLease: true}, "2, lease 5"},
		{&pb.PutRequest{IgnoreValue: true}, "2, lease 0"},
		{&pb.PutRequest{IgnoreValue: true, Lease: 5}, "2, lease 5"},
		{&pb.PutRequest{IgnoreValue: true, IgnoreLease: true}, "2, lease 5"},
		{&pb.PutRequest{}, ", lease 0"},
	} {
		batch.Reset(backend.Applied{Index: uint64(i + 1), Term: 1})
		w := s.Begin(batch, false)
		c.put.Key = []byte("k")
		if _, err := w.Put(c.put); err != nil {
			t.Fatal(err)
		}
		w.End()
		b.Write(batch)
		resp, err := s.Range(&pb.RangeRequest{Key: []byte("k")})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s, lease %d", resp.Kvs[0].Value, resp.Kvs[0].Lease); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
}
