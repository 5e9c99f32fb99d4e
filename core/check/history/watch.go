package history

import (
	"fmt"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// Watch is one watch of a client, through all the streams that carried it.
type Watch struct {
	client  int
	request *pb.WatchCreateRequest
	from    position // before items
	items   []watchItem
	last    trace.Instant
	closed  bool
	log     *replayed
	events  int // that have come
}

// position is how far a watch has come.
type position struct {
	next int64 // first revision that may still come; 0 = not known yet
	seen int64 // revision of the last event, to keep order where the log is not known

	start  int64 // first revision that this stream was asked for, 0 = from now on
	marked int64 // revision of its last bookmark
	fresh  bool  // no event has come on it
}

// watchItem is one thing that happened to a watch: a stream began at start, or a
// response came.
type watchItem struct {
	now      trace.Instant
	start    int64
	response *pb.WatchResponse // nil: a stream began
	gone     int64             // what may have been compacted when it was sent
}

// Watch records that client watches. Call Opened whenever a stream begins to
// carry the watch, the first included.
func (h *History) Watch(client int, req *pb.WatchCreateRequest) *Watch {
	w := &Watch{client: client, request: req, log: h.known}
	h.watches = append(h.watches, w)
	return w
}

// Opened records that a stream was asked for this watch from revision start on,
// 0 for "from now on". A client that resumes asks for the revision after the
// last that it has seen.
func (w *Watch) Opened(now trace.Instant, start int64) {
	w.items = append(w.items, watchItem{now: now, start: start, gone: w.log.compacted()})
	w.last = now
}

// flood is by how much a watch may have got more events than there are changes: those of a revision come again when a
// stream breaks in the middle of it.
const flood = 1_000

// Received records a response, which the watch keeps. That far more has come than there is to tell it says at once: a
// flood may be more than there is room to keep.
func (w *Watch) Received(now trace.Instant, r *pb.WatchResponse) error {
	w.items = append(w.items, watchItem{now: now, response: r, gone: w.log.compacted()})
	w.last = now
	if w.events += len(r.Events); w.log.known() && w.events > w.log.noted+flood {
		return check.Violation{Number: invariant.WatchUnique, Now: now, Text: fmt.Sprintf(
			"client %d, %s: %d events came of %d changes", w.client, w, w.events, w.log.noted)}
	}
	return nil
}

// Closed says that nothing more will come.
func (w *Watch) Closed() { w.closed = true }

// String names the watch.
func (w *Watch) String() string {
	return fmt.Sprintf("watch %q..%q from %d", w.request.Key, w.request.RangeEnd, w.request.StartRevision)
}

// broken is a promise of watches that was not kept, by the number of its
// invariant.
type broken struct {
	number int
	text   string
}

func (b *broken) Error() string { return b.text }

func breaks(number int, format string, args ...any) error {
	return &broken{number, fmt.Sprintf(format, args...)}
}

// cursor follows a watch through the changes of the log.
type cursor struct {
	*Watch
	position
	log  *replayed
	at   int  // the first change of the log at next or later
	open bool // inside a fragmented response
	gone int64
}

// blind reports whether the log before next is no longer kept.
func (c *cursor) blind() bool {
	start := c.log.start
	return !c.log.known() || c.next == 0 || c.next <= start && start > 1
}

// check holds everything the watch got to the changes of the log: ordered,
// unique, reliable (no gap), atomic, resumable, bookmarkable.
func (w *Watch) check(l *replayed) error {
	_, _, err := w.follow(l)
	return err
}

// follow returns how far the watch has come, and how many items that took; it
// stops counting inside of fragments.
func (w *Watch) follow(l *replayed) (reached position, items int, err error) {
	c := &cursor{Watch: w, log: l}
	c.skipTo(w.from.next)
	c.position = w.from
	reached = w.from
	for i, item := range w.items {
		c.gone = item.gone
		switch r := item.response; {
		case r == nil:
			err = c.opened(item.start)
		case r.Created && !r.Canceled:
			if c.next == 0 {
				c.skipTo(r.GetHeader().GetRevision() + 1)
			}
		case r.Canceled:
			err = c.canceled(r)
		case len(r.Events) == 0:
			err = c.bookmark(r.GetHeader().GetRevision())
		default:
			err = c.events(r)
		}
		if err != nil {
			return reached, items, err
		}
		if !c.open {
			reached, items = c.position, i+1
		}
	}
	return reached, items, nil
}

func (c *cursor) opened(start int64) error {
	c.open, c.start, c.marked, c.fresh = false, start, 0, true
	if start > 0 && c.next > 0 && start > c.next {
		return breaks(invariant.WatchResumable, "resumed at %d, but nothing after %d had arrived", start, c.next-1)
	}
	c.next, c.at, c.seen = 0, 0, 0
	if start > 0 {
		c.skipTo(start)
	}
	return nil
}

// skipTo expects nothing before rev any more.
func (c *cursor) skipTo(rev int64) {
	c.next = rev
	for c.at < len(c.log.changes) && c.log.changes[c.at].rev < rev {
		c.at++
	}
}

func (c *cursor) canceled(r *pb.WatchResponse) error {
	next := c.next
	c.next = 0
	if r.CompactRevision > 0 && next >= r.CompactRevision {
		return breaks(invariant.WatchResumable, "canceled because history before %d is gone, but it needed only %d",
			r.CompactRevision, next)
	}
	return nil
}

// wanted finds the next change that the watch is about; at stays before it.
func (c *cursor) wanted() *change {
	for ; c.at < len(c.log.changes); c.at++ {
		if x := &c.log.changes[c.at]; c.matches(x) {
			return x
		}
	}
	return nil
}

// owed is the next change that the watch must be told of by now.
func (c *cursor) owed() *change {
	for i := c.at; i < len(c.log.changes); i++ {
		if x := &c.log.changes[i]; c.matches(x) && !c.mayLack(x) {
			return x
		}
	}
	return nil
}

// mayLack tells whether a watch may do without a change that the history may have
// lost: of a revision that is compacted only the last change of each key stays.
func (c *cursor) mayLack(x *change) bool {
	return x.undone && x.rev <= c.gone
}

// lacks reports whether of the changes of a key at one revision, from x on, not all
// are among the events that follow: then the first ones are missing.
func (c *cursor) lacks(x *change, events []*pb.Event) bool {
	left := 0
	for _, y := range c.log.changes[c.at:] {
		if y.rev != x.rev {
			break
		}
		if y.key == x.key && c.matches(&y) {
			left++
		}
	}
	for _, e := range events {
		if e.GetKv().GetModRevision() == x.rev && string(e.GetKv().GetKey()) == x.key {
			left--
		}
	}
	return left > 0
}

// tells reports whether an event is of the kind and key of a change.
func tells(e *pb.Event, x *change) bool {
	return e.GetKv().GetModRevision() == x.rev && string(e.GetKv().GetKey()) == x.key &&
		(e.Type == pb.Event_DELETE) == (x.kv == nil)
}

func (c *cursor) matches(x *change) bool { return c.wants(x.key, x.kv == nil) }

// wants tells whether an event of this kind and name was asked for.
func (c *cursor) wants(name string, deleted bool) bool {
	for _, f := range c.request.Filters {
		if f == pb.WatchCreateRequest_NOPUT && !deleted || f == pb.WatchCreateRequest_NODELETE && deleted {
			return false
		}
	}
	key, end := string(c.request.Key), string(c.request.RangeEnd)
	if key == "" {
		key = "\x00"
	}
	switch end {
	case "":
		return name == key
	case "\x00":
		return name >= key
	}
	return name >= key && name < end
}

// bookmark: everything up to rev has been delivered.
func (c *cursor) bookmark(rev int64) error {
	if rev < c.start {
		return breaks(invariant.WatchProgress, "promised to be at %d, but it begins at %d", rev, c.start)
	}
	if !c.blind() {
		if x := c.owed(); x != nil && x.rev <= rev {
			return breaks(invariant.WatchBookmarkable, "promised to be at %d, but %q of revision %d had not come", rev, x.key,
				x.rev)
		}
	}
	c.marked = max(c.marked, rev)
	if rev+1 > c.next {
		c.skipTo(rev + 1)
	}
	return nil
}

func (c *cursor) events(r *pb.WatchResponse) error {
	for i, e := range r.Events {
		rev := e.GetKv().GetModRevision()
		if rev < c.next {
			return breaks(c.late(rev), "%q of revision %d came when %d was next", e.GetKv().GetKey(), rev, c.next)
		}
		if rev < c.seen || rev == c.seen && i == 0 && !c.open {
			return breaks(c.late(rev), "revision %d came after %d", rev, c.seen)
		}
		if header := r.GetHeader().GetRevision(); header < rev {
			return breaks(invariant.WatchBookmarkable, "an event of revision %d under a header of %d", rev, header)
		}
		if !c.blind() {
			if err := c.expect(r, i); err != nil {
				return err
			}
		}
		c.seen, c.fresh = rev, false
	}
	if c.open = r.Fragment; c.open {
		return nil
	}
	if !c.blind() {
		if x := c.owed(); x != nil && x.rev == c.seen {
			return breaks(invariant.WatchAtomic, "revision %d was torn: %q is missing", x.rev, x.key)
		}
	}
	c.skipTo(c.seen + 1)
	return nil
}

// late says which promise an event breaks that is older than what may come.
func (c *cursor) late(rev int64) int {
	switch {
	case rev < c.start:
		return invariant.WatchFilter // nobody asked for it
	case rev <= c.marked:
		return invariant.WatchBookmarkable
	case rev < c.seen:
		return invariant.WatchOrdered
	}
	return invariant.WatchUnique
}

// expect compares an event of a response with the next change of the log.
func (c *cursor) expect(r *pb.WatchResponse, i int) error {
	e := r.Events[i]
	rev := e.GetKv().GetModRevision()
	x := c.wanted()
	for x != nil && c.mayLack(x) && (!tells(e, x) || !r.Fragment && c.lacks(x, r.Events[i:])) {
		c.at++
		x = c.wanted()
	}
	switch {
	case x == nil:
		return breaks(invariant.WatchReliable, "%q of revision %d is not in the log", e.GetKv().GetKey(), rev)
	case x.rev < rev && c.fresh && c.start > 0:
		return breaks(invariant.WatchResumable, "%q of revision %d never came; the stream began with revision %d", x.key,
			x.rev, rev)
	case x.rev < rev:
		return breaks(invariant.WatchReliable, "%q of revision %d never came; next was revision %d", x.key, x.rev, rev)
	case !c.wants(string(e.GetKv().GetKey()), e.Type == pb.Event_DELETE):
		return breaks(invariant.WatchFilter, "%q of revision %d is nothing that was asked for", e.GetKv().GetKey(), rev)
	case x.rev > rev || x.key != string(e.GetKv().GetKey()):
		return breaks(invariant.WatchReliable, "got %q of revision %d where the log has %q of %d", e.GetKv().GetKey(), rev,
			x.key, x.rev)
	}
	c.at++
	switch e.Type {
	case pb.Event_PUT:
		if x.kv == nil || !samePair(x.kv, e.Kv) {
			return breaks(invariant.WatchReliable, "put of %q at revision %d differs from the log", x.key, rev)
		}
	case pb.Event_DELETE:
		if x.kv != nil || len(e.Kv.Value) > 0 || e.Kv.CreateRevision != 0 || e.Kv.Version != 0 {
			return breaks(invariant.WatchReliable, "delete of %q at revision %d differs from the log", x.key, rev)
		}
	}
	return c.expectPrev(e, x)
}

// expectPrev: prev_kv is the pair before this revision; it may be missing only
// when there was none or a compaction has taken it.
func (c *cursor) expectPrev(e *pb.Event, x *change) error {
	switch {
	case e.PrevKv == nil:
		if c.request.PrevKv && x.prev != nil && !x.created && c.gone < x.rev {
			return breaks(invariant.WatchFilter, "%q of revision %d came without its previous pair", x.key, x.rev)
		}
	case !c.request.PrevKv:
		return breaks(invariant.WatchFilter, "%q of revision %d came with a previous pair that nobody asked for", x.key,
			x.rev)
	case !samePair(e.PrevKv, x.prev):
		return breaks(invariant.WatchFilter, "the previous pair of %q at revision %d differs from the log", x.key, x.rev)
	}
	return nil
}
