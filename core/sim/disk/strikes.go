package disk

import (
	"errors"
	"strings"

	"vitrine/core/driver"
	"vitrine/core/mutant"
	"vitrine/core/script"
	"vitrine/core/vfs"
)

// Steps: whatever a driver does to a disk can be struck just before any step of
// it. The power fails, the process is killed, or the disk refuses this one thing.

// Strike waits for its step.
type Strike struct {
	How   script.StrikeHow
	Skip  int64 // so many of these steps are taken first
	Torn  int   // percent: of unsynced blocks that survive, or of the write that gets there
	Cause uint64
}

// strikes are a machine's, by step.
type strikes struct {
	waiting []Strike
	fallen  Fallen
	short   *Strike // the next write is cut short
	quiet   bool    // nothing strikes: the machine is lost anyway
}

// Fallen is a strike that ends the process.
type Fallen struct {
	Left  *vfs.Mem // what the disk was then, nil = there was none
	By    driver.Step
	How   script.StrikeHow
	Cause uint64
}

// errStruck ends what a machine was doing when it was struck.
var errStruck = errors.New("disk: the machine was struck")

func newStrikes() strikes { return strikes{waiting: make([]Strike, driver.StepCount)} }

// Strike arms a strike before a step.
func (w *Wear) Strike(step driver.Step, s Strike) { w.strikes.waiting[step] = s }

// DisarmStrikes takes back the strikes that wait.
func (w *Wear) DisarmStrikes() {
	clear(w.strikes.waiting)
	w.strikes.short = nil
}

// Quiet keeps strikes from falling until this life has ended: the machine is lost
// anyway.
func (w *Wear) Quiet() { w.strikes.quiet = true }

// End is the end of a life. A write that was to be cut short is void with it: a
// step that wrote nothing leaves the next life alone.
func (w *Wear) End() { w.strikes.quiet, w.strikes.short = false, nil }

// Struck tells whether the machine has stopped in the middle of the present event.
func (w *Wear) Struck() bool { return w.strikes.fallen.Left != nil }

// Fallen takes the strike that has ended the process.
func (w *Wear) Fallen() (f Fallen) {
	f, w.strikes.fallen = w.strikes.fallen, Fallen{By: driver.NoStep}
	return f
}

// Reaches is called before each step of a driver (driver.Disk.Hook).
func (w *Wear) Reaches(step driver.Step) error {
	s := &w.strikes
	switch next := &s.waiting[step]; {
	case w.Struck():
		return errStruck
	case next.How == script.NoStrike || s.quiet:
		return nil
	case next.Skip > 0:
		next.Skip--
		return nil
	}
	now := s.waiting[step]
	s.waiting[step] = Strike{}
	fatal := now.How == script.PowerFails || now.How == script.ProcessDies
	switch now.How {
	case script.PowerFails:
		s.fallen = Fallen{w.machine.FS().CrashKeeping(w.dice, uint64(now.Torn)), step, now.How, now.Cause}
	case script.ProcessDies:
		s.fallen = Fallen{w.machine.FS().Clone(), step, now.How, now.Cause}
	}
	w.machine.Struck(step, fatal)
	switch now.How {
	case script.StepFails:
		return w.refuses(step, ErrIO)
	case script.StepFillsUp:
		s.short, s.fallen.By = &now, step
		return nil
	}
	return errStruck
}

// refuses is a disk's answer to a step. Where it ends the process nothing more
// may be written in this life.
func (w *Wear) refuses(step driver.Step, err error) error {
	kind := script.FailWrite
	switch step {
	case driver.ImageCreate, driver.ImageWrite, driver.ImageSync, driver.ImageCheck, driver.ImageRename,
		driver.ImageDirSync, driver.DefragCopy, driver.DefragSync, driver.DefragRename, driver.DropImage:
		if w.machine.Runs() && !(step == driver.DefragSync && mutant.On(mutant.DefragRenamedEarly)) {
			return err
		}
	}
	switch {
	case strings.HasSuffix(step.String(), "sync"):
		kind = script.FailSync
	case w.machine.Starts():
		kind = script.FailRead
	}
	return w.Meets(kind, err)
}

// cutShort makes the next write of a full disk the last one, and a short one.
func (w *Wear) cutShort(op vfs.Op) error {
	s, step := w.strikes.short, w.strikes.fallen.By
	if s == nil || w.strikes.quiet {
		return nil
	}
	w.strikes.short, w.strikes.fallen.By = nil, driver.NoStep
	err := shortWrite(op, s.Torn)
	if w.refuses(step, err); w.Hit == err {
		w.Kind = script.FailFull
	}
	return err
}

// Garble damages the data that a member is about to receive, as a command says; nil leaves them whole.
func Garble(data []byte, c *script.Command) {
	if c != nil && len(data) > 0 {
		data[c.Rev%int64(len(data))] ^= 1 << (c.Limit & 7)
	}
}
