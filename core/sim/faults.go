package sim

import (
	"time"

	"vitrine/core/script"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/clock"
)

// faultTarget is a world as package chaos sees it.
type faultTarget struct{ w *World }

// Do does a drawn fault.
func (s faultTarget) Do(c script.Command) error {
	_, err := s.w.do(&c, true)
	return err
}

// Later takes a fault back, or continues it, after a while.
func (s faultTarget) Later(wait time.Duration, c script.Command) {
	w := s.w
	at := w.clock.Now + int64(wait)
	w.scheduled = append(w.scheduled, script.Timed{At: at, Command: c, Fault: true})
	w.clock.PushFirst(clock.Event{At: at, Kind: evCommand, A: uint64(len(w.scheduled) - 1)})
}

// Members implements chaos.World.
func (s faultTarget) Members() []uint64 { return s.w.roster.All() }

// Learners implements chaos.World.
func (s faultTarget) Learners() []uint64 { return s.w.roster.Learners() }

// Machines implements chaos.World.
func (s faultTarget) Machines() int { return len(s.w.nodes) }

// Leader implements chaos.World.
func (s faultTarget) Leader() uint64 { return s.w.Leader() }

// beginFaults begins the fault phase, and says when it ends.
func (w *World) beginFaults() {
	if w.cfg.FaultsFor > 0 {
		w.clock.PushFirst(clock.Event{At: int64(w.cfg.FaultsFor), Kind: evFaultsEnd})
	}
	if w.cfg.Faults {
		w.chaos.Begin()
	}
}

// Options are the drawn options of the run; their classes are all off if the run
// has no faults.
func (w *World) Options() *chaos.Options { return w.chaos.Options() }

// FaultCounts are the faults so far by class; lost and doubled messages count.
func (w *World) FaultCounts() (all []Count) {
	w.chaos.Counts(func(class string, n int) { all = append(all, Count{class, n}) })
	return all
}
