package history

import (
	"fmt"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/pb"
)

// repeated looks for a write that is in the log more often than it was asked for.
// It leaves alone what members write by themselves, and what none of the clients asked for whom the history knows.
func (h *History) repeated(l *replayed) error {
	open := map[name]int{} // by request: operations that may be in the log and were not found there
	for i := range h.ops {
		switch o := &h.ops[i]; {
		case o.outcome() == unknown:
			open[l.nameOfOp(o)]++
		case o.keptOut():
			open[l.nameOfOp(o)] += 0
		}
	}
	var more []*written // than such operations
	for _, w := range l.writes {
		if w.claimed || w.own || !w.acts() {
			continue
		}
		switch n := l.nameOf(w); {
		case n == 0 || h.forgot(n):
		case open[n] > 0:
			open[n]--
		default:
			more = append(more, w)
		}
	}
	if len(more) == 0 {
		return nil
	}
	for i := range h.ops {
		if w := h.ops[i].write; w != nil {
			open[l.nameOf(w)] += 0
		}
	}
	for _, w := range more {
		if _, known := open[w.name]; known {
			return check.Violation{Number: invariant.Linearizable,
				Text: fmt.Sprintf("the log has %s at index %d once more than anybody asked for it", words(w.request), w.index)}
		}
	}
	return nil
}

// contradicted looks for an answer that the log does not give at the revision
// that it names.
func (l *replayed) contradicted(candidates []*candidate) error {
	for _, c := range candidates {
		if c.outcome == succeeded && !l.gives(c) {
			return check.Violation{Number: invariant.Linearizable, Now: c.ret,
				Text: fmt.Sprintf("the log does not give the answer to operation %d: %s -> %s", c.op, words(c.known.request),
					words(c.known.response))}
		}
	}
	return nil
}

// gives tells whether the log gives an answer at its revision.
func (l *replayed) gives(c *candidate) bool {
	rev := pb.HeaderRevision(c.known.response)
	switch {
	case rev < l.start:
		return true // from before what is kept: nobody can say
	case rev > l.rev():
		return false
	case c.known.reads:
		return l.explains(c.known, rev)
	case c.write.acts():
		return c.write.agrees(c.known)
	}
	return l.matchesNoOp(c, rev, func(*written) bool { return true })
}
