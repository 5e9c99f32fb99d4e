// Package disk is what goes wrong with the disk of a simulated machine: operations
// that it refuses (Arm), moments between two steps of a driver at which the power
// fails or the process ends (Strike), and bytes of a log that decay (Decay). The
// files themselves are those of core/vfs.
//
//	w := disk.New(machine, clock, dice)
//	fs := vfs.WithFaults(files, w.Before)
//	w.Arm(script.FailSync, 0) // the next sync of the log fails
package disk

import (
	"errors"
	"time"

	"vitrine/core/driver"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/setup"
	"vitrine/core/vfs"
)

// What a disk answers when it fails. The texts are the system's.
var (
	ErrIO   = errors.New("input/output error")
	ErrFull = errors.New("no space left on device")
)

// logDir is where a member keeps its log.
const logDir = "member/wal"

// Machine is what stands around a disk.
type Machine interface {
	FS() *vfs.Mem
	Runs() bool   // its process serves
	Starts() bool // its process is about to
	// Struck tells that a strike fell before a step; fatal: it ends the process.
	Struck(step driver.Step, fatal bool)
	// WroteOn tells that an operation changes a disk after it failed.
	WroteOn(op vfs.Op, err error)
}

// Wear is what is wrong with a disk, and what came of it.
type Wear struct {
	Hit      error            // what this life has met; it must write nothing more
	Kind     script.DiskError // of Hit
	Rotten   bool             // bits of its log were changed
	zeroed   bool             // a block of it was
	Beyond   error            // the log does not open any more: it needs another disk
	Unsynced error            // a sync failed while the process was paused: it will hear of it

	machine Machine
	clock   *clock.Clock
	dice    *dice.Dice
	armed   [script.DiskErrors]int // this operation of the kind, from now on, fails; 0 = none does
	during  uint64                 // the event in which it was hit
	strikes strikes
}

// New is a disk with which nothing is wrong yet.
func New(m Machine, c *clock.Clock, d *dice.Dice) *Wear {
	return &Wear{machine: m, clock: c, dice: d, strikes: newStrikes()}
}

// Restart forgets what an earlier life has met.
func (w *Wear) Restart() { w.Hit, w.Unsynced = nil, nil }

// Disarm takes back what has not happened yet.
func (w *Wear) Disarm() {
	w.armed = [script.DiskErrors]int{}
	w.DisarmStrikes()
}

// Arm makes an operation of a kind fail, after so many that do not.
func (w *Wear) Arm(kind script.DiskError, skip int64) { w.armed[kind] = 1 + int(skip) }

// Armed reports whether an operation of a kind will fail.
func (w *Wear) Armed(kind script.DiskError) bool { return w.armed[kind] > 0 }

// Fails counts an operation and tells whether it is the one that fails.
func (w *Wear) Fails(kind script.DiskError) bool {
	if w.armed[kind] == 0 {
		return false
	}
	w.armed[kind]--
	return w.armed[kind] == 0
}

// Meets notes the error that ends this life, and returns it.
func (w *Wear) Meets(kind script.DiskError, err error) error {
	w.Hit, w.Kind, w.during = err, kind, w.clock.Taken
	return err
}

// takesBack tells whether a write that failed may just be undone: nothing has left
// the process since.
func (w *Wear) takesBack() bool {
	return w.during == w.clock.Taken && (w.Kind == script.FailWrite || w.Kind == script.FailFull)
}

// Before is called before each operation of a driver (vfs.WithFaults).
func (w *Wear) Before(op vfs.Op) error {
	if w.Struck() {
		return errStruck
	}
	if op.Kind == vfs.OpWrite {
		if err := w.cutShort(op); err != nil {
			return err
		}
	}
	switch op.Kind {
	case vfs.OpWrite, vfs.OpSync, vfs.OpSyncData, vfs.OpSyncDir:
		undoes := w.takesBack() && op.Kind == vfs.OpWrite
		if w.Hit != nil && w.Unsynced == nil && w.Kind != script.FailRead && !undoes {
			w.machine.WroteOn(op, w.Hit)
		}
	}
	if _, ok := op.In(logDir); !ok {
		return nil // the errors below are the log's
	}
	switch op.Kind {
	case vfs.OpWrite:
		full, broken := w.Fails(script.FailFull), w.Fails(script.FailWrite)
		if full {
			return w.Meets(script.FailFull, shortWrite(op, 50))
		}
		if broken {
			return w.Meets(script.FailWrite, ErrIO)
		}
	case vfs.OpSync, vfs.OpSyncData, vfs.OpSyncDir:
		if w.Fails(script.FailSync) {
			return w.Meets(script.FailSync, ErrIO)
		}
	case vfs.OpRead:
		if w.Fails(script.FailRead) {
			return w.Meets(script.FailRead, ErrIO)
		}
	}
	return nil
}

// Leftovers is what a process that ended by itself leaves to the next one. After a
// failed write the page cache is what it is. After a failed sync it lies: what it
// holds may never reach the disk, so the machine is started afresh.
func (w *Wear) Leftovers() *vfs.Mem {
	if w.Hit != nil && w.Kind == script.FailSync {
		return w.machine.FS().CrashClone(w.dice)
	}
	return w.machine.FS().Clone()
}

// shortWrite is a write of which some percent get into the file. A system copies
// by the page, so what is there ends with a block.
func shortWrite(op vfs.Op, percent int) error {
	end := (op.Offset + op.Size*int64(percent)/100) / vfs.BlockSize * vfs.BlockSize
	return &vfs.ShortWrite{Bytes: int(max(0, end-op.Offset)), Err: ErrFull}
}

// longestSpike bounds a spike, in means: a tail without end would outlast the time that a healed cluster settles in.
const longestSpike = 4

// SyncTime draws how long a sync takes: three numbers.
func SyncTime(d *dice.Dice, dial *setup.Disk) time.Duration {
	half := dial.Fsync / 2
	took := half + d.Exp(half)
	spike, long := d.Chance(dial.SpikeProb), d.Exp(dial.Spike)
	if spike {
		took += min(long, longestSpike*dial.Spike)
	}
	return took
}
