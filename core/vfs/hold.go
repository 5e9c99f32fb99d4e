package vfs

import (
	"errors"
	"io/fs"
)

// errHolds is what reading or writing bytes of a file gives that holds a value.
var errHolds = errors.New("the file holds a value instead of bytes")

// Holder is a File that can hold a value in place of bytes, as a file of Mem
// can: the database of a simulated member is an immutable tree, and a commit
// that wrote it out would cost what the whole database costs. A held value is
// renamed, synced and lost as bytes are, but never torn: after a crash a file
// has the value that was synced last or a later one, whole.
type Holder interface {
	File
	// Hold makes v, a pointer, the contents of the file, which then has size
	// bytes. What it points to must not change any more. It is durable after Sync. Create makes the file one of
	// bytes again.
	Hold(v any, size int64) error
	// Held is the value, nil if the file has bytes.
	Held() any
}

// held is a value in place of bytes, as processes see it and as the disk has it.
type held struct {
	now, disk any
	size      int64 // of now
	diskSize  int64
}

// settleHeld makes the value that processes see the one that the disk has. It
// returns whether the file is one of bytes.
func (c *content) settleHeld() (bytes bool) {
	h := &c.held
	if h.now == nil {
		h.disk, h.diskSize = nil, 0
		return true
	}
	h.disk, h.diskSize = h.now, h.size
	c.now, c.disk, c.dirty, c.size, c.diskSize = table{}, table{}, nil, 0, 0
	return false
}

// fileSize is the size that processes see.
func (c *content) fileSize() int64 {
	if c.held.now != nil {
		return c.held.size
	}
	return c.size
}

// Hold implements Holder.
func (f *memFile) Hold(v any, size int64) error {
	if err := f.check("hold", true, size); err != nil {
		return err
	}
	f.node.content.held.now, f.node.content.held.size = v, size
	return nil
}

// Held implements Holder.
func (f *memFile) Held() any { return f.node.content.held.now }

// Hold implements Holder, for files that can.
func (f *hookedFile) Hold(v any, size int64) error {
	h, ok := f.File.(Holder)
	if !ok {
		return &fs.PathError{Op: "hold", Path: f.Name(), Err: errors.ErrUnsupported}
	}
	return f.h.run(Op{Kind: OpWrite, Path: f.Name(), Size: size}, func() error { return h.Hold(v, size) })
}

// Held implements Holder.
func (f *hookedFile) Held() any {
	if h, ok := f.File.(Holder); ok {
		return h.Held()
	}
	return nil
}
