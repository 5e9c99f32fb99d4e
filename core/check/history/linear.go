package history

import (
	"cmp"
	"fmt"
	"slices"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"github.com/anishathalye/porcupine"
)

// Every answer of etcd carries a revision, and revisions order all operations of
// all keys. That is used before the search begins: an operation at a later
// revision cannot take place before one at an earlier revision is called, nor an
// earlier one after a later one has returned. With the intervals narrowed so,
// a stale read shows at once and the search has next to nothing to choose. This
// is also why histories are not cut into one per key: a stale read of one key
// after a write of another would be lost.

// candidate is an operation as the search sees it.
type candidate struct {
	known     *operation // that it is
	outcome   outcome
	call, ret trace.Instant
	op        int
	write     *written // what it is in the log, if that is known
	gap       int      // see witness
	// Where it stands among revisions: 2r for what made revision r, 2r+1 for what
	// saw it; 0 = not known.
	place int64
	// Outcome unknown, log known: the revisions that it may have made; of
	// something that made none, those that it may have seen, negative.
	at   []int64
	over int64 // at this revision it has happened or never will
}

// linearizable checks all operations but serializable reads, by the log or, if
// that is not known, by search; and serializable reads by the log.
func (h *History) linearizable(l *replayed) error {
	if err := h.serializableReads(l); err != nil {
		return err
	}
	candidates := h.candidates(l)
	if err := narrow(candidates); err != nil {
		return err
	}
	if l.known() {
		if err := h.repeated(l); err != nil {
			return err
		}
		if err := l.witness(candidates); err != nil {
			return cmp.Or(l.contradicted(candidates), err) // in simpler words, mostly
		}
		return nil
	}
	ops := make([]porcupine.Operation, len(candidates))
	for i, c := range candidates {
		ops[i] = porcupine.Operation{Input: c, Call: int64(c.call), Return: int64(c.ret)}
	}
	if porcupine.CheckOperations(kvModel(), ops) {
		return nil
	}
	return h.explain(candidates)
}

// kvModel is package model in porcupine's words.
func kvModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			s := model.New()
			s.MaxTxnOps = 0 // what was answered was admitted
			return s
		},
		Step: func(state, input, _ any) (bool, any) {
			return input.(*candidate).step(state.(*model.State))
		},
		Equal: func(a, b any) bool { return a.(*model.State).Equal(b.(*model.State)) },
		Hash:  func(s any) uint64 { return s.(*model.State).Digest() ^ uint64(s.(*model.State).Revision()) },
	}
}

// step executes the operation on a state, if its answer allows it there.
func (c *candidate) step(s *model.State) (bool, *model.State) {
	switch {
	case c.outcome == succeeded && c.place%2 == 0 && c.place/2 != s.Revision()+1,
		c.outcome == succeeded && c.place%2 == 1 && c.place/2 != s.Revision():
		return false, s
	case c.outcome == unknown && len(c.at) > 0 && !slices.Contains(c.at, s.Revision()+1) && !slices.Contains(c.at,
		-s.Revision()):
		// Where others sent the same request it may be them whom the log shows.
		return s.Revision() >= c.over, s
	}
	response, next, err := model.Apply(s, c.known.request)
	switch c.outcome {
	case unknown:
		return true, next // a refusal leaves the state alone
	case refused:
		return err != nil && err.Error() == c.known.err.Error(), s
	}
	return err == nil && sameResponse(response, c.known.response), next
}

