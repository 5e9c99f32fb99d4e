package watch

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestIndex compares with a list: each watcher of a key is found once, and nobody else.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex()
		var all []*watcher
		key := rapid.SliceOfN(rapid.ByteRange('a', 'd'), 1, 3)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(all) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.remove(all[i])
				all = slices.Delete(all, i, i+1)
			} else {
				end := rapid.SampledFrom([][]byte{nil, {0}, key.Draw(t, "end")}).Draw(t, "kind")
				s, ok := spanOf(key.Draw(t, "key"), end)
				if !ok {
					continue
				}
				w := &watcher{seq: uint64(len(all)), span: s}
				x.add(w)
				all = append(all, w)
			}
			if err := auditTree(x.ranges.root, nil, nil); err != nil {
				t.Fatal(err)
			}
			k := key.Draw(t, "probe")
			var got []*watcher
			x.visit(k, func(g *group) { got = append(got, g.watchers...) })
			found := 0
			for _, w := range all {
				in := w.key == string(k)
				if w.isRange {
					in = w.key <= string(k) && (w.open || string(k) < w.end)
				}
				if in {
					found++
				}
				if slices.Contains(got, w) != in {
					t.Fatalf("key %s, watcher of %+v: found %v", k, w.span, !in)
				}
			}
			if found != len(got) || x.size != len(all) {
				t.Fatalf("found %d, want %d; size %d of %d", len(got), found, x.size, len(all))
			}
		}
		for _, w := range all {
			x.remove(w)
		}
		if x.ranges.root != nil || len(x.keys) != 0 {
			t.Fatal("groups without watchers remain")
		}
	})
}

// TestTreeIsShallow: also for ranges that come in order.
func TestTreeIsShallow(t *testing.T) {
	var tree rangeTree
	for i := range 10_000 {
		tree.insert(span{key: fmt.Sprintf("/registry/%06d/", i), end: fmt.Sprintf("/registry/%06d0", i), isRange: true})
	}
	if d := depth(tree.root); d > 50 {
		t.Errorf("10,000 ranges are %d deep", d)
	}
	visited := 0
	tree.stab([]byte("/registry/005000/x"), func(g *group) { visited++ })
	if visited != 1 {
		t.Errorf("visited %d", visited)
	}
}

func depth(n *rangeNode) int {
	if n == nil {
		return 0
	}
	return 1 + max(depth(n.left), depth(n.right))
}

// TestSpanOf: no key is the smallest key, and the end "\x00" is no end; any other end that begins so is one.
func TestSpanOf(t *testing.T) {
	for _, c := range []struct {
		key, end string
		want     span
		ok       bool
	}{
		{"", "", span{key: "\x00"}, true},
		{"a", "", span{key: "a"}, true},
		{"a", "\x00", span{key: "a", isRange: true, open: true}, true},
		{"", "\x00a", span{key: "\x00", end: "\x00a", isRange: true}, true},
		{"a", "b", span{key: "a", end: "b", isRange: true}, true},
		{"b", "b", span{key: "b", end: "b", isRange: true}, false},
		{"a", "\x01", span{key: "a", end: "\x01", isRange: true}, false},
	} {
		if got, ok := spanOf([]byte(c.key), []byte(c.end)); got != c.want || ok != c.ok {
			t.Errorf("%q to %q: %+v %v, want %+v %v", c.key, c.end, got, ok, c.want, c.ok)
		}
	}
}
