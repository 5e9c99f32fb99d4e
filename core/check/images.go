package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// arrival is a database on its way to a member.
type arrival struct {
	from, index uint64
	over        bool // another one has begun since
}

// received handles SnapshotReceived: a member receives one database at a time (I28). Nobody tells that a reception was
// given up, so two go on at once when one has come further after another has begun.
func (c *Checker) received(m *member, e *trace.Event) {
	a := arrival{from: e.Peer, index: e.Index}
	if e.A == 0 {
		for i := range m.arrivals {
			m.arrivals[i].over = true
		}
		m.arrivals = append(m.arrivals, a)
		if len(m.arrivals) > mostArrivals {
			m.arrivals = m.arrivals[1:]
		}
		return
	}
	for i := len(m.arrivals) - 1; i >= 0; i-- {
		known := m.arrivals[i]
		if known.from != a.from || known.index != a.index {
			continue
		}
		if known.over {
			c.violate(invariant.Bounded, e, "member %d receives the snapshot at %d of member %d and another at once", m.id,
				e.Index, e.Peer)
		}
		return
	}
}

// mostArrivals bounds what is known of databases that were on their way.
const mostArrivals = 8
