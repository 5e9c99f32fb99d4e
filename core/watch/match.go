package watch

import (
	"slices"

	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// matcher finds the watchers of each event of a run of changes, and hands each of them all its events at once.
type matcher struct {
	h       *Hub
	change  *change
	at      int
	found   []*watcher // in the order of their first event
	matches func(g *group)
}

func (m *matcher) init(h *Hub) {
	m.h = h
	m.matches = func(g *group) {
		for _, w := range g.watchers {
			m.offer(w)
		}
	}
}

// run delivers changes, which hold everything up to next, to the watchers of x. live tells that x is the synced.
// Else the caller settles the watchers afterwards.
func (m *matcher) run(x *index, changes []*change, next int64, live bool) {
	for _, c := range changes {
		m.change = c
		for i := range c.events {
			if m.at = i; mutant.On(mutant.EventsMerged) && c.again(i) {
				continue
			}
			x.visit(c.events[i].Kv.Key, m.matches)
		}
	}
	for _, w := range m.found {
		w.found = false
		m.h.flush(w, next, live)
		if live && w.next <= m.h.rev {
			m.h.synced.remove(w)
			m.h.settle(w)
		}
	}
	clear(m.found)
	m.found, m.change = m.found[:0], nil
	m.h.encoder.forget()
}

// again tells whether a later event of the change is of the same key.
func (c *change) again(i int) bool {
	return slices.ContainsFunc(c.events[i+1:],
		func(e mvcc.Event) bool { return string(e.Kv.Key) == string(c.events[i].Kv.Key) })
}

// offer notes the current event for w if w wants it.
func (m *matcher) offer(w *watcher) {
	c := m.change
	if c.rev < w.next || w.lacks != 0 {
		return
	}
	ev := &c.events[m.at]
	if ev.Type == pb.Event_DELETE && w.noDelete || ev.Type == pb.Event_PUT && w.noPut {
		return
	}
	if !w.found {
		w.found = true
		m.found = append(m.found, w)
	}
	if w.prev && lacksPrev(ev) {
		w.lacks = c.rev
		return
	}
	w.batch = append(w.batch, c.item(m.at))
}

// flush pushes the batch of w as responses of whole revisions, while its stream has credit, and moves w.next to the
// first revision that w did not get.
func (h *Hub) flush(w *watcher, next int64, live bool) {
	if w.lacks != 0 { // from there on w needs a scan with previous pairs
		next = w.lacks
		for last := len(w.batch) - 1; last >= 0 && w.batch[last].rev >= next; last-- {
			w.batch[last] = nil
			w.batch = w.batch[:last]
		}
	}
	s, reached := w.stream, next
	for i := 0; i < len(w.batch); {
		if !h.hasCredit(s) {
			h.block(s)
			switch {
			case mutant.On(mutant.SlowWatcherDropped):
			case mutant.On(mutant.EventTwice):
				reached = max(w.start, w.batch[i].rev-1)
			default:
				reached = w.batch[i].rev
			}
			break
		}
		end := h.responseEnd(w, i)
		rev := w.batch[end-1].rev
		if end == len(w.batch) && !live {
			rev = next - 1
		}
		h.pushEvents(w, w.batch[i:end], rev)
		w.served = true
		i = end
	}
	w.next, w.lacks, w.flushed = reached, 0, !live
	clear(w.batch)
	w.batch = w.batch[:0]
	if cap(w.batch) > 64 {
		w.batch = nil // one long catch-up should not cost its memory for ever
	}
}

// responseEnd is where the response that begins at w.batch[i] ends: after a whole revision, before it gets too large.
func (h *Hub) responseEnd(w *watcher, i int) int {
	size, end, revisions := 0, i, int64(0)
	for end < len(w.batch) && size < h.cfg.ResponseBytes && revisions < h.cfg.ScanRevisions {
		rev := w.batch[end].rev
		for end < len(w.batch) && w.batch[end].rev == rev {
			size += h.encoder.variant(w.batch[end], w.prev).size
			end++
			if mutant.On(mutant.RevisionTorn) {
				return end
			}
		}
		revisions++
	}
	return end
}

func (h *Hub) pushEvents(w *watcher, batch []*item, rev int64) {
	w.quiet = false
	if w.fragment {
		h.pushFragments(w, batch, rev)
		return
	}
	h.push(w.stream, &Response{WatchID: w.id, Rev: rev, Events: h.encoder.list(batch, w.prev)})
	h.emit(trace.WatchPushed, w, len(batch), rev, "")
}

// pushFragments splits a response that is too large. All fragments go, whatever the credit: the rest of a revision
// cannot wait for a scan.
func (h *Hub) pushFragments(w *watcher, batch []*item, rev int64) {
	empty := (&Response{WatchID: w.id, Rev: rev}).SizeWire()
	for first := true; len(batch) > 0; first = false {
		size, n := empty, 0
		for n < len(batch) {
			size += h.encoder.variant(batch[n], w.prev).size
			if n > 0 && size >= h.cfg.FragmentBytes {
				break
			}
			n++
		}
		if mutant.On(mutant.FragmentDropped) && !first && n < len(batch) {
			batch = batch[n:]
			continue
		}
		h.launch(w.stream, &Response{WatchID: w.id, Rev: rev, Fragment: n < len(batch),
			Events: h.encoder.list(batch[:n], w.prev)}, !first)
		h.emit(trace.WatchPushed, w, n, rev, "")
		batch = batch[n:]
	}
}

// encoder makes the lists of events of responses, and makes nothing twice.
type encoder struct {
	skip bool
	last [2]struct { // the last list of several events, by variant
		items []*item
		list  *Encoded
	}
}

func (e *encoder) forget() {
	for i := range e.last {
		clear(e.last[i].items)
		e.last[i].items, e.last[i].list = e.last[i].items[:0], nil
	}
}

// variant makes an event as those get it who want the previous pair, or do not.
func (e *encoder) variant(it *item, prev bool) *variant {
	prev = prev && it.event.Prev != nil && !isCreate(it.event)
	v := &it.variants[variantIndex(prev)]
	if v.event[0] != nil {
		return v
	}
	event := it.event.Event
	if prev {
		event = &pb.Event{Type: it.event.Type, Kv: it.event.Kv, PrevKv: it.event.Prev}
	}
	n := event.SizeVT()
	v.event[0], v.size = event, 1+uvarintLen(uint64(n))+n
	v.alone = Encoded{Events: v.event[:], size: v.size}
	if !e.skip {
		v.wire[0] = appendEvent(make([]byte, 0, v.size), event, n)
		v.alone.parts = v.wire[:]
	}
	return v
}

func (e *encoder) list(batch []*item, prev bool) *Encoded {
	if len(batch) == 1 {
		return &e.variant(batch[0], prev).alone
	}
	last := &e.last[variantIndex(prev)]
	if last.list == nil || !slices.Equal(last.items, batch) {
		last.items = append(last.items[:0], batch...)
		last.list = e.make(batch, prev)
	}
	return last.list
}

func (e *encoder) make(batch []*item, prev bool) *Encoded {
	l := &Encoded{Events: make([]*pb.Event, len(batch))}
	if !e.skip {
		l.parts = make([][]byte, len(batch))
	}
	for i, it := range batch {
		v := e.variant(it, prev)
		l.Events[i] = v.event[0]
		l.size += v.size
		if !e.skip {
			l.parts[i] = v.wire[0]
		}
	}
	return l
}

func variantIndex(prev bool) int {
	if prev {
		return 1
	}
	return 0
}
