package check

import (
	"fmt"

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
}

// position is how far a watch has come.
type position struct {
	next int64 // first revision that may still come; 0 = not known yet
	seen int64 // revision of the last event, to keep order where the log is not known
}

// watchItem is one thing that happened to a watch: a stream began at start, or a
// response came.
type watchItem struct {
	now      trace.Instant
	start    int64
	response *pb.WatchResponse // nil: a stream began
}

// Watch records that client watches. Call Opened whenever a stream begins to
// carry the watch, the first included.
func (h *History) Watch(client int, req *pb.WatchCreateRequest) *Watch {
	w := &Watch{client: client, request: req}
	h.watches = append(h.watches, w)
	return w
}

// Opened records that a stream was asked for this watch from revision start on,
// 0 for "from now on". A client that resumes asks for the revision after the
// last that it has seen.
func (w *Watch) Opened(now trace.Instant, start int64) {
	w.items = append(w.items, watchItem{now: now, start: start})
	w.last = now
}

// Received records a response, which the watch keeps.
func (w *Watch) Received(now trace.Instant, r *pb.WatchResponse) {
	w.items = append(w.items, watchItem{now: now, response: r})
	w.last = now
}

// Closed says that nothing more will come.
func (w *Watch) Closed() { w.closed = true }

// String names the watch.
func (w *Watch) String() string {
	return fmt.Sprintf("watch %q..%q from %d", w.request.Key, w.request.RangeEnd, w.request.StartRevision)
}

// cursor follows a watch through the changes of the log.
type cursor struct {
	*Watch
	position
	log  *replayed
	at   int  // the first change of the log at next or later
	open bool // inside a fragmented response
}

// blind reports whether the log before next is no longer kept.
func (c *cursor) blind() bool {
	start := c.log.start.Revision()
	return !c.log.known || c.next == 0 || c.next <= start && start > 1
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
	c.open = false
	if start > 0 && c.next > 0 && start > c.next {
		return fmt.Errorf("resumed at %d, but nothing after %d had arrived", start, c.next-1)
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
		return fmt.Errorf("canceled because history before %d is gone, but it needed only %d", r.CompactRevision, next)
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

func (c *cursor) matches(x *change) bool {
	for _, f := range c.request.Filters {
		if f == pb.WatchCreateRequest_NOPUT && x.kv != nil || f == pb.WatchCreateRequest_NODELETE && x.kv == nil {
			return false
		}
	}
	key, end := string(c.request.Key), string(c.request.RangeEnd)
	if key == "" {
		key = "\x00"
	}
	switch end {
	case "":
		return x.key == key
	case "\x00":
		return x.key >= key
	}
	return x.key >= key && x.key < end
}

// bookmark: everything up to rev has been delivered.
func (c *cursor) bookmark(rev int64) error {
	if !c.blind() {
		if x := c.wanted(); x != nil && x.rev <= rev {
			return fmt.Errorf("promised to be at %d, but %q of revision %d had not come", rev, x.key, x.rev)
		}
	}
	if rev+1 > c.next {
		c.skipTo(rev + 1)
	}
	return nil
}

func (c *cursor) events(r *pb.WatchResponse) error {
	for i, e := range r.Events {
		rev := e.GetKv().GetModRevision()
		if rev < c.next {
			return fmt.Errorf("%q of revision %d came when %d was next", e.GetKv().GetKey(), rev, c.next)
		}
		if rev < c.seen || rev == c.seen && i == 0 && !c.open {
			return fmt.Errorf("revision %d came after %d", rev, c.seen)
		}
		if header := r.GetHeader().GetRevision(); header < rev {
			return fmt.Errorf("an event of revision %d under a header of %d", rev, header)
		}
		c.seen = rev
		if !c.blind() {
			if err := c.expect(e); err != nil {
				return err
			}
		}
	}
	if c.open = r.Fragment; c.open {
		return nil
	}
	if !c.blind() {
		if x := c.wanted(); x != nil && x.rev == c.seen {
			return fmt.Errorf("revision %d was torn: %q is missing", x.rev, x.key)
		}
	}
	c.skipTo(c.seen + 1)
	return nil
}

// expect compares an event with the next change of the log.
func (c *cursor) expect(e *pb.Event) error {
	rev := e.GetKv().GetModRevision()
	x := c.wanted()
	switch {
	case x == nil:
		return fmt.Errorf("%q of revision %d is not in the log", e.GetKv().GetKey(), rev)
	case x.rev < rev:
		return fmt.Errorf("%q of revision %d never came; next was revision %d", x.key, x.rev, rev)
	case x.rev > rev || x.key != string(e.GetKv().GetKey()):
		return fmt.Errorf("got %q of revision %d where the log has %q of %d", e.GetKv().GetKey(), rev, x.key, x.rev)
	}
	c.at++
	switch e.Type {
	case pb.Event_PUT:
		if x.kv == nil || !samePair(x.kv, e.Kv) {
			return fmt.Errorf("put of %q at revision %d differs from the log", x.key, rev)
		}
	case pb.Event_DELETE:
		if x.kv != nil || len(e.Kv.Value) > 0 || e.Kv.CreateRevision != 0 || e.Kv.Version != 0 {
			return fmt.Errorf("delete of %q at revision %d differs from the log", x.key, rev)
		}
	}
	return c.expectPrev(e, x)
}

// expectPrev: prev_kv is the pair before this revision; it may be missing only
// when there was none or a compaction has taken it.
func (c *cursor) expectPrev(e *pb.Event, x *change) error {
	switch {
	case e.PrevKv == nil:
		if c.request.PrevKv && x.prev != nil && !x.created && c.log.compacted < x.rev {
			return fmt.Errorf("%q of revision %d came without its previous pair", x.key, x.rev)
		}
	case !c.request.PrevKv:
		return fmt.Errorf("%q of revision %d came with a previous pair that nobody asked for", x.key, x.rev)
	case !samePair(e.PrevKv, x.prev):
		return fmt.Errorf("the previous pair of %q at revision %d differs from the log", x.key, x.rev)
	}
	return nil
}
