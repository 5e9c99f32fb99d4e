package clock

import "time"

// Day is the time of day that a machine tells, which may be anything.
type Day struct {
	off  int64 // nanoseconds ahead of the world's
	lost bool  // no start of the machine knows it
}

// Step turns it by d.
func (t *Day) Step(d time.Duration) { t.off += int64(d) }

// Lose has it begin anew at each start from now on.
func (t *Day) Lose() { t.lost = true }

// Start tells the milliseconds of the day at a start of the machine.
func (t *Day) Start(now int64) uint64 {
	if t.lost {
		t.off = -now
	}
	return uint64((now + t.off) / int64(time.Millisecond))
}
