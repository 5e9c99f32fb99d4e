package sim

import (
	"errors"

	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/script"
	"vitrine/core/sim/disk"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

// A node as its disk sees it, and what comes of what goes wrong with that.

// FS implements disk.Machine.
func (n *node) FS() *vfs.Mem { return n.fs }

// Starts implements disk.Machine.
func (n *node) Starts() bool { return n.process == starting }

// Struck implements disk.Machine. The process ends with the event that it is in
// the middle of; until then it does nothing that anybody can see.
func (n *node) Struck(step driver.Step, fatal bool) {
	n.world.struck[step]++
	if fatal && (n.process != starting || n.world.clock.Now > 0 || n.starts > 0) {
		n.world.dying = n
	}
}

// WroteOn implements disk.Machine.
func (n *node) WroteOn(op vfs.Op, err error) {
	n.world.judge.Broken(invariant.FailedDisk, "member %d goes on with %s of %s after its disk failed: %v",
		n.id, op.Kind, op.Path, err)
}

// comeBack restarts a member, whose disk refused something once, after a while.
func (n *node) comeBack() {
	w := n.world
	if n.wear.Hit != nil {
		w.chaos.DiskFailed(n.id, n.wear.Kind)
	}
}

// bootFailed is the end of a process that could not read its disk: a reason to
// stop, and a broken invariant unless the error was planted or names the damage
// that was.
func (n *node) bootFailed(err error) {
	w := n.world
	n.process, n.leftKilled = stopped, false
	n.reason = err.Error()
	driver.Stopped(n.pen(0), err, n.left(), n.durable)
	var corrupt *wal.CorruptError
	switch {
	case n.wear.Hit != nil && (errors.Is(err, disk.ErrIO) || errors.Is(err, disk.ErrFull)):
		n.fs = n.wear.Leftovers()
		n.comeBack()
	case n.wear.Rotten && errors.As(err, &corrupt) && corrupt.File != "" && corrupt.Reason != "":
		n.wear.Beyond = corrupt
	default:
		w.judge.Broken(invariant.Boot, "member %d does not boot after a crash: %v", n.id, err)
	}
}

// fail arms an error.
func fail(n *node, c *script.Command, _ uint64) {
	kind, _ := script.DiskErrorNamed(c.Name) // it was valid
	n.wear.Arm(kind, c.Rev)
}

// rot has the log of a member decay.
func rot(w *World, c *script.Command, _ uint64) (uint64, error) {
	n := w.byID(c.Member)
	return 0, n.wear.Decay(c, n.alive(), w.cfg.SegmentBytes)
}
