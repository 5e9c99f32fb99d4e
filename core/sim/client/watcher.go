package client

import (
	"vitrine/core/api"
	"vitrine/core/check/history"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/trace"
)

// watcher is a client's watch as clientv3 keeps it: through all streams that
// break under it, it goes on at the revision after the last one it has seen.
type Watcher struct {
	ID        uint64 // the request that opened it
	Client    int
	Create    *pb.WatchCreateRequest
	On        *Stream
	Number    int64 // its watch id on the present connection
	Opened    bool  // the server said so, at least once
	Answered  bool  // and on the present connection
	canceling bool  // the client has asked for its end
	Closed    bool  // for good
	Reason    string
	Start     int64  // asked for on the present connection
	Asked     uint64 // the member that was asked for it last
	Next      int64  // where it would resume; 0 = with whatever comes
	Received  int
	Told      int64 // when it last heard how far it is
	Recent    []Change
	slot      int32 // of the request, until it is answered; -1 after
	judged    *history.Watch
	floor     known // what its client had heard when it asked
	Resumed   int   // how often it was asked for again
}

// Change is one change that a watch has delivered.
type Change struct {
	At    int64
	Rev   int64
	Type  string // PUT, DELETE
	Key   string
	Value string
}

// known is the newest revision that a client has heard from one life of a member.
type known struct {
	rev  int64
	life uint32
}

// keptChanges is how many of the last events State shows.
const keptChanges = 32

// maxWatchers bounds the watches of one simulated client.
const maxWatchers = 4

// Watch opens a watch for a client: on the stream that it has, or on a new one.
// The visitor has a stream for each.
func (t *streams) Watch(c *Client, create *pb.WatchCreateRequest, fenced bool, words string, endpoint uint64) *Watcher {
	p := t.p
	s, joins := c.Stream, true
	if c.ID == 0 || s == nil || s.Closed {
		s, joins = p.newStream(c, fenced, endpoint), false
	}
	p.requestID++
	slot := p.newRequest()
	wt := &Watcher{ID: p.requestID, Client: c.ID, On: s, Next: create.StartRevision, slot: slot, Create: create}
	s.Watchers = append(s.Watchers, wt)
	p.watchers = append(p.watchers, wt)
	p.issueWatch(c, wt, slot, words)
	if joins {
		p.askWatch(wt)
	} else {
		p.connect(s, p.latency())
	}
	return wt
}

// deliverWatch hands a response to the watchers that it is for.
func (t *streams) deliverWatch(s *Stream, r *pb.WatchResponse) {
	p := t.p
	switch {
	case r.Created:
		if wt := s.oldestUnanswered(); wt != nil {
			p.watchCreated(wt, r)
		}
	case r.WatchId == wholeStream:
		for _, wt := range s.Watchers {
			if wt.Answered {
				p.watchEvents(wt, r)
			}
		}
	default:
		wt := s.numbered(r.WatchId)
		switch {
		case wt == nil:
		case r.Canceled:
			p.watchCanceled(wt, r)
		default:
			p.watchEvents(wt, r)
		}
	}
}

// wholeStream is the watch id of what concerns no single watcher.
const wholeStream = -1

func (t *streams) watchCreated(wt *Watcher, r *pb.WatchResponse) {
	p := t.p
	wt.Answered, wt.Number = true, r.WatchId
	if r.Canceled {
		p.closeWatch(wt, r.Header.Revision, r.CancelReason)
		return
	}
	wt.Opened, wt.Told = true, p.clock.Now
	p.judge.WatchReceived(wt.judged, r)
	if wt.Next == 0 {
		wt.Next = r.Header.Revision + 1
	}
	p.watchAnswered(wt, r.Header.Revision, nil)
}

