package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// By log matching, (index, term) of an entry names everything before it. So the
// end of a log is the whole log, and the checker needs no copies: it keeps for
// each term where its entries begin and what stood before them, and can say of
// any end which term an earlier index has. If log matching itself is broken, I3
// fires first.

// end is the last entry of a log and thereby the log.
type end struct{ index, term uint64 }

// termRun says that the entries of term begin at start and follow (start-1, before).
type termRun struct {
	term, start uint64
	before      uint64 // 0 = nothing, or unknown
}

// maxTermRuns bounds the terms that are remembered; the oldest go first.
const maxTermRuns = 4096

// run finds the run of a term, nil if no entry of it was seen. It looks from
// the newest.
func (c *Checker) run(term uint64) *termRun {
	for i := len(c.runs) - 1; i >= 0; i-- {
		if c.runs[i].term <= term {
			if c.runs[i].term == term {
				return &c.runs[i]
			}
			return nil
		}
	}
	return nil
}

// addRun remembers a new run, in the order of terms.
func (c *Checker) addRun(r termRun) {
	if len(c.runs) == maxTermRuns {
		c.runs = append(c.runs[:0], c.runs[maxTermRuns/4:]...)
	}
	c.runs = append(c.runs, r)
	for i := len(c.runs) - 1; i > 0 && c.runs[i-1].term > c.runs[i].term; i-- {
		c.runs[i-1], c.runs[i] = c.runs[i], c.runs[i-1]
	}
}

// termAt is the term of the entry at index in the log that ends with e; 0 if the
// log does not reach it, or nobody knows.
func (c *Checker) termAt(index uint64, e end) uint64 {
	if index > e.index || index == 0 {
		return 0
	}
	term := e.term
	for term != 0 {
		r := c.run(term)
		if r == nil || index >= r.start {
			return term
		}
		term = r.before
	}
	return 0
}

// has reports whether the log that ends with e holds entry x; unknown counts as yes.
func (c *Checker) has(e, x end) bool {
	if x.index > e.index {
		return false
	}
	term := c.termAt(x.index, e)
	return term == x.term || term == 0 || x.term == 0
}

// entry is what is known of one index: the data of up to two terms (a stale
// leader may have left another one), and what was applied there.
type entry struct {
	index       uint64
	term, hash  uint64 // of the newest term seen
	term2       uint64 // of another term, 0 = none
	hash2       uint64
	appliedTerm uint64 // 0 = not applied by anyone
	appliedHash uint64
	appliedRev  int64
}

// at finds the slot of an index in the window, nil if the window has moved on.
func (c *Checker) at(index uint64) *entry {
	slot := &c.window[index&uint64(len(c.window)-1)]
	if slot.index < index && slot.index != 0 && len(c.window) < c.options.Window {
		c.widen()
		return c.at(index)
	}
	if slot.index < index {
		*slot = entry{index: index}
	}
	if slot.index != index {
		return nil
	}
	return slot
}

// widen makes the window twice as long; what is in it stays.
func (c *Checker) widen() {
	old := c.window
	c.window = make([]entry, 2*len(old))
	for _, x := range old {
		if slot := &c.window[x.index&uint64(len(c.window)-1)]; x.index != 0 {
			*slot = x
		}
	}
}

// appended handles EntryAppended: the entry joins the log of m (I2, I3, I4).
func (c *Checker) appended(m *member, e *trace.Event) {
	if e.Index <= m.log.index {
		if c.termAt(e.Index, m.log) == e.Term {
			c.sameData(e)
			return // it was there already: what followed it stays
		}
		c.truncated(m, e, e.Index)
	}
	if m.leading && m.cut != 0 && e.Term == m.term {
		c.violate(invariant.LeaderAppendOnly, e, "member %d, leader of term %d, overwrote its log from index %d", m.id,
			m.term, m.cut)
	}
	m.cut = 0
	before := m.log.term
	if e.Index != m.log.index+1 {
		// A log that starts anew after a snapshot; what is before is what was committed.
		if m.snapshots == 0 || e.Index-1 > c.committed.index {
			c.violate(invariant.LogMatching, e, "member %d appended index %d after index %d", m.id, e.Index, m.log.index)
		}
		before = c.termAt(e.Index-1, c.committed)
	}
	m.log = end{e.Index, e.Term}
	c.matched(m, e, before)
	c.sameData(e)
}

// matched holds the entry to the run of its term.
func (c *Checker) matched(m *member, e *trace.Event, before uint64) {
	r := c.run(e.Term)
	switch {
	case r == nil:
		c.addRun(termRun{term: e.Term, start: e.Index, before: before})
		c.leaderComplete(m, e, end{e.Index - 1, before})
	case e.Index < r.start:
		c.violate(invariant.LogMatching, e, "member %d has an entry of term %d at index %d, yet that term begins at %d", m.id,
			e.Term, e.Index, r.start)
	case e.Index == r.start && before != r.before && before != 0 && r.before != 0:
		c.violate(invariant.LogMatching, e, "before (%d, term %d) member %d has term %d, another member term %d", e.Index,
			e.Term, m.id, before, r.before)
	case e.Index > r.start && before != e.Term && before != 0:
		c.violate(invariant.LogMatching, e, "before (%d, term %d) member %d has term %d, another member term %d", e.Index,
			e.Term, m.id, before, e.Term)
	}
}

// sameData compares the data of (index, term) with what others have there.
func (c *Checker) sameData(e *trace.Event) {
	x := c.at(e.Index)
	if x == nil || e.A == 0 {
		return
	}
	switch {
	case x.term == e.Term:
		c.sameHash(e, x.hash)
	case x.term2 == e.Term:
		c.sameHash(e, x.hash2)
	case e.Term > x.term:
		x.term2, x.hash2 = x.term, x.hash
		x.term, x.hash = e.Term, e.A
	default:
		x.term2, x.hash2 = e.Term, e.A
	}
}

func (c *Checker) sameHash(e *trace.Event, hash uint64) {
	if hash != e.A {
		c.violate(invariant.LogMatching, e,
			"two entries with index %d and term %d differ: data hash %016x at member %d, %016x before", e.Index, e.Term, e.A,
			e.Member, hash)
	}
}

// truncated handles LogTruncated: entries from first on are gone.
func (c *Checker) truncated(m *member, e *trace.Event, first uint64) {
	if first > m.log.index {
		return
	}
	if first <= m.commit {
		c.violate(invariant.Monotonic, e, "member %d removed index %d, which it knew to be committed (%d)", m.id, first,
			m.commit)
	}
	// Whether a leader did it shows with the next entry: a member may have cut its
	// log as a follower just before it was elected.
	if m.leading {
		m.cut = first
	}
	if first <= m.durable.index && (m.replaced.index == 0 || first < m.replaced.index) {
		m.replaced = end{first, c.termAt(first, m.durable)}
	}
	m.log = end{first - 1, c.termAt(first-1, m.log)}
}
