package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// The log is the order of all writes, and each is in it once. If it, with the
// reads put where their revisions say, explains every answer and agrees with the
// times of calls and returns, then it is the order that linearizability asks for.
// If it does not, there is none that could have happened, and nothing to search:
// a write stands where the log has it; of requests without an answer that are
// alike, the earlier call made the earlier write, because nothing else tells them
// apart; and what changed nothing goes into the first gap that can be its own,
// after everything that had returned before it was called. Without the log a
// search must do (porcupine), and tests hold the two to each other.

// order is the part of a witness that the log gives: writes, and between them
// gaps, of which gap i comes before write i.
type order struct {
	log      *replayed
	writes   []*written
	latest   []trace.Instant // call among the writes before a gap
	earliest []trace.Instant // return among those after it
}

// witness returns nil if the order of the log explains all candidates, and else
// says what it does not explain.
func (l *replayed) witness(candidates []*candidate) error {
	o, err := l.orderOf(candidates)
	if err != nil {
		return err
	}
	var between []*candidate
	for _, c := range candidates {
		if c.outcome == unknown || c.write.acts() {
			continue
		}
		if c.outcome == refused {
			if err := model.Validate(c.known.request, 0); err != nil && err.Error() == c.known.err.Error() {
				continue // so it would be at any time
			}
		}
		between = append(between, c)
	}
	return o.fill(between)
}

// unexplained is a candidate that the log has no place for.
func unexplained(c *candidate) error {
	return check.Violation{Number: invariant.Linearizable, Now: c.ret, Text: fmt.Sprintf(
		"no order explains the answers up to operation %d: %s -> %s", c.op, words(c.known.request), words(answerOf(c)))}
}

// orderOf finds for each operation that is in the log its place there.
func (l *replayed) orderOf(candidates []*candidate) (*order, error) {
	for _, w := range l.writes {
		w.placed = nil
	}
	var lost []*candidate
	for _, c := range candidates {
		switch {
		case c.outcome == unknown:
			lost = append(lost, c)
		case c.write.acts():
			if !c.write.agrees(c.known) {
				return nil, unexplained(c)
			}
			c.write.placed = c
		}
	}
	slices.SortStableFunc(lost, func(a, b *candidate) int { return cmp.Compare(a.call, b.call) })
	o := &order{log: l}
	for _, w := range l.writes {
		if w.placed == nil && w.acts() {
			l.findLost(w, lost)
		}
		if w.placed != nil {
			o.writes = append(o.writes, w)
		}
	}
	return o, o.bound()
}

// acts tells whether w changed anything. What did not may stand wherever the state
// is the same: of several that are alike it may be any.
func (w *written) acts() bool { return w != nil && (w.compacts || w.after > w.before) }

// agrees tells whether the answer of the operation that claimed w is the model's.
func (w *written) agrees(o *operation) bool {
	if !w.agreed && w.gave(o) {
		w.agreed, w.response = true, nil // the answer has served
	}
	return w.agreed
}

// gave reports whether the answer is what the model says to w.
func (w *written) gave(o *operation) bool {
	return w.err == nil && (w.agreed && w == o.write || w.response != nil && sameResponse(o.response, w.response))
}

// matchesNoOp reports whether the log gives an answer to a request that changed nothing
// at a revision. Whoever claimed it: of requests that are alike any may be the one.
func (l *replayed) matchesNoOp(c *candidate, rev int64, where func(*written) bool) bool {
	return slices.ContainsFunc(l.after(rev), func(w *written) bool {
		return where(w) && !w.acts() && l.shows(w, c.known) && w.gave(c.known)
	})
}

// findLost finds the operation without an answer that w is: of equals the one that
// was called first. If there is none, it was somebody's whom the history does not
// know, at any time.
func (l *replayed) findLost(w *written, lost []*candidate) {
	for _, c := range lost {
		if c.write == nil && !w.own && l.nameOfOp(c.known) == l.nameOf(w) {
			c.write, w.placed = w, c
			return
		}
	}
	w.placed = &candidate{call: -never, ret: never}
}

// bound notes for each gap what an operation in it must have waited for.
func (o *order) bound() error {
	n := len(o.writes)
	o.latest, o.earliest = make([]trace.Instant, n+1), make([]trace.Instant, n+1)
	o.latest[0], o.earliest[n] = math.MinInt64, math.MaxInt64
	for i, w := range o.writes {
		o.latest[i+1] = max(o.latest[i], w.placed.call)
		if o.latest[i+1] > w.placed.ret {
			return unexplained(w.placed)
		}
	}
	for i := n - 1; i >= 0; i-- {
		o.earliest[i] = min(o.earliest[i+1], o.writes[i].placed.ret)
	}
	return nil
}

// fill puts the operations that changed nothing between the writes, in the order
// of their calls: then whatever had returned before has its gap already.
func (o *order) fill(between []*candidate) error {
	returned := slices.Clone(between)
	slices.SortStableFunc(between, func(a, b *candidate) int { return cmp.Compare(a.call, b.call) })
	slices.SortStableFunc(returned, func(a, b *candidate) int { return cmp.Compare(a.ret, b.ret) })
	floor := 0 // the last gap of those that returned before the call
	for _, c := range between {
		for ; len(returned) > 0 && returned[0].ret < c.call; returned = returned[1:] {
			floor = max(floor, returned[0].gap)
		}
		if !o.put(c, floor) {
			return unexplained(c)
		}
	}
	return nil
}

// at is the revision and the era in a gap.
func (o *order) at(gap int) (rev int64, era int) {
	if gap == 0 {
		return o.log.start, o.log.closed + 1
	}
	w := o.writes[gap-1]
	return w.after, w.era
}

// put finds the first gap, from floor on, in which the state gives the answer to
// an operation that changed nothing.
func (o *order) put(c *candidate, floor int) bool {
	n := len(o.writes)
	gap := max(floor, sort.Search(n, func(g int) bool { return o.earliest[g] >= c.call }))
	if c.outcome == succeeded {
		if c.place%2 == 0 {
			return false
		}
		gap = max(gap, sort.Search(n, func(g int) bool {
			rev, _ := o.at(g)
			return rev >= c.place/2
		}))
	}
	tried := 0 // the era in which it was not this answer
	for ; gap <= n && o.latest[gap] <= c.ret; gap++ {
		rev, era := o.at(gap)
		if c.outcome == succeeded {
			if rev != c.place/2 {
				return false
			}
			if era == tried {
				continue
			}
			tried = era
		}
		if o.gives(c, rev, era) {
			c.gap = gap
			return true
		}
	}
	return false
}

// gives tells whether an operation gets its answer at a revision of an era.
func (o *order) gives(c *candidate, rev int64, era int) bool {
	if c.outcome == succeeded {
		if c.known.reads {
			return o.log.explainsIn(c.known, rev, era)
		}
		return o.log.matchesNoOp(c, rev, func(w *written) bool { return w.era == era })
	}
	s, _, _ := o.log.eraOf(era)
	var err error
	switch r := c.known.request.(type) {
	case *pb.CompactionRequest:
		switch {
		case r.Revision <= s.CompactRevision():
			err = model.ErrCompacted
		case r.Revision > rev:
			err = model.ErrFutureRev
		}
	case *pb.RangeRequest:
		_, err = s.ReadAt(rev, r)
	default:
		if text := c.known.err.Error(); text == string(model.ErrLeaseNotFound) || text == string(model.ErrLeaseExist) {
			return true // which leases there were nobody has kept
		}
		_, err = s.At(rev).Apply(r)
	}
	return err != nil && err.Error() == c.known.err.Error()
}
