package check

import (
	"sort"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// retention remembers when each revision was first reached by anybody, as long as a member that compacts by itself has
// to keep it.
type retention struct {
	reached []reached // by time and by revision
}

type reached struct {
	at  trace.Instant
	rev int64
}

// revised handles EntryApplied.
func (c *Checker) revised(e *trace.Event) {
	if c.options.KeepFor <= 0 && c.options.KeepRevisions <= 0 {
		return
	}
	r := &c.retention
	if n := len(r.reached); n > 0 && e.Rev <= r.reached[n-1].rev {
		return
	}
	// Of what is older than the period the newest is enough.
	old := r.upTo(e.Now - trace.Instant(c.options.KeepFor))
	if old > len(r.reached)/2 {
		r.reached = append(r.reached[:0], r.reached[old-1:]...)
	}
	r.reached = append(r.reached, reached{e.Now, e.Rev})
}

// upTo counts what had been reached at a moment.
func (r *retention) upTo(at trace.Instant) int {
	return sort.Search(len(r.reached), func(i int) bool { return r.reached[i].at > at })
}

// compactionDue handles CompactionDue: what a member drops by itself is no more than it was told to (the keeping half
// of I26).
func (c *Checker) compactionDue(e *trace.Event) {
	r, o := &c.retention, &c.options
	newest := int64(0)
	if n := len(r.reached); n > 0 {
		newest = r.reached[n-1].rev
	}
	switch {
	case o.KeepFor > 0:
		then := int64(0)
		if i := r.upTo(e.Now - trace.Instant(o.KeepFor)); i > 0 {
			then = r.reached[i-1].rev
		}
		if e.Rev > max(then, 1) {
			c.violate(invariant.Compaction, e, "member %d compacts by itself up to %d, but %v ago the newest revision was %d",
				e.Member, e.Rev, o.KeepFor.Round(time.Millisecond), then)
		}
	case o.KeepRevisions > 0 && e.Rev > newest-o.KeepRevisions:
		c.violate(invariant.Compaction, e, "member %d compacts by itself up to %d, but the newest revision is %d, and %d "+
			"are to be kept", e.Member, e.Rev, newest, o.KeepRevisions)
	}
}
