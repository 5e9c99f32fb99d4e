package mvcc

import (
	"sort"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
)

// generation is one life of a key, from its creation to the tombstone that
// ends it, or to now.
type generation struct {
	created int64      // create revision: main of the first put, also after compaction
	version int64      // puts since creation, the tombstone counted
	revs    []Revision // ascending; only its head is ever cut off
}

// keyIndex is all that is known of one key. Most keys have one revision that
// can be read: that one is kept here, everything before it in past.
type keyIndex struct {
	epoch   uint64 // of the index when this was made; see treeIndex
	created int64  // of the current generation, as in generation
	version int64
	newest  Revision // of the current generation; zero while the key is deleted
	past    *past    // nil if there is none
}

// past is the history of a key before its newest revision.
type past struct {
	revs  []Revision   // of the current generation
	ended []generation // before it, each ending in its tombstone
}

// version is what a reader sees of a key at some revision.
type version struct {
	mod     Revision
	created int64
	number  int64
}

// copy is a keyIndex that may change while readers go on reading k. The arrays
// behind both stay shared: appending to them shows in the copy alone, and
// nothing else is ever written to them.
func (k *keyIndex) copy(epoch uint64) *keyIndex {
	c := *k
	c.epoch = epoch
	if k.past != nil {
		p := *k.past
		c.past = &p
	}
	return &c
}

// alive says whether the key exists now.
func (k *keyIndex) alive() bool { return k.newest.Main != 0 }

// empty says whether nothing is left of the key.
func (k *keyIndex) empty() bool { return !k.alive() && k.past == nil }

// revs are those of the current generation but the newest.
func (k *keyIndex) revs() []Revision {
	if k.past == nil {
		return nil
	}
	return k.past.revs
}

func (k *keyIndex) ended() []generation {
	if k.past == nil {
		return nil
	}
	return k.past.ended
}

func (k *keyIndex) put(rev Revision) {
	if k.alive() {
		invariant.Assert(k.newest.Main < rev.Main || k.newest.Main == rev.Main && k.newest.Sub < rev.Sub,
			"mvcc: the revisions of a key go back")
		if k.past == nil {
			k.past = &past{}
		}
		k.past.revs = append(k.past.revs, k.newest)
	} else {
		k.created, k.version = rev.Main, 0
		if ended := k.ended(); mutant.On(mutant.VersionSurvivesDelete) && len(ended) > 0 {
			k.version = ended[len(ended)-1].version
		}
	}
	k.newest = rev
	k.version++
	invariant.Assert(k.created > 0 && k.created <= rev.Main && k.version > 0 || mutant.Enabled,
		"mvcc: a key has a version before it was created")
}

// tombstone ends the generation.
func (k *keyIndex) tombstone(rev Revision) {
	invariant.Assert(k.alive(), "mvcc: a key that is deleted is deleted again")
	k.put(rev)
	p := k.past // with the revision before this one
	p.ended = append(p.ended, generation{created: k.created, version: k.version, revs: append(p.revs, rev)})
	p.revs = nil
	k.created, k.version, k.newest = 0, 0, Revision{}
}

// restore begins with the oldest revision that compaction left.
func (k *keyIndex) restore(rev Revision, created, number int64) {
	k.created, k.version, k.newest = created, number, rev
}

// restoreTombstone begins with a tombstone that compaction left.
func (k *keyIndex) restoreTombstone(rev Revision) {
	k.past = &past{ended: []generation{{version: 1, revs: []Revision{rev}}}}
}

// at is the key as of revision rev; false if it did not exist then.
func (k *keyIndex) at(rev int64) (version, bool) {
	if k.alive() && k.newest.Main <= rev {
		return version{mod: k.newest, created: k.created, number: k.version}, true
	}
	if k.past == nil {
		return version{}, false
	}
	if i := newest(k.past.revs, rev); i >= 0 {
		return version{mod: k.past.revs[i], created: k.created, number: k.version - int64(len(k.past.revs)-i)}, true
	}
	for i := len(k.past.ended) - 1; i >= 0; i-- {
		g := &k.past.ended[i]
		switch n := newest(g.revs, rev); {
		case n == len(g.revs)-1:
			return version{}, false
		case n >= 0:
			return version{mod: g.revs[n], created: g.created, number: g.version - int64(len(g.revs)-1-n)}, true
		}
	}
	return version{}, false
}

// newest is the position of the newest revision at or before rev, -1 if all
// are newer.
func newest(revs []Revision, rev int64) int {
	n := len(revs)
	if n > 0 && revs[n-1].Main <= rev {
		return n - 1
	}
	return sort.Search(n, func(i int) bool { return revs[i].Main > rev }) - 1
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
	ended := k.ended()
	for ; gen < len(ended); gen++ {
		revs := ended[gen].revs
		if revs[len(revs)-1].Main < rev {
			continue
		}
		if begins, ok := k.begins(gen + 1); !ok || begins > rev {
			return gen, newest(revs, rev)
		}
	}
	if k.alive() && k.newest.Main <= rev {
		return gen, len(k.revs())
	}
	if mutant.On(mutant.CompactEatsLatest) && len(k.revs()) > 0 {
		return gen, newest(k.revs(), rev) + 1
	}
	return gen, newest(k.revs(), rev)
}

// begins is the first main revision of a generation that is left.
func (k *keyIndex) begins(gen int) (int64, bool) {
	switch ended := k.ended(); {
	case gen < len(ended):
		return ended[gen].revs[0].Main, true
	case len(k.revs()) > 0:
		return k.past.revs[0].Main, true
	}
	return k.newest.Main, k.alive()
}

// compact forgets what compaction at rev drops. It says whether a revision at
// or before rev is kept.
func (k *keyIndex) compact(rev int64) bool {
	gen, first := k.kept(rev)
	p := k.past
	if p == nil {
		return first >= 0
	}
	// The arrays may be shared with a view, and a cut one would hold on to
	// what is forgotten: make new ones.
	if gen < len(p.ended) {
		p.ended = append([]generation(nil), p.ended[gen:]...)
		p.ended[0].revs = tail(p.ended[0].revs, first)
	} else {
		p.ended = nil
		p.revs = tail(p.revs, first)
	}
	if len(p.revs) == 0 && len(p.ended) == 0 {
		k.past = nil
	}
	return first >= 0
}

func tail(revs []Revision, from int) []Revision {
	if from <= 0 {
		return revs
	}
	return append([]Revision(nil), revs[from:]...)
}

// dropped says whether compaction at rev has something to forget.
func (k *keyIndex) dropped(rev int64) bool {
	if k.past == nil {
		return false
	}
	gen, first := k.kept(rev)
	return gen > 0 || first > 0
}

// keeps is the revision at or before rev that compaction at rev keeps.
func (k *keyIndex) keeps(rev int64) (r Revision, ok bool) {
	r, _, ok = k.survivor(rev)
	return r, ok
}

// keepsForHash is the revision at or before rev that counts for a hash at rev:
// what compaction there would keep, but no tombstone.
func (k *keyIndex) keepsForHash(rev int64) (r Revision, ok bool) {
	r, dead, ok := k.survivor(rev)
	return r, ok && !dead
}

func (k *keyIndex) survivor(rev int64) (r Revision, dead, ok bool) {
	gen, first := k.kept(rev)
	switch {
	case first < 0:
		return Revision{}, false, false
	case gen < len(k.ended()):
		revs := k.past.ended[gen].revs
		return revs[first], first == len(revs)-1, true
	case first < len(k.revs()):
		return k.past.revs[first], false, true
	}
	return k.newest, false, true
}
