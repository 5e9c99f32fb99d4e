package mvcc

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// record of a key's history, for checking keyIndex against plain search.
type deed struct {
	rev  Revision
	dead bool
}

// history draws a life of one key: puts and deletes at rising revisions, some
// of them in one transaction.
func history(rnd *rand.Rand, n int) (deeds []deed, ki *keyIndex) {
	ki = &keyIndex{}
	rev := Revision{Main: 2}
	for range n {
		if rnd.IntN(4) == 0 {
			rev.Sub++
		} else {
			rev = Revision{Main: rev.Main + 1 + rnd.Int64N(3)}
		}
		d := deed{rev: rev, dead: ki.alive() && rnd.IntN(3) == 0}
		if d.dead {
			ki.tombstone(rev)
		} else {
			ki.put(rev)
		}
		deeds = append(deeds, d)
	}
	return deeds, ki
}

// at is what keyIndex.at should answer.
func at(deeds []deed, rev int64) (v version, ok bool) {
	for _, d := range deeds {
		switch {
		case d.rev.Main > rev:
			return v, ok
		case d.dead:
			v, ok = version{}, false
		case !ok:
			v, ok = version{mod: d.rev, created: d.rev.Main, number: 1}, true
		default:
			v.mod, v.number = d.rev, v.number+1
		}
	}
	return v, ok
}

// remains is what compaction at rev should keep of the history up to rev: the
// newest revision, unless it is a tombstone from before rev.
func remains(deeds []deed, rev int64) (r Revision, dead, ok bool) {
	for _, d := range deeds {
		if d.rev.Main <= rev {
			r, dead, ok = d.rev, d.dead, !d.dead || d.rev.Main == rev
		}
	}
	return r, dead, ok
}

func TestKeyIndexAgainstSearch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for round := range 3000 {
		deeds, ki := history(rnd, 1+rnd.IntN(12))
		end := deeds[len(deeds)-1].rev.Main + 2
		for rev := int64(0); rev <= end; rev++ {
			want, wantOK := at(deeds, rev)
			if got, ok := ki.at(rev); got != want || ok != wantOK {
				t.Fatalf("round %d: at %d: %v %v, want %v %v in %v", round, rev, got, ok, want, wantOK, deeds)
			}
			want2, dead, wantOK := remains(deeds, rev)
			if got, ok := ki.keeps(rev); ok != wantOK || (ok && got != want2) {
				t.Fatalf("round %d: keeps at %d: %v %v, want %v %v in %v", round, rev, got, ok, want2, wantOK, deeds)
			}
			if _, ok := ki.keepsForHash(rev); ok != (wantOK && !dead) {
				t.Fatalf("round %d: for a hash at %d: %v in %v", round, rev, ok, deeds)
			}
		}
		checkCompacted(t, rnd, deeds, ki, end)
	}
}

// checkCompacted compacts step by step and reads what has to be left.
func checkCompacted(t *testing.T, rnd *rand.Rand, deeds []deed, ki *keyIndex, end int64) {
	t.Helper()
	for rev := rnd.Int64N(end + 1); rev <= end; rev += 1 + rnd.Int64N(4) {
		_, _, left := remains(deeds, rev)
		dropped := ki.dropped(rev)
		before := revisions(ki)
		if kept := ki.compact(rev); kept != left {
			t.Fatalf("compact %d keeps %v, want %v of %v", rev, kept, left, deeds)
		}
		if now := revisions(ki); dropped == slices.Equal(before, now) {
			t.Fatalf("dropped(%d) = %v, but %v became %v", rev, dropped, before, now)
		}
		for later := rev; later <= end; later++ {
			want, wantOK := at(deeds, later)
			if got, ok := ki.at(later); got != want || ok != wantOK {
				t.Fatalf("compacted at %d: at %d: %v %v, want %v %v in %v", rev, later, got, ok, want, wantOK, deeds)
			}
		}
		if future := deeds[len(deeds)-1].rev.Main > rev; ki.empty() != (!left && !future) {
			t.Fatalf("compacted at %d: empty is %v in %v", rev, ki.empty(), deeds)
		}
	}
}

// generations lists them all; the last one is empty while the key is deleted.
func generations(ki *keyIndex) []generation {
	last := generation{created: ki.created, version: ki.version, revs: slices.Clone(ki.revs())}
	if ki.alive() {
		last.revs = append(last.revs, ki.newest)
	}
	return append(slices.Clone(ki.ended()), last)
}

func revisions(ki *keyIndex) (all []Revision) {
	for _, g := range generations(ki) {
		all = append(all, g.revs...)
	}
	return all
}

// TestIndexViews holds images of the index while it goes on changing and
// compacting, and checks that each stays what it was.
func TestIndexViews(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	type held struct {
		index *treeIndex
		text  string
	}
	dump := func(ti *treeIndex) string {
		s := fmt.Sprint(ti.live, ":")
		ti.ascend(nil, nil, func(i item) bool {
			s += fmt.Sprintf(" %s%v/%d", i.key, revisions(i.ki), i.ki.created)
			return true
		})
		return s
	}
	for range 40 {
		ti := newTreeIndex()
		var views []held
		var at []byte
		for rev := int64(2); rev < 200; rev++ {
			key := fmt.Appendf(nil, "k%d", rnd.IntN(20))
			switch i, _, ok := ti.get(key, rev); {
			case ok && rnd.IntN(3) == 0:
				ti.tombstone(i, Revision{Main: rev})
			default:
				ti.put(key, Revision{Main: rev})
			}
			if rnd.IntN(5) == 0 {
				at, _ = ti.compactSome(at, rev-rnd.Int64N(20), 1+rnd.IntN(8))
			}
			if rnd.IntN(6) == 0 {
				views = append(views, held{ti.view(), dump(ti)})
			}
		}
		for i, v := range views {
			if got := dump(v.index); got != v.text {
				t.Fatalf("view %d changed from\n%s\nto\n%s", i, v.text, got)
			}
		}
	}
}

// TestTheIndexKeepsKeysOfItsOwn: whoever asks may use the memory of a key again.
func TestTheIndexKeepsKeysOfItsOwn(t *testing.T) {
	index := newTreeIndex()
	key := []byte("a")
	index.put(key, Revision{Main: 2})
	index.view() // what changes is copied now
	i, _, ok := index.get(key, 2)
	if !ok {
		t.Fatal("a key is not found")
	}
	index.tombstone(i, Revision{Main: 3})
	index.view()
	index.put(key, Revision{Main: 4})
	key[0] = 'z'
	i, ok = index.tree.Min()
	if !ok || i.key != "a" || index.tree.Len() != 1 || index.byKey["a"] != i.ki || len(index.byKey) != 1 {
		t.Errorf("the index has %q, of %d in the tree and %d by key", i.key, index.tree.Len(), len(index.byKey))
	}
}
