package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitrine/core/driver"
	"vitrine/core/mutant"
	"vitrine/core/script"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// Steps: whatever a driver does to a disk can be struck just before any step of
// it. The power fails, the process is killed, or the disk refuses this one thing.

// strike waits for its step.
type strike struct {
	how   script.StrikeHow
	skip  int64 // so many of these steps are taken first
	torn  int   // percent: of unsynced blocks that survive, or of the write that gets there
	cause uint64
}

// strikes are a machine's, by step.
type strikes struct {
	waiting []strike
	left    *vfs.Mem    // what the disk was when a strike fell that ends the process
	by      driver.Step // and before which step
	how     script.StrikeHow
	cause   uint64
	short   *strike // the next write is cut short
	quiet   bool    // nothing strikes: the machine is lost anyway
}

// errStruck ends what a machine was doing when it was struck.
var errStruck = errors.New("sim: the machine was struck")

func newStrikes() strikes { return strikes{waiting: make([]strike, driver.StepCount)} }

func (s *strikes) arm(step driver.Step, st strike) { s.waiting[step] = st }

func (s *strikes) disarm() { clear(s.waiting); s.short = nil }

// struck tells whether the machine has stopped in the middle of the present
// event.
func (s *strikes) struck() bool { return s.left != nil }

func (s *strikes) clear() { s.left, s.by, s.how, s.cause = nil, driver.NoStep, script.NoStrike, 0 }

// reaches is called before each step of a driver (driver.Disk.Hook).
func (w *World) reaches(n *node, step driver.Step) error {
	s := &n.strikes
	switch st := &s.waiting[step]; {
	case s.struck():
		return errStruck
	case st.how == script.NoStrike || s.quiet:
		return nil
	case st.skip > 0:
		st.skip--
		return nil
	}
	st := s.waiting[step]
	s.waiting[step] = strike{}
	w.struck[step]++
	n.wear.now = w.clock.Taken
	switch st.how {
	case script.PowerFails:
		w.falls(n, step, &st, n.fs.CrashKeeping(n.disk, uint64(st.torn)))
	case script.ProcessDies:
		w.falls(n, step, &st, n.fs.Clone())
	case script.StepFails:
		return n.refuses(step, errDiskIO)
	case script.StepFillsUp:
		s.short, s.by = &st, step
		return nil
	}
	return errStruck
}

// falls keeps what the disk holds at this moment. The process ends with the event
// that it is in the middle of; until then it does nothing that anybody can see.
func (w *World) falls(n *node, step driver.Step, st *strike, left *vfs.Mem) {
	n.strikes.left, n.strikes.by, n.strikes.how, n.strikes.cause = left, step, st.how, st.cause
	if n.process != starting || w.clock.Now > 0 || n.starts > 0 {
		w.dying = n
	}
}

// perish ends the process that was struck.
func (w *World) perish() {
	n := w.dying
	w.dying = nil
	step, cause := n.strikes.by, n.strikes.cause
	how, lost := crashed, uint64(1)
	if n.strikes.how == script.ProcessDies {
		how, lost = killed, 0
	}
	n.fs = n.strikes.left
	n.strikes.clear()
	w.quit(n, how)
	w.emit(trace.Event{Kind: trace.MemberCrashed, Member: n.id, A: lost, Text: step.String(), Cause: cause})
	if w.faults.on {
		long := w.faults.dice[faultStrike].Uint64()
		w.later(spread(long, time.Millisecond, time.Second), script.Command{Cmd: script.Restart, Member: n.id})
	}
}

// refuses is a disk's answer to a step. Where it ends the process nothing more
// may be written in this life.
func (n *node) refuses(step driver.Step, err error) error {
	kind := script.FailWrite
	switch step {
	case driver.ImageCreate, driver.ImageWrite, driver.ImageSync, driver.ImageCheck, driver.ImageRename, driver.ImageDirSync,
		driver.DefragCopy, driver.DefragSync, driver.DefragRename, driver.DropImage:
		if n.process == running && !(step == driver.DefragSync && mutant.On(mutant.DefragRenamedEarly)) {
			return err
		}
	}
	switch {
	case strings.HasSuffix(step.String(), "sync"):
		kind = script.FailSync
	case n.process == starting:
		kind = script.FailRead
	}
	return n.meets(kind, err)
}

