package mvcc

import "sort"

// generation is one life of a key, from its creation to the tombstone that
// ends it, or to now.
type generation struct {
	created int64      // create revision: main of the first put, also after compaction
	version int64      // puts since creation, the tombstone counted
	revs    []Revision // ascending; only its head is ever cut off
}

// keyIndex is all that is known of one key. The last generation is empty while
// the key is deleted.
type keyIndex struct {
	epoch uint64 // of the index when this was made; see treeIndex
	last  generation
	ended []generation // older ones, each ending in its tombstone
}

// version is what a reader sees of a key at some revision.
type version struct {
	mod     Revision
	created int64
	number  int64
}

func (k *keyIndex) put(rev Revision) {
	g := &k.last
	if len(g.revs) == 0 {
		g.created = rev.Main
	}
	g.revs = append(g.revs, rev)
	g.version++
}

// tombstone ends the generation.
func (k *keyIndex) tombstone(rev Revision) {
	k.put(rev)
	// A view may hold the same array; appending within its capacity is
	// invisible there.
	k.ended = append(k.ended, k.last)
	k.last = generation{}
}

// restore begins with the oldest revision that compaction left.
func (k *keyIndex) restore(rev Revision, created, number int64) {
	k.last = generation{created: created, version: number, revs: []Revision{rev}}
}

// restoreTombstone begins with a tombstone that compaction left.
func (k *keyIndex) restoreTombstone(rev Revision) {
	k.ended = []generation{{version: 1, revs: []Revision{rev}}}
}

// alive says whether the key exists now.
func (k *keyIndex) alive() bool { return len(k.last.revs) > 0 }

// empty says whether nothing is left of the key.
func (k *keyIndex) empty() bool { return len(k.last.revs) == 0 && len(k.ended) == 0 }

// modified is the newest revision, tombstones included.
func (k *keyIndex) modified() Revision {
	if n := len(k.last.revs); n > 0 {
		return k.last.revs[n-1]
	}
	if n := len(k.ended); n > 0 {
		revs := k.ended[n-1].revs
		return revs[len(revs)-1]
	}
	return Revision{}
}

// at is the key as of revision rev; false if it did not exist then.
func (k *keyIndex) at(rev int64) (version, bool) {
	if n := len(k.last.revs); n > 0 && k.last.revs[0].Main <= rev {
		return k.last.at(rev), true
	}
	for i := len(k.ended) - 1; i >= 0; i-- {
		g := &k.ended[i]
		if g.revs[len(g.revs)-1].Main <= rev {
			return version{}, false
		}
		if g.revs[0].Main <= rev {
			return g.at(rev), true
		}
	}
	return version{}, false
}

// at is the newest version at or before rev, which must not be older than the
// generation.
func (g *generation) at(rev int64) version {
	i := g.newest(rev)
	return version{mod: g.revs[i], created: g.created, number: g.version - int64(len(g.revs)-1-i)}
}

// newest is the position of the newest revision at or before rev, -1 if all
// are newer.
func (g *generation) newest(rev int64) int {
	n := len(g.revs)
	if n > 0 && g.revs[n-1].Main <= rev {
		return n - 1
	}
	return sort.Search(n, func(i int) bool { return g.revs[i].Main > rev }) - 1
}

// kept finds what compaction at rev leaves: the generation that is the first
// to remain (an index into ended; len(ended) is the last one) and in it the
// revision that is the first to remain, -1 if all of them do.
//
// A generation that ended at rev remains for its tombstone. But one
// transaction may delete a range and then put a key of it (etcd's check for
// duplicate keys misses a delete of "everything from here on"); then the new
// generation also begins at rev, and it is the one that counts.
func (k *keyIndex) kept(rev int64) (gen, first int) {
	for ; gen < len(k.ended); gen++ {
		revs := k.ended[gen].revs
		if revs[len(revs)-1].Main < rev {
			continue
		}
		if next := k.after(gen); len(next.revs) == 0 || next.revs[0].Main > rev {
			return gen, k.ended[gen].newest(rev)
		}
	}
	return gen, k.last.newest(rev)
}

// after is the generation behind ended[gen].
func (k *keyIndex) after(gen int) *generation {
	if gen+1 < len(k.ended) {
		return &k.ended[gen+1]
	}
	return &k.last
}

// compact forgets what compaction at rev drops. It says whether a revision at
// or before rev is kept.
func (k *keyIndex) compact(rev int64) bool {
	gen, first := k.kept(rev)
	g := &k.last
	if gen < len(k.ended) {
		// The array may be shared with a view: make a new one.
		k.ended = append([]generation(nil), k.ended[gen:]...)
		g = &k.ended[0]
	} else {
		k.ended = nil
	}
	if first > 0 {
		g.revs = append([]Revision(nil), g.revs[first:]...)
	}
	return first >= 0
}

// dropped says whether compaction at rev has something to forget.
func (k *keyIndex) dropped(rev int64) bool {
	gen, first := k.kept(rev)
	return gen > 0 || first > 0
}

// keepsForHash is the revision at or before rev that counts for a hash at rev:
// what compaction there would keep, but no tombstone.
func (k *keyIndex) keepsForHash(rev int64) (Revision, bool) {
	r, ok := k.keeps(rev)
	for i := range k.ended {
		revs := k.ended[i].revs
		ok = ok && r != revs[len(revs)-1]
	}
	return r, ok
}

// keeps is the revision at or before rev that compaction at rev keeps.
func (k *keyIndex) keeps(rev int64) (Revision, bool) {
	gen, first := k.kept(rev)
	switch {
	case first < 0:
		return Revision{}, false
	case gen == len(k.ended):
		return k.last.revs[first], true
	}
	return k.ended[gen].revs[first], true
}