// candidates are the operations that can tell something.
func (h *History) candidates(l *replayed) []*candidate {
	all := make([]candidate, 0, len(h.ops))
	for i := range h.ops {
		o := &h.ops[i]
		c := candidate{known: o, outcome: o.outcome(), call: o.call, ret: o.ret, op: h.dropped + i}
		switch c.outcome {
		case void:
			continue
		case succeeded:
			if o.local {
				continue
			}
			l.claim(o)
			c.place, c.write = o.place, o.write
		case unknown:
			c.ret = never
		}
		all = append(all, c)
	}
	out := make([]*candidate, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	if l.known() {
		out = h.resolve(l, out)
	}
	return out
}

// resolve drops the operations without an answer that the log does not show, and
// adds those that it shows although they were forgotten.
func (h *History) resolve(l *replayed, candidates []*candidate) []*candidate {
	alike := map[name]int{}
	for _, c := range candidates {
		if c.outcome == unknown {
			alike[l.nameOfOp(c.known)]++
		}
	}
	if len(alike) == 0 && len(h.lost) == 0 {
		return candidates
	}
	byName := map[name][]*written{}
	for _, w := range l.writes {
		if w.claimed || w.own || w.err != nil {
			continue
		}
		n := l.nameOf(w)
		byName[n] = append(byName[n], w)
		if h.forgot(n) { // it may be one that was forgotten
			alike[n]++
			o := &operation{request: w.request, name: n}
			candidates = append(candidates, &candidate{known: o, call: -never, ret: never, op: -1})
		}
	}
	return slices.DeleteFunc(candidates, func(c *candidate) bool {
		if c.outcome != unknown {
			return false
		}
		n := l.nameOfOp(c.known)
		return !c.resolve(byName[n], alike[n])
	})
}

// forgot tells whether an operation with this request was forgotten without an
// answer.
func (h *History) forgot(n name) bool {
	return len(h.lost) > 0 && h.lost[n]
}

// settle finds what the log has of an answered operation: who answered has
// applied it, so that it is mostly there, among the last. What is not found now is
// looked for at the verdict.
func (l *replayed) settle(o *operation) {
	if o.outcome() != succeeded {
		return
	}
	o.place = placeOfResponse(o)
	switch rev := o.place / 2; {
	case !l.known() || rev < l.from || rev > l.rev():
	case o.reads:
		l.explainsIn(o, rev, l.era())
	default:
		if l.claim(o); o.write.acts() {
			o.write.agrees(o)
		}
	}
}

// claim marks the request in the log that the answered operation is.
func (l *replayed) claim(o *operation) {
	if o.write != nil || o.reads {
		return
	}
	for _, w := range l.after(o.place / 2) {
		if !w.claimed && !w.own && w.err == nil && (o.place%2 == 0) == (w.after > w.before) && l.shows(w, o) {
			w.claimed, o.write = true, w
			return
		}
	}
}

// resolve finds an operation without an answer among its likes in the log, where
// it is one of so many. If it is not there it did not happen.
func (c *candidate) resolve(writes []*written, alike int) bool {
	for _, w := range writes {
		_, compaction := c.known.request.(*pb.CompactionRequest)
		switch {
		case w.after > w.before:
			c.at = append(c.at, w.after)
		case compaction:
			c.at = append(c.at, -w.after)
		}
		c.over = max(c.over, w.after)
	}
	if alike == 1 && len(c.at) == 1 && c.at[0] > 0 {
		c.place = 2 * c.at[0]
	}
	return len(c.at) > 0
}

// placeOfResponse is where a response says that its request took place.
func placeOfResponse(o *operation) int64 {
	rev := pb.HeaderRevision(o.response)
	if rev == 0 {
		return 0
	}
	wrote := false
	switch r := o.response.(type) {
	case *pb.PutResponse:
		wrote = true
	case *pb.DeleteRangeResponse:
		wrote = r.Deleted > 0
	case *pb.TxnResponse:
		wrote = !o.reads && changed(r)
	}
	if wrote {
		return 2 * rev
	}
	return 2*rev + 1
}

// changed reports whether a transaction wrote.
func changed(r *pb.TxnResponse) bool {
	for _, op := range r.Responses {
		if op.GetResponsePut() != nil || op.GetResponseDeleteRange().GetDeleted() > 0 ||
			op.GetResponseTxn() != nil && changed(op.GetResponseTxn()) {
			return true
		}
	}
	return false
}

// narrow moves calls forward and returns back as far as revisions demand.
func narrow(candidates []*candidate) error {
	var placed []*candidate
	for _, c := range candidates {
		if c.place != 0 {
			placed = append(placed, c)
		}
	}
	slices.SortStableFunc(placed, func(a, b *candidate) int { return cmp.Compare(a.place, b.place) })
	if err := onePerRevision(placed); err != nil {
		return err
	}
	latest := func(a, b *candidate) bool { return b == nil || a.call > b.call }
	walk(placed, latest, func(c, bound *candidate) { c.call = max(c.call, bound.call) })
	for _, c := range placed {
		if c.call > c.ret {
			return staleness(c, placed)
		}
	}
	slices.Reverse(placed)
	earliest := func(a, b *candidate) bool { return b == nil || a.ret < b.ret }
	walk(placed, earliest, func(c, bound *candidate) { c.ret = min(c.ret, bound.ret) })
	for _, c := range placed {
		if c.call > c.ret {
			return staleness(c, placed)
		}
	}
	return nil
}

// walk goes through the operations place by place and applies to each the bound
// set by all at places before.
func walk(placed []*candidate, better func(a, b *candidate) bool, apply func(c, bound *candidate)) {
	var bound, next *candidate
	for i, c := range placed {
		if i > 0 && c.place != placed[i-1].place {
			bound = next
		}
		if bound != nil {
			apply(c, bound)
		}
		if better(c, next) {
			next = c
		}
	}
}

// onePerRevision: two operations cannot have made the same revision.
func onePerRevision(placed []*candidate) error {
	for i, c := range placed {
		if i > 0 && c.place%2 == 0 && c.place == placed[i-1].place && c.outcome == succeeded &&
			placed[i-1].outcome == succeeded {
			return check.Violation{Number: invariant.Linearizable, Now: c.ret,
				Text: fmt.Sprintf("operations %d (%s) and %d (%s) were both told that they made revision %d",
					placed[i-1].op, words(placed[i-1].known.request), c.op, words(c.known.request), c.place/2)}
		}
	}
	return nil
}

func staleness(c *candidate, placed []*candidate) error {
	for _, other := range placed {
		if other.place > c.place && other.ret < c.call || other.place < c.place && other.call > c.ret {
			later := c.ret
			if other.outcome == succeeded {
				later = max(later, other.ret)
			}
			return check.Violation{Number: invariant.Linearizable, Now: later, Text: fmt.Sprintf(
				"operation %d (%s) is at revision %d and operation %d (%s) at %d, but in time they are the other way round",
				c.op, words(c.known.request), c.place/2, other.op, words(other.known.request), other.place/2)}
		}
	}
	return check.Violation{Number: invariant.Linearizable, Now: c.ret, Text: fmt.Sprintf(
		"operation %d (%s) is at revision %d, which was history before it was called or future when it returned", c.op,
		words(c.known.request), c.place/2)}
}

// explain finds a short story for a history without an order: the shortest
// prefix, by returns, that has none.
func (h *History) explain(candidates []*candidate) error {
	byReturn := slices.Clone(candidates)
	slices.SortStableFunc(byReturn, func(a, b *candidate) int { return cmp.Compare(a.ret, b.ret) })
	lo, hi := 0, len(byReturn)
	for lo < hi {
		mid := (lo + hi) / 2
		if prefixHolds(candidates, byReturn[mid].ret) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	c := byReturn[min(lo, len(byReturn)-1)]
	return check.Violation{Number: invariant.Linearizable, Now: c.ret, Text: fmt.Sprintf(
		"no order explains the answers up to operation %d of client %d: %s -> %s", c.op, h.ops[c.op-h.dropped].client,
		words(c.known.request), words(answerOf(c)))}
}

// prefixHolds asks the question for what had returned by t; what was under way
// may or may not have happened.
func prefixHolds(candidates []*candidate, t trace.Instant) bool {
	var ops []porcupine.Operation
	for _, c := range candidates {
		if c.call > t {
			continue
		}
		cut := *c
		if c.ret > t {
			if c.known.reads || c.outcome == refused {
				continue
			}
			cut.outcome, cut.ret = unknown, never
			if c.outcome == succeeded {
				cut.over = c.place / 2
				cut.at = []int64{c.place / 2}
				if c.place%2 == 1 {
					cut.at[0] = -c.place / 2
				}
			}
		}
		ops = append(ops, porcupine.Operation{Input: &cut, Call: int64(cut.call), Return: int64(cut.ret)})
	}
	return porcupine.CheckOperations(kvModel(), ops)
}

// serializableReads holds each to the state of the log at its own revision.
func (h *History) serializableReads(l *replayed) error {
	if !l.known() {
		return nil
	}
	for i := range h.ops {
		o := &h.ops[i]
		if o.explained > 0 || !o.local || o.outcome() != succeeded {
			continue
		}
		rev := o.place / 2
		if rev < l.start {
			continue // from before what is kept: nobody can say
		}
		if rev > l.rev() {
			return check.Violation{Number: invariant.Serializable, Now: o.ret,
				Text: fmt.Sprintf("operation %d (%s) read at revision %d, which the log never had", h.dropped+i, words(o.request),
					rev)}
		}
		if !l.explains(o, rev) {
			return check.Violation{Number: invariant.Serializable, Now: o.ret,
				Text: fmt.Sprintf("the serializable read %d (%s -> %s) matches no state of the log", h.dropped+i, words(o.request),
					words(o.response))}
		}
	}
	return nil
}
