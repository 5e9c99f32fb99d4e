package sim

import (
	"fmt"
	"strconv"
	"time"
)

// Clocks: the ticks of a member may come at another rate than those of others,
// and the time of day that its system tells may be anything.

// clockRate reads the rate of a clock command.
func clockRate(c *Command) (float64, error) {
	rate, err := strconv.ParseFloat(c.Value, 64)
	if err != nil || !(rate >= 0.1 && rate <= 10) {
		return 0, fmt.Errorf("sim: clock: rate %q is not between 0.1 and 10", c.Value)
	}
	return rate, nil
}

func (w *World) turnClock(c *Command) {
	n := w.byID(c.Member)
	if c.Name == "step" {
		d, _ := parseDuration(c.Value) // it was valid
		n.wall += int64(d)
		return
	}
	rate, _ := clockRate(c)
	n.tickEvery = w.tickAt(rate)
}

// tickAt is how long a tick takes on a clock of that rate.
func (w *World) tickAt(rate float64) int64 {
	return max(1, int64(float64(w.cfg.TickEvery)/rate))
}

// epoch tells a life of a member from its earlier ones: by the time of day, as
// a server does, and by the number of its starts, for lives of a millisecond.
func (w *World) epoch(n *node) uint64 {
	return uint64((w.now+n.wall)/int64(time.Millisecond)) + uint64(n.starts)
}

// patience is how long a client waits for the answer to what it asks now.
func (w *World) patience() time.Duration {
	l := &w.cfg.Workload
	if l.Hasty > 0 && mix(w.cfg.Seed^mix(uint64(w.now)))%8 == 0 {
		return l.Hasty
	}
	return l.Timeout
}

// drawClock inflicts a clock fault: a rate between a half and twice, or a step
// of the time of day of up to an hour.
func (w *World) drawClock(n *node, how, long uint64) {
	c := Command{Cmd: "clock", Member: n.id}
	if how%2 == 0 {
		c.Value = formatFloat(float64(50+how>>8%151) / 100)
	} else {
		step := spread(long, 10*time.Millisecond, time.Hour)
		if how>>8%2 == 0 {
			step = -step
		}
		c.Name, c.Value = "step", step.String()
	}
	w.inflict(faultClock, c)
}
