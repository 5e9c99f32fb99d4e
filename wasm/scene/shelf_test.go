package scene

import (
	"fmt"
	"testing"
)

// promises are n leases of a member, with a second left of each ten.
func promises(member uint64, n int, now float64) Shelf {
	s := Shelf{Member: member, Counts: true, Count: n, Revision: 14}
	for i := range n {
		if s.IDs = append(s.IDs, int64(i+1)); i >= MostGlasses {
			continue
		}
		s.Leases = append(s.Leases, Lease{ID: int64(i + 1), TTL: 10, Expiry: int64(now) + int64(i+1)*1e9,
			Keys: []string{"a/long/name/of/a/key", "b"}, KeyCount: i})
	}
	return s
}

// Wherever the leader stands, its shelf covers neither members nor words nor clients, and can be touched.
func TestAShelfCoversNothing(t *testing.T) {
	for _, size := range append(sizes, [2]float64{768, 537}, [2]float64{664, 480}, [2]float64{390, 380}) {
		for n := 1; n <= 9; n++ {
			for leader := uint64(1); leader <= uint64(n); leader++ {
				st := crowd(n, 40)
				sc, _ := drawn(t, size[0], size[1], st, Dark)
				sc.Draw(&View{State: st, Now: 1e9, Wall: 1, Tick: 1e8, Leases: promises(leader, 5, 1e9)})
				where := fmt.Sprintf("%v, S%d of %d", size, leader, n)
				all := sc.Shelves()
				if len(all) == 0 && size[1] > 400 {
					t.Errorf("%s: there is no shelf", where)
				}
				for i, r := range all {
					if !sc.Layout.vacant(r, leader) {
						t.Errorf("%s: the shelf at %v covers something", where, r)
					}
					for _, c := range sc.Written() {
						if c.Rect.meets(r) {
							t.Errorf("%s: the shelf at %v covers the words of S%d", where, r, c.Member)
						}
					}
					if got := sc.Over(r.Center(), false); got.Kind != TargetLease || got.A != uint64(i+1) {
						t.Errorf("%s: at a lease: %+v", where, got)
					}
				}
			}
		}
	}
}

// Sand runs down with the time that is left, stands while nobody counts, and rises when a lease is kept alive or has a
// new leader; what has ended is to be seen for a moment with its revision, and only where it has ended.
func TestSandRuns(t *testing.T) {
	st := crowd(3, 0)
	sc, _ := drawn(t, 1200, 900, st, Dark)
	now, wall := 1e9, 1.0
	shelf := promises(1, 1, now)
	shelf.Leases[0].Expiry = int64(now) + 10e9
	draw := func(passes float64) float64 {
		now, wall = now+passes*1e9, wall+passes
		sc.Draw(&View{State: st, Now: now, Wall: wall, Tick: 1e8, Leases: shelf})
		if g := sc.shelves.glasses[1]; g != nil {
			return g.level
		}
		return -1
	}
	level := func(what string, got, want float64) {
		t.Helper()
		if got < want-0.02 || got > want+0.02 {
			t.Errorf("%s: the upper half is full to %.2f, want %.2f", what, got, want)
		}
	}
	level("granted", draw(0), 1)
	level("after 4 s", draw(4), 0.6)
	shelf.Counts, shelf.Leases[0].Expiry = false, 0
	level("while nobody counts", draw(3), 0.6)
	shelf.Counts, shelf.Member, shelf.Leases[0].Expiry = true, 2, int64(now)+12e9
	if got := draw(0.1); got < 0.65 || got > 0.95 {
		t.Errorf("at a new leader the glass is filled at once, to %.2f", got)
	}
	for range 3 {
		draw(0.2)
	}
	level("at a new leader", draw(0.2), 1)
	if near := sc.Layout.Member(2).sub(sc.shelves.at.Center()).len(); near > 200 {
		t.Errorf("the shelf is %.0f from the new leader", near)
	}
	shelf.Count, shelf.Leases, shelf.IDs, shelf.Revision = 0, nil, nil, 15
	draw(0.1)
	if len(sc.shelves.gone) != 1 || sc.shelves.gone[0].revision != 15 || len(sc.Shelves()) != 1 {
		t.Errorf("what has ended is not shown: %+v", sc.shelves.gone)
	}
	draw(goneFor)
	if draw(0.1); len(sc.Shelves()) != 0 {
		t.Error("what has ended stays")
	}
	shelf = promises(2, 2, now)
	draw(0.1)
	shelf.Count, shelf.Leases, shelf.IDs = 4, []Lease{{ID: 2}, {ID: 3}, {ID: 4}}, []int64{2, 3, 4, 1}
	if draw(0.1); len(sc.shelves.gone) != 0 {
		t.Error("what has only given its place to others is told to have ended")
	}
	shelf = Shelf{Member: 3, Counts: true}
	if draw(0.1); len(sc.shelves.gone) != 0 {
		t.Error("what another leader does not know yet is told to have ended")
	}
}
