package sim

import (
	"time"

	"vitrine/core/script"
)

// Links: what keeps members from hearing one another.

// exile cuts the leader off while its clock is slow and the others' are fast: for
// as long as can be, it does not know that they have another leader.
func (w *World) exile(long uint64) {
	leader := w.leader()
	if leader == nil || len(w.nodes) < 3 || !w.inflict(faultExile, script.Command{Cmd: script.Isolate, Member: leader.id}) {
		return
	}
	wait := spread(long, time.Second, 8*time.Second)
	w.later(wait, script.Command{Cmd: script.Heal, Member: leader.id})
	for _, n := range w.nodes {
		rate := "2"
		if n == leader {
			rate = "0.5"
		}
		w.inflict(faultExile, script.Command{Cmd: script.Clock, Member: n.id, Value: rate})
		w.later(wait, script.Command{Cmd: script.Clock, Member: n.id, Value: "1"})
	}
}

func (w *World) clog(from, to, how, long uint64) {
	c := script.Command{Cmd: script.Cut, From: []uint64{from}, To: []uint64{to}, OneWay: true}
	if how%2 == 0 {
		c.From, c.To = c.To, c.From
	}
	if w.inflict(faultClog, c) {
		c.Cmd = script.Heal
		w.later(spread(long, 10*time.Millisecond, 5*time.Second), c)
	}
}

// partition draws one of the classic shapes.
func (w *World) partition(victim, how, long uint64) {
	n := len(w.nodes)
	if n < 2 {
		return
	}
	c := script.Command{Cmd: script.Cut}
	shape := how % 7
	if n < 5 && shape == 6 {
		shape = 4 // a ring of three is whole
	}
	switch shape {
	case 0, 1: // two groups by coin; 1: only one direction is cut
		for _, m := range w.nodes {
			if how>>(8+m.id)&1 == 0 {
				c.From = append(c.From, m.id)
			} else {
				c.To = append(c.To, m.id)
			}
		}
		c.OneWay = shape == 1
	case 2: // one alone
		c.From = []uint64{victim}
		for _, m := range w.nodes {
			if m.id != victim {
				c.To = append(c.To, m.id)
			}
		}
	case 3: // one is heard but does not hear
		c.To, c.OneWay = []uint64{victim}, true
		for _, m := range w.nodes {
			if m.id != victim {
				c.From = append(c.From, m.id)
			}
		}
	case 4: // a bridge: two halves that only the victim can reach
		for _, m := range w.nodes {
			switch {
			case m.id == victim:
			case len(c.From) < (n-1)/2:
				c.From = append(c.From, m.id)
			default:
				c.To = append(c.To, m.id)
			}
		}
	case 5: // one hears but is not heard
		c.From, c.OneWay = []uint64{victim}, true
		for _, m := range w.nodes {
			if m.id != victim {
				c.To = append(c.To, m.id)
			}
		}
	case 6:
		w.ring(long)
		return
	}
	if len(c.From) == 0 || len(c.To) == 0 || !w.inflict(faultPartition, c) {
		return
	}
	c.Cmd = script.Heal
	w.later(spread(long, 500*time.Millisecond, 20*time.Second), c)
}

// ring cuts so that each member reaches a majority, and no two the same one: its
// nearest neighbours in a circle.
func (w *World) ring(long uint64) {
	n := len(w.nodes)
	near := (n/2 + 1) / 2
	wait := spread(long, 500*time.Millisecond, 20*time.Second)
	for i, m := range w.nodes {
		c := script.Command{Cmd: script.Cut, From: []uint64{m.id}}
		for far := near + 1; i+far < n && n-far > near; far++ {
			c.To = append(c.To, w.nodes[i+far].id)
		}
		if len(c.To) > 0 && w.inflict(faultPartition, c) {
			c.Cmd = script.Heal
			w.later(wait, c)
		}
	}
}
