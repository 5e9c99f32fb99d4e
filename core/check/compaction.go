package check

import (
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// Past is what a member says when it is asked for everything at a revision.
type Past struct {
	Rev     int64  // asked for
	Compact int64  // the member's compact revision
	Sum     uint64 // of the answer, if Err is nil
	Err     error
	Refused bool // Err says that the revision has been compacted
}

// seen is the answer for a revision, by whoever gave it first.
type seen struct {
	rev    int64
	sum    uint64
	member uint64
}

// maxSeen bounds the revisions whose answer is remembered.
const maxSeen = 256

// Past holds an answer about the past to what compaction promises (I26): what is
// older than the compact revision is refused, and what is not is there and never
// changes, at whichever member.
func (c *Checker) Past(now trace.Instant, member uint64, p Past) {
	at := &trace.Event{Seq: c.seq, Now: now, Member: member}
	switch gone := p.Rev < p.Compact; {
	case gone && p.Err == nil:
		c.violate(invariant.Compaction, at, "member %d answers for revision %d though it has compacted up to %d", member,
			p.Rev, p.Compact)
		return
	case gone && !p.Refused:
		c.violate(invariant.Compaction, at, "member %d, compacted up to %d, refuses revision %d by %q", member, p.Compact,
			p.Rev, p.Err)
		return
	case gone:
		return
	case p.Err != nil:
		c.violate(invariant.Compaction, at, "member %d, compacted up to %d, refuses revision %d: %v", member, p.Compact,
			p.Rev, p.Err)
		return
	}
	for i := len(c.past) - 1; i >= 0; i-- {
		if s := c.past[i]; s.rev == p.Rev {
			if s.sum != p.Sum {
				c.violate(invariant.Compaction, at, "revision %d of member %d is not what it was at member %d: %016x, %016x", p.Rev,
					member, s.member, p.Sum, s.sum)
			}
			return
		}
	}
	if len(c.past) == maxSeen {
		c.past = append(c.past[:0], c.past[maxSeen/2:]...)
	}
	c.past = append(c.past, seen{p.Rev, p.Sum, member})
}
