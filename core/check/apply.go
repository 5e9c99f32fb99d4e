package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// applied handles EntryApplied (I5, I7, I10).
func (c *Checker) applied(m *member, e *trace.Event) {
	if e.Index != m.applied+1 {
		c.violate(invariant.Monotonic, e, "member %d applied index %d after index %d", m.id, e.Index, m.applied)
	}
	switch {
	case m.commitKnown && e.Index > m.commit:
		c.violate(invariant.Monotonic, e, "member %d applied index %d beyond its commit %d", m.id, e.Index, m.commit)
	case e.Index > m.log.index:
		c.violate(invariant.Monotonic, e, "member %d applied index %d, but its log ends at %d", m.id, e.Index, m.log.index)
	case !m.commitKnown:
		c.note(e, m.term, end{e.Index, e.Term}) // its hard state knew of the commit
	}
	m.applied = e.Index
	c.sameApplied(e)
	c.revision(m, e)
}

// sameApplied holds what was applied at an index to what others applied there,
// and to what they appended.
func (c *Checker) sameApplied(e *trace.Event) {
	x := c.at(e.Index)
	if x == nil {
		return
	}
	if x.appliedTerm == 0 {
		x.appliedTerm, x.appliedHash, x.appliedRev = e.Term, e.A, e.Rev
	}
	if x.appliedTerm != e.Term || x.appliedHash != e.A {
		c.violate(invariant.StateMachineSafety, e,
			"member %d applied (%d, term %d, data hash %016x), another member (term %d, %016x)",
			e.Member, e.Index, e.Term, e.A, x.appliedTerm, x.appliedHash)
	}
	if x.appliedRev != e.Rev {
		c.violate(invariant.RevisionOrder, e, "after index %d member %d is at revision %d, another member at %d", e.Index,
			e.Member, e.Rev, x.appliedRev)
	}
	if hash, known := x.data(e.Term); known && hash != e.A {
		c.violate(invariant.StateMachineSafety, e, "member %d applied data %016x at (%d, term %d) where %016x was appended",
			e.Member, e.A, e.Index, e.Term, hash)
	}
}

// data is the hash of what was appended at the index in that term.
func (x *entry) data(term uint64) (hash uint64, known bool) {
	switch term {
	case x.term:
		return x.hash, x.hash != 0
	case x.term2:
		return x.hash2, x.hash2 != 0
	}
	return 0, false
}

// revision holds the revision after an entry to the one before it (I10).
func (c *Checker) revision(m *member, e *trace.Event) {
	if m.rev != 0 && e.Rev != m.rev && e.Rev != m.rev+1 {
		c.violate(invariant.RevisionOrder, e, "index %d took member %d from revision %d to %d", e.Index, m.id, m.rev, e.Rev)
	}
	m.rev = e.Rev
}

// installed handles SnapshotInstalled: the member is now where the snapshot is.
func (c *Checker) installed(m *member, e *trace.Event) {
	if e.Index > c.committed.index {
		c.violate(invariant.Monotonic, e, "member %d installed a snapshot at %d, but only %d is committed anywhere", m.id,
			e.Index, c.committed.index)
	}
	if e.Index < m.applied {
		c.violate(invariant.Monotonic, e, "a snapshot at %d took member %d back from applied index %d", e.Index, m.id,
			m.applied)
	}
	if e.Rev < m.rev {
		c.violate(invariant.RevisionOrder, e, "a snapshot took member %d from revision %d back to %d", m.id, m.rev, e.Rev)
	}
	if x := c.at(e.Index); x != nil && x.appliedTerm != 0 && e.Rev != 0 && x.appliedRev != e.Rev {
		c.violate(invariant.RevisionOrder, e, "after a snapshot at %d member %d is at revision %d, another member at %d",
			e.Index, m.id, e.Rev, x.appliedRev)
	}
	if m.log.index < e.Index {
		m.log = end{e.Index, e.Term}
	}
	m.applied, m.rev = e.Index, e.Rev
	m.commit = max(m.commit, e.Index)
	m.snapshots = max(0, m.snapshots-1)
}

// hashed is the hash of all data at a revision after a compaction.
type hashed struct {
	rev, compact int64
	hash         uint32
	member       uint64
}

// maxHashes bounds the revisions whose hash is remembered.
const maxHashes = 512

// Hash tells the checker what HashKV says at a member: hash over everything up
// to revision rev after a compaction at compactRev. Members that share both must
// share the hash (I10).
func (c *Checker) Hash(now trace.Instant, member uint64, rev, compactRev int64, hash uint32) {
	for i := len(c.hashes) - 1; i >= 0; i-- {
		h := c.hashes[i]
		if h.rev == rev && h.compact == compactRev {
			if h.hash != hash {
				c.violate(invariant.RevisionOrder, &trace.Event{Seq: c.seq, Now: now, Member: member},
					"at revision %d, compacted at %d, member %d has hash %08x and member %d has %08x", rev, compactRev, member, hash,
					h.member, h.hash)
			}
			return
		}
	}
	if len(c.hashes) == maxHashes {
		c.hashes = append(c.hashes[:0], c.hashes[maxHashes/2:]...)
	}
	c.hashes = append(c.hashes, hashed{rev, compactRev, hash, member})
}
