package mvcc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"

	"google.golang.org/protobuf/proto"
)

// TestMalformedPairs: what is no KeyValue is refused; what protobuf lets stand beside one is skipped.
func TestMalformedPairs(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 11)
	for _, c := range []struct {
		name, data string
		ok         bool
	}{
		{"nothing", "", true},
		{"a key", "\x0a\x01k", true},
		{"an unknown number", "\x78\x05\x0a\x01k", true},
		{"unknown bytes", "\x7a\x02xx\x0a\x01k", true},
		{"an unknown fixed32", "\x7d1234\x0a\x01k", true},
		{"an unknown fixed64", "\x7912345678\x0a\x01k", true},
		{"an unknown fixed32 last", "\x0a\x01k\x7d1234", true},
		{"an unknown fixed64 last", "\x0a\x01k\x7912345678", true},
		{"a tag that is cut off", "\x80", false},
		{"a tag that is too long", string(long), false},
		{"field 0", "\x00\x01", false},
		{"field 0 behind another", "\x10\x01\x02\x00", false},
		{"a number that is cut off", "\x10\x80", false},
		{"a number that is too long", "\x10" + string(long), false},
		{"no number", "\x10", false},
		{"a length that is cut off", "\x0a", false},
		{"bytes that are cut off", "\x0a\x02k", false},
		{"bytes without end", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k", false},
		{"a fixed32 that is cut off", "\x7d123", false},
		{"a fixed64 that is cut off", "\x791234567", false},
		{"a group", "\x7b\x7c", false},
		{"no wire type", "\x7e\x01", false},
	} {
		f, err := parseKeyValue([]byte(c.data))
		if (err == nil) != c.ok || c.ok && c.data != "" && string(f.key) != "k" {
			t.Errorf("%s: key %q, %v", c.name, f.key, err)
		}
	}
}

// TestExceeds: more keys than asked for, in a range that ends, that does not, and for one key.
func TestExceeds(t *testing.T) {
	f := newFixture(t)
	for _, k := range []string{"\x00", "\x00a", "b", "c"} {
		f.put(k, "v")
	}
	for _, c := range []struct {
		key, end string
		keys     int
	}{
		{"b", "", 0}, {"\x00", "\x00", 4}, {"b", "\x00", 2}, {"\x00", "\x00b", 2}, {"b", "c", 1}, {"x", "\x00", 0},
	} {
		for n := range 6 {
			if got := f.s.Exceeds([]byte(c.key), []byte(c.end), n); got != (c.keys > n) {
				t.Errorf("%q to %q has %d keys, more than %d: %v", c.key, c.end, c.keys, n, got)
			}
		}
	}
}

// TestEndsOfRanges: one zero byte as the end means all keys from the first on; an end that only begins with one is an
// end like any other.
func TestEndsOfRanges(t *testing.T) {
	for _, c := range []struct{ key, end, want string }{
		{"\x00", "\x00", "\x00 \x00a \x00\xff b"},
		{"b", "\x00", "b"},
		{"\x00", "\x00\x00", "\x00"},
		{"\x00", "\x00b", "\x00 \x00a"},
		{"\x00a", "\x00\xff", "\x00a"},
		{"b", "\x00b", ""},
		{"\x00", "b", "\x00 \x00a \x00\xff"},
	} {
		f := newFixture(t)
		for _, k := range []string{"\x00", "\x00a", "\x00\xff", "b"} {
			f.put(k, "v")
		}
		keys := func(kvs []*pb.KeyValue) string {
			var all []string
			for _, kv := range kvs {
				all = append(all, string(kv.Key))
			}
			return strings.Join(all, " ")
		}
		req := &pb.RangeRequest{Key: []byte(c.key), RangeEnd: []byte(c.end)}
		whole, err := f.s.Range(req)
		if err != nil {
			t.Fatal(err)
		}
		req.Limit = 9
		part, err := f.s.RangePart(req)
		if err != nil {
			t.Fatal(err)
		}
		var gone []*pb.KeyValue
		if change := f.del(c.key, c.end); change != nil {
			for _, e := range change.Events {
				gone = append(gone, e.Kv)
			}
		}
		for what, got := range map[string]string{
			"range": keys(whole.Kvs), "part": keys(part.Kvs), "delete": keys(gone),
		} {
			if got != c.want {
				t.Errorf("%s from %q to %q: %q, want %q", what, c.key, c.end, got, c.want)
			}
		}
	}
}

