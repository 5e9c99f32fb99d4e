package vfs

import "io/fs"

// Damage changes bytes of a file behind everybody's back, as a decaying disk
// or a write that went astray does: change gets what the file holds from offset
// on, n bytes or as many as there are, and what it leaves there is durable. A
// process that has the file open sees it too.
func (m *Mem) Damage(name string, offset int64, n int, change func(p []byte)) error {
	f := m.find(name)
	switch {
	case f == nil:
		return pathError("damage", name, fs.ErrNotExist)
	case f.isDir:
		return pathError("damage", name, errIsDir)
	case f.content.held.now != nil:
		return pathError("damage", name, errHolds)
	case offset < 0 || n < 0:
		return pathError("damage", name, errNegative)
	}
	p := make([]byte, n)
	p = p[:f.content.readAt(p, offset)]
	change(p)
	f.content.damage(p, offset)
	return nil
}

// damage puts bytes into both views of the file.
func (c *content) damage(p []byte, off int64) {
	for len(p) > 0 {
		i, within := off/BlockSize, int(off%BlockSize)
		part := p[:min(len(p), BlockSize-within)]
		now, disk := c.now.get(i), c.disk.get(i)
		fresh := damagedBlock(now, within, part)
		c.now.set(i, fresh, c.owner)
		if disk != now {
			fresh = damagedBlock(disk, within, part)
		}
		c.disk.set(i, fresh, c.owner)
		p, off = p[len(part):], off+int64(len(part))
	}
}

// damagedBlock is a copy that nobody owns, so that neither view changes it in
// place.
func damagedBlock(b *block, within int, part []byte) *block {
	fresh := new(block)
	if b != nil {
		fresh.data = b.data
	}
	copy(fresh.data[within:], part)
	return fresh
}
