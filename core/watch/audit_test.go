package watch

import (
	"fmt"
	"slices"
)

// audit counts again what a hub keeps count of, and tells the first difference. It holds between any two calls.
func audit(h *Hub) error {
	watchers, prevs, admitted, synced, bytes := 0, 0, 0, 0, 0
	progressAt := h.progressAt
	for i, s := range h.order {
		if s.slot != i || h.streams[s.id] != s {
			return fmt.Errorf("stream %d is at %d, not at %d", s.id, i, s.slot)
		}
		if err := auditStream(h, s); err != nil {
			return fmt.Errorf("stream %d: %w", s.id, err)
		}
		if s.progressAt != 0 && (progressAt == 0 || s.progressAt < progressAt) {
			progressAt = s.progressAt
		}
		watchers += len(s.watchers)
		bytes += s.bytes
		admitted += s.behind.admitted
		for _, w := range s.watchers {
			if w.prev {
				prevs++
			}
			if !w.behind {
				synced++
			}
		}
	}
	switch {
	case len(h.streams) != len(h.order) || dangling(h.order):
		return fmt.Errorf("%d streams by id, %d in order", len(h.streams), len(h.order))
	case h.bytes != bytes:
		return fmt.Errorf("%d bytes are on the way, not %d", bytes, h.bytes)
	case h.prevs != prevs:
		return fmt.Errorf("%d watchers want previous pairs, not %d", prevs, h.prevs)
	case h.behind.Len() != admitted:
		return fmt.Errorf("%d watchers may catch up, not %d", admitted, h.behind.Len())
	case h.synced.size != synced:
		return fmt.Errorf("%d watchers are synced, not %d", synced, h.synced.size)
	case h.progressAt != progressAt:
		return fmt.Errorf("progress is due at %d, not at %d", progressAt, h.progressAt)
	case len(h.match.found) != 0 || dangling(h.match.found) || h.match.change != nil:
		return fmt.Errorf("a delivery goes on: %d found", len(h.match.found))
	case slices.ContainsFunc(h.pushes[len(h.pushes):cap(h.pushes)], func(p Push) bool { return p.Response != nil }):
		return fmt.Errorf("pushes that were handed out are kept")
	case len(h.scans) > h.cfg.Scans:
		return fmt.Errorf("%d scans in flight", len(h.scans))
	}
	if err := auditTree(h.synced.ranges.root, nil, nil); err != nil {
		return err
	}
	return auditRecent(h)
}

// dangling: behind its end a list still holds something, which the garbage collector would have to keep.
func dangling[T any](list []*T) bool {
	return slices.ContainsFunc(list[len(list):cap(list)], func(p *T) bool { return p != nil })
}

func auditStream(h *Hub, s *stream) error {
	bytes, free := 0, 0
	for _, p := range s.onTheWay[s.sent:] {
		bytes += p.size
		if p.free {
			free++
		}
	}
	switch {
	case s.bytes != bytes || s.free != free || s.sent > 64 && s.sent*2 >= len(s.onTheWay):
		return fmt.Errorf("%d bytes, %d free, not %d, %d; %d of %d sent", bytes, free, s.bytes, s.free, s.sent,
			len(s.onTheWay))
	case len(s.byID) != len(s.watchers) || dangling(s.watchers):
		return fmt.Errorf("%d watchers by id, %d in order", len(s.byID), len(s.watchers))
	case s.blocked && s.behind.admitted != 0:
		return fmt.Errorf("without credit, %d catch up", s.behind.admitted)
	case s.blocked && s.pushes()*2 <= h.cfg.StreamPushes && s.bytes*2 <= h.cfg.StreamBytes:
		return fmt.Errorf("waits with %d pushes and %d bytes on the way", s.pushes(), s.bytes)
	case !s.blocked && s.behind.admitted != min(s.behind.length, admittedPerPush*h.cfg.StreamPushes):
		return fmt.Errorf("%d of %d catch up", s.behind.admitted, s.behind.length)
	}
	inLine := map[*watcher]bool{}
	for w := s.behind.head; w != nil; w = w.after {
		inLine[w] = true
	}
	for i, w := range s.watchers {
		if w.atStream != i || s.byID[w.id] != w {
			return fmt.Errorf("watcher %d is at %d, not at %d", w.id, i, w.atStream)
		}
		if err := auditWatcher(h, w, inLine[w]); err != nil {
			return fmt.Errorf("watcher %d: %w", w.id, err)
		}
	}
	return nil
}

