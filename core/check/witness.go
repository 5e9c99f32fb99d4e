package check

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// The log is an order of all writes. If it, with the reads put where their
// revisions say, explains every answer and agrees with the times of calls and
// returns, then it is the order that linearizability asks for, and there is
// nothing to search. The search remains the judge: what has no witness here goes
// to porcupine, so that a witness can spare time but never hide a violation.

// order is the part of a witness that the log gives: writes, and between them
// gaps, of which gap i comes before write i.
type order struct {
	log      *replayed
	writes   []*written
	latest   []trace.Instant // call among the writes before a gap
	earliest []trace.Instant // return among those after it
}

// witness reports whether the order of the log explains all candidates. False
// means that nobody knows.
func (l *replayed) witness(candidates []*candidate) bool {
	o, ok := l.orderOf(candidates)
	if !ok {
		return false
	}
	var between []*candidate
	for _, c := range candidates {
		if c.outcome == unknown || c.write.acts() {
			continue
		}
		if c.outcome == refused {
			if err := model.Validate(c.request, 0); err != nil && err.Error() == c.err.Error() {
				continue // so it would be at any time
			}
		}
		if !o.put(c) {
			return false
		}
		between = append(between, c)
	}
	slices.SortStableFunc(between, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.gap, b.gap), cmp.Compare(a.call, b.call))
	})
	return o.inTime(between)
}

// orderOf finds for each operation that is in the log its place there, and none
// that changed anything without an operation.
func (l *replayed) orderOf(candidates []*candidate) (*order, bool) {
	for _, w := range l.writes {
		w.placed = nil
	}
	var lost []*candidate
	for _, c := range candidates {
		switch {
		case c.outcome == unknown:
			lost = append(lost, c)
		case c.write.acts():
			if !c.write.agrees(c) {
				return nil, false
			}
			c.write.placed = c
		}
	}
	slices.SortStableFunc(lost, func(a, b *candidate) int { return cmp.Compare(a.call, b.call) })
	o := &order{log: l}
	for _, w := range l.writes {
		if w.placed == nil && w.acts() && !w.lookFor(lost) {
			return nil, false
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
func (w *written) agrees(c *candidate) bool {
	if !w.agreed && w.err == nil && w.response != nil && sameResponse(c.response, w.response) {
		w.agreed, w.response = true, nil // the answer has served
	}
	return w.agreed
}

// lookFor finds an operation without an answer that w may be: of equals the one
// that was called first, as they differ in nothing else.
func (w *written) lookFor(lost []*candidate) bool {
	for _, c := range lost {
		if c.write == nil && bytesOf(c.request) == w.bytes() {
			c.write, w.placed = w, c
			return true
		}
	}
	return false
}

// bound notes for each gap what an operation in it must have waited for.
func (o *order) bound() bool {
	n := len(o.writes)
	o.latest, o.earliest = make([]trace.Instant, n+1), make([]trace.Instant, n+1)
	o.latest[0], o.earliest[n] = math.MinInt64, math.MaxInt64
	for i, w := range o.writes {
		o.latest[i+1] = max(o.latest[i], w.placed.call)
		if o.latest[i+1] > w.placed.ret {
			return false
		}
	}
	for i := n - 1; i >= 0; i-- {
		o.earliest[i] = min(o.earliest[i+1], o.writes[i].placed.ret)
	}
	return true
}

// at is the revision and the era in a gap.
func (o *order) at(gap int) (rev int64, era int) {
	if gap == 0 {
		return o.log.start.Revision(), o.log.closed + 1
	}
	w := o.writes[gap-1]
	return w.after, w.era
}

// put finds the first gap in which the state gives the answer to an operation
// that changed nothing.
func (o *order) put(c *candidate) bool {
	n := len(o.writes)
	gap := sort.Search(n, func(g int) bool { return o.earliest[g] >= c.call })
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
	if c.write != nil {
		return c.write.era == era && c.write.agrees(c)
	}
	if c.outcome == succeeded {
		return readOnly(c.request) && o.log.explainsIn(c.known, rev, era)
	}
	s, _, _ := o.log.eraOf(era)
	var err error
	switch r := c.request.(type) {
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
		if text := c.err.Error(); text == string(model.ErrLeaseNotFound) || text == string(model.ErrLeaseExist) {
			return false // which leases there were nobody has kept
		}
		_, err = s.At(rev).Apply(r)
	}
	return err != nil && err.Error() == c.err.Error()
}

// inTime goes through the whole order: nothing may return before something is
// called that comes earlier.
func (o *order) inTime(between []*candidate) bool {
	latest := trace.Instant(math.MinInt64)
	next := func(c *candidate) bool {
		latest = max(latest, c.call)
		return latest <= c.ret
	}
	for i := 0; i <= len(o.writes); i++ {
		for ; len(between) > 0 && between[0].gap == i; between = between[1:] {
			if !next(between[0]) {
				return false
			}
		}
		if i < len(o.writes) && !next(o.writes[i].placed) {
			return false
		}
	}
	return true
}
