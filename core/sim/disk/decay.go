package disk

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"vitrine/core/script"
	"vitrine/core/vfs"
	"vitrine/core/wal"
)

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

// Decay changes the log on the disk as a rot command says. The position counts the bytes in
// use of all its segments, and begins anew at their end.
func (w *Wear) Decay(c *script.Command, alive bool, segmentBytes int64) error {
	fs := w.machine.FS()
	names, err := fs.List(logDir)
	if err != nil {
		return err
	}
	var files []string
	var ends []int64
	total := int64(0)
	for _, name := range names {
		if end := writtenBytes(fs, logDir+"/"+name); strings.HasSuffix(name, ".wal") && end > 0 {
			files, ends = append(files, logDir+"/"+name), append(ends, end)
			total += end
		}
	}
	if total == 0 {
		return fmt.Errorf("disk: rot: member %d has no log", c.Member)
	}
	at, k := c.Rev%total, 0
	for at >= ends[k] {
		at, k = at-ends[k], k+1
	}
	if c.Name == script.DecayCut && alive {
		return fmt.Errorf("disk: rot: member %d runs, and its log is not cut off under it", c.Member)
	}
	if c.Name == script.DecayCut && k == len(files)-1 {
		at %= segmentBytes // nothing tells how far the last group has made the file longer than it was made
	}
	w.Rotten = true
	return w.damage(c, files[k], at, ends[k])
}

// damage changes a file at a byte: a bit flips, a write puts its block into the
// place of another one, a block is zeroed, or the rest is cut off.
func (w *Wear) damage(c *script.Command, file string, at, end int64) error {
	fs := w.machine.FS()
	switch c.Name {
	case script.DecayBit:
		return fs.Damage(file, at, 1, func(p []byte) { p[0] ^= 1 << (c.Limit & 7) })
	case script.DecayZeros:
		return w.zero(file, at, [...]int64{vfs.BlockSize, 8 * vfs.BlockSize}[c.Limit%2])
	case script.DecayCut:
		f, err := fs.OpenReadWrite(file)
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
	if err := fs.Damage(file, from*vfs.BlockSize, vfs.BlockSize, func(p []byte) { copy(stray[:], p) }); err != nil {
		return err
	}
	if stray == [vfs.BlockSize]byte{} { // an earlier fault has zeroed it
		return w.zero(file, to*vfs.BlockSize, vfs.BlockSize)
	}
	if w.zeroed { // what tells those zeros from what a crash has lost must stay
		var err error
		if to, err = w.promised(file, to, vfs.BlockSize); err != nil {
			return err
		}
	}
	return fs.Damage(file, to*vfs.BlockSize, vfs.BlockSize, func(p []byte) { copy(p, stray[:]) })
}

// zero erases the block of size bytes around a byte, if it was promised.
func (w *Wear) zero(file string, at, size int64) error {
	block, err := w.promised(file, at/size, size)
	if err != nil {
		return err
	}
	w.zeroed = true
	return w.machine.FS().Damage(file, block*size, int(size), func(p []byte) { clear(p) })
}

// promised is a block, or another one in its place: what was not promised for
// certain cannot be told from what was lost in a crash, so the block lies before
// a sync point that no crash can take any more, or is the first of its file.
func (w *Wear) promised(file string, block, size int64) (int64, error) {
	last, durable, err := wal.Durable(w.machine.FS().LoseUnsynced(), logDir)
	switch {
	case err != nil:
	case file > last: // names of segments are in their order
		block = 0
	case file == last && (block+1)*size > durable:
		block %= max(1, durable/size)
	}
	return block, err
}
