package sim

import (
	"errors"
	"fmt"
	"strings"

	"vitrine/core/driver"
	"vitrine/core/mutant"
	"vitrine/core/script"
	"vitrine/core/sim/chaos"
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
	w.died(n, lost, step.String(), cause)
	w.chaos.Struck(n.id)
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

func armStrike(w *World, n *node, c *script.Command, cause uint64) {
	how := script.StrikeNamed(c.Value)
	n.strikes.arm(driver.StepNamed(c.Name), strike{how: how, skip: c.Rev, torn: c.Torn, cause: cause})
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
