package history

import (
	"slices"
	"time"

	"vitrine/core/trace"
)

// Cut keeps a history that goes on for hours within bounds. Call it now and then:
// it notes how far the log is known and, once more than most operations are
// kept, checks everything and forgets what happened before the last note that is
// older than horizon. An operation that has no answer after horizon, which must be
// longer than any client waits, will count as unknown. It returns what Check
// returns. It needs the log.
func (h *History) Cut(now trace.Instant, horizon time.Duration, most int) error {
	l := h.known
	if !l.known() {
		return nil
	}
	h.marks = append(h.marks, mark{now, l.index, l.rev()})
	old := -1
	for i, m := range h.marks {
		if m.now <= now-trace.Instant(horizon) {
			old = i
		}
	}
	if old < 0 {
		return nil
	}
	at := h.marks[old]
	h.marks = slices.Delete(h.marks, 0, old)
	if len(h.ops) <= most || at.index <= l.base {
		return nil
	}
	if err := h.check(l); err != nil {
		return err
	}
	h.watches = slices.DeleteFunc(h.watches, func(w *Watch) bool { return w.closed })
	h.forget(l, at, at.now-trace.Instant(4*horizon))
	return nil
}

// forget drops what took place up to the mark: the log, and the operations that
// have returned by then, are in that part of the log, or may have been refused by
// it. Those without an answer that the log does not show stay, for it may show them
// later; of those from before lost only a hash stays.
func (h *History) forget(l *replayed, at mark, lost trace.Instant) {
	p := past{replayed: l, at: at, place: 2*at.rev + 1, done: map[name]int{}}
	for _, w := range l.writes {
		if w.index <= at.index && !w.claimed && w.acts() { // others belong to refusals, which were answered
			p.done[l.nameOf(w)]++
		}
	}
	keep := h.ops[:0]
	for i := range h.ops {
		o := h.ops[i]
		gone := p.holds(&o)
		if !gone && o.outcome() == unknown && o.call < lost {
			h.lost[l.nameOfOp(&o)] = true
			gone = true
		}
		if gone {
			// Numbers of operations must not move: a tombstone stays until all
			// before it are gone.
			o = operation{gone: true}
		}
		keep = append(keep, o)
	}
	front := 0
	for front < len(keep) && keep[front].gone {
		front++
	}
	h.ops, h.dropped = slices.Clone(keep[front:]), h.dropped+front
	h.since = at.now
	l.forget(at)
}

// past tells which operations belong to the part of the log that goes.
type past struct {
	*replayed
	at    mark
	place int64
	done  map[name]int // unclaimed requests in that part that changed something
}

func (p *past) holds(o *operation) bool {
	switch o.outcome() {
	case succeeded:
		if o.write.acts() {
			return o.write.index <= p.at.index
		}
		return o.ret < p.at.now || o.place <= p.place
	case refused:
		// What it saw may lie before the mark if it was called before it, even if it returned after.
		return o.call < p.at.now
	case void:
		return o.gone || o.answered || o.call < p.at.now
	}
	if n := p.nameOfOp(o); o.call < p.at.now && p.done[n] > 0 {
		p.done[n]--
		return true
	}
	return false
}
