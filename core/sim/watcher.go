package sim

import (
	"time"

	"vitrine/core/check"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"google.golang.org/protobuf/proto"
)

// watcher is a client's watch as clientv3 keeps it: through all streams that
// break under it, it goes on at the revision after the last one it has seen.
type watcher struct {
	id       uint64 // the request that opened it
	client   int
	create   *pb.WatchCreateRequest
	pinned   bool
	node     int
	began    int    // the endpoint that was chosen first, -1 = there was none
	stream   uint64 // 0 = none at the moment
	opened   bool   // the server said so, at least once
	closed   bool   // for good
	reason   string
	next     int64 // where it would resume; 0 = with whatever comes
	received int
	arrival  int64 // of the last response: a stream does not reorder
	recent   []WatchEvent
	slot     int32 // of the request, until it is answered; -1 after
	judged   *check.Watch
	resumed  int // streams after the first
}

// pushed is a response on its way to a client.
type pushed struct {
	stream   uint64
	response *watch.Response
	err      error
}

// What evWatchArrive brings to a member, in its slot.
const (
	watchOpen  = 0
	watchClose = 1
	watchSent  = 2 // the client has read one response
	watchAsk   = 3 // it asks for a progress notification
)

// keptWatchEvents is how many of the last events State shows.
const keptWatchEvents = 32

// watch opens a watch for a client.
func (w *World) watch(c *client, create *pb.WatchCreateRequest, words string, endpoint int) *watcher {
	slot := w.newRequest()
	w.requestID++
	r := w.requests.at(slot)
	*r = request{
		id: w.requestID, client: c.id, op: opWatch, readOnly: true, words: words, key: string(create.Key),
		node: endpoint, pinned: endpoint >= 0, attempts: 1, stage: onWay, status: StatusPending, issued: w.now, stations: r.stations[:0],
	}
	wt := &watcher{id: r.id, client: c.id, pinned: endpoint >= 0, node: endpoint, next: create.StartRevision, slot: slot, create: create}
	if endpoint < 0 {
		wt.began = w.choose(c)
		wt.node = max(0, wt.began)
		r.node = wt.node
	}
	r.cause = w.emit(trace.Event{Kind: trace.RequestIssued, Peer: w.nodes[wt.node].id, Request: r.id, A: uint64(opWatch), Text: words})
	w.station(r, "client", 0)
	w.byRequest[r.id] = slot
	w.watchers = append(w.watchers, wt)
	w.connect(wt, w.clientLatency())
	return wt
}

// connect opens a new stream after a while.
func (w *World) connect(wt *watcher, wait int64) {
	w.streamID++
	delete(w.streams, wt.stream)
	wt.stream, wt.arrival = w.streamID, 0
	w.streams[wt.stream] = wt
	w.judge.watchOpened(wt)
	w.q.push(event{at: w.now + wait, kind: evWatchArrive, slot: watchOpen, node: uint8(wt.node), a: wt.stream, cause: wt.id})
}

// reconnect goes to the next endpoint, or stays with a pinned one.
func (w *World) reconnect(wt *watcher, wait int64) {
	if !wt.pinned {
		if ix := w.choose(w.clients[wt.client]); ix >= 0 {
			wt.node = ix
		}
	}
	wt.resumed++
	w.connect(wt, wait+w.clientLatency())
}

// watchArrives brings a stream's beginning or end to a member.
func (w *World) watchArrives(n *node, e *event) {
	wt := w.streams[e.a]
	if n.process == paused {
		n.hold(*e)
		return
	}
	if n.process != running {
		w.streamRefused(e)
		return
	}
	switch e.slot {
	case watchOpen:
		if wt == nil || wt.stream != e.a {
			return
		}
		create := proto.Clone(wt.create).(*pb.WatchCreateRequest)
		create.StartRevision = wt.next
		cause := uint64(0)
		if wt.slot >= 0 {
			r := w.requests.at(wt.slot)
			r.stage, r.node, cause = atMember, n.ix, r.cause
		}
		w.step(n, &member.Input{Kind: member.WatchOpen, Stream: e.a, Cause: cause})
		if n.process == running {
			w.step(n, &member.Input{Kind: member.WatchRequest, Stream: e.a, Cause: cause, Watch: &pb.WatchRequest{
				RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create},
			}})
		}
	case watchClose:
		w.step(n, &member.Input{Kind: member.WatchClose, Stream: e.a})
	case watchAsk:
		w.step(n, &member.Input{Kind: member.WatchRequest, Stream: e.a, Watch: &pb.WatchRequest{
			RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}},
		}})
	case watchSent:
		w.step(n, &member.Input{Kind: member.WatchSent, Stream: e.a, N: 1})
	}
}

// streamRefused tells a client that nobody listens.
func (w *World) streamRefused(e *event) {
	if e.slot == watchOpen {
		w.sendPush(pushed{stream: e.a, err: errRefused})
	}
}

// breakStreams ends all streams of a process that has died.
func (w *World) breakStreams(n *node) {
	for _, wt := range w.watchers {
		if wt.node == n.ix && wt.stream != 0 && !wt.closed {
			w.sendPush(pushed{stream: wt.stream, err: errReset})
		}
	}
}

// endStream is a member's own end of a stream.
func (w *World) endStream(_ *node, end *member.StreamEnd) {
	w.sendPush(pushed{stream: end.Stream, err: end.Err})
}

// push sends a member's watch response to its client.
func (w *World) push(_ *node, p *watch.Push) {
	w.sendPush(pushed{stream: p.Stream, response: p.Response})
}

