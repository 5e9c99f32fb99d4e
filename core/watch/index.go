package watch

import (
	"bytes"

	"vitrine/core/invariant"
)

// index finds the watchers of a key. Watchers of one key are in a map, those of ranges in a tree; watchers of the same
// key or range share one group. Lookups visit watchers in an order that only depends on the calls made before.
type index struct {
	keys   map[string]*group
	ranges rangeTree
	size   int
}

// group holds the watchers of one key or range.
type group struct {
	span
	watchers []*watcher
}

// span is what a watcher watches: one key, or [key, end), or everything from key on.
type span struct {
	key, end string
	isRange  bool
	open     bool // no end
}

func newIndex() *index { return &index{keys: make(map[string]*group)} }

func (x *index) add(w *watcher) {
	g := x.group(w.span)
	w.group, w.slot = g, len(g.watchers)
	g.watchers = append(g.watchers, w)
	x.size++
}

func (x *index) group(s span) *group {
	if s.isRange {
		return x.ranges.insert(s)
	}
	g := x.keys[s.key]
	if g == nil {
		g = &group{span: s}
		x.keys[s.key] = g
	}
	return g
}

// remove takes w out; the last watcher of its group takes its slot.
func (x *index) remove(w *watcher) {
	g := w.group
	last := len(g.watchers) - 1
	invariant.Assert(g.watchers[w.slot] == w, "watch: a watcher is not in its group")
	g.watchers[w.slot] = g.watchers[last]
	g.watchers[w.slot].slot = w.slot
	g.watchers[last] = nil
	g.watchers = g.watchers[:last]
	w.group = nil
	x.size--
	invariant.Assert(x.size >= 0, "watch: an index has fewer than no watchers")
	if last > 0 {
		return
	}
	if g.isRange {
		x.ranges.remove(g.span)
	} else {
		delete(x.keys, g.key)
	}
}

// visit calls fn with each group whose watchers watch key.
func (x *index) visit(key []byte, fn func(g *group)) {
	if g := x.keys[string(key)]; g != nil {
		fn(g)
	}
	x.ranges.stab(key, fn)
}

// rangeTree is a treap of groups by (key, end) in which each node knows the furthest end below it, so that the ranges
// over a key are found in O(log n + found). The priority of a node is a hash of its range: the shape of the tree
// depends on its content alone.
type rangeTree struct{ root *rangeNode }

type rangeNode struct {
	group       *group
	priority    uint64
	left, right *rangeNode
	far         span // of the furthest end in this subtree; only end and open count
}

// endsBefore tells whether a's end is before b's.
func endsBefore(a, b span) bool {
	if a.open || b.open {
		return !a.open && b.open
	}
	return a.end < b.end
}

func compareSpans(a, b span) int {
	switch {
	case a.key < b.key:
		return -1
	case a.key > b.key:
		return 1
	case endsBefore(a, b):
		return -1
	case endsBefore(b, a):
		return 1
	}
	return 0
}

// spanPriority is FNV-1a over both ends, finished by a multiply-xorshift so that its high bits depend on all of them.
func spanPriority(s span) uint64 {
	h := uint64(14695981039346656037)
	mix := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for i := range len(s.key) {
		mix(s.key[i])
	}
	mix(0xff)
	for i := range len(s.end) {
		mix(s.end[i])
	}
	if s.open {
		mix(1)
	}
	h ^= h >> 31
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// insert returns the group of s, made if there is none.
func (t *rangeTree) insert(s span) *group {
	for n := t.root; n != nil; {
		switch c := compareSpans(s, n.group.span); {
		case c == 0:
			return n.group
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	g := &group{span: s}
	t.root = insertNode(t.root, &rangeNode{group: g, priority: spanPriority(s)})
	return g
}

func insertNode(n, add *rangeNode) *rangeNode {
	if n == nil {
		add.update()
		return add
	}
	if add.priority > n.priority {
		add.left, add.right = split(n, add.group.span)
		add.update()
		return add
	}
	if compareSpans(add.group.span, n.group.span) < 0 {
		n.left = insertNode(n.left, add)
	} else {
		n.right = insertNode(n.right, add)
	}
	n.update()
	return n
}

// split parts a subtree into what is before s and what is after it.
func split(n *rangeNode, s span) (before, after *rangeNode) {
	if n == nil {
		return nil, nil
	}
	if compareSpans(n.group.span, s) < 0 {
		n.right, after = split(n.right, s)
		n.update()
		return n, after
	}
	before, n.left = split(n.left, s)
	n.update()
	return before, n
}

func (t *rangeTree) remove(s span) { t.root = removeNode(t.root, s) }

func removeNode(n *rangeNode, s span) *rangeNode {
	if n == nil {
		return nil
	}
	switch c := compareSpans(s, n.group.span); {
	case c == 0:
		return merge(n.left, n.right)
	case c < 0:
		n.left = removeNode(n.left, s)
	default:
		n.right = removeNode(n.right, s)
	}
	n.update()
	return n
}

// merge joins two subtrees of which the first is wholly before the second.
func merge(a, b *rangeNode) *rangeNode {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = merge(a.right, b)
		a.update()
		return a
	}
	b.left = merge(a, b.left)
	b.update()
	return b
}

func (n *rangeNode) update() {
	n.far = n.group.span
	for _, c := range [...]*rangeNode{n.left, n.right} {
		if c != nil && endsBefore(n.far, c.far) {
			n.far = c.far
		}
	}
}

func (t *rangeTree) stab(key []byte, fn func(g *group)) { stabNode(t.root, key, fn) }

func stabNode(n *rangeNode, key []byte, fn func(g *group)) {
	if n == nil || !n.far.open && n.far.end <= string(key) {
		return
	}
	stabNode(n.left, key, fn)
	if string(key) < n.group.key {
		return // and so are all ranges to the right
	}
	if n.group.open || string(key) < n.group.end {
		fn(n.group)
	}
	stabNode(n.right, key, fn)
}

// spanOf reads what a create request watches. ok is false if that can contain no key.
func spanOf(key, rangeEnd []byte) (s span, ok bool) {
	if len(key) == 0 {
		key = []byte{0} // the smallest key
	}
	s.key = string(key)
	switch {
	case len(rangeEnd) == 0:
		return s, true
	case len(rangeEnd) == 1 && rangeEnd[0] == 0:
		s.isRange, s.open = true, true
		return s, true
	}
	s.isRange, s.end = true, string(rangeEnd)
	return s, bytes.Compare(key, rangeEnd) < 0
}
