package mvcc

import (
	"fmt"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/pb"
)

func TestLook(t *testing.T) {
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(do func(w *Writer)) {
		batch := backend.NewBatch()
		w := s.Begin(batch, false)
		do(w)
		w.End()
		b.Write(batch)
	}
	put := func(key, value string) {
		write(func(w *Writer) { w.Put(&pb.PutRequest{Key: []byte(key), Value: []byte(value)}) })
	}
	put("a", "1")                                    // 2
	put("b", "2")                                    // 3
	put("a", "3")                                    // 4
	write(func(w *Writer) { w.Delete([]byte("a")) }) // 5
	put("a", "4")                                    // 6
	write(func(w *Writer) { w.Delete([]byte("b")) }) // 7
	seen := func(from string, rev int64) string {
		var out []string
		if err := s.Look([]byte(from), rev, func(l Look) bool {
			text := string(l.Key) + ":"
			if l.KV != nil {
				text += fmt.Sprintf("%s@%d/%d", l.KV.Value, l.KV.CreateRevision, l.KV.Version)
			}
			for _, g := range l.Generations {
				text += fmt.Sprintf(" [%d x%d n%d %v]", g.Created, g.Version, len(g.Revisions), g.Ended)
			}
			out = append(out, text)
			return true
		}); err != nil {
			return err.Error()
		}
		return strings.Join(out, "; ")
	}
	const lives = " [2 x3 n3 true] [6 x1 n1 false]"
	for _, x := range []struct {
		from string
		rev  int64
		want string
	}{
		{"", 7, "a:4@6/1" + lives + "; b: [3 x2 n2 true]"},
		{"", 4, "a:3@2/2" + lives + "; b:2@3/1 [3 x2 n2 true]"},
		{"b", 5, "b:2@3/1 [3 x2 n2 true]"},
		{"", 8, ErrFutureRev.Error()},
	} {
		if got := seen(x.from, x.rev); got != x.want {
			t.Errorf("from %q at %d:\n got %s\nwant %s", x.from, x.rev, got, x.want)
		}
	}
	front, frozen := b.Layers()
	if rev, ok := Oldest(front.Changes()); !ok || rev != 2 || frozen != nil || front.Ops == 0 {
		t.Errorf("the buffer begins with revision %d, %v", rev, ok)
	}
}

// TestOldest: of what a commit writes to the key bucket; what it deletes there was compacted, and is older.
func TestOldest(t *testing.T) {
	op := func(b backend.Bucket, main int64, deleted bool) backend.Op {
		return backend.Op{Bucket: b, Key: AppendRevision(nil, Revision{Main: main}), Delete: deleted}
	}
	for _, c := range []struct {
		name    string
		changes []backend.Op
		rev     int64
		ok      bool
	}{
		{"nothing", nil, 0, false},
		{"another bucket", []backend.Op{op(backend.Meta, 3, false)}, 0, false},
		{"deletions", []backend.Op{op(backend.Key, 3, true)}, 0, false},
		{"both", []backend.Op{op(backend.Key, 3, true), op(backend.Meta, 4, false), op(backend.Key, 9, false)}, 9, true},
		{"several", []backend.Op{op(backend.Key, 8, false), op(backend.Key, 7, false), op(backend.Key, 9, false)}, 7, true},
		{"no revision", []backend.Op{{Bucket: backend.Key, Key: []byte("k")}}, 0, false},
	} {
		if rev, ok := Oldest(c.changes); rev != c.rev || ok != c.ok {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, rev, ok, c.rev, c.ok)
		}
	}
}
