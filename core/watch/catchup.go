package watch

import (
	"errors"

	"vitrine/core/invariant"
	"vitrine/core/mvcc"
	"vitrine/core/trace"
)

// admittedPerPush is how many watchers catch up at a time for each response that a stream may have on its way. Most get
// nothing from most of history, so several share the room of one.
const admittedPerPush = 8

// settle puts a watcher where its next revision says: among the synced, or among those behind. In the line of its
// stream a watcher that was just served goes to the end.
func (h *Hub) settle(w *watcher) {
	s := w.stream
	switch {
	case w.next > h.rev:
		if w.behind {
			s.behind.remove(w)
		}
		invariant.Assert(w.group == nil, "watch: a watcher is among the synced twice")
		h.synced.add(w)
	case !w.behind:
		s.behind.push(w)
	case w.served && w.after != nil:
		s.behind.remove(w)
		s.behind.push(w)
	case w.admitted:
		h.behind.ReplaceOrInsert(w)
		h.dirty = true
	}
	w.served = false
	h.admit(s)
}

// admit lets watchers of s catch up, if it has credit.
func (h *Hub) admit(s *stream) {
	for !s.blocked && s.behind.admitted < admittedPerPush*h.cfg.StreamPushes {
		w := s.behind.admit()
		if w == nil {
			return
		}
		h.behind.ReplaceOrInsert(w)
		h.dirty = true
	}
}

// block stops a stream until it has credit again.
func (h *Hub) block(s *stream) {
	if !s.blocked {
		s.blocked = true
		s.behind.dismiss(func(w *watcher) { h.behind.Delete(w) })
	}
}

// removeWatcher takes a watcher out of everything.
func (h *Hub) removeWatcher(w *watcher) {
	s := w.stream
	if w.behind {
		h.behind.Delete(w)
		s.behind.remove(w)
		h.admit(s)
	} else if w.group != nil {
		h.synced.remove(w)
	}
	s.remove(w)
	if w.prev {
		invariant.Assert(h.prevs > 0, "watch: fewer than no watchers want previous pairs")
		h.prevs--
	}
}

// cancelCompacted ends a watcher whose history is gone.
func (h *Hub) cancelCompacted(w *watcher) {
	h.removeWatcher(w)
	h.answer(w.stream, &Response{WatchID: w.id, Canceled: true, CompactRev: h.compactRev})
	h.emit(trace.WatchCanceled, w, 0, h.compactRev, reasonCompacted)
}

// catchUp serves the watchers behind whose streams have credit: from the recent changes where these go back far enough,
// else by asking for scans.
func (h *Hub) catchUp() {
	for h.serveRecent() {
	}
	h.dirty = false
	h.cancelLost()
	if !h.scanHold {
		h.planScans()
	}
}

// serveRecent tells whether it has served anyone; that may have made room for others.
func (h *Hub) serveRecent() bool {
	var ready []*watcher
	from := &watcher{next: h.recent.first}
	h.behind.AscendGreaterOrEqual(from, func(w *watcher) bool {
		if h.recent.serves(w) {
			ready = append(ready, w)
		}
		return true
	})
	if len(ready) > 0 {
		h.deliver(ready, h.recent.since(ready[0].next), h.rev+1)
	}
	return len(ready) > 0
}

// cancelLost ends the watchers that need what is compacted.
func (h *Hub) cancelLost() {
	for {
		w, ok := h.behind.Min()
		if !ok || w.next >= h.compactRev {
			return
		}
		h.cancelCompacted(w)
	}
}

// planScans asks for scans from where watchers wait, going round from one to the next so that none waits for ever.
func (h *Hub) planScans() {
	for len(h.scans) < h.cfg.Scans {
		from, ok := h.firstUncovered(h.cursor)
		if !ok {
			if from, ok = h.firstUncovered(0); !ok {
				return
			}
		}
		h.scanID++
		scan := Scan{
			ID: h.scanID, From: from, To: min(h.rev, from+h.cfg.ScanRevisions-1),
			MaxBytes: h.cfg.ScanBytes, WithPrev: h.WantsPrev(),
		}
		invariant.Assert(scan.From > 0 && scan.From <= scan.To && scan.To <= h.rev, "watch: a scan of nothing")
		h.scans = append(h.scans, scan)
		h.wanted = append(h.wanted, scan)
		h.cursor = scan.To + 1
	}
}

// firstUncovered is the first revision >= from that a watcher waits for and no scan in flight reads.
func (h *Hub) firstUncovered(from int64) (rev int64, ok bool) {
	for {
		var w *watcher
		h.behind.AscendGreaterOrEqual(&watcher{next: from}, func(x *watcher) bool { w = x; return false })
		if w == nil {
			return 0, false
		}
		covered := false
		for i := range h.scans {
			if h.scans[i].From <= w.next && w.next <= h.scans[i].To {
				covered, from = true, h.scans[i].To+1
			}
		}
		if !covered {
			return w.next, true
		}
	}
}

// Scanned gives the hub the answer to a scan. All watchers behind that wait for what it holds get it, also those that
// came after it was asked for.
func (h *Hub) Scanned(_ trace.Instant, r *ScanResult) {
	at := -1
	for i := range h.scans {
		if h.scans[i].ID == r.ID {
			at = i
		}
	}
	if at < 0 {
		return // asked for before a Reset
	}
	scan := h.scans[at]
	h.scans = append(h.scans[:at], h.scans[at+1:]...)
	h.dirty = true
	if r.Err != nil || r.Next <= scan.From {
		if errors.Is(r.Err, mvcc.ErrCompacted) && r.CompactRev > scan.From {
			h.compactRev = max(h.compactRev, r.CompactRev)
			return
		}
		h.scanHold = true
		return
	}
	invariant.Assert(r.Next <= scan.To+1, "watch: a scan has read more than was asked for")
	var ready []*watcher
	h.behind.AscendRange(&watcher{next: scan.From}, &watcher{next: r.Next}, func(w *watcher) bool {
		ready = append(ready, w)
		return true
	})
	changes := make([]*change, len(r.Changes))
	for i := range r.Changes {
		changes[i] = newChange(&r.Changes[i])
	}
	if len(ready) > 0 {
		h.deliver(ready, changes, r.Next)
	}
}

// deliver gives watchers behind, all of which may be pushed to, the changes up to but not including next.
func (h *Hub) deliver(ready []*watcher, changes []*change, next int64) {
	x := newIndex()
	for _, w := range ready {
		invariant.Assert(w.behind && w.admitted && w.group == nil, "watch: a watcher catches up that is not behind")
		h.behind.Delete(w)
		x.add(w)
	}
	h.match.run(x, changes, next, false)
	for _, w := range ready {
		w.group = nil
		if !w.flushed {
			w.next = max(w.next, next)
		}
		w.flushed = false
		h.settle(w)
	}
}
