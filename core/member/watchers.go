package member

import (
	"slices"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
	"vitrine/core/watch"
)

// watchers lets those create watchers who may read what they want to watch. Like etcd's, a watcher that exists goes on
// when the permission is gone.
type watchers struct {
	book    *api.Book
	hub     *watch.Hub
	now     trace.Instant
	clients map[uint64]*api.Identity // by stream, of those who show something
	early   []earlyWatch             // in order of arrival
}

// earlyWatch is a request on a stream whose client's token, or that of one before it, waits for an entry.
type earlyWatch struct {
	stream  uint64
	request *pb.WatchRequest
	seen    int64
}

var nobody = &api.Identity{}

func (w *watchers) request(in *Input) {
	if _, on := w.clients[in.Stream]; on && in.Call != nil && !mutant.On(mutant.WatchTokenKept) {
		w.clients[in.Stream] = &in.Call.Identity
	}
	e := earlyWatch{in.Stream, in.Watch, in.Revision}
	// One behind another of its stream keeps its place.
	behind := slices.ContainsFunc(w.early, func(o earlyWatch) bool { return o.stream == e.stream })
	if (behind || !w.admit(e)) && len(w.early) < limits.MaxEarlyWatches {
		w.early = append(w.early, e)
	}
}

// admit passes a request on, or refuses it. False means that it must wait.
func (w *watchers) admit(e earlyWatch) bool {
	who := w.clients[e.stream]
	if who == nil {
		who = nobody
	}
	early, err := w.book.Watcher(who, e.request)
	switch {
	case e.request.GetCreateRequest().GetStartRevision() < 0: // which is said first
		w.hub.RequestSeen(w.now, e.stream, e.request, e.seen)
	case early && len(w.early) < limits.MaxEarlyWatches:
		return false
	case early:
		w.hub.Refuse(e.stream, e.seen, api.ErrInvalidAuthToken.Status())
	case err != nil:
		w.hub.Refuse(e.stream, e.seen, err.Status())
	default:
		w.hub.RequestSeen(w.now, e.stream, e.request, e.seen)
	}
	return true
}

// again looks at the requests that wait, now that entries have been applied.
func (w *watchers) again() {
	if len(w.early) == 0 {
		return
	}
	waiting := w.early
	w.early = nil
	for _, e := range waiting {
		behind := slices.ContainsFunc(w.early, func(o earlyWatch) bool { return o.stream == e.stream })
		if behind || !w.admit(e) {
			w.early = append(w.early, e)
		}
	}
}

func (w *watchers) close(stream uint64) {
	delete(w.clients, stream)
	w.early = slices.DeleteFunc(w.early, func(e earlyWatch) bool { return e.stream == stream })
}
