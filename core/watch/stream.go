package watch

import (
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/trace"
)

// stream is one client stream and its watchers.
type stream struct {
	id       uint64
	slot     int        // in Hub.order
	watchers []*watcher // in an order that depends on the requests alone
	byID     map[int64]*watcher
	nextID   int64
	behind   line // those that are not synced

	onTheWay   []parcel // pushes that were not given back yet, from index sent on
	sent       int
	bytes      int
	free       int  // of them, those that no credit holds back
	blocked    bool // out of credit: watchers behind wait for it
	progressAt trace.Instant
	due, visit int // watchers that the present round of progress notifications still visits, and the place of the next
}

// parcel is a push on its way. A free one was not held back by credit: an answer
// to the client's own request, or the rest of a response in fragments.
type parcel struct {
	size int
	free bool
}

// watcher is one watch.
type watcher struct {
	id     int64
	stream *stream
	seq    uint64 // order of creation
	span
	start int64 // first revision asked for; 0 = from the creation on
	// next is the first revision that the watcher may still get: exact while it is behind, a lower bound while it is
	// synced (it has passed everything published since).
	next int64

	noPut, noDelete          bool
	prev, fragment, progress bool
	quiet                    bool // no event since the last periodic progress notification

	group    *group // in the index of the synced, or of a delivery
	slot     int
	atStream int // slot in stream.watchers

	// The place in the stream's line.
	behind, admitted bool
	before, after    *watcher

	found bool    // the delivery in progress has something for it
	batch []*item // that
	// flushed: the catch-up in progress has moved next itself; served: and has pushed something.
	flushed, served bool
	lacks           int64 // first revision of that delivery which has an event without its previous pair; 0 = none
}

func (s *stream) pushes() int { return len(s.onTheWay) - s.sent }

func (s *stream) freeID() int64 {
	for s.byID[s.nextID] != nil && !mutant.On(mutant.WatchIDReused) {
		s.nextID++
	}
	s.nextID++
	return s.nextID - 1
}

func (s *stream) add(w *watcher) {
	invariant.Assert(s.byID[w.id] == nil || mutant.Enabled, "watch: two watchers of a stream have one id")
	w.atStream = len(s.watchers)
	s.watchers = append(s.watchers, w)
	s.byID[w.id] = w
}

func (s *stream) remove(w *watcher) {
	last := len(s.watchers) - 1
	invariant.Assert(s.watchers[w.atStream] == w, "watch: a watcher is not where it says")
	s.watchers[w.atStream] = s.watchers[last]
	s.watchers[w.atStream].atStream = w.atStream
	s.watchers[last] = nil
	s.watchers = s.watchers[:last]
	delete(s.byID, w.id)
}
