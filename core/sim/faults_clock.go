package sim

import (
	"time"

	"vitrine/core/script"
)

// Clocks: the ticks of a member may come at another rate than those of others,
// and the time of day that its system tells may be anything.

func turnClock(n *node, c *script.Command, _ uint64) {
	if c.Name == script.ClockStep {
		d, _ := c.Duration() // it was valid
		n.wall += int64(d)
		return
	}
	rate, _ := c.Rate()
	n.tickEvery = n.world.tickAt(rate)
	n.clockSet()
}

// tickAt is how long a tick takes on a clock of that rate.
func (w *World) tickAt(rate float64) int64 {
	return max(1, int64(float64(w.cfg.TickEvery)/rate))
}

// epoch tells a life of a member from its earlier ones: by the time of day, as
// a server does, and by the number of its starts, for lives of a millisecond.
func epoch(n *node) uint64 {
	w := n.world
	return uint64((w.clock.Now+n.wall)/int64(time.Millisecond)) + uint64(n.starts)
}
