package sim

import (
	"vitrine/core/check/history"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/trace"
)

// watcher is a client's watch as clientv3 keeps it: through all streams that
// break under it, it goes on at the revision after the last one it has seen.
type watcher struct {
	id        uint64 // the request that opened it
	client    int
	create    *pb.WatchCreateRequest
	on        *stream
	number    int64 // its watch id on the present connection
	opened    bool  // the server said so, at least once
	answered  bool  // and on the present connection
	canceling bool  // the client has asked for its end
	closed    bool  // for good
	reason    string
	start     int64 // asked for on the present connection
	next      int64 // where it would resume; 0 = with whatever comes
	received  int
	told      int64 // when it last heard how far it is
	recent    []WatchEvent
	slot      int32 // of the request, until it is answered; -1 after
	judged    *history.Watch
	floor     known // what its client had heard when it asked
	resumed   int   // how often it was asked for again
}

// known is the newest revision that a client has heard from one life of a member.
type known struct {
	rev  int64
	life uint32
}

// keptWatchEvents is how many of the last events State shows.
const keptWatchEvents = 32

// maxWatchers bounds the watches of one simulated client.
const maxWatchers = 4

// watch opens a watch for a client: on the stream that it has, or on a new one.
// The visitor has a stream for each.
func (w *World) watch(c *client, create *pb.WatchCreateRequest, fenced bool, words string, endpoint int) *watcher {
	s, joins := c.stream, true
	if c.id == 0 || s == nil || s.closed {
		s, joins = w.newStream(c, fenced, endpoint), false
	}
	w.requestID++
	slot := w.newRequest()
	wt := &watcher{id: w.requestID, client: c.id, on: s, next: create.StartRevision, slot: slot, create: create}
	s.watchers = append(s.watchers, wt)
	w.watchers = append(w.watchers, wt)
	w.issueWatch(c, wt, slot, words)
	if joins {
		w.askWatch(wt)
	} else {
		w.connect(s, w.clientLatency())
	}
	return wt
}

// deliverWatch hands a response to the watchers that it is for.
func (w *World) deliverWatch(s *stream, r *pb.WatchResponse) {
	switch {
	case r.Created:
		if wt := s.oldestUnanswered(); wt != nil {
			w.watchCreated(wt, r)
		}
	case r.WatchId == wholeStream:
		for _, wt := range s.watchers {
			if wt.answered {
				w.watchEvents(wt, r)
			}
		}
	default:
		wt := s.numbered(r.WatchId)
		switch {
		case wt == nil:
		case r.Canceled:
			w.watchCanceled(wt, r)
		default:
			w.watchEvents(wt, r)
		}
	}
}

// wholeStream is the watch id of what concerns no single watcher.
const wholeStream = -1

func (w *World) watchCreated(wt *watcher, r *pb.WatchResponse) {
	wt.answered, wt.number = true, r.WatchId
	if r.Canceled {
		w.closeWatch(wt, r.Header.Revision, r.CancelReason)
		return
	}
	wt.opened, wt.told = true, w.clock.Now
	w.judge.WatchReceived(wt.judged, r)
	if wt.next == 0 {
		wt.next = r.Header.Revision + 1
	}
	w.watchAnswered(wt, r.Header.Revision, nil)
}

func (w *World) watchCanceled(wt *watcher, r *pb.WatchResponse) {
	w.judge.WatchReceived(wt.judged, r)
	switch {
	case wt.canceling:
		w.closeWatch(wt, r.Header.Revision, "canceled by the client")
	case r.CompactRevision > 0 && wt.client != 0:
		// The history is gone; a program would read the keys anew and go on.
		wt.next, wt.answered = r.CompactRevision, false
		wt.on.toBack(wt)
		wt.resumed++
		w.askWatch(wt)
	case r.CompactRevision > 0 && r.CancelReason == "":
		w.closeWatch(wt, r.Header.Revision, "mvcc: required revision has been compacted")
	default:
		w.closeWatch(wt, r.Header.Revision, r.CancelReason)
	}
}

// closeWatch ends a watch for good. The stream of the last one stays open: only
// the visitor's ends with it.
func (w *World) closeWatch(wt *watcher, rev int64, reason string) {
	wt.closed, wt.reason = true, reason
	w.judge.WatchClosed(wt.judged)
	w.watchAnswered(wt, rev, watchError(reason))
	wt.on.drop(wt)
	if wt.client == 0 {
		w.closeStream(wt.on)
	}
	for len(w.watchers) > keptWatchers && w.watchers[0].closed {
		w.watchers = append(w.watchers[:0], w.watchers[1:]...)
	}
}

// keptWatchers bounds the watches that State shows, closed ones included.
const keptWatchers = 16

type watchError string

func (e watchError) Error() string { return string(e) }

func (w *World) watchEvents(wt *watcher, r *pb.WatchResponse) {
	w.judge.WatchReceived(wt.judged, r)
	wt.told = w.clock.Now
	if len(r.Events) == 0 { // it tells how far it is
		wt.next = max(wt.next, r.Header.Revision+1)
	}
	for _, ev := range r.Events {
		wt.received++
		if len(wt.recent) == keptWatchEvents {
			copy(wt.recent, wt.recent[1:])
			wt.recent = wt.recent[:keptWatchEvents-1]
		}
		kind := "PUT"
		if ev.Type == pb.Event_DELETE {
			kind = "DELETE"
		}
		wt.recent = append(wt.recent, WatchEvent{At: w.clock.Now, Rev: ev.Kv.ModRevision, Type: kind, Key: string(ev.Kv.Key), Value: string(ev.Kv.Value)})
	}
	if k := len(r.Events); k > 0 && !r.Fragment {
		wt.next = r.Events[k-1].Kv.ModRevision + 1
	}
}

// issueWatch makes the request of which the opened watch is the answer.
func (w *World) issueWatch(c *client, wt *watcher, slot int32, words string) {
	r := w.requests.At(slot)
	*r = request{
		id: wt.id, client: c.id, op: script.OpWatch, readOnly: true, words: words, key: string(wt.create.Key),
		node: wt.on.node, pinned: wt.on.pinned, attempts: 1, stage: onWay, status: StatusPending, issued: w.clock.Now, stations: r.stations[:0],
	}
	r.cause = w.emit(trace.Event{Kind: trace.RequestIssued, Peer: w.nodes[wt.on.node].id, Request: r.id, A: uint64(script.OpWatch), Text: words})
	w.station(r, "client", 0)
	w.byRequest[r.id] = slot
}

// watchAnswered completes the request that opened a watch.
func (w *World) watchAnswered(wt *watcher, rev int64, err error) {
	if wt.slot < 0 {
		return
	}
	slot := wt.slot
	wt.slot = -1
	r := w.requests.At(slot)
	r.stage, r.status, r.rev, r.done, r.err = finished, StatusOK, rev, w.clock.Now, err
	text := ""
	if err != nil {
		r.status, text = StatusError, err.Error()
	}
	delete(w.byRequest, r.id)
	w.station(r, "client", 0)
	w.emit(trace.Event{Kind: trace.RequestDone, Request: r.id, Rev: rev, Text: text, Cause: r.cause})
	w.retire(slot)
}