// TestOneKeyCounted: of one key, as of many, nothing comes but what was asked for.
func TestOneKeyCounted(t *testing.T) {
	f := newFixture(t)
	f.put("k", "v")
	for _, c := range []struct {
		name string
		req  *pb.RangeRequest
		want string
	}{
		{"the pair", &pb.RangeRequest{}, "k=v"},
		{"the key", &pb.RangeRequest{KeysOnly: true}, "k="},
		{"the count", &pb.RangeRequest{CountOnly: true}, ""},
		{"the count, and the key", &pb.RangeRequest{CountOnly: true, KeysOnly: true}, ""},
	} {
		for _, end := range []string{"", "l"} {
			c.req.Key, c.req.RangeEnd = []byte("k"), []byte(end)
			resp, err := f.s.Range(c.req)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, kv := range resp.Kvs {
				got += fmt.Sprintf("%s=%s", kv.Key, kv.Value)
			}
			if got != c.want || resp.Count != 1 {
				t.Errorf("%s, to %q: %q, count %d, want %q", c.name, end, got, resp.Count, c.want)
			}
		}
	}
}

// TestTiesStayInKeyOrder: pairs that are equal in what is sorted by, if they are few, stay in the order of their keys,
// and so do all where nobody knows by what to sort.
func TestTiesStayInKeyOrder(t *testing.T) {
	f := newFixture(t)
	f.entry(func(w *Writer) {
		for _, key := range []string{"a", "b", "c"} {
			if _, err := w.Put(&pb.PutRequest{Key: []byte(key), Value: []byte("same")}); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, target := range []pb.RangeRequest_SortTarget{
		pb.RangeRequest_VERSION, pb.RangeRequest_CREATE, pb.RangeRequest_MOD, pb.RangeRequest_VALUE, 9,
	} {
		for _, order := range []pb.RangeRequest_SortOrder{pb.RangeRequest_ASCEND, pb.RangeRequest_DESCEND} {
			resp, err := f.s.Range(&pb.RangeRequest{
				Key: []byte("a"), RangeEnd: []byte("d"), SortTarget: target, SortOrder: order,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, kv := range resp.Kvs {
				got += string(kv.Key)
			}
			if got != "abc" {
				t.Errorf("by %v, %v: %s", target, order, got)
			}
		}
	}
}

// TestUnknownComparisons: what is compared by a target that nobody knows counts as equal, and a result that nobody
// knows holds, as in etcd.
func TestUnknownComparisons(t *testing.T) {
	f := newFixture(t)
	f.put("k", "v")
	for _, key := range []string{"k", "none"} {
		for c, want := range map[pb.Compare_CompareResult]bool{
			pb.Compare_EQUAL: true, pb.Compare_NOT_EQUAL: false, pb.Compare_LESS: false, pb.Compare_GREATER: false, 9: true,
		} {
			resp, err := f.s.Txn(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte(key), Target: 9, Result: c}}})
			if err != nil || resp.Succeeded != want {
				t.Errorf("%s, result %v: %v, %v, want %v", key, c, resp.GetSucceeded(), err, want)
			}
		}
	}
}

// TestFilters: each of the four bounds by itself, for one key and for a range.
func TestFilters(t *testing.T) {
	f := newFixture(t)
	f.put("a", "1") // 2
	f.put("b", "1") // 3
	f.put("a", "2") // 4
	for _, c := range []struct {
		name string
		req  *pb.RangeRequest
		want string // of a, b
	}{
		{"none", &pb.RangeRequest{}, "ab"},
		{"modified at 4 or later", &pb.RangeRequest{MinModRevision: 4}, "a"},
		{"modified at 5 or later", &pb.RangeRequest{MinModRevision: 5}, ""},
		{"modified at 3 or before", &pb.RangeRequest{MaxModRevision: 3}, "b"},
		{"modified at 4 or before", &pb.RangeRequest{MaxModRevision: 4}, "ab"},
		{"created at 3 or later", &pb.RangeRequest{MinCreateRevision: 3}, "b"},
		{"created at 2 or later", &pb.RangeRequest{MinCreateRevision: 2}, "ab"},
		{"created at 2 or before", &pb.RangeRequest{MaxCreateRevision: 2}, "a"},
		{"created at 1 or before", &pb.RangeRequest{MaxCreateRevision: 1}, ""},
	} {
		for _, key := range []string{"a", "b", "*"} {
			req := proto.Clone(c.req).(*pb.RangeRequest)
			req.Key, req.Limit = []byte(key), 1
			if key == "*" {
				req.Key, req.RangeEnd, req.Limit = []byte("a"), []byte{0}, 0
			}
			resp, err := f.s.Range(req)
			if err != nil {
				t.Fatal(err)
			}
			got, want := "", ""
			for _, kv := range resp.Kvs {
				got += string(kv.Key)
			}
			for _, k := range c.want {
				if key == "*" || key == string(k) {
					want += string(k)
				}
			}
			if got != want {
				t.Errorf("%s, of %s: %q, want %q", c.name, key, got, want)
			}
		}
	}
}

// TestCompactionGoesInSteps: no step goes over more than its share of the index or of the bucket, and together they go
// over all of it.
func TestCompactionGoesInSteps(t *testing.T) {
	const keys = 50
	f := newFixture(t)
	for round := range 2 {
		for i := range keys {
			f.put(fmt.Sprintf("k%02d", i), fmt.Sprint(round))
		}
	}
	f.compact(f.s.rev)
	steps := 0
	for done := false; !done; steps++ {
		f.reset()
		done = f.s.CompactStep(f.batch, 2)
		f.b.Write(f.batch)
	}
	// 50 keys of the index, 16 a step; 100 records, 2 a step; one step that finds the end.
	if want := 4 + keys + 1; steps != want {
		t.Errorf("%d steps, want %d", steps, want)
	}
	left := 0
	f.b.Range(backend.Key, nil, nil, 0, func(_, _ []byte) bool { left++; return true })
	if left != keys {
		t.Errorf("%d records are left, want %d", left, keys)
	}
}

// TestHashWhileCompacting: it does not depend on how far the deletion has come, also where nothing is kept.
func TestHashWhileCompacting(t *testing.T) {
	f := newFixture(t)
	for i := range 40 {
		f.put(fmt.Sprintf("k%02d", i), "v")
	}
	f.del("k", "l")
	f.compact(f.s.rev) // nothing is left there
	var want uint32
	for i, done := 0, false; !done; i++ {
		got, _, _, err := f.s.HashKV(0)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("after %d steps the hash is %x, at first it was %x", i, got, want)
		}
		f.reset()
		done = f.s.CompactStep(f.batch, 3)
		f.b.Write(f.batch)
	}
	if got, _, _, _ := f.s.HashKV(0); got != want {
		t.Errorf("at the end the hash is %x, at first it was %x", got, want)
	}
}

// TestDamagedHistory: a record that is wrong is named, also where history is compacted; the one that etcdutl writes to
// raise the revision is none.
func TestDamagedHistory(t *testing.T) {
	pair := func(mod int64) []byte {
		return marshalled(t, &pb.KeyValue{Key: fmt.Append(nil, mod), CreateRevision: mod, ModRevision: mod, Version: 1})
	}
	life := func(mod, created, version int64) []byte {
		return marshalled(t, &pb.KeyValue{
			Key: []byte("k"), CreateRevision: created, ModRevision: mod, Version: version,
		})
	}
	at := func(main int64) []byte { return AppendRevision(nil, Revision{Main: main}) }
	mark := func(key string, value []byte) func(b *backend.Batch) {
		return func(b *backend.Batch) { b.Put(backend.Meta, []byte(key), value) }
	}
	record := func(main int64, value []byte) func(b *backend.Batch) {
		return func(b *backend.Batch) { b.Put(backend.Key, at(main), value) }
	}
	compacted := mark(metaScheduledCompact, at(5))
	type writes []func(b *backend.Batch)
	for _, c := range []struct {
		name   string
		writes writes
		ok     bool
	}{
		{"right", writes{compacted, record(3, pair(3)), record(6, pair(6))}, true},
		{"a raised revision", writes{compacted, record(3, pair(3)), record(5, nil), record(6, pair(6))}, true},
		{"raised, and not compacted", writes{compacted, record(6, nil)}, false},
		{"of another revision, compacted", writes{compacted, record(3, pair(4)), record(6, pair(6))}, false},
		{"without a key, compacted", writes{compacted, record(3, []byte("\x18\x03")), record(6, pair(6))}, false},
		{"created later", writes{record(2, life(2, 9, 1))}, false},
		{"created never", writes{record(2, life(2, 0, 1))}, false},
		{"of no version", writes{record(2, life(2, 2, 0))}, false},
		{"created later, compacted", writes{compacted, record(3, life(3, 4, 1)), record(6, pair(6))}, false},
		{"a gap", writes{compacted, record(6, pair(6)), record(8, pair(8))}, false},
		{"a gap behind the compaction", writes{compacted, record(7, pair(7))}, false},
		{"the first missing", writes{record(3, pair(3))}, false},
		{"no pair", writes{record(2, []byte{0x80})}, false},
		{"no revision", writes{func(b *backend.Batch) { b.Put(backend.Key, []byte("k"), pair(2)) }}, false},
		{"no mark", writes{mark(metaFinishedCompact, []byte("5")), record(2, pair(2))}, false},
	} {
		b, err := backend.New(backend.NewMem())
		if err != nil {
			t.Fatal(err)
		}
		batch := backend.NewBatch()
		batch.Reset(backend.Applied{Index: 1, Term: 1})
		for _, write := range c.writes {
			write(batch)
		}
		b.Write(batch)
		checked := Check(b)
		_, opened := Open(b, nil, nil)
		if (checked == nil) != c.ok || (opened == nil) != c.ok {
			t.Errorf("%s: checked %v, opened %v", c.name, checked, opened)
		}
		if c.name != "no mark" && !c.ok && (!errors.Is(checked, ErrDamaged) || !errors.Is(opened, ErrDamaged)) {
			t.Errorf("%s: checked %v, opened %v", c.name, checked, opened)
		}
	}
}

// TestFirstDamage is the one that is named: what comes behind it may be wrong because of it.
func TestFirstDamage(t *testing.T) {
	open := func(revs ...int64) error {
		b, err := backend.New(backend.NewMem())
		if err != nil {
			t.Fatal(err)
		}
		batch := backend.NewBatch()
		batch.Reset(backend.Applied{Index: 1, Term: 1})
		for _, rev := range revs {
			batch.Put(backend.Key, AppendRevision(nil, Revision{Main: rev}), marshalled(t, &pb.KeyValue{
				Key: []byte("k"), CreateRevision: 2, ModRevision: rev, Version: 1,
			}))
		}
		b.Write(batch)
		_, err = Open(b, nil, nil)
		return err
	}
	one, several := open(2, 3), open(2, 3, 4)
	if one == nil || several == nil || one.Error() != several.Error() {
		t.Errorf("%v; and with more behind it %v", one, several)
	}
}

// TestScanWithoutPrevious: a pair before the change comes with an event only if it was asked for.
func TestScanWithoutPrevious(t *testing.T) {
	f := newFixture(t)
	f.put("k", "1")
	f.put("k", "2")
	f.del("k", "")
	for _, prev := range []bool{false, true} {
		changes, _, err := f.s.Scan(3, 4, 0, prev)
		if err != nil || len(changes) != 2 {
			t.Fatal(changes, err)
		}
		for _, c := range changes {
			if e := c.Events[0]; e.HasPrev != prev || (e.Prev != nil) != prev {
				t.Errorf("asked for %v, at %d: %v, %v", prev, c.Rev, e.HasPrev, e.Prev)
			}
		}
	}
}

// TestScanOfWhatIsGone ends where it began, with the reason; so does one of history that cannot be read.
func TestScanOfWhatIsGone(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.put("k", fmt.Sprint(i))
	}
	f.compact(4)
	if changes, next, err := f.s.Scan(3, 6, 0, false); changes != nil || next != 3 || !errors.Is(err, ErrCompacted) {
		t.Errorf("%d changes, next %d, %v", len(changes), next, err)
	}
	for _, c := range []struct{ key, value []byte }{
		{append(AppendRevision(nil, Revision{Main: 5}), 'x'), nil},
		{AppendRevision(nil, Revision{Main: 5, Sub: 1}), []byte{0x80}},
	} {
		f.reset()
		f.batch.Put(backend.Key, c.key, c.value)
		f.b.Write(f.batch)
		if changes, next, err := f.s.Scan(4, 6, 0, false); changes != nil || next != 4 || err == nil {
			t.Errorf("with %x: %d changes, next %d, %v", c.key, len(changes), next, err)
		}
		f.reset()
		f.batch.Delete(backend.Key, c.key)
		f.b.Write(f.batch)
	}
	if changes, next, err := f.s.Scan(4, 6, 0, false); len(changes) != 3 || next != 7 || err != nil {
		t.Errorf("%d changes, next %d, %v", len(changes), next, err)
	}
}

// TestBefore: revisions are ordered by their main number, then by their place in it.
func TestBefore(t *testing.T) {
	ordered := []Revision{{}, {Sub: 1}, {Main: 1}, {Main: 1, Sub: 1}, {Main: 1, Sub: 2}, {Main: 2}, {Main: 2, Sub: 9}}
	for i, a := range ordered {
		for j, b := range ordered {
			if a.Before(b) != (i < j) {
				t.Errorf("%v before %v: %v", a, b, a.Before(b))
			}
		}
	}
}