func auditWatcher(h *Hub, w *watcher, inLine bool) error {
	tree, ok := h.behind.Get(w)
	switch {
	case w.found || w.flushed || w.served && w.behind || w.lacks != 0 || len(w.batch) != 0 || dangling(w.batch) ||
		cap(w.batch) > 64:
		return fmt.Errorf("a delivery goes on: %d in its batch of %d", len(w.batch), cap(w.batch))
	case w.behind != inLine || w.behind == (w.group != nil):
		return fmt.Errorf("behind %v, in line %v, group %v", w.behind, inLine, w.group)
	case w.behind && w.next > h.rev:
		return fmt.Errorf("behind, and waits for %d after %d", w.next, h.rev)
	case ok != w.admitted || ok && tree != w:
		return fmt.Errorf("admitted %v, may catch up %v", w.admitted, ok)
	case w.group != nil && (w.group.watchers[w.slot] != w || w.group.span != w.span || dangling(w.group.watchers)):
		return fmt.Errorf("is not in its group")
	}
	return nil
}

// auditTree: the keys are in order, no priority is above its parent's, and each node knows the furthest end below it.
func auditTree(n *rangeNode, low, high *rangeNode) error {
	if n == nil {
		return nil
	}
	if low != nil && compareSpans(low.group.span, n.group.span) >= 0 ||
		high != nil && compareSpans(n.group.span, high.group.span) >= 0 {
		return fmt.Errorf("range %+v is not in order", n.group.span)
	}
	far := n.group.span
	for _, c := range []*rangeNode{n.left, n.right} {
		if c == nil {
			continue
		}
		if c.priority > n.priority {
			return fmt.Errorf("range %+v is above one of higher priority", n.group.span)
		}
		if endsBefore(far, c.far) {
			far = c.far
		}
	}
	if far.end != n.far.end || far.open != n.far.open {
		return fmt.Errorf("the furthest end below %+v is %+v, not %+v", n.group.span, far, n.far)
	}
	if err := auditTree(n.left, low, n); err != nil {
		return err
	}
	return auditTree(n.right, n, high)
}

// auditRecent: what is kept is bounded, has no gap before first, and has all previous pairs from prevFrom on, which is
// as early as it can be.
func auditRecent(h *Hub) error {
	r := &h.recent
	size, next := 0, r.first
	for _, c := range r.changes {
		if c.rev < next || c.rev > h.rev {
			return fmt.Errorf("change of %d where %d is next", c.rev, next)
		}
		next = c.rev + 1
		lacks := false
		for i := range c.events {
			ev := &c.events[i]
			size += 128 + len(ev.Kv.Key) + len(ev.Kv.Value) + len(ev.Prev.GetKey()) + len(ev.Prev.GetValue())
			lacks = lacks || lacksPrev(ev)
		}
		if lacks && c.rev >= r.prevFrom {
			return fmt.Errorf("change of %d lacks a previous pair, but all are known from %d on", c.rev, r.prevFrom)
		}
		if !lacks && c.rev == r.prevFrom-1 {
			return fmt.Errorf("change of %d lacks no previous pair, but they are known only from %d on", c.rev, r.prevFrom)
		}
	}
	if r.bytes != size || len(r.changes) > r.maxRevisions || size > r.maxBytes {
		return fmt.Errorf("%d changes of %d bytes, not %d", len(r.changes), size, r.bytes)
	}
	return nil
}
