package mvcc

import (
	"unsafe"

	"vitrine/core/invariant"
	"vitrine/core/mutant"

	"github.com/google/btree"
)

const indexDegree = 32

// item is an element of the index tree: the key lies in the node itself, so
// that a descent touches one line of memory for a comparison.
type item struct {
	key string
	ki  *keyIndex
}

func itemLess(a, b item) bool { return a.key < b.key }

// treeIndex maps a key to its history.
//
// A view shares the tree's nodes (they are copied before they change) and the
// keyIndex values behind them. Each view opens a new epoch; a keyIndex made in
// an earlier epoch may be in somebody's view and is copied before it changes.
type treeIndex struct {
	tree *btree.BTreeG[item]
	// byKey holds the histories once more: most reads and puts name one key, and a look-up takes a fifth of a descent.
	// Nil in a view.
	byKey map[string]*keyIndex
	epoch uint64
	live  int // keys that exist
}

func newTreeIndex() *treeIndex {
	return &treeIndex{tree: btree.NewG(indexDegree, itemLess), byKey: map[string]*keyIndex{}}
}

// probe is an item for looking key up. The string is a view of key's bytes: it
// must not outlive the call.
func probe(key []byte) item { return item{key: unsafe.String(unsafe.SliceData(key), len(key))} }

// keyBytes is the key of an item as bytes that must not be changed.
func (i item) keyBytes() []byte { return unsafe.Slice(unsafe.StringData(i.key), len(i.key)) }

// insert adds a key that is not there yet.
func (t *treeIndex) insert(key []byte, ki *keyIndex) {
	was := t.set(item{key: string(key), ki: ki})
	invariant.Assert(!was, "mvcc: a key is in the index twice")
	if ki.alive() {
		t.live++
	}
}

// set makes i the history of its key, and says whether the key had one.
func (t *treeIndex) set(i item) (was bool) {
	_, was = t.tree.ReplaceOrInsert(i)
	t.byKey[i.key] = i.ki
	return was
}

// view is an image that stays as it is while t is written on.
func (t *treeIndex) view() *treeIndex {
	invariant.Assert(len(t.byKey) == t.tree.Len(), "mvcc: the index has a key in one place only")
	t.epoch++
	return &treeIndex{tree: t.tree.Clone(), live: t.live}
}

// own makes the item's history safe to change. The item's key may be the caller's.
func (t *treeIndex) own(i item) *keyIndex {
	invariant.Assert(i.ki.epoch <= t.epoch, "mvcc: a history is newer than its index")
	if i.ki.epoch == t.epoch {
		return i.ki
	}
	i, _ = t.tree.Get(i)
	i.ki = i.ki.copy(t.epoch)
	t.set(i)
	return i.ki
}

// history is that of key, nil if it has none.
func (t *treeIndex) history(key []byte) *keyIndex {
	if t.byKey != nil {
		return t.byKey[string(key)]
	}
	i, _ := t.tree.Get(probe(key))
	return i.ki
}

// get is the version of key at rev. The item's key is the caller's.
func (t *treeIndex) get(key []byte, rev int64) (item, version, bool) {
	i := probe(key)
	if i.ki = t.history(key); i.ki == nil {
		return item{}, version{}, false
	}
	v, ok := i.ki.at(rev)
	return i, v, ok
}

// put adds a revision to key and returns the version that it makes and the one
// before it, if the key existed.
func (t *treeIndex) put(key []byte, rev Revision) (made, prev version, existed bool) {
	ki := t.written(key)
	if existed = ki.alive(); existed {
		prev = version{mod: ki.newest, created: ki.created, number: ki.version}
	} else {
		t.live++
	}
	ki.put(rev)
	return version{mod: rev, created: ki.created, number: ki.version}, prev, existed
}

// written is the history of a key that is about to change; a key that has none gets one.
func (t *treeIndex) written(key []byte) *keyIndex {
	i := probe(key)
	if i.ki = t.history(key); i.ki == nil {
		i = item{key: string(key), ki: &keyIndex{epoch: t.epoch}}
		t.set(i)
	}
	return t.own(i)
}

// tombstone ends the life of a key that exists.
func (t *treeIndex) tombstone(i item, rev Revision) {
	t.own(i).tombstone(rev)
	t.live--
	invariant.Assert(t.live >= 0, "mvcc: fewer than no keys exist")
}

// ascend visits the items of [key, end) in order until fn returns false. A nil
// end means to the end of the keys.
func (t *treeIndex) ascend(key, end []byte, fn func(item) bool) {
	if end == nil {
		t.tree.AscendGreaterOrEqual(probe(key), fn)
	} else {
		t.tree.AscendRange(probe(key), probe(end), fn)
	}
}

// visit calls fn for the keys of a request's range that exist at rev: the one
// key if end is empty, all from key on if end is one zero byte, else [key,
// end).
func (t *treeIndex) visit(key, end []byte, rev int64, fn func(item, version) bool) {
	if len(end) == 0 {
		if i, v, ok := t.get(key, rev); ok {
			fn(i, v)
		}
		return
	}
	if len(end) == 1 && end[0] == 0 {
		end = nil
	}
	t.ascend(key, end, func(i item) bool {
		v, ok := i.ki.at(rev)
		return !ok || fn(i, v)
	})
}

// keeps says whether compaction at compactRev keeps revision rev of key.
func (t *treeIndex) keeps(key []byte, rev Revision, compactRev int64) bool {
	ki := t.history(key)
	if ki == nil {
		return false
	}
	kept, ok := ki.keeps(compactRev)
	return ok && kept == rev
}

// compactSome compacts the histories of up to limit keys from key on. It
// returns where to go on, nil at the end, and how many of them keep a revision
// at or before rev.
func (t *treeIndex) compactSome(key []byte, rev int64, limit int) (next []byte, kept int) {
	var dirty []item
	seen := 0
	t.ascend(key, nil, func(i item) bool {
		if seen == limit {
			next = []byte(i.key)
			return false
		}
		seen++
		switch _, first := i.ki.kept(rev); {
		case i.ki.dropped(rev):
			dirty = append(dirty, i)
		case first >= 0:
			kept++
		}
		return true
	})
	for _, i := range dirty {
		ki := t.own(i)
		if ki.compact(rev) {
			kept++
		}
		if ki.empty() {
			t.tree.Delete(i)
			if !mutant.On(mutant.HistoryLingers) {
				delete(t.byKey, i.key)
			}
		}
	}
	return next, kept
}
