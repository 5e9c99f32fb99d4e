package check

import (
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/trace"
)

// Bounds holds what a member has taken of its bounds to them (I28).
func (c *Checker) Bounds(now trace.Instant, member uint64, uses []limits.Use) {
	for _, u := range uses {
		if u.Have > u.Limit {
			c.violate(invariant.Bounded, &trace.Event{Seq: c.seq, Now: now, Member: member},
				"member %d has %d %s, the bound is %d", member, u.Have, u.Name, u.Limit)
		}
	}
}
