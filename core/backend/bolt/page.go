//go:build !js

package bolt

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// page is one page of a file, with the ones that overflow from it, or one in the value of a bucket's pair.
type page struct {
	id       uint64
	flags    uint16
	count    uint16
	overflow uint64
	size     int64       // with all that overflows
	head     []byte      // its beginning
	f        io.ReaderAt // the file; nil if head is all of it
	at       int64       // its place in the file
	all      []element   // memory for elements
}

func (p *page) parseHeader() {
	p.id = binary.LittleEndian.Uint64(p.head)
	p.flags = binary.LittleEndian.Uint16(p.head[8:])
	p.count = binary.LittleEndian.Uint16(p.head[10:])
	p.overflow = uint64(binary.LittleEndian.Uint32(p.head[12:]))
}

// bytes are n bytes from a place on; both must be within the page.
func (p *page) bytes(at, n int64) ([]byte, error) {
	if at+n <= int64(len(p.head)) {
		return p.head[at : at+n : at+n], nil
	}
	b := make([]byte, n)
	_, err := p.f.ReadAt(b, p.at+at)
	return b, err
}

// element is a key of a page, with the page below it or with its value.
type element struct {
	key        []byte
	child      uint64
	flags      uint32
	value      int64 // where it begins
	valueBytes int64
}

// elements reads the keys of a branch or leaf page and checks their places and their order. bbolt packs keys and
// values behind the table of elements without gaps, in order.
func (p *page) elements(in bounds, pageSize int64) ([]element, error) {
	if p.flags != flagBranch && p.flags != flagLeaf {
		return nil, damaged("flags %#x", p.flags)
	}
	if p.flags == flagBranch && p.count == 0 {
		return nil, damaged("a branch without keys")
	}
	end := pageHeader + elementBytes*int64(p.count)
	if end > p.size {
		return nil, damaged("%d elements in %d bytes", p.count, p.size)
	}
	table, err := p.bytes(pageHeader, end-pageHeader)
	if err != nil {
		return nil, err
	}
	p.all = slices.Grow(p.all[:0], int(p.count))[:p.count]
	last := in.from
	for i := range p.all {
		e := &p.all[i]
		keyBytes := e.place(p, table, i)
		at := e.value - keyBytes
		if at != end || keyBytes == 0 || e.value+e.valueBytes > p.size {
			return nil, damaged("element %d: %d+%d bytes at %d, not at %d of %d", i, keyBytes, e.valueBytes, at, end, p.size)
		}
		if e.key, err = p.bytes(at, keyBytes); err != nil {
			return nil, err
		}
		// The first key may be equal to the bound that the parent sets, but not to a key before it.
		if order := bytes.Compare(e.key, last); last != nil && (order < 0 || order == 0 && i > 0) ||
			in.to != nil && bytes.Compare(e.key, in.to) >= 0 {
			return nil, damaged("element %d: key %x is out of order", i, e.key)
		}
		last, end = e.key, e.value+e.valueBytes
	}
	if p.size-end > pageSize {
		return nil, damaged("its elements end at %d of %d bytes", end, p.size)
	}
	return p.all, nil
}

// place reads element i of the table, and returns the size of its key.
func (e *element) place(p *page, table []byte, i int) (keyBytes int64) {
	*e = element{}
	at := int64(pageHeader + elementBytes*i)
	t := table[elementBytes*i:]
	u32 := binary.LittleEndian.Uint32
	if p.flags == flagBranch {
		keyBytes = int64(u32(t[4:]))
		e.value = at + int64(u32(t)) + keyBytes
		e.child = binary.LittleEndian.Uint64(t[8:])
		return keyBytes
	}
	keyBytes = int64(u32(t[8:]))
	e.flags, e.valueBytes = u32(t), int64(u32(t[12:]))
	e.value = at + int64(u32(t[4:])) + keyBytes
	return keyBytes
}