func (w *World) sendPush(p pushed) {
	wt := w.streams[p.stream]
	if wt == nil {
		return
	}
	// A reader that is slow on purpose is a fault, and healed with the others:
	// else it could be more behind than it can read while the cluster settles.
	read := time.Duration(0)
	if wt.client > 0 && wt.client%2 == 0 && !w.settling {
		read = w.cfg.Watch.Read
	}
	wt.arrival = max(w.now+w.clientLatency(), wt.arrival+int64(read))
	slot := w.pushes.take()
	*w.pushes.at(slot) = p
	w.q.push(event{at: wt.arrival, kind: evWatchPush, slot: slot, node: uint8(wt.node), life: w.nodes[wt.node].life})
}

// pushArrives is a response at the client.
func (w *World) pushArrives(e *event) {
	p := *w.pushes.at(e.slot)
	*w.pushes.at(e.slot) = pushed{}
	w.pushes.give(e.slot)
	wt := w.streams[p.stream]
	if wt == nil || wt.closed {
		return
	}
	if p.err != nil {
		if p.err == errRefused {
			w.clients[wt.client].down[wt.node] = w.now + int64(reconnect)
		}
		w.reconnect(wt, int64(retryWait))
		return
	}
	w.credit(wt, e)
	events := 0
	if p.response.Events != nil {
		events = len(p.response.Events.Events)
	}
	w.emit(trace.Event{Kind: trace.WatchReceived, Peer: w.nodes[e.node].id, A: wt.id, B: uint64(wt.client), C: uint64(events), Rev: p.response.Rev})
	w.judge.watchResponse(wt, p.response)
	w.deliverWatch(wt, p.response)
}

// credit tells the member that its client has read a response.
func (w *World) credit(wt *watcher, e *event) {
	n := w.nodes[e.node]
	sent := event{kind: evWatchArrive, slot: watchSent, node: e.node, a: wt.stream}
	switch {
	case n.life != e.life:
	case n.process == paused:
		n.hold(sent)
	case n.process == running:
		w.watchArrives(n, &sent)
	}
}

func (w *World) deliverWatch(wt *watcher, r *watch.Response) {
	switch {
	case r.Created && !r.Canceled:
		wt.opened = true
		if wt.next == 0 {
			wt.next = r.Rev + 1
		}
		w.watchAnswered(wt, r.Rev, nil)
	case r.Canceled && r.CompactRev > 0 && wt.client != 0:
		// The history is gone; a program would read the keys anew and go on.
		wt.next = r.CompactRev
		w.reconnect(wt, int64(retryWait))
	case r.Canceled:
		wt.closed, wt.reason = true, r.Reason
		w.judge.watchClosed(wt)
		if r.CompactRev > 0 && r.Reason == "" {
			wt.reason = "mvcc: required revision has been compacted"
		}
		w.watchAnswered(wt, r.Rev, watchError(wt.reason))
		w.forget(wt)
	default:
		w.watchEvents(wt, r)
	}
}

type watchError string

func (e watchError) Error() string { return string(e) }

func (w *World) watchEvents(wt *watcher, r *watch.Response) {
	if r.Events != nil {
		for _, ev := range r.Events.Events {
			wt.received++
			if len(wt.recent) == keptWatchEvents {
				copy(wt.recent, wt.recent[1:])
				wt.recent = wt.recent[:keptWatchEvents-1]
			}
			kind := "PUT"
			if ev.Type == pb.Event_DELETE {
				kind = "DELETE"
			}
			wt.recent = append(wt.recent, WatchEvent{At: w.now, Rev: ev.Kv.ModRevision, Type: kind, Key: string(ev.Kv.Key), Value: string(ev.Kv.Value)})
		}
		if k := len(r.Events.Events); k > 0 && !r.Fragment {
			wt.next = r.Events.Events[k-1].Kv.ModRevision + 1
		}
	} else if r.Progress {
		wt.next = max(wt.next, r.Rev+1)
	}
}

// watchAnswered completes the request that opened a watch.
func (w *World) watchAnswered(wt *watcher, rev int64, err error) {
	if wt.slot < 0 {
		return
	}
	slot := wt.slot
	wt.slot = -1
	r := w.requests.at(slot)
	r.stage, r.status, r.rev, r.done, r.err = finished, StatusOK, rev, w.now, err
	text := ""
	if err != nil {
		r.status, text = StatusError, err.Error()
	}
	delete(w.byRequest, r.id)
	w.station(r, "client", 0)
	w.emit(trace.Event{Kind: trace.RequestDone, Request: r.id, Rev: rev, Text: text, Cause: r.cause})
	w.retire(slot)
}

// askProgress makes a client ask how far its watch has come.
func (w *World) askProgress(wt *watcher) {
	w.q.push(event{at: w.now + w.clientLatency(), kind: evWatchArrive, slot: watchAsk, node: uint8(wt.node), a: wt.stream})
}

// cancelWatch ends a watch from the client's side.
func (w *World) cancelWatch(wt *watcher) {
	wt.closed, wt.reason = true, "canceled by the client"
	w.judge.watchClosed(wt)
	w.q.push(event{at: w.now + w.clientLatency(), kind: evWatchArrive, slot: watchClose, node: uint8(wt.node), a: wt.stream})
	w.watchAnswered(wt, 0, watchError(wt.reason))
	w.forget(wt)
}

func (w *World) forget(wt *watcher) {
	delete(w.streams, wt.stream)
	wt.stream = 0
	for len(w.watchers) > keptWatchers && w.watchers[0].closed {
		w.watchers = append(w.watchers[:0], w.watchers[1:]...)
	}
}

// keptWatchers bounds the watches that State shows, closed ones included.
const keptWatchers = 16
