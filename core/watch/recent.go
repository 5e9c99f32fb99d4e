package watch

import (
	"cmp"
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// change is a published or scanned change, with the encodings that watchers share.
type change struct {
	rev    int64
	events []mvcc.Event
	items  []item // made when the first watcher wants one
	bytes  int    // about what it holds in memory; in recent only
}

// item is one event on its way to watchers.
type item struct {
	rev      int64
	event    *mvcc.Event
	variants [2]variant // without and with the previous pair
}

// variant is an event as some watchers get it.
type variant struct {
	event [1]*pb.Event // nil until a watcher gets it
	wire  [1][]byte
	size  int
	alone Encoded // the list of this event only, made with it: most responses carry one event
}

func newChange(c *mvcc.Change) *change { return &change{rev: c.Rev, events: c.Events} }

func (c *change) item(i int) *item {
	if c.items == nil {
		c.items = make([]item, len(c.events))
	}
	it := &c.items[i]
	it.rev, it.event = c.rev, &c.events[i]
	return it
}

// lacksPrev tells whether a watcher that wants previous pairs cannot be given this event. One that creates its key has
// no previous pair.
func lacksPrev(ev *mvcc.Event) bool { return !ev.HasPrev && !isCreate(ev) }

func isCreate(ev *mvcc.Event) bool {
	return ev.Type == pb.Event_PUT && ev.Kv.CreateRevision == ev.Kv.ModRevision
}

// recent is a ring of the newest changes.
type recent struct {
	changes                []*change
	bytes                  int
	maxRevisions, maxBytes int
	first                  int64 // all changes of revisions >= first are here
	prevFrom               int64 // and, from here on, none of them lacks its previous pair
}

func (r *recent) add(c *mvcc.Change) {
	invariant.Assert(c.Rev >= r.first, "watch: a change is older than what is kept")
	added := newChange(c)
	r.changes = append(r.changes, added)
	for i := range c.Events {
		if lacksPrev(&c.Events[i]) {
			r.prevFrom = c.Rev + 1
		}
		added.bytes += eventBytes(&c.Events[i])
	}
	r.bytes += added.bytes
}

// trim drops the oldest changes that are over the bounds.
func (r *recent) trim() {
	n := 0
	for n < len(r.changes) && (len(r.changes)-n > r.maxRevisions || r.bytes > r.maxBytes) {
		c := r.changes[n]
		r.bytes -= c.bytes
		invariant.Assert(r.bytes >= 0, "watch: the newest changes take less than no bytes")
		r.first = c.rev + 1
		r.changes[n] = nil
		n++
	}
	r.changes = r.changes[n:]
}

func (r *recent) clear(first int64) {
	clear(r.changes)
	r.changes, r.bytes, r.first, r.prevFrom = r.changes[:0], 0, first, first
}

// serves tells whether all that w lacks is here.
func (r *recent) serves(w *watcher) bool {
	return w.next >= r.first && (!w.prev || w.next >= r.prevFrom)
}

// since returns the changes of revisions >= rev.
func (r *recent) since(rev int64) []*change {
	i, _ := slices.BinarySearchFunc(r.changes, rev, func(c *change, rev int64) int { return cmp.Compare(c.rev, rev) })
	return r.changes[i:]
}

// eventBytes is about what an event holds in memory.
func eventBytes(ev *mvcc.Event) int {
	const overhead = 128
	n := overhead + len(ev.Kv.Key) + len(ev.Kv.Value)
	if ev.Prev != nil {
		n += len(ev.Prev.Key) + len(ev.Prev.Value)
	}
	return n
}