// cutShort makes the next write of a full disk the last one, and a short one.
func (n *node) cutShort(op vfs.Op) error {
	st, step := n.strikes.short, n.strikes.by
	if st == nil || n.strikes.quiet {
		return nil
	}
	n.strikes.short, n.strikes.by = nil, driver.NoStep
	err := shortWrite(op, st.torn)
	if n.refuses(step, err); n.wear.hit == err {
		n.wear.kind = script.FailFull
	}
	return err
}

// shortWrite is a write of which some percent get into the file. A system copies
// by the page, so what is there ends with a block.
func shortWrite(op vfs.Op, percent int) error {
	end := (op.Offset + op.Size*int64(percent)/100) / vfs.BlockSize * vfs.BlockSize
	return &vfs.ShortWrite{Bytes: int(max(0, end-op.Offset)), Err: errDiskFull}
}

// fillable are the steps that write.
var fillable = [...]driver.Step{
	driver.LogAppend, driver.LogMark, driver.LogSnapshot, driver.SegmentHead, driver.SpareClean, driver.ImageWrite, driver.CommitRun, driver.DefragCopy,
}

// validStrike refuses a strike before a step that there is not, or that cannot end so.
func validStrike(_ *World, c *script.Command) error {
	step, how := driver.StepNamed(c.Name), script.StrikeNamed(c.Value)
	switch {
	case step == driver.NoStep || step.Founding():
		return fmt.Errorf("sim: strike: there is no step %q", c.Name)
	case how == script.StepFails && !step.Writes(), how == script.StepFillsUp && !slices.Contains(fillable[:], step):
		return fmt.Errorf("sim: strike: %s cannot end with %q", c.Name, c.Value)
	}
	return nil
}

func (w *World) strike(n *node, c *script.Command, cause uint64) {
	how := script.StrikeNamed(c.Value)
	n.strikes.arm(driver.StepNamed(c.Name), strike{how: how, skip: c.Rev, torn: c.Torn, cause: cause})
}

// drawStrike strikes a member before some step: every second time before one that
// members seldom take, and then whoever takes it.
func (w *World) drawStrike(n *node, how, long uint64) {
	c := script.Command{Cmd: script.Strike, Member: n.id, Value: script.PowerFails.String()}
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
		w.inflict(faultStrike, c)
		return
	}
	for _, n := range w.nodes {
		c.Member = n.id
		w.inflict(faultStrike, c)
		if step == driver.RepairLog { // there is nothing to repair but what was torn
			w.inflict(faultStrike, script.Command{Cmd: script.Strike, Member: n.id, Name: driver.LogSync.String(), Value: script.PowerFails.String(), Rev: 1 + int64(long>>24%64), Torn: 50})
		}
	}
}

// drawRefusal has a disk refuse a step.
func (w *World) drawRefusal(n *node, how, long uint64) {
	c := script.Command{Cmd: script.Strike, Member: n.id, Rev: int64(long >> 8 % 4)}
	if how>>20%4 == 0 {
		c.Name, c.Value, c.Torn = fillable[how>>24%uint64(len(fillable))].String(), script.StepFillsUp.String(), int(long>>16%100)
	} else {
		step, _ := drawStep(how, driver.Step.Writes)
		c.Name, c.Value = step.String(), script.StepFails.String()
	}
	w.inflict(faultRefusal, c)
}

// rarest are the steps that a member hardly ever takes.
var rarest = [...]driver.Step{
	driver.RemoveLeftover, driver.RepairLog, driver.LogSnapshot, driver.SegmentRemove, driver.Exchange, driver.DropImage,
	driver.DefragOpen, driver.DefragExchange, driver.ImageTake,
}

// drawStep picks a step that fits, by drawn bits: every second time one of those
// that a member does not take all the time, and of these one of the rarest.
func drawStep(bits uint64, fits func(driver.Step) bool) (step driver.Step, seldom bool) {
	seldom, rare := bits>>32%2 == 0, bits>>33%2 == 0
	all := slices.DeleteFunc(driver.Steps(), func(s driver.Step) bool {
		listed := slices.Contains(rarest[:], s)
		return s.Founding() || !fits(s) || seldom && rare && !listed || seldom && !rare && !listed && !(s >= driver.Release && s <= driver.DropImage)
	})
	return all[bits>>40%uint64(len(all))], seldom
}

// garble damages the image that a member is about to receive, if it was to be.
func (w *World) garble(n *node, data []byte) {
	g := n.garbled
	if g == nil || len(data) == 0 {
		return
	}
	n.garbled = nil
	data[g.Rev%int64(len(data))] ^= 1 << (g.Limit & 7)
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
