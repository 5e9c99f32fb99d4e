package vfs

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// leafBlocks is the number of blocks in one leaf of a table: 64 KiB of file.
const leafBlocks = 128

// owner is an identity: blocks and leaves that carry it may be changed in
// place, all others are shared and must be copied first. It is not empty, so
// that two of them never have one address.
type owner struct{ _ byte }

type block struct {
	owner *owner
	data  [BlockSize]byte
}

type leaf struct {
	owner  *owner
	blocks [leafBlocks]*block
}

// table maps block numbers to blocks. A missing block reads as zeros, so the
// reserved part of a file costs nothing.
type table struct{ leaves []*leaf }

func (t *table) get(i int64) *block {
	l := i / leafBlocks
	if l >= int64(len(t.leaves)) || t.leaves[l] == nil {
		return nil
	}
	return t.leaves[l].blocks[i%leafBlocks]
}

// hole returns how many bytes from an offset on have no leaf.
func (t *table) hole(at int64) int64 {
	const leafBytes = leafBlocks * BlockSize
	if l := at / leafBytes; l < int64(len(t.leaves)) && t.leaves[l] != nil {
		return 0
	}
	return leafBytes - at%leafBytes
}

func (t *table) set(i int64, b *block, by *owner) {
	if t.get(i) == b {
		return
	}
	l := i / leafBlocks
	for l >= int64(len(t.leaves)) {
		t.leaves = append(t.leaves, nil)
	}
	if old := t.leaves[l]; old == nil {
		t.leaves[l] = &leaf{owner: by}
	} else if old.owner != by {
		t.leaves[l] = &leaf{owner: by, blocks: old.blocks}
	}
	t.leaves[l].blocks[i%leafBlocks] = b
}

func (t *table) clone() table { return table{leaves: slices.Clone(t.leaves)} }

// content is what a file holds: as its process sees it (now, size), and as the
// disk has it (disk, diskSize). Both tables share the blocks that are equal.
type content struct {
	owner    *owner
	now      table
	disk     table
	size     int64
	diskSize int64
	dirty    []int64 // blocks that may differ between now and disk; may repeat
	held     held    // a value in their place
}

func newContent() content { return content{owner: new(owner)} }

func (c *content) readAt(p []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	p = p[:min(int64(len(p)), c.size-off)]
	for n := 0; n < len(p); {
		at := off + int64(n)
		if hole := c.now.hole(at); hole > 0 {
			hole = min(hole, int64(len(p)-n))
			clear(p[n : int64(n)+hole])
			n += int(hole)
			continue
		}
		within := int(at % BlockSize)
		part := p[n:min(len(p), n+BlockSize-within)]
		if b := c.now.get(at / BlockSize); b != nil {
			copy(part, b.data[within:])
		} else {
			clear(part)
		}
		n += len(part)
	}
	return len(p)
}

func (c *content) writeAt(p []byte, off int64) {
	c.size = max(c.size, off+int64(len(p)))
	for len(p) > 0 {
		within := int(off % BlockSize)
		part := p[:min(len(p), BlockSize-within)]
		c.writeBlock(off/BlockSize, within, part)
		p = p[len(part):]
		off += int64(len(part))
	}
}

func (c *content) writeBlock(i int64, within int, part []byte) {
	b := c.now.get(i)
	if b == nil && zero(part) {
		return
	}
	if len(part) == BlockSize && zero(part) {
		c.drop(i)
		return
	}
	if b == nil || b.owner != c.owner {
		fresh := &block{owner: c.owner}
		if b != nil {
			fresh.data = b.data
		}
		b = fresh
		c.now.set(i, b, c.owner)
		c.dirty = append(c.dirty, i)
	}
	copy(b.data[within:], part)
}

// drop makes a block read as zeros.
func (c *content) drop(i int64) {
	if c.now.get(i) != nil {
		c.now.set(i, nil, c.owner)
		c.dirty = append(c.dirty, i)
	}
}

func (c *content) truncate(size int64) {
	if size < c.size {
		c.cut(size)
	}
	c.size = size
}

// cut zeroes everything from size on.
func (c *content) cut(size int64) {
	first := size / BlockSize
	if within := int(size % BlockSize); within != 0 {
		if c.now.get(first) != nil {
			var zeros [BlockSize]byte
			c.writeBlock(first, within, zeros[within:])
		}
		first++
	}
	for i := first; i < int64(len(c.now.leaves))*leafBlocks; i++ {
		if c.now.leaves[i/leafBlocks] == nil {
			i += leafBlocks - 1 - i%leafBlocks
			continue
		}
		c.drop(i)
	}
}

func (c *content) sync() {
	if !c.settleHeld() {
		return
	}
	for _, i := range c.dirty {
		b := c.now.get(i)
		if b != nil && b.owner == c.owner {
			b.owner = nil // shared by both tables from here on
		}
		c.disk.set(i, b, c.owner)
	}
	c.dirty = c.dirty[:0]
	c.diskSize = c.size
}

// clone returns a copy that shares every block. Afterwards neither side owns
// any of them.
func (c *content) clone() content {
	c.owner = new(owner)
	return content{
		owner: new(owner), now: c.now.clone(), disk: c.disk.clone(),
		size: c.size, diskSize: c.diskSize, dirty: slices.Clone(c.dirty), held: c.held,
	}
}

// crash returns what the disk holds after a power loss: each unsynced block is
// there with a probability of keep percent, and an unsynced size likewise.
func (c *content) crash(r *rand.Rand, keep uint64) content {
	c.owner = new(owner)
	if h := c.held; h.now != nil || h.disk != nil {
		if h.now != h.disk && r.Uint64N(100) >= keep {
			h.now, h.size = h.disk, h.diskSize
		}
		if h.now != nil {
			return content{owner: new(owner), held: held{now: h.now, disk: h.now, size: h.size, diskSize: h.size}}
		}
	}
	out := content{owner: new(owner), now: c.disk.clone(), size: c.diskSize}
	dirty := slices.Clone(c.dirty)
	slices.Sort(dirty)
	for _, i := range slices.Compact(dirty) {
		if r.Uint64N(100) < keep {
			out.now.set(i, c.now.get(i), out.owner)
		}
	}
	if c.size != c.diskSize {
		out.size = c.crashSize(r, keep)
	}
	out.cut(out.size)
	out.dirty = nil
	out.disk, out.diskSize = out.now.clone(), out.size
	out.owner = new(owner) // both tables share all their leaves and blocks
	return out
}

// crashSize picks the size after a crash: the old one, the new one, or, when
// the file was growing, a block boundary between them.
func (c *content) crashSize(r *rand.Rand, keep uint64) int64 {
	between := r.Uint64N(3) == 0
	if r.Uint64N(100) >= keep {
		return c.diskSize
	}
	first, last := (c.diskSize+BlockSize-1)/BlockSize, c.size/BlockSize
	if between && first < last {
		return (first + r.Int64N(last-first)) * BlockSize
	}
	return c.size
}

// zero tells whether all bytes are 0: the first is, and each is as the one before it.
func zero(p []byte) bool {
	return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1])
}
