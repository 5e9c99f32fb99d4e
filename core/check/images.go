package check

import (
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// dispatch is a database that a member has sent to another.
type dispatch struct{ from, to, index, size uint64 }

// keptDispatches bounds what is known of the databases that one member has sent to another: it sends the next one when
// it has heard what became of the last, or has started anew.
const keptDispatches = 32

// transferred handles SnapshotSent and SnapshotReceived.
func (c *Checker) transferred(e *trace.Event) {
	if e.Kind == trace.SnapshotSent {
		c.dispatched(e)
	} else {
		c.received(c.member(e.Member), e)
	}
}

func (c *Checker) dispatched(e *trace.Event) {
	first, known := -1, 0
	for i, d := range c.dispatches {
		if d.from == e.Member && d.to == e.Peer {
			if known++; first < 0 {
				first = i
			}
		}
	}
	if known == keptDispatches {
		c.dispatches = slices.Delete(c.dispatches, first, first+1)
	}
	c.dispatches = append(c.dispatches, dispatch{e.Member, e.Peer, e.Index, e.A})
}

// arrival is a database on its way to a member.
type arrival struct {
	from, index uint64
	whole       bool // all of it has come
	over        bool // another one has begun since
}

// mostArrivals bounds what is known of databases that were on their way.
const mostArrivals = 8

// received holds that what comes is what was sent (I9), and a member receives one database at a time
// (I28). Nobody tells that a reception was given up, so two go on at once when one has come further after another has
// begun.
func (c *Checker) received(m *member, e *trace.Event) {
	a := arrival{from: e.Peer, index: e.Index, whole: e.A == e.B}
	if e.A == 0 {
		c.wasSent(m, e)
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
		known := &m.arrivals[i]
		if known.from != a.from || known.index != a.index {
			continue
		}
		if known.over {
			c.violate(invariant.Bounded, e, "member %d receives the snapshot at %d of member %d and another at once", m.id,
				e.Index, e.Peer)
		}
		known.whole = a.whole
		return
	}
}

// wasSent holds what begins to come to what its sender says of it.
func (c *Checker) wasSent(m *member, e *trace.Event) {
	for _, d := range c.dispatches {
		if d.from == e.Peer && d.to == m.id && d.index == e.Index && (d.size == e.B || e.B == 0) {
			return
		}
	}
	c.violate(invariant.AtomicApply, e, "member %d receives a snapshot at %d, of %d bytes, that member %d has not sent",
		m.id, e.Index, e.B, e.Peer)
}

// taken is the part of SnapshotRestored that concerns databases: raft confirms to its leader what the snapshot covers,
// so all of that has come before (I8).
func (c *Checker) taken(m *member, e *trace.Event) {
	for _, a := range m.arrivals {
		if a.index == e.Index && a.whole {
			return
		}
	}
	if len(m.arrivals) > 0 {
		c.violate(invariant.AckedDurable, e, "member %d takes the snapshot at %d before all of it has come", m.id, e.Index)
	}
}
