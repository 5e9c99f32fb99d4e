package history

import (
	"errors"
	"fmt"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// Watch is one watch of a client, through all the streams that carried it. What it gets is held to the log as it comes:
// who sent it has applied what it tells, so that the log shows it. The history is told with its next verdict.
type Watch struct {
	client  int
	request *pb.WatchCreateRequest
	log     *replayed
	events  int // that have come
	closed  bool
	broken  error // a check.Violation: the first promise that was not kept

	next int64 // first revision that may still come; 0 = not known yet
	at   int   // first change that may still come, of all that the log has ever shown
	seen int64 // revision of the last event, to keep order where the log is not known
	open bool  // inside a fragmented response
	gone int64 // what may have been compacted when it was sent

	start  int64 // first revision that this stream was asked for, 0 = from now on
	marked int64 // revision of its last bookmark
	fresh  bool  // no event has come on it
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
	w.judge(now, func() error { return w.opened(start) })
}

// flood is by how much a watch may have got more events than there are changes: those of a revision come again when a
// stream breaks in the middle of it.
const flood = 1_000

// Received records a response. That far more has come than there is to tell it says at once: a flood may be more than
// there is room to keep.
func (w *Watch) Received(now trace.Instant, r *pb.WatchResponse) error {
	w.judge(now, func() error { return w.received(r) })
	if w.events += len(r.Events); w.log.known() && w.events > w.log.noted+flood {
		return check.Violation{Number: invariant.WatchUnique, Now: now, Text: fmt.Sprintf(
			"client %d, %s: %d events came of %d changes", w.client, w, w.events, w.log.noted)}
	}
	return nil
}

// judge keeps the first promise that is broken.
func (w *Watch) judge(now trace.Instant, holds func() error) {
	if w.broken != nil {
		return
	}
	w.gone = w.log.compacted()
	var v check.Violation
	if err := holds(); errors.As(err, &v) {
		v.Now, v.Text = now, fmt.Sprintf("client %d, %s: %v", w.client, w, v.Text)
		w.broken = v
	}
}

// Closed says that nothing more will come.
func (w *Watch) Closed() { w.closed = true }

// String names the watch.
func (w *Watch) String() string {
	return fmt.Sprintf("watch %q..%q from %d", w.request.Key, w.request.RangeEnd, w.request.StartRevision)
}

// breaks is a promise of watches that is not kept, by the number of its invariant.
func breaks(number int, format string, args ...any) error {
	return check.Violation{Number: number, Text: fmt.Sprintf(format, args...)}
}

// blind reports whether the log before next is no longer kept.
func (w *Watch) blind() bool {
	start := w.log.start
	return !w.log.known() || w.next == 0 || w.next <= start && start > 1
}

// received holds a response to the changes of the log: ordered, unique, reliable
// (no gap), atomic, resumable, bookmarkable.
func (w *Watch) received(r *pb.WatchResponse) error {
	switch {
	case r.Created && !r.Canceled:
		if w.next == 0 {
			w.skipTo(r.GetHeader().GetRevision() + 1)
		}
	case r.Canceled:
		return w.canceled(r)
	case len(r.Events) == 0:
		return w.bookmark(r.GetHeader().GetRevision())
	default:
		return w.told(r)
	}
	return nil
}

func (w *Watch) opened(start int64) error {
	w.open, w.start, w.marked, w.fresh = false, start, 0, true
	if start > 0 && w.next > 0 && start > w.next {
		return breaks(invariant.WatchResumable, "resumed at %d, but nothing after %d had arrived", start, w.next-1)
	}
	w.next, w.seen = 0, 0
	if start > 0 {
		w.skipTo(start)
	}
	return nil
}

// skipTo expects nothing before rev any more.
func (w *Watch) skipTo(rev int64) {
	w.next, w.at = rev, w.log.firstAt(rev)
}

// ahead are the changes of the log that may still come, so far.
func (w *Watch) ahead() []change {
	w.at = max(w.at, w.log.forgotten())
	changes := w.log.changes[w.at-w.log.forgotten():]
	for len(changes) > 0 && changes[0].rev < w.next { // which was not there yet when it was skipped to
		changes = changes[1:]
		w.at++
	}
	return changes
}

func (w *Watch) canceled(r *pb.WatchResponse) error {
	next := w.next
	w.next = 0
	if r.CompactRevision > 0 && next >= r.CompactRevision {
		return breaks(invariant.WatchResumable, "canceled because history before %d is gone, but it needed only %d",
			r.CompactRevision, next)
	}
	return nil
}

// wanted finds the next change that the watch is about; at stays before it.
func (w *Watch) wanted() *change {
	changes := w.ahead()
	for i := range changes {
		if x := &changes[i]; w.matches(x) {
			return x
		}
		w.at++
	}
	return nil
}

// owed is the next change that the watch must be told of by now.
func (w *Watch) owed() *change {
	changes := w.ahead()
	for i := range changes {
		if x := &changes[i]; w.matches(x) && !w.mayLack(x) {
			return x
		}
	}
	return nil
}

// mayLack tells whether a watch may do without a change that the history may have
// lost: of a revision that is compacted only the last change of each key stays.
func (w *Watch) mayLack(x *change) bool {
	return x.undone && x.rev <= w.gone
}

// lacks reports whether of the changes of a key at one revision, from x on, not all
// are among the events that follow: then the first ones are missing.
func (w *Watch) lacks(x *change, events []*pb.Event) bool {
	left := 0
	for _, y := range w.ahead() {
		if y.rev != x.rev {
			break
		}
		if y.key == x.key && w.matches(&y) {
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

func (w *Watch) matches(x *change) bool { return w.wants(x.key, x.kv == nil) }

// wants tells whether an event of this kind and name was asked for.
func (w *Watch) wants(name string, deleted bool) bool {
	for _, f := range w.request.Filters {
		if f == pb.WatchCreateRequest_NOPUT && !deleted || f == pb.WatchCreateRequest_NODELETE && deleted {
			return false
		}
	}
	key, end := string(w.request.Key), string(w.request.RangeEnd)
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
func (w *Watch) bookmark(rev int64) error {
	if rev < w.start {
		return breaks(invariant.WatchProgress, "promised to be at %d, but it begins at %d", rev, w.start)
	}
	if !w.blind() {
		if x := w.owed(); x != nil && x.rev <= rev {
			return breaks(invariant.WatchBookmarkable, "promised to be at %d, but %q of revision %d had not come", rev, x.key,
				x.rev)
		}
	}
	w.marked = max(w.marked, rev)
	if rev+1 > w.next {
		w.skipTo(rev + 1)
	}
	return nil
}

func (w *Watch) told(r *pb.WatchResponse) error {
	for i, e := range r.Events {
		rev := e.GetKv().GetModRevision()
		if rev < w.next {
			return breaks(w.late(rev), "%q of revision %d came when %d was next", e.GetKv().GetKey(), rev, w.next)
		}
		if rev < w.seen || rev == w.seen && i == 0 && !w.open {
			return breaks(w.late(rev), "revision %d came after %d", rev, w.seen)
		}
		if header := r.GetHeader().GetRevision(); header < rev {
			return breaks(invariant.WatchBookmarkable, "an event of revision %d under a header of %d", rev, header)
		}
		if !w.blind() {
			if err := w.expect(r, i); err != nil {
				return err
			}
		}
		w.seen, w.fresh = rev, false
	}
	if w.open = r.Fragment; w.open {
		return nil
	}
	if !w.blind() {
		if x := w.owed(); x != nil && x.rev == w.seen {
			return breaks(invariant.WatchAtomic, "revision %d was torn: %q is missing", x.rev, x.key)
		}
	}
	w.skipTo(w.seen + 1)
	return nil
}

// late says which promise an event breaks that is older than what may come.
func (w *Watch) late(rev int64) int {
	switch {
	case rev < w.start:
		return invariant.WatchFilter // nobody asked for it
	case rev <= w.marked:
		return invariant.WatchBookmarkable
	case rev < w.seen:
		return invariant.WatchOrdered
	}
	return invariant.WatchUnique
}

// expect compares an event of a response with the next change of the log.
func (w *Watch) expect(r *pb.WatchResponse, i int) error {
	e := r.Events[i]
	rev := e.GetKv().GetModRevision()
	x := w.wanted()
	for x != nil && w.mayLack(x) && (!tells(e, x) || !r.Fragment && w.lacks(x, r.Events[i:])) {
		w.at++
		x = w.wanted()
	}
	switch {
	case x == nil:
		return breaks(invariant.WatchReliable, "%q of revision %d is not in the log", e.GetKv().GetKey(), rev)
	case x.rev < rev && w.fresh && w.start > 0:
		return breaks(invariant.WatchResumable, "%q of revision %d never came; the stream began with revision %d", x.key,
			x.rev, rev)
	case x.rev < rev:
		return breaks(invariant.WatchReliable, "%q of revision %d never came; next was revision %d", x.key, x.rev, rev)
	case !w.wants(string(e.GetKv().GetKey()), e.Type == pb.Event_DELETE):
		return breaks(invariant.WatchFilter, "%q of revision %d is nothing that was asked for", e.GetKv().GetKey(), rev)
	case x.rev > rev || x.key != string(e.GetKv().GetKey()):
		return breaks(invariant.WatchReliable, "got %q of revision %d where the log has %q of %d", e.GetKv().GetKey(), rev,
			x.key, x.rev)
	}
	w.at++
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
	return w.expectPrev(e, x)
}

// expectPrev: prev_kv is the pair before this revision; it may be missing only
// when there was none or a compaction has taken it.
func (w *Watch) expectPrev(e *pb.Event, x *change) error {
	switch {
	case e.PrevKv == nil:
		if w.request.PrevKv && x.prev != nil && !x.created && w.gone < x.rev {
			return breaks(invariant.WatchFilter, "%q of revision %d came without its previous pair", x.key, x.rev)
		}
	case !w.request.PrevKv:
		return breaks(invariant.WatchFilter, "%q of revision %d came with a previous pair that nobody asked for", x.key,
			x.rev)
	case !samePair(e.PrevKv, x.prev):
		return breaks(invariant.WatchFilter, "the previous pair of %q at revision %d differs from the log", x.key, x.rev)
	}
	return nil
}
