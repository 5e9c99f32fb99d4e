package sim

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/script"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

// What a disk answers when it fails. The texts are the system's.
var (
	errDiskIO   = errors.New("input/output error")
	errDiskFull = errors.New("no space left on device")
)

const walDir = "member/wal"

// wear is what is wrong with a disk, and what came of it.
type wear struct {
	armed    [script.DiskErrors]int // this operation of the kind, from now on, fails; 0 = none does
	hit      error                  // what this life has met; it must write nothing more
	kind     script.DiskError       // of hit
	now      uint64                 // the present event, see World.processed
	during   uint64                 // that in which it was hit
	rotten   bool                   // bits of its log were changed
	beyond   error                  // the log does not open any more: it needs another disk
	unsynced error                  // a sync failed while the process was paused: it will hear of it
}

// takesBack tells whether a write that failed may just be undone: nothing has left
// the process since.
func (x *wear) takesBack(during uint64) bool {
	return x.during == during && (x.kind == script.FailWrite || x.kind == script.FailFull)
}

func (n *node) arm(kind script.DiskError, skip int64) { n.wear.armed[kind] = 1 + int(skip) }

// strikesError counts an operation and tells whether it is the one that fails.
func (n *node) strikesError(kind script.DiskError) bool {
	if n.wear.armed[kind] == 0 {
		return false
	}
	n.wear.armed[kind]--
	return n.wear.armed[kind] == 0
}

func (n *node) meets(kind script.DiskError, err error) error {
	n.wear.hit, n.wear.kind, n.wear.during = err, kind, n.wear.now
	return err
}

// doubt stands between a driver and its disk (vfs.WithFaults).
func (w *World) doubt(n *node, op vfs.Op) error {
	n.wear.now = w.clock.Taken
	if n.strikes.struck() {
		return errStruck
	}
	if op.Kind == vfs.OpWrite {
		if err := n.cutShort(op); err != nil {
			return err
		}
	}
	switch op.Kind {
	case vfs.OpWrite, vfs.OpSync, vfs.OpSyncData, vfs.OpSyncDir:
		if n.wear.hit != nil && n.wear.unsynced == nil && n.wear.kind != script.FailRead && !(n.wear.takesBack(w.clock.Taken) && op.Kind == vfs.OpWrite) {
			w.judge.Broken(invariant.FailedDisk, "member %d goes on with %s of %s after its disk failed: %v", n.id, op.Kind, op.Path, n.wear.hit)
		}
	}
	if path.Dir(op.Path) != walDir && op.Path != walDir {
		return nil // the errors below are the log's
	}
	switch op.Kind {
	case vfs.OpWrite:
		full, broken := n.strikesError(script.FailFull), n.strikesError(script.FailWrite)
		if full {
			return n.meets(script.FailFull, shortWrite(op, 50))
		}
		if broken {
			return n.meets(script.FailWrite, errDiskIO)
		}
	case vfs.OpSync, vfs.OpSyncData, vfs.OpSyncDir:
		if n.strikesError(script.FailSync) {
			return n.meets(script.FailSync, errDiskIO)
		}
	case vfs.OpRead:
		if n.strikesError(script.FailRead) {
			return n.meets(script.FailRead, errDiskIO)
		}
	}
	return nil
}

// leftovers is what a process that ended by itself leaves to the next one.
// After a failed write the page cache is what it is. After a failed sync it
// lies: what it holds may never reach the disk, so the machine is started
// afresh.
func (w *World) leftovers(n *node) {
	if n.wear.hit != nil && n.wear.kind == script.FailSync {
		n.fs = n.fs.CrashClone(n.disk)
		return
	}
	n.fs = n.fs.Clone()
}

// comeBack restarts a member, whose disk refused something once, after a while.
func (w *World) comeBack(n *node) {
	if n.wear.hit != nil {
		w.chaos.DiskFailed(n.id, n.wear.kind)
	}
}

