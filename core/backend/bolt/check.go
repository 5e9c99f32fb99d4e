//go:build !js

package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"

	"vitrine/core/backend"
)

// ErrDamaged is wrapped by every error that is the fault of a file's bytes. The error's text names the file, the page
// and what is wrong with it.
var ErrDamaged = errors.New("damaged database")

// Check reads the structure of a database file and says what is wrong with it, nil if nothing is. It maps nothing and
// needs no lock, so nobody may be writing to the file; a file that another process is writing to looks damaged. See
// CheckFile for what is looked at.
func Check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("bolt: check: %w", err)
	}
	err = checkOpen(f)
	return errors.Join(err, f.Close())
}

func checkOpen(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("bolt: check: %w", err)
	}
	return CheckFile(f, f.Name(), info.Size())
}

// CheckFile is Check of a file that is open already: of size bytes, named name in errors.
//
// It looks at everything that bbolt believes without looking: both meta pages, the length of the file against the high
// water mark, the stored free list, and every page that can be reached from the root: its type and place, the position
// of each element, the order of the keys within a page and between the bounds that its parent sets. No page may be
// reached twice, or be free as well. The buckets must be etcd's, with pairs and nothing else in them. The time it takes
// grows with the number of pages that hold keys, not with the size of values, and is less than what bbolt itself needs
// to rebuild the free list. What it cannot see is a change within a key that keeps their order, within a value,
// or of the length of the last value of a page: pages have no checksum.
func CheckFile(f io.ReaderAt, name string, size int64) error {
	c := &checker{f: f, size: size}
	err := c.file()
	if errors.Is(err, ErrDamaged) {
		return fmt.Errorf("bolt: %s: %w", name, err)
	} else if err != nil {
		return fmt.Errorf("bolt: check %s: %w", name, err)
	}
	return nil
}

// The file as bbolt writes it, all numbers in the order of the machine that wrote it (here: little-endian):
//
//	page    id u64 | flags u16 | count u16 | overflow u32 | ...    overflow more pages belong to it
//	branch  count of { pos u32, key size u32, page u64 }, then the keys
//	leaf    count of { flags u32, pos u32, key size u32, value size u32 }, then key, value, key, value ...
//	meta    magic u32 | version u32 | page size u32 | flags u32 | root u64 | sequence u64 | free list u64 |
//	        high water mark u64 | transaction u64 | FNV-1a of all before it u64
//
// Positions count from the element itself. A bucket is a pair in the root with flags 1, whose value is { root page u64,
// sequence u64 }; a root page of 0 means that a leaf page, without a place of its own, follows in the value.
const (
	pageHeader   = 16
	elementBytes = 16
	bucketHeader = 16
	metaBytes    = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	bucketElement = 1 // flags of a leaf element

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = ^uint64(0)

	minPageShift, maxPageShift = 10, 24 // page sizes that bbolt looks for: 1 KiB to 16 MiB

	// maxDepth bounds the height of a tree. With two keys a page, the fewest that bbolt splits to, no file is that high.
	maxDepth = 64
)

type metaPage struct{ id, root, freelist, high, tx uint64 }

