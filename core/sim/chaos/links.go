package chaos

import (
	"time"

	"vitrine/core/script"
)

// Links: what keeps members from hearing one another.

// exile cuts the leader off while its clock is slow and the others' are fast: for
// as long as can be, it does not know that they have another leader.
func (x *Chaos) exile(long uint64) {
	leader := x.world.Leader()
	if leader == 0 || len(x.world.Members()) < 3 || !x.inflict(Exile, script.Command{Cmd: script.Isolate,
		Member: leader}) {
		return
	}
	wait := spread(long, time.Second, 8*time.Second)
	x.world.Later(wait, script.Command{Cmd: script.Heal, Member: leader})
	for _, id := range x.world.Members() {
		rate := "2"
		if id == leader {
			rate = "0.5"
		}
		x.inflict(Exile, script.Command{Cmd: script.Clock, Member: id, Value: rate})
		x.world.Later(wait, script.Command{Cmd: script.Clock, Member: id, Value: "1"})
	}
}

func (x *Chaos) clog(from, to, how, long uint64) {
	c := script.Command{Cmd: script.Cut, From: []uint64{from}, To: []uint64{to}, OneWay: true}
	if how%2 == 0 {
		c.From, c.To = c.To, c.From
	}
	if x.inflict(Clog, c) {
		c.Cmd = script.Heal
		x.world.Later(spread(long, 10*time.Millisecond, 5*time.Second), c)
	}
}

// partition draws one of the classic shapes.
func (x *Chaos) partition(victim, how, long uint64) {
	members := x.world.Members()
	n := len(members)
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
		for _, m := range members {
			if how>>(8+m)&1 == 0 {
				c.From = append(c.From, m)
			} else {
				c.To = append(c.To, m)
			}
		}
		c.OneWay = shape == 1
	case 2: // one alone
		c.From = []uint64{victim}
		for _, m := range members {
			if m != victim {
				c.To = append(c.To, m)
			}
		}
	case 3: // one is heard but does not hear
		c.To, c.OneWay = []uint64{victim}, true
		for _, m := range members {
			if m != victim {
				c.From = append(c.From, m)
			}
		}
	case 4: // a bridge: two halves that only the victim can reach
		for _, m := range members {
			switch {
			case m == victim:
			case len(c.From) < (n-1)/2:
				c.From = append(c.From, m)
			default:
				c.To = append(c.To, m)
			}
		}
	case 5: // one hears but is not heard
		c.From, c.OneWay = []uint64{victim}, true
		for _, m := range members {
			if m != victim {
				c.To = append(c.To, m)
			}
		}
	case 6:
		x.ring(long)
		return
	}
	if len(c.From) == 0 || len(c.To) == 0 || !x.inflict(Partition, c) {
		return
	}
	c.Cmd = script.Heal
	x.world.Later(spread(long, 500*time.Millisecond, 20*time.Second), c)
}

// ring cuts so that each member reaches a majority, and no two the same one: its
// nearest neighbours in a circle.
func (x *Chaos) ring(long uint64) {
	members := x.world.Members()
	n := len(members)
	near := (n/2 + 1) / 2
	wait := spread(long, 500*time.Millisecond, 20*time.Second)
	for i, m := range members {
		c := script.Command{Cmd: script.Cut, From: []uint64{m}}
		for far := near + 1; i+far < n && n-far > near; far++ {
			c.To = append(c.To, members[i+far])
		}
		if len(c.To) > 0 && x.inflict(Partition, c) {
			c.Cmd = script.Heal
			x.world.Later(wait, c)
		}
	}
}
