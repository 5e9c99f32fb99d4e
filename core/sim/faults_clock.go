package sim

import (
	"vitrine/core/mutant"
	"vitrine/core/script"
	"vitrine/core/sim/dice"
)

// Clocks: the ticks of a member may come at another rate than those of others,
// and the time of day that its system tells may be anything.

func turnClock(n *node, c *script.Command, _ uint64) {
	switch c.Name {
	case script.ClockStep:
		d, _ := c.Duration() // it was valid
		n.day.Step(d)
	case script.ClockLost:
		n.day.Lose()
	default:
		rate, _ := c.Rate()
		n.tickEvery = n.world.tickAt(rate)
		n.clockSet()
	}
}

// tickAt is how long a tick takes on a clock of that rate.
func (w *World) tickAt(rate float64) int64 {
	return max(1, int64(float64(w.cfg.TickEvery)/rate))
}

// firstID is where the ids of a process begin. A server draws it at random from all numbers; here it is one that people
// can read, whose first bytes are the member's.
func firstID(n *node) uint64 {
	w := n.world
	drawn := dice.Mix(w.cfg.Seed^dice.Mix(n.id<<32|uint64(n.starts))) >> 32
	if day := n.day.Start(w.clock.Now); mutant.On(mutant.IDsByClock) {
		drawn = day << 8
	}
	return n.id<<48 | drawn
}
