package backend

import (
	"bytes"

	"github.com/google/btree"
)

// source yields entries in key order, one key at most once.
type source interface {
	peek() (entry, bool)
	next()
}

// runSource walks a sorted run.
type runSource struct{ run []entry }

func (s *runSource) peek() (entry, bool) {
	if len(s.run) == 0 {
		return entry{}, false
	}
	return s.run[0], true
}

func (s *runSource) next() { s.run = s.run[1:] }

// treeChunk bounds how much of a tree is read ahead of its consumer.
const treeChunk = 32

// treeSource pulls from a tree, which itself can only push, in chunks.
type treeSource struct {
	tree  *btree.BTreeG[entry]
	end   []byte
	chunk []entry
	at    int
	done  bool
}

func newTreeSource(tree *btree.BTreeG[entry], start, end []byte) *treeSource {
	s := &treeSource{tree: tree, end: end}
	s.fill(start, true)
	return s
}

func (s *treeSource) fill(from []byte, inclusive bool) {
	s.chunk, s.at = s.chunk[:0], 0
	s.tree.AscendGreaterOrEqual(entry{key: from}, func(e entry) bool {
		if s.end != nil && bytes.Compare(e.key, s.end) >= 0 {
			s.done = true
			return false
		}
		if !inclusive && bytes.Equal(e.key, from) {
			return true
		}
		s.chunk = append(s.chunk, e)
		return len(s.chunk) < treeChunk
	})
	if len(s.chunk) < treeChunk {
		s.done = true
	}
}

func (s *treeSource) peek() (entry, bool) {
	if s.at == len(s.chunk) {
		return entry{}, false
	}
	return s.chunk[s.at], true
}

func (s *treeSource) next() {
	s.at++
	if s.at == len(s.chunk) && !s.done {
		s.fill(s.chunk[len(s.chunk)-1].key, false)
	}
}

// sources appends the readers of one bucket's range, newest first.
func (b *buffer) sources(all []source, bucket Bucket, start, end []byte) []source {
	if bucket == Meta && b.applied != (Applied{}) {
		all = appendRun(all, b.applied.overlay(), start, end)
	}
	part := &b.buckets[bucket]
	if part.rest != nil && part.rest.Len() > 0 {
		if s := newTreeSource(part.rest, start, end); len(s.chunk) > 0 {
			all = append(all, s)
		}
	}
	return appendRun(all, part.run, start, end)
}

func appendRun(all []source, run []entry, start, end []byte) []source {
	run = run[seek(run, start):]
	if end != nil {
		run = run[:seek(run, end)]
	}
	if len(run) == 0 {
		return all
	}
	return append(all, &runSource{run: run})
}

// merger merges sources; where several have a key, the first one wins.
type merger struct{ sources []source }

// peek is the least entry of all sources.
func (m *merger) peek() (entry, bool) {
	var least entry
	found := false
	for _, s := range m.sources {
		if e, ok := s.peek(); ok && (!found || bytes.Compare(e.key, least.key) < 0) {
			least, found = e, true
		}
	}
	return least, found
}

// skip moves every source past key.
func (m *merger) skip(key []byte) {
	for _, s := range m.sources {
		if e, ok := s.peek(); ok && bytes.Equal(e.key, key) {
			s.next()
		}
	}
}

// drain hands out the entries before key limit (nil: all) until fn returns
// false, and says whether it never did.
func (m *merger) drain(limit []byte, fn func(entry) bool) bool {
	for len(m.sources) > 0 {
		e, ok := m.peek()
		if !ok || (limit != nil && bytes.Compare(e.key, limit) >= 0) {
			return true
		}
		m.skip(e.key)
		if !fn(e) {
			return false
		}
	}
	return true
}

// layers is what a read merges, newest first; nil where there is none.
type layers struct {
	front, frozen *buffer
	base          StoreView
}

func (l *layers) get(b Bucket, key []byte) []byte {
	for _, buf := range [...]*buffer{l.front, l.frozen} {
		if buf == nil {
			continue
		}
		if b == Meta && reserved(key) {
			for _, e := range buf.applied.overlay() {
				if bytes.Equal(e.key, key) {
					return e.value
				}
			}
			continue
		}
		if e, ok := buf.buckets[b].get(key); ok {
			return present(e)
		}
	}
	return l.base.Get(b, key)
}

// present is the value that a reader sees: nil for a deleted key, not nil for
// an empty value.
func present(e entry) []byte {
	switch {
	case e.deleted:
		return nil
	case e.value == nil:
		return []byte{}
	}
	return e.value
}

// scan calls fn for the live pairs in [start, end), at most limit of them if
// limit > 0.
func (l *layers) scan(b Bucket, start, end []byte, limit int, fn func(k, v []byte) bool) {
	if end != nil && bytes.Compare(start, end) >= 0 {
		return
	}
	var m merger
	for _, buf := range [...]*buffer{l.front, l.frozen} {
		if buf != nil {
			m.sources = buf.sources(m.sources, b, start, end)
		}
	}
	emitted := 0
	emit := func(k, v []byte) bool {
		emitted++
		return fn(k, v) && (limit <= 0 || emitted < limit)
	}
	buffered := func(e entry) bool { return e.deleted || emit(e.key, present(e)) }
	if len(m.sources) == 0 {
		l.base.Range(b, start, end, emit)
		return
	}
	more := true
	l.base.Range(b, start, end, func(k, v []byte) bool {
		if more = m.drain(k, buffered); !more {
			return false
		}
		if e, ok := m.peek(); ok && bytes.Equal(e.key, k) {
			m.skip(k)
			more = buffered(e)
		} else {
			more = emit(k, v)
		}
		return more
	})
	if more {
		m.drain(nil, buffered)
	}
}
