package chaos

import (
	"slices"

	"vitrine/core/driver"
	"vitrine/core/script"
	"vitrine/core/vfs"
)

// Fills reports whether a step writes so much that a disk can become full before
// its end.
func Fills(s driver.Step) bool { return slices.Contains(fillable[:], s) }

var fillable = [...]driver.Step{
	driver.LogAppend, driver.LogMark, driver.LogSnapshot, driver.SegmentHead, driver.SpareClean,
	driver.ImageWrite, driver.CommitRun, driver.DefragCopy,
}

// drawStrike strikes a member before some step: every second time before one that
// members seldom take, and then whoever takes it.
func (x *Chaos) drawStrike(id, how, long uint64) {
	c := script.Command{Cmd: script.Strike, Member: id, Value: script.PowerFails.String()}
	step, seldom := drawStep(how, func(driver.Step) bool { return true })
	if c.Name = step.String(); !seldom {
		if c.Rev = int64(long >> 8 % 8); c.Rev > 3 {
			c.Rev = 0
		}
	}
	if how>>20%4 == 0 {
		c.Value = script.ProcessDies.String()
	} else {
		c.Torn = int(vfs.Survival(long >> 16))
	}
	if !seldom {
		x.inflict(Strike, c)
		return
	}
	for _, id := range x.world.Members() {
		c.Member = id
		x.inflict(Strike, c)
		if step == driver.RepairLog { // there is nothing to repair but what was torn
			x.inflict(Strike, script.Command{
				Cmd: script.Strike, Member: id, Name: driver.LogSync.String(), Value: script.PowerFails.String(),
				Rev: 1 + int64(long>>24%64), Torn: 50,
			})
		}
	}
}

// drawRefusal has a disk refuse a step.
func (x *Chaos) drawRefusal(id, how, long uint64) {
	c := script.Command{Cmd: script.Strike, Member: id, Rev: int64(long >> 8 % 4)}
	if how>>20%4 == 0 {
		c.Name = fillable[how>>24%uint64(len(fillable))].String()
		c.Value, c.Torn = script.StepFillsUp.String(), int(long>>16%100)
	} else {
		step, _ := drawStep(how, driver.Step.Writes)
		c.Name, c.Value = step.String(), script.StepFails.String()
	}
	x.inflict(Refusal, c)
}

// rarest are the steps that a member hardly ever takes.
var rarest = [...]driver.Step{
	driver.RemoveLeftover, driver.RepairLog, driver.LogSnapshot, driver.SegmentRemove, driver.Exchange, driver.DropImage,
	driver.DefragOpen, driver.DefragExchange, driver.ImageTake,
}

// lastDrawn is the last step that is drawn: later ones have classes of their own, so that seeds keep their meaning.
const lastDrawn = driver.ImageTake

// drawStep picks a step that fits, by drawn bits: every second time one of those
// that a member does not take all the time, and of these one of the rarest.
func drawStep(bits uint64, fits func(driver.Step) bool) (step driver.Step, seldom bool) {
	seldom, rare := bits>>32%2 == 0, bits>>33%2 == 0
	all := slices.DeleteFunc(driver.Steps(), func(s driver.Step) bool {
		listed := slices.Contains(rarest[:], s)
		common := !listed && !(s >= driver.Release && s <= driver.DropImage)
		return s.Founding() || s > lastDrawn || !fits(s) || seldom && rare && !listed || seldom && !rare && common
	})
	return all[bits>>40%uint64(len(all))], seldom
}
