package watch

import (
	"errors"

	"vitrine/core/mvcc"
	"vitrine/core/trace"
)

// settle puts a watcher where its next revision says: among the synced, or among those behind.
func (h *Hub) settle(w *watcher) {
	s := w.stream
	if w.next > h.rev {
		s.removeBehind(w)
		h.synced.add(w)
		return
	}
	s.addBehind(w)
	if !s.blocked {
		h.behind.ReplaceOrInsert(w)
		h.dirty = true
	}
}

// removeWatcher takes a watcher out of everything.
func (h *Hub) removeWatcher(w *watcher) {
	if w.isSynced() {
		h.synced.remove(w)
	} else {
		h.behind.Delete(w)
		w.stream.removeBehind(w)
	}
	w.stream.remove(w)
	if w.prev {
		h.prevs--
	}
}

// block stops a stream until it has credit again.
func (h *Hub) block(s *stream) {
	if s.blocked {
		return
	}
	s.blocked = true
	for _, w := range s.behind {
		h.behind.Delete(w)
	}
}

// cancelCompacted ends a watcher whose history is gone.
func (h *Hub) cancelCompacted(w *watcher) {
	if w.group != nil || w.behindSlot != 0 {
		h.removeWatcher(w)
	} else { // new, not settled yet
		w.stream.remove(w)
		if w.prev {
			h.prevs--
		}
	}
	h.push(w.stream, &Response{WatchID: w.id, Canceled: true, CompactRev: h.compactRev})
	h.emit(trace.WatchCanceled, w, 0, h.compactRev, reasonCompacted)
}

// catchUp serves the watchers behind whose streams have credit: from the recent changes where these go back far enough,
// else by asking for scans.
func (h *Hub) catchUp() {
	h.dirty = false
	h.serveRecent()
	h.cancelLost()
	if !h.scanHold {
		h.planScans()
	}
}

func (h *Hub) serveRecent() {
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
	var ready []*watcher
	h.behind.AscendRange(&watcher{next: scan.From}, &watcher{next: r.Next}, func(w *watcher) bool {
		ready = append(ready, w)
		return true
	})
	changes := make([]*change, len(r.Changes))
	for i := range r.Changes {
		changes[i] = newChange(&r.Changes[i])
		changes[i].prevKnown = scan.WithPrev
	}
	if len(ready) > 0 {
		h.deliver(ready, changes, r.Next)
	}
}

// deliver gives watchers behind, all of which may be pushed to, the changes up to but not including next.
func (h *Hub) deliver(ready []*watcher, changes []*change, next int64) {
	x := newIndex()
	for _, w := range ready {
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
