package sim

import (
	"fmt"

	"vitrine/core/driver"
	"vitrine/core/script"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/disk"
)

// perish ends the process that was struck.
func (w *World) perish() {
	n := w.dying
	w.dying = nil
	fallen := n.wear.Fallen()
	how, lost := crashed, uint64(1)
	if fallen.How == script.ProcessDies {
		how, lost = killed, 0
	}
	n.fs = fallen.Left
	n.quit(how)
	died(n, lost, fallen.By.String(), fallen.Cause)
	w.chaos.Struck(n.id, fallen.By)
}

// validStrike refuses a strike before a step that there is not, or that cannot end so.
func validStrike(_ *World, c *script.Command) error {
	step, how := driver.StepNamed(c.Name), script.StrikeNamed(c.Value)
	switch {
	case step == driver.NoStep || step.Founding():
		return fmt.Errorf("sim: strike: there is no step %q", c.Name)
	case how == script.StepFails && !step.Writes(), how == script.StepFillsUp && !chaos.Fills(step):
		return fmt.Errorf("sim: strike: %s cannot end with %q", c.Name, c.Value)
	}
	return nil
}

func armStrike(n *node, c *script.Command, cause uint64) {
	how := script.StrikeNamed(c.Value)
	n.wear.Strike(driver.StepNamed(c.Name), disk.Strike{How: how, Skip: c.Rev, Torn: c.Torn, Cause: cause})
}

// Strikes counts, by step, how often a step was struck.
func (w *World) Strikes() []Count {
	var all []Count
	for step, n := range w.struck {
		if n > 0 {
			all = append(all, Count{driver.Step(step).String(), n})
		}
	}
	return all
}
