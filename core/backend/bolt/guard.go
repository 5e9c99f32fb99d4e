//go:build !js

package bolt

import (
	"fmt"
	"os"
	"runtime/debug"
)

// bbolt believes its pages: on a damaged one it panics, and where the file is shorter than its mapping, or the disk
// cannot read it, the kernel sends SIGBUS. The check at the start finds damage that is there by then. For what comes
// later each call into bbolt is guarded: a call that returns an error returns ErrDamaged, and a read, which cannot,
// hands it to Options.Damaged.

// caught, called and deferred, turns a panic into an error of the function that defers it.
func (d *DB) caught(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			*err = d.damage(p)
		}
	}
}

// damage is the error that stands for a panic.
func (d *DB) damage(p any) error {
	if addr, ok := d.mapped(p); ok {
		return fmt.Errorf("bolt: %s: %w: the page at %d cannot be read", d.path, ErrDamaged, addr)
	}
	return fmt.Errorf("bolt: %s: %w: %v", d.path, ErrDamaged, p)
}

// mapped tells whether a panic is a fault of the mapped file, and where in the file.
func (d *DB) mapped(p any) (at uint64, ok bool) {
	fault, ok := p.(interface{ Addr() uintptr })
	if !ok || d.data == 0 || fault.Addr() < d.data {
		return 0, false
	}
	at = uint64(fault.Addr() - d.data)
	return at, at < uint64(d.options.MmapSize)
}

// reading guards the reads of one call. What the caller's own functions panic with passes through.
type reading struct {
	db     *DB
	bbolt  bool // is running, whose every panic is the fault of the file
	before bool // panic on fault
}

func (v *view) reading() reading {
	return reading{db: v.db, bbolt: true, before: debug.SetPanicOnFault(true)}
}

// end is to be deferred.
func (r *reading) end() {
	debug.SetPanicOnFault(r.before)
	p := recover()
	if p == nil {
		return
	}
	if _, fault := r.db.mapped(p); !fault && !r.bbolt {
		panic(p)
	}
	err := r.db.damage(p)
	if r.db.options.Damaged != nil {
		r.db.options.Damaged(err)
	}
	panic(err)
}

// touch reads a byte of each page that b lies on, so that a fault comes here and not where the caller reads it.
//
//go:noinline
func touch(b []byte) (sum byte) {
	for at := 0; at < len(b); at += os.Getpagesize() {
		sum += b[at]
	}
	return sum
}
