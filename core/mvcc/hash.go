package mvcc

import (
	"hash/crc32"
	"slices"

	"vitrine/core/backend"
)

// hasher sums the key bucket by etcd's rule, so that members that have
// physically deleted different amounts of compacted history, and members of
// different versions, agree:
//
//	crc32c("key" ++ key ++ value ++ key ++ value ...) over the records in order,
//	without those after rev,
//	without those at or before compactRev that compaction at rev would drop
//	  (unless it would keep nothing at all),
//	without a tombstone exactly at compactRev.
type hasher struct {
	table           *crc32.Table
	crc             uint32
	compactRev, rev int64
	keeps           bool // compaction at rev would keep something
}

func newHasher(compactRev, rev int64, keeps bool) hasher {
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Checksum([]byte(backend.Key.Name()), table)
	return hasher{table: table, crc: crc, compactRev: compactRev, rev: rev, keeps: keeps}
}

// add takes the next record; kept matters at or before compactRev only.
func (h *hasher) add(k, v []byte, rev Revision, dead, kept bool) {
	switch {
	case rev.Main > h.rev:
	case rev.Main <= h.compactRev && h.keeps && !kept:
	case rev.Main == h.compactRev && dead:
	default:
		h.crc = crc32.Update(h.crc, h.table, k)
		h.crc = crc32.Update(h.crc, h.table, v)
	}
}

func (h *hasher) sum() uint32 { return h.crc }

// CompactHash is the hash at a compact revision, summed while the history
// before it was still there. From is the compact revision that it begins at.
//
// Tombs: nothing is kept but tombstones. By etcd's rule the sum leaves out then
// what the compaction before kept, and HashKV of a store that has yet to compact
// does not: the two cannot be compared.
type CompactHash struct {
	Rev, From int64
	Sum       uint32
	Tombs     bool
}

// CompactHashes are those of the last compactions, the oldest first. A restart
// forgets them.
func (s *Store) CompactHashes() []CompactHash { return slices.Clone(s.hashes) }

// hashesKept is how many of them are remembered, the newest.
const hashesKept = 10

func (s *Store) keepHash(h CompactHash) {
	// Views share the old slice.
	all := append(slices.Clone(s.hashes), h)
	s.hashes = all[max(0, len(all)-hashesKept):]
}

// HashKV sums all revisions up to rev, 0 for the newest, and returns with the
// sum the compact revision that it begins at and the newest revision. It reads
// the whole bucket.
func (s *Store) HashKV(rev int64) (hash uint32, compactRev, currentRev int64, err error) {
	rd := s.reader()
	return rd.hashKV(rev, s.hashes, s.Compacting())
}

// HashKV is Store.HashKV on the view.
func (v *View) HashKV(rev int64) (hash uint32, compactRev, currentRev int64, err error) {
	return v.r.hashKV(rev, v.hashes, v.compacting)
}

func (r *reader) hashKV(rev int64, known []CompactHash, compacting bool) (uint32, int64, int64, error) {
	for _, h := range known {
		// 0 stands for the newest revision, also if there was a compaction at revision 0. (etcd answers with the hash
		// of nothing then, until it is restarted, which makes a corruption check see differences where none are.)
		if h.Rev == rev && rev != 0 {
			return h.Sum, h.From, r.rev, nil
		}
	}
	switch {
	case rev > 0 && rev < r.compactRev:
		return 0, 0, 0, ErrCompacted
	case rev > r.rev:
		return 0, 0, r.rev, ErrFutureRev
	case rev == 0:
		rev = r.rev
	}
	keep, any := r.keepSet(rev)
	h := newHasher(r.compactRev, rev, any || compacting)
	r.data.Range(backend.Key, nil, AppendRevision(nil, Revision{Main: rev + 1}), 0, func(k, v []byte) bool {
		at, dead, err := ParseRevision(k)
		if err != nil {
			return true // cannot be: Open has read every record
		}
		kept := false
		if at.Main <= r.compactRev {
			if any {
				for len(keep) > 0 && keep[0].Before(at) {
					keep = keep[1:]
				}
				kept = len(keep) > 0 && keep[0] == at
			} else if compacting {
				// Nothing is kept at rev. etcd then sums all that is left of
				// the compacted history, which is well-defined only once the
				// deletion is over: sum what will be left then.
				f, _ := parseKeyValue(v)
				kept = r.index.keeps(f.key, at, r.compactRev)
			}
		}
		h.add(k, v, at, dead, kept)
		return true
	})
	return h.sum(), r.compactRev, r.rev, nil
}

// keepSet lists, in order, the revisions at or before the compact revision
// that a hash at rev includes, and says whether there are any at all.
func (r *reader) keepSet(rev int64) (keep []Revision, any bool) {
	r.index.ascend(nil, nil, func(i item) bool {
		if k, ok := i.ki.keepsForHash(rev); ok {
			any = true
			if k.Main <= r.compactRev {
				keep = append(keep, k)
			}
		}
		return true
	})
	slices.SortFunc(keep, func(a, b Revision) int {
		if a.Before(b) {
			return -1
		}
		return 1
	})
	return keep, any
}
