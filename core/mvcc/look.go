package mvcc

import (
	"vitrine/core/backend"
	"vitrine/core/pb"
)

// Look is one key as the index has it: what there is at a revision, and what is
// kept of its history. It is for whoever draws the store, not for requests.
type Look struct {
	Key         []byte
	KV          *pb.KeyValue // nil: the key does not exist at that revision
	Generations []Generation // oldest first
}

// Generation is one life of a key, as far as compaction has left it.
type Generation struct {
	Created   int64 // create revision; 0: compaction has left the tombstone alone
	Version   int64 // of the last revision
	Revisions []Revision
	Ended     bool // the last of them is the tombstone
}

// Look visits the keys of the index from a key on, also those that are deleted, as
// they are at revision rev, until fn returns false. What fn gets is shared with
// the index. The error is that of a read at rev.
func (s *Store) Look(from []byte, rev int64, fn func(Look) bool) error {
	r := s.reader()
	if err := r.check(rev); err != nil {
		return err
	}
	s.index.ascend(from, nil, func(i item) bool {
		look := Look{Key: i.keyBytes(), Generations: i.ki.generations()}
		if v, ok := i.ki.at(rev); ok {
			look.KV = new(pb.KeyValue)
			r.loadInto(look.KV, i.keyBytes(), v.mod, AppendRevision(nil, v.mod))
		}
		return fn(look)
	})
	return nil
}

func (k *keyIndex) generations() (all []Generation) {
	for _, g := range k.ended() {
		all = append(all, Generation{Created: g.created, Version: g.version, Revisions: g.revs, Ended: true})
	}
	if k.alive() {
		revs := append(append([]Revision(nil), k.revs()...), k.newest)
		all = append(all, Generation{Created: k.created, Version: k.version, Revisions: revs})
	}
	return all
}

// Oldest is the oldest revision among changes of the key bucket, false if they
// write none: of a commit, the one behind that which is durable.
func Oldest(changes []backend.Op) (rev int64, ok bool) {
	for i := range changes {
		if changes[i].Bucket != backend.Key || changes[i].Delete {
			continue
		}
		if r, _, err := ParseRevision(changes[i].Key); err == nil && (!ok || r.Main < rev) {
			rev, ok = r.Main, true
		}
	}
	return rev, ok
}
