package watch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLine compares with a slice: the order is that of the pushes, and the admitted are its head.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l line
		var all []*watcher
		admitted := 0
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				w := &watcher{}
				l.push(w)
				all = append(all, w)
			case 1:
				w := l.admit()
				if (w == nil) != (admitted == len(all)) || w != nil && w != all[admitted] {
					t.Fatalf("admitted the wrong one of %d", len(all))
				}
				if w != nil {
					admitted++
				}
			case 2:
				if len(all) > 0 {
					i := rapid.IntRange(0, len(all)-1).Draw(t, "remove")
					l.remove(all[i])
					if all[i].behind || all[i].admitted {
						t.Fatal("a removed watcher thinks that it is in the line")
					}
					all = slices.Delete(all, i, i+1)
					if i < admitted {
						admitted--
					}
				}
			case 3:
				if rapid.IntRange(0, 3).Draw(t, "dismiss") == 0 {
					var dismissed []*watcher
					l.dismiss(func(w *watcher) { dismissed = append(dismissed, w) })
					if !slices.Equal(dismissed, all[:admitted]) {
						t.Fatal("dismissed others than the admitted")
					}
					admitted = 0
				}
			}
			i := 0
			for w := l.head; w != nil; w, i = w.after, i+1 {
				if w != all[i] || w.admitted != (i < admitted) || !w.behind {
					t.Fatalf("place %d of %d", i, len(all))
				}
			}
			if i != len(all) || l.length != len(all) || l.admitted != admitted {
				t.Fatalf("%d in line, %d admitted; want %d, %d", l.length, l.admitted, len(all), admitted)
			}
		}
	})
}