// bootFailed is the end of a process that could not read its disk: a reason to
// stop, and a broken invariant unless the error was planted or names the damage
// that was.
func (w *World) bootFailed(n *node, err error) {
	n.process = stopped
	n.reason = err.Error()
	driver.Stopped(w.pen(n, 0), err, n.left(), n.durable)
	var corrupt *wal.CorruptError
	switch {
	case n.wear.hit != nil && (errors.Is(err, errDiskIO) || errors.Is(err, errDiskFull)):
		w.leftovers(n)
		w.comeBack(n)
	case n.wear.rotten && errors.As(err, &corrupt) && corrupt.File != "" && corrupt.Reason != "":
		n.wear.beyond = corrupt
	default:
		w.judge.Broken(invariant.Boot, "member %d does not boot after a crash: %v", n.id, err)
	}
}

// fail arms an error.
func fail(w *World, n *node, c *script.Command, _ uint64) {
	kind, _ := script.DiskErrorNamed(c.Name) // it was valid
	n.arm(kind, c.Rev)
}

// writtenBytes is where the records of a segment end, more or less: behind its
// last byte that is not zero.
func writtenBytes(fs *vfs.Mem, name string) int64 {
	f, err := fs.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	p, end := make([]byte, 64<<10), int64(0)
	for at := int64(0); ; {
		n, err := f.ReadAt(p, at)
		if trimmed := bytes.TrimRight(p[:n], "\x00"); len(trimmed) > 0 {
			end = at + int64(len(trimmed))
		}
		if at += int64(n); err != nil || n == 0 {
			return end
		}
	}
}

// rot changes the log of a member on its disk. The position counts the bytes in
// use of all its segments, and begins anew at their end.
func rot(w *World, c *script.Command, _ uint64) (uint64, error) {
	n := w.byID(c.Member)
	names, err := n.fs.List(walDir)
	if err != nil {
		return 0, err
	}
	var files []string
	var ends []int64
	total := int64(0)
	for _, name := range names {
		if end := writtenBytes(n.fs, walDir+"/"+name); strings.HasSuffix(name, ".wal") && end > 0 {
			files, ends = append(files, walDir+"/"+name), append(ends, end)
			total += end
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("sim: rot: member %d has no log", n.id)
	}
	at, k := c.Rev%total, 0
	for at >= ends[k] {
		at, k = at-ends[k], k+1
	}
	if c.Name == script.DecayCut && n.alive() {
		return 0, fmt.Errorf("sim: rot: member %d runs, and its log is not cut off under it", n.id)
	}
	if c.Name == script.DecayCut && k == len(files)-1 {
		at %= w.cfg.SegmentBytes // nothing tells how far the last group has made the file longer than it was made
	}
	n.wear.rotten = true
	return 0, n.decay(c, files[k], at, ends[k])
}

// decay damages a file at a byte: a bit flips, a write puts its block into the
// place of another one, a block is zeroed, or the rest is cut off.
func (n *node) decay(c *script.Command, file string, at, end int64) error {
	switch c.Name {
	case script.DecayBit:
		return n.fs.Damage(file, at, 1, func(p []byte) { p[0] ^= 1 << (c.Limit & 7) })
	case script.DecayZeros:
		return n.zero(file, at, [...]int64{vfs.BlockSize, 8 * vfs.BlockSize}[c.Limit%2])
	case script.DecayCut:
		f, err := n.fs.OpenReadWrite(file)
		if err == nil {
			err = errors.Join(f.Truncate(at), f.Sync(), f.Close())
		}
		return err
	}
	// The block lands a few blocks away from where it belongs, in the same file.
	var stray [vfs.BlockSize]byte
	blocks := (end + vfs.BlockSize - 1) / vfs.BlockSize
	from := at / vfs.BlockSize
	to := (from + 1 + c.Limit%max(1, blocks)) % blocks
	if err := n.fs.Damage(file, from*vfs.BlockSize, vfs.BlockSize, func(p []byte) { copy(stray[:], p) }); err != nil {
		return err
	}
	return n.fs.Damage(file, to*vfs.BlockSize, vfs.BlockSize, func(p []byte) { copy(p, stray[:]) })
}

// zero erases the block of size bytes around a byte. What was not promised for
// certain cannot be told from what was lost in a crash, so the block lies before
// a sync point, or is the first of its file.
func (n *node) zero(file string, at, size int64) error {
	last, durable, err := wal.Durable(n.fs, walDir)
	if err != nil {
		return err
	}
	block := at / size
	if file == last && (block+1)*size > durable {
		block %= max(1, durable/size)
	}
	return n.fs.Damage(file, block*size, int(size), func(p []byte) { clear(p) })
}