func (t *streams) watchCanceled(wt *Watcher, r *pb.WatchResponse) {
	p := t.p
	p.judge.WatchReceived(wt.judged, r)
	switch {
	case wt.canceling:
		p.closeWatch(wt, r.Header.Revision, "canceled by the client")
	case r.CompactRevision > 0 && wt.Client != 0:
		// The history is gone; a program would read the keys anew and go on.
		wt.Next, wt.Answered = r.CompactRevision, false
		wt.On.toBack(wt)
		wt.Resumed++
		p.askWatch(wt)
	case r.CompactRevision > 0 && r.CancelReason == "":
		p.closeWatch(wt, r.Header.Revision, "mvcc: required revision has been compacted")
	default:
		p.closeWatch(wt, r.Header.Revision, r.CancelReason)
	}
}

// closeWatch ends a watch for good. The stream of the last one stays open: only
// the visitor's ends with it.
func (t *streams) closeWatch(wt *Watcher, rev int64, reason string) {
	p := t.p
	wt.Closed, wt.Reason = true, reason
	p.tell(wt, trace.Event{Kind: trace.WatchEnded, Text: reason})
	p.judge.WatchClosed(wt.judged)
	p.watchAnswered(wt, rev, watchError(reason))
	wt.On.drop(wt)
	if wt.Client == 0 {
		p.CloseStream(wt.On)
	}
	for len(p.watchers) > keptWatchers && p.watchers[0].Closed {
		p.watchers = append(p.watchers[:0], p.watchers[1:]...)
	}
}

// keptWatchers bounds the watches that State shows, closed ones included.
const keptWatchers = 16

type watchError string

func (e watchError) Error() string { return string(e) }

func (t *streams) watchEvents(wt *Watcher, r *pb.WatchResponse) {
	p := t.p
	p.judge.WatchReceived(wt.judged, r)
	wt.Told = p.clock.Now
	if len(r.Events) == 0 { // it tells how far it is
		wt.Next = max(wt.Next, r.Header.Revision+1)
	}
	if r.WatchId == wholeStream {
		p.tell(wt, trace.Event{Kind: trace.WatchMoved, Rev: wt.Next})
	}
	for _, ev := range r.Events {
		wt.Received++
		key, value := p.tellChange(wt, ev)
		if len(wt.Recent) == keptChanges {
			copy(wt.Recent, wt.Recent[1:])
			wt.Recent = wt.Recent[:keptChanges-1]
		}
		kind := "PUT"
		if ev.Type == pb.Event_DELETE {
			kind = "DELETE"
		}
		wt.Recent = append(wt.Recent, Change{At: p.clock.Now, Rev: ev.Kv.ModRevision, Type: kind, Key: key, Value: value})
	}
	if k := len(r.Events); k > 0 && !r.Fragment {
		wt.Next = r.Events[k-1].Kv.ModRevision + 1
	}
}

// issueWatch makes the request of which the opened watch is the answer.
func (t *streams) issueWatch(c *Client, wt *Watcher, slot int32, words string) {
	p := t.p
	r := p.requests.At(slot)
	*r = Request{
		ID: wt.ID, Client: c.ID, Op: script.OpWatch, readOnly: true, Words: words, Key: string(wt.Create.Key),
		Member: wt.On.Member, Attempts: 1, stage: onWay, Status: Pending, Issued: p.clock.Now,
	}
	r.cause = p.host.Emit(trace.Event{Kind: trace.RequestIssued, Peer: wt.On.Member, Request: r.ID, A: uint64(api.Watch),
		B: uint64(c.ID), Text: words})
	r.Tried = r.Member
	p.byRequest[r.ID] = slot
}

// watchAnswered completes the request that opened a watch.
func (t *streams) watchAnswered(wt *Watcher, rev int64, err error) {
	p := t.p
	if wt.slot < 0 {
		return
	}
	slot := wt.slot
	wt.slot = -1
	r := p.requests.At(slot)
	r.stage, r.Status, r.Rev, r.Done, r.Err = finished, OK, rev, p.clock.Now, err
	text := ""
	if err != nil {
		r.Status, text = Failed, err.Error()
	}
	delete(p.byRequest, r.ID)
	p.host.Emit(trace.Event{Kind: trace.RequestDone, Request: r.ID, Rev: rev, Text: text, Cause: r.cause})
	p.retire(slot)
}
