package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// mark is a record of a snapshot in a member's log. It is void if its process had no time to write the state that
// commits it: the next process passes over it, and its image may go. So it must not count again when its index is
// committed by other means, unless it is written once more.
type mark struct{ member, index uint64 }

// ended handles MemberCrashed and MemberStopped, which tell of such a record.
func (c *Checker) ended(m *member, e *trace.Event) {
	m.leading = false
	if e.Rev == 0 {
		return
	}
	if c.void == nil {
		c.void = map[mark]bool{}
	}
	c.void[mark{e.Member, uint64(e.Rev)}] = true
}

// marks handles what lets a member write a record of a snapshot at an index: it was sent one, or its own database
// stands there.
func (c *Checker) marks(e *trace.Event) { delete(c.void, mark{e.Member, e.Index}) }

// startsFrom is the part of MemberStarted that concerns such records (I11).
func (c *Checker) startsFrom(e *trace.Event) {
	if c.void[mark{e.Member, e.B}] {
		c.violate(invariant.Boot, e,
			"member %d starts from the snapshot at %d, whose record in its log was never committed", e.Member, e.B)
	}
	c.marks(e)
}
