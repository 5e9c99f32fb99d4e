package mvcc

import (
	"encoding/binary"
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/trace"
)

// Keys of the meta bucket; the values are 17-byte revisions.
const (
	metaScheduledCompact = "scheduledCompactRev"
	metaFinishedCompact  = "finishedCompactRev"
)

// compactMarks reads the marks of the compaction that was begun last and of the one that was ended last, -1 where there
// is none.
func compactMarks(data getter) (scheduled, finished int64, err error) {
	for _, mark := range []struct {
		key string
		rev *int64
	}{{metaScheduledCompact, &scheduled}, {metaFinishedCompact, &finished}} {
		*mark.rev = -1
		raw := data.Get(backend.Meta, []byte(mark.key))
		if raw == nil {
			continue
		}
		r, _, err := ParseRevision(raw)
		if err != nil {
			return 0, 0, fmt.Errorf("mvcc: meta key %q: %w", mark.key, err)
		}
		*mark.rev = r.Main
	}
	return scheduled, finished, nil
}

// compaction is the one in progress.
//
// It goes over the index first and over the bucket after that. From then on
// the index knows of each key what is kept, so the bucket pass asks it record
// by record and needs no set of a million revisions, and nothing but rev has
// to survive a restart.
type compaction struct {
	active  bool
	rev     int64 // 0 is possible: etcd takes it once, on a store never compacted
	prev    int64 // compact revision before this one
	whole   bool  // the bucket pass sees every revision after prev
	indexed bool  // the index pass is over
	at      []byte
	kept    int  // keys that keep a revision at or before rev
	living  bool // one of them is no tombstone
	sum     hasher
}

// Compact makes rev the oldest revision that can be read. The mark goes into
// batch; CompactStep does the work. A compaction in progress is absorbed.
func (s *Store) Compact(rev int64, batch *backend.Batch) error {
	if rev <= s.compactRev {
		return ErrCompacted
	}
	if rev > s.rev {
		return ErrFutureRev
	}
	batch.Put(backend.Meta, []byte(metaScheduledCompact), AppendRevision(nil, Revision{Main: rev}))
	s.compaction = compaction{active: true, rev: rev, prev: s.compactRev, whole: !s.Compacting()}
	invariant.Assert(s.compaction.prev < rev, "mvcc: a compaction goes back")
	s.compactRev = rev
	s.trace.Emit(trace.Event{Kind: trace.Compacted, Rev: rev})
	return nil
}

// Compacting says whether CompactStep has work to do.
func (s *Store) Compacting() bool { return s.compaction.active }

// indexPace is how many keys of the index take as long as one revision of the
// bucket.
const indexPace = 8

// CompactStep takes one step: over at most limit revisions, or limit times
// indexPace keys of the index. What it deletes goes into batch. It returns true when the compaction is complete.
func (s *Store) CompactStep(batch *backend.Batch, limit int) (done bool) {
	invariant.Assert(limit > 0, "mvcc: a compaction step without length")
	c := &s.compaction
	switch {
	case !c.active:
		return true
	case !c.indexed:
		next, kept := s.index.compactSome(c.at, c.rev, limit*indexPace)
		c.kept += kept
		c.at = next
		if next == nil {
			c.indexed = true
			c.sum = newHasher(c.prev, c.rev, c.kept > 0)
		}
		return false
	case s.compactBucket(batch, limit):
		return false
	}
	batch.Put(backend.Meta, []byte(metaFinishedCompact), AppendRevision(nil, Revision{Main: c.rev}))
	invariant.Assert(c.indexed && c.rev <= s.rev && c.rev <= s.compactRev,
		"mvcc: a compaction ends that was not carried out")
	if c.whole {
		s.keepHash(CompactHash{Rev: c.rev, From: c.prev, Sum: c.sum.sum(), Tombs: c.prev >= 0 && c.kept > 0 && !c.living})
	}
	s.compaction = compaction{}
	return true
}

// compactBucket deletes what the index does not keep among the next limit
// records. It returns false if it has come to the end.
func (s *Store) compactBucket(batch *backend.Batch, limit int) (more bool) {
	c := &s.compaction
	end := binary.BigEndian.AppendUint64(nil, uint64(c.rev+1))
	seen := 0
	s.b.Range(backend.Key, c.at, end, limit, func(k, v []byte) bool {
		seen++
		rev, dead, err := ParseRevision(k)
		invariant.Assert(err == nil, "mvcc: a bad revision appeared in the key bucket")
		invariant.Assert(rev.Main <= c.rev, "mvcc: a compaction looks at what is to stay")
		f, err := parseKeyValue(v)
		invariant.Assert(err == nil, "mvcc: a pair in the key bucket cannot be decoded")
		kept := s.index.keeps(f.key, rev, c.rev)
		c.living = c.living || kept && !dead
		if c.whole {
			c.sum.add(k, v, rev, dead, kept)
		}
		eaten := mutant.On(mutant.CompactEatsTombstone) || mutant.On(mutant.CompactRevisionLost) && rev.Main == s.rev
		if !kept || dead && eaten {
			batch.Delete(backend.Key, append([]byte(nil), k...))
		}
		if seen == limit {
			c.at = append(append([]byte(nil), k...), 0) // the next key there can be
		}
		return true
	})
	return seen == limit
}
