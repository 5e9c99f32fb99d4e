package backend

import (
	"bytes"
	"sort"

	"github.com/google/btree"
)

// entry is the newest change of one key in a buffer.
type entry struct {
	key     []byte
	value   []byte
	deleted bool
}

func entryLess(a, b entry) bool { return bytes.Compare(a.key, b.key) < 0 }

const treeDegree = 32

// bucketBuffer holds the changes of one bucket. A key that is greater than all
// of run is appended to run; any other goes to rest. The greatest key of run
// only grows, so a key that is in both is newer in rest.
type bucketBuffer struct {
	run  []entry // ascending; elements never change once appended
	rest *btree.BTreeG[entry]
}

func (b *bucketBuffer) set(e entry) {
	if n := len(b.run); n == 0 || bytes.Compare(b.run[n-1].key, e.key) < 0 {
		b.run = append(b.run, e)
		return
	}
	if b.rest == nil {
		b.rest = btree.NewG(treeDegree, entryLess)
	}
	b.rest.ReplaceOrInsert(e)
}

func (b *bucketBuffer) get(key []byte) (entry, bool) {
	if b.rest != nil {
		if e, ok := b.rest.Get(entry{key: key}); ok {
			return e, true
		}
	}
	if i := seek(b.run, key); i < len(b.run) && bytes.Equal(b.run[i].key, key) {
		return b.run[i], true
	}
	return entry{}, false
}

// seek is the position of the first entry of run at or after key.
func seek(run []entry, key []byte) int {
	// Fresh revisions are read most, and they are at the end.
	if n := len(run); n == 0 || bytes.Compare(run[n-1].key, key) < 0 {
		return n
	}
	return sort.Search(len(run), func(i int) bool { return bytes.Compare(run[i].key, key) >= 0 })
}

// buffer holds changes of all buckets and the position they lead to.
type buffer struct {
	buckets [buckets]bucketBuffer
	ops     int
	applied Applied // only the fields that batches set since the buffer began
}

func (b *buffer) empty() bool {
	return b.ops == 0 && b.applied == (Applied{})
}

// image is a copy that stays as it is while b is written on.
func (b *buffer) image() *buffer {
	c := *b
	for i := range c.buckets {
		if rest := b.buckets[i].rest; rest != nil {
			c.buckets[i].rest = rest.Clone()
		}
		run := b.buckets[i].run
		c.buckets[i].run = run[:len(run):len(run)]
	}
	return &c
}

// list is every change in bucket and key order, each key once, with the
// position among them.
func (b *buffer) list() []Op {
	ops, bucket, m := make([]Op, 0, b.ops+3), Key, merger{}
	add := func(e entry) bool {
		ops = append(ops, Op{Bucket: bucket, Delete: e.deleted, Key: e.key, Value: e.value})
		return true
	}
	for ; bucket < buckets; bucket++ {
		m.sources = b.sources(m.sources[:0], bucket, nil, nil)
		m.drain(nil, add)
	}
	return ops
}