// checker walks one file.
type checker struct {
	f        io.ReaderAt
	size     int64
	pageSize int64
	meta     metaPage
	seen     []uint64 // a bit for each page below the high water mark
	bucket   string   // in which the walk is, for errors
	levels   []*page  // memory for the pages between the root and here
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func (c *checker) file() error {
	if c.size == 0 {
		return damaged("the file is empty")
	}
	if err := c.metas(); err != nil {
		return err
	}
	m := c.meta
	switch have := uint64(c.size / c.pageSize); {
	case m.high > have:
		return damaged("its %d bytes are %d pages of %d bytes, its meta page says %d", c.size, have, c.pageSize, m.high)
	case m.root < 2 || m.root >= m.high:
		return damaged("the root is page %d of %d", m.root, m.high)
	}
	c.seen = make([]uint64, m.high/64+1)
	if err := c.tree(m.root, bounds{}, 0, c.rootPair); err != nil {
		return err
	}
	if m.freelist == noFreelist {
		return nil
	}
	return c.freelist()
}

// metas finds the page size and the meta page that counts: the newer of those that are whole. A crash may have torn the
// one that was written last.
func (c *checker) metas() error {
	found := false
	for shift := minPageShift - 1; shift <= maxPageShift && !found; shift++ {
		at := int64(0)
		if shift >= minPageShift {
			at = 1 << shift
		}
		m, size, whole := c.metaAt(at)
		c.pageSize, found = size, whole && (at == 0 || at == size && m.id == 1)
	}
	if !found || c.pageSize < 1<<minPageShift || c.pageSize > 1<<maxPageShift || c.pageSize&(c.pageSize-1) != 0 {
		return damaged("neither meta page is whole")
	}
	first, _, whole := c.metaAt(0)
	second, size, secondWhole := c.metaAt(c.pageSize)
	secondWhole = secondWhole && size == c.pageSize
	c.meta = first
	if !whole || secondWhole && second.tx > first.tx {
		c.meta = second
	}
	if whole && first.id != 0 || secondWhole && second.id != 1 {
		return damaged("the meta pages 0 and 1 say that they are %d and %d", first.id, second.id)
	}
	return nil
}

// metaAt reads the meta page that begins at a place; whole is false if there is none.
func (c *checker) metaAt(at int64) (m metaPage, pageSize int64, whole bool) {
	var p [pageHeader + metaBytes]byte
	if _, err := c.f.ReadAt(p[:], at); err != nil {
		return m, 0, false
	}
	b := p[pageHeader:]
	h := fnv.New64a()
	h.Write(b[:metaBytes-8])
	u32, u64 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	m = metaPage{id: u64(p[:]), root: u64(b[16:]), freelist: u64(b[32:]), high: u64(b[40:]), tx: u64(b[48:])}
	return m, int64(u32(b[8:])), u32(b) == metaMagic && u32(b[4:]) == metaVersion && u64(b[56:]) == h.Sum64()
}

// visit notes that pages are in use, which they may be once.
func (c *checker) visit(id, n uint64) error {
	if id < 2 || id >= c.meta.high || n > c.meta.high-id {
		return damaged("page %d of %d, and %d behind it", id, c.meta.high, n-1)
	}
	for i := id; i < id+n; i++ {
		if c.seen[i/64]&(1<<(i%64)) != 0 {
			return damaged("page %d is in use twice", i)
		}
		c.seen[i/64] |= 1 << (i % 64)
	}
	return nil
}

// page reads the head of a page and notes that it is in use. The page stays until the next one of this depth is read.
func (c *checker) page(id uint64, depth int) (*page, error) {
	if id < 2 || id >= c.meta.high {
		return nil, damaged("a reference to page %d of %d", id, c.meta.high)
	}
	if depth == len(c.levels) {
		c.levels = append(c.levels, &page{head: make([]byte, c.pageSize)})
	}
	p := c.levels[depth]
	p.f, p.at = c.f, int64(id)*c.pageSize
	if _, err := p.f.ReadAt(p.head, p.at); err != nil {
		return nil, err
	}
	p.parseHeader()
	if p.id != id {
		return nil, damaged("page %d says that it is page %d", id, p.id)
	}
	p.size = int64(p.overflow+1) * c.pageSize
	return p, c.visit(id, p.overflow+1)
}

// bounds of the keys in a subtree: from is included, to is not; nil = none.
type bounds struct{ from, to []byte }

// tree walks the pages of one tree and calls fn for each pair.
func (c *checker) tree(id uint64, in bounds, depth int, fn func(p *page, depth int, e element) error) error {
	if depth == maxDepth {
		return damaged("bucket %q: page %d lies %d levels deep", c.bucket, id, depth)
	}
	p, err := c.page(id, depth)
	if err != nil {
		return c.within(id, err)
	}
	elements, err := p.elements(in, c.pageSize)
	if err != nil {
		return c.within(id, err)
	}
	if len(elements) == 0 && c.bucket != "" {
		// bbolt drops a leaf that has become empty, and an empty bucket lies within its pair.
		return c.within(id, damaged("a leaf without keys"))
	}
	for i, e := range elements {
		if p.flags == flagLeaf {
			err = c.within(id, fn(p, depth, e))
		} else {
			below := bounds{from: e.key, to: in.to}
			if i+1 < len(elements) {
				below.to = elements[i+1].key
			}
			err = c.tree(e.child, below, depth+1, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// within says where the damage is.
func (c *checker) within(id uint64, err error) error {
	if err == nil || !errors.Is(err, ErrDamaged) || errors.As(err, new(placed)) {
		return err
	}
	return placed{fmt.Errorf("%w (page %d, bucket %q)", err, id, c.bucket)}
}

// placed is an error that says where it is already.
type placed struct{ error }

func (p placed) Unwrap() error { return p.error }

// rootPair checks a pair of the root, which is a bucket.
func (c *checker) rootPair(p *page, depth int, e element) error {
	name := string(e.key)
	if e.flags != bucketElement {
		return damaged("a pair outside of all buckets, key %q", name)
	}
	if !slices.ContainsFunc(backend.Buckets(), func(b backend.Bucket) bool { return b.Name() == name }) {
		return damaged("a bucket %q, which no version of etcd up to 3.7 has", name)
	}
	if e.valueBytes < bucketHeader {
		return damaged("bucket %q: its header has %d bytes", name, e.valueBytes)
	}
	header, err := p.bytes(e.value, bucketHeader)
	if err != nil {
		return err
	}
	c.bucket = name
	defer func() { c.bucket = "" }()
	if root := binary.LittleEndian.Uint64(header); root != 0 {
		return c.tree(root, bounds{}, depth+1, plainPair)
	}
	return c.inline(p, e)
}

// inline checks a bucket that is small enough to lie in the value of its own pair.
func (c *checker) inline(p *page, e element) error {
	if e.valueBytes < bucketHeader+pageHeader || e.valueBytes > c.pageSize {
		return damaged("a bucket of %d bytes within its pair", e.valueBytes)
	}
	value, err := p.bytes(e.value+bucketHeader, e.valueBytes-bucketHeader)
	if err != nil {
		return err
	}
	in := &page{head: value, size: int64(len(value))}
	in.parseHeader()
	if in.flags != flagLeaf || in.overflow != 0 {
		return damaged("a bucket within its pair: flags %#x, overflow %d", in.flags, in.overflow)
	}
	elements, err := in.elements(bounds{}, c.pageSize)
	if err != nil {
		return err
	}
	for _, e := range elements {
		if err := plainPair(in, 0, e); err != nil {
			return err
		}
	}
	return nil
}

func plainPair(_ *page, _ int, e element) error {
	if e.flags != 0 {
		return damaged("the pair of key %x has flags %#x", e.key, e.flags)
	}
	return nil
}

// freelist checks the stored list of free pages, against those in use too.
func (c *checker) freelist() error {
	p, err := c.page(c.meta.freelist, 0)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if p.flags != flagFreelist {
		return damaged("free list: page %d has flags %#x", p.id, p.flags)
	}
	at, n := int64(pageHeader), uint64(p.count)
	if n == 0xFFFF { // too many for the header: the first number is how many follow
		b, err := p.bytes(at, 8)
		if err != nil {
			return err
		}
		at, n = at+8, binary.LittleEndian.Uint64(b)
	}
	if n > uint64(p.size-at)/8 {
		return damaged("free list: %d pages are named in %d bytes", n, p.size)
	}
	list, err := p.bytes(at, int64(n*8))
	if err != nil {
		return err
	}
	for last := uint64(0); len(list) > 0; list = list[8:] {
		id := binary.LittleEndian.Uint64(list)
		if id <= last {
			return damaged("free list: page %d follows page %d", id, last)
		}
		if err := c.visit(id, 1); err != nil {
			return fmt.Errorf("free list: %w", err)
		}
		last = id
	}
	return nil
}
