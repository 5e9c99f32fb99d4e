package watch

import (
	"cmp"
	"slices"
)

// Pin is a watcher where it stands, for whoever draws it.
type Pin struct {
	Stream   uint64
	ID       int64  // the watch id
	Key, End string // End "\x00" = everything from Key on, "" = Key alone
	Next     int64  // the first revision that it may still get
	Behind   bool   // it has history to catch up with
}

// Pins lists the watchers of all streams by where they stand, and of those at one
// place by stream and id.
func (h *Hub) Pins() []Pin {
	var all []Pin
	for _, s := range h.order {
		for _, w := range s.watchers {
			p := Pin{Stream: s.id, ID: w.id, Key: w.key, Next: w.next, Behind: w.behind}
			switch {
			case w.open:
				p.End = "\x00"
			case w.isRange:
				p.End = w.end
			}
			if !w.behind {
				p.Next = max(p.Next, h.rev+1)
			}
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Pin) int {
		return cmp.Or(cmp.Compare(a.Next, b.Next), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.ID, b.ID))
	})
	return all
}
