package backend

import (
	"bytes"
	"sync/atomic"

	"github.com/google/btree"
)

// Mem is a Store in memory, made of immutable images: a Commit derives the
// next image from the current one copy-on-write and swaps one pointer. So an
// image, for a view, a snapshot or a crash, costs nothing to take.
type Mem struct {
	image atomic.Pointer[memImage]
}

// memImage never changes once it is published.
type memImage struct {
	trees [buckets]*btree.BTreeG[pair] // nil if empty
	inUse int64                        // bytes of keys and values and pairOverhead each
	size  int64                        // high-water mark of inUse: a file that never shrinks
}

type pair struct{ key, value []byte }

func pairLess(a, b pair) bool { return bytes.Compare(a.key, b.key) < 0 }

// imageDegree is small because each commit copies the nodes that it changes.
const imageDegree = 8

// Sizes are modelled on a bolt file, so that quotas behave alike on both.
const (
	emptySize    = 5 * 4096 // two meta pages, free list, root and an empty leaf
	pairOverhead = 16       // a leaf element's header
	pageSize     = 4096
)

// NewMem returns an empty store.
func NewMem() *Mem {
	m := &Mem{}
	m.image.Store(&memImage{size: emptySize})
	return m
}

// Clone is what is committed at this moment, as a store of its own: what a
// machine finds after a crash. It shares all data with m and costs O(1).
func (m *Mem) Clone() *Mem {
	c := &Mem{}
	c.image.Store(m.image.Load())
	return c
}

// Commit implements Store.
func (m *Mem) Commit(ops []Op) error {
	next := *m.image.Load()
	var owned [buckets]bool
	for _, op := range ops {
		tree := next.trees[op.Bucket]
		if !owned[op.Bucket] {
			if tree == nil {
				tree = btree.NewG(imageDegree, pairLess)
			} else {
				tree = tree.Clone()
			}
			next.trees[op.Bucket], owned[op.Bucket] = tree, true
		}
		var old pair
		var had bool
		if op.Delete {
			old, had = tree.Delete(pair{key: op.Key})
		} else {
			old, had = tree.ReplaceOrInsert(pair{key: op.Key, value: op.Value})
			next.inUse += cost(op.Key, op.Value)
		}
		if had {
			next.inUse -= cost(old.key, old.value)
		}
	}
	next.size = max(next.size, next.sizeInUse())
	m.image.Store(&next)
	return nil
}

func cost(key, value []byte) int64 { return int64(len(key) + len(value) + pairOverhead) }

func (i *memImage) sizeInUse() int64 {
	return emptySize + (i.inUse+pageSize-1)/pageSize*pageSize
}

// View implements Store.
func (m *Mem) View() (StoreView, error) { return memView{m.image.Load()}, nil }

// Size implements Store: the most that was ever in use.
func (m *Mem) Size() int64 { return m.image.Load().size }

// SizeInUse implements Store.
func (m *Mem) SizeInUse() int64 { return m.image.Load().sizeInUse() }

// Snapshot implements Store; the result is a *MemSnapshot.
func (m *Mem) Snapshot() (Snapshot, error) { return newMemSnapshot(m.image.Load()), nil }

// Close implements Store. The data stays: a closed Mem can be opened again,
// as a file can.
func (m *Mem) Close() error { return nil }

type memView struct{ image *memImage }

func (v memView) Get(b Bucket, key []byte) []byte {
	tree := v.image.trees[b]
	if tree == nil {
		return nil
	}
	p, ok := tree.Get(pair{key: key})
	if ok && p.value == nil {
		return []byte{}
	}
	return p.value
}

func (v memView) Range(b Bucket, start, end []byte, fn func(k, v []byte) bool) {
	tree := v.image.trees[b]
	if tree == nil {
		return
	}
	visit := func(p pair) bool { return fn(p.key, p.value) }
	if end == nil {
		tree.AscendGreaterOrEqual(pair{key: start}, visit)
	} else {
		tree.AscendRange(pair{key: start}, pair{key: end}, visit)
	}
}

func (v memView) Retain() StoreView           { return v }
func (v memView) Snapshot() (Snapshot, error) { return newMemSnapshot(v.image), nil }
func (v memView) Close()                      {}
