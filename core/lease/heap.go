package lease

import "vitrine/core/trace"

// due is an entry of the heap: when a slot of the table is to be looked at.
type due struct {
	at   trace.Instant
	slot int32
}

// heap is a heap of four branches over the slots of a table, earliest first. Of two branches it would be twice as deep,
// and what a step costs is memory that is not in a cache. Ties are broken by slot, so that equal histories give equal
// orders. Each slot knows its place, so that an entry can be moved.
type heap struct {
	all   []due
	table *table
}

const branches = 4

func (h *heap) less(a, b due) bool { return a.at < b.at || a.at == b.at && a.slot < b.slot }

func (h *heap) place(d due, at int) {
	h.all[at] = d
	h.table.at(d.slot).place = int32(at)
}

// set puts a slot in, or moves it.
func (h *heap) set(slot int32, at trace.Instant) {
	place := int(h.table.at(slot).place)
	if place == nowhere {
		place = len(h.all)
		h.all = append(h.all, due{})
	}
	h.settle(due{at: at, slot: slot}, place)
}

// remove takes a slot out, if it is in.
func (h *heap) remove(slot int32) {
	s := h.table.at(slot)
	if s.place == nowhere {
		return
	}
	place, last := int(s.place), h.all[len(h.all)-1]
	s.place = nowhere
	h.all = h.all[:len(h.all)-1]
	if last.slot != slot {
		h.settle(last, place)
	}
}

// settle finds the place of an entry, beginning from one whose content may be overwritten.
func (h *heap) settle(d due, at int) {
	for at > 0 {
		up := (at - 1) / branches
		if !h.less(d, h.all[up]) {
			break
		}
		h.place(h.all[up], at)
		at = up
	}
	for {
		least, from := -1, at*branches+1
		for c := from; c < min(from+branches, len(h.all)); c++ {
			if least < 0 || h.less(h.all[c], h.all[least]) {
				least = c
			}
		}
		if least < 0 || !h.less(h.all[least], d) {
			break
		}
		h.place(h.all[least], at)
		at = least
	}
	h.place(d, at)
}
