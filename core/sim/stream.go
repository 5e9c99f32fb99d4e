package sim

import (
	"errors"
	"slices"
	"time"

	"vitrine/core/api"
	"vitrine/core/check/history"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/sim/clock"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"google.golang.org/protobuf/proto"
)

// stream is a client's watch stream, which its watches share as those of clientv3
// do: when the connection under it breaks, all of them go on over the next.
type stream struct {
	id       uint64 // of the present connection
	client   int
	node     int
	began    int // the endpoint that was chosen first, -1 = there was none
	pinned   bool
	fenced   bool  // it wants no member without a leader
	there    bool  // its member has it open
	closed   bool  // for good
	sent     int64 // when the last of its requests arrives: a stream does not reorder
	arrival  int64 // and when the last response does
	watchers []*watcher
	judged   *history.Stream // the present connection
}

// pushed is a response on its way to a client.
type pushed struct {
	stream   uint64
	response *pb.WatchResponse
	err      error
}

// What evWatchArrive brings to a member, in the low bits of its slot; above them
// stands the request.
const (
	watchOpen  = 0
	watchClose = 1
	watchSent  = 2 // the client has read one response
	watchAsk   = 3
	watchKinds = 4
)

func (w *World) newStream(c *client, fenced bool, endpoint int) *stream {
	s := &stream{client: c.id, fenced: fenced, pinned: endpoint >= 0, node: endpoint, began: endpoint}
	if endpoint < 0 {
		s.began = w.choose(c)
		s.node = max(0, s.began)
	}
	if c.id != 0 {
		c.stream = s
	}
	return s
}

// connect opens a connection after a while and asks for all watches on it.
func (w *World) connect(s *stream, wait int64) {
	w.streamID++
	delete(w.streams, s.id)
	s.id, s.arrival, s.sent, s.there = w.streamID, 0, 0, false
	w.streams[s.id] = s
	s.judged = w.judge.StreamOpened()
	w.transmit(s, watchOpen, 0, wait)
	for _, wt := range slices.Clone(s.watchers) {
		wt.answered = false
		if wt.canceling { // its stream has gone, and so has it
			w.closeWatch(wt, 0, "canceled by the client")
			continue
		}
		w.askWatch(wt)
	}
}

// transmit puts something on the way to a member, behind what was sent before.
func (w *World) transmit(s *stream, what, request int32, wait int64) {
	s.sent = max(w.clock.Now+wait, s.sent+1)
	w.clock.Push(clock.Event{At: s.sent, Kind: evWatchArrive, Slot: what + request*watchKinds, Member: uint32(w.nodes[s.node].id), A: s.id})
}

// ask sends a request over the stream.
func (w *World) ask(s *stream, r *pb.WatchRequest) {
	w.judge.StreamAsked(s.judged, r)
	at := w.asks.Take()
	*w.asks.At(at) = r
	w.transmit(s, watchAsk, at, w.clientLatency())
}

// headless looks after a tick whether a member without a leader has cut the
// streams that require one, when it should have.
func (w *World) headless(n *node) {
	if n.process != running || n.member.Leader() != 0 {
		return
	}
	patience := time.Duration(limits.NoLeaderTimeouts*w.cfg.ElectionTicks)*w.cfg.TickEvery + time.Duration(n.tickEvery)
	if w.clock.Now-n.led <= int64(patience) {
		return
	}
	for _, s := range w.openStreams() {
		if s.fenced && s.there && s.node == n.ix {
			w.judge.Broken(invariant.LeaderRequired, "member %d has had no leader for %v and still serves a stream that requires one", n.id, patience)
			return
		}
	}
}

// askWatch asks for a watch from where it would go on.
func (w *World) askWatch(wt *watcher) {
	wt.floor = w.clients[wt.client].heard[wt.on.node]
	wt.start = wt.next
	create := proto.Clone(wt.create).(*pb.WatchCreateRequest)
	create.StartRevision = wt.next
	wt.judged = w.judge.WatchOpened(wt.judged, wt.client, wt.create, wt.next)
	w.ask(wt.on, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
}

// reconnect goes to the next endpoint, or stays with a pinned one.
func (w *World) reconnect(s *stream, wait time.Duration) {
	if !s.pinned {
		if ix := w.choose(w.clients[s.client]); ix >= 0 {
			s.node = ix
		}
	}
	for _, wt := range s.watchers {
		wt.resumed++
	}
	w.connect(s, int64(wait)+w.clientLatency())
}

// watchArrives brings a stream's beginning or end, or a request on it, to a
// member.
func (w *World) watchArrives(n *node, e *clock.Event) {
	if n.process == paused {
		n.hold(*e)
		return
	}
	if n.process != running {
		w.streamRefused(e)
		return
	}
	s := w.streams[e.A]
	switch e.Slot % watchKinds {
	case watchOpen:
		if s != nil {
			s.there = true
			headless := n.member.Leader() == 0
			w.step(n, &member.Input{Kind: member.WatchOpen, Stream: e.A, OK: s.fenced})
			if headless && s.fenced && s.there {
				w.judge.Broken(invariant.LeaderRequired, "member %d has no leader and opens a stream that requires one", n.id)
			}
		}
	case watchClose:
		w.step(n, &member.Input{Kind: member.WatchClose, Stream: e.A})
	case watchAsk:
		request := w.takeAsk(e)
		w.step(n, &member.Input{
			Kind: member.WatchRequest, Stream: e.A, Watch: request, Revision: n.store.KV.Revision(), Cause: w.arrivedWatch(n, s, request),
		})
	case watchSent:
		w.step(n, &member.Input{Kind: member.WatchSent, Stream: e.A, N: 1})
	}
}

// arrivedWatch notes that the request of a new watch is at its member, and
// returns its cause.
func (w *World) arrivedWatch(n *node, s *stream, r *pb.WatchRequest) uint64 {
	if s == nil || r.GetCreateRequest() == nil {
		return 0
	}
	for _, wt := range s.watchers {
		if !wt.answered && wt.slot >= 0 {
			if r := w.requests.At(wt.slot); r.stage != atMember {
				r.stage, r.node = atMember, n.ix
				return r.cause
			}
		}
	}
	return 0
}

func (w *World) takeAsk(e *clock.Event) *pb.WatchRequest {
	at := w.asks.At(e.Slot / watchKinds)
	r := *at
	*at = nil
	w.asks.Give(e.Slot / watchKinds)
	return r
}

// streamRefused tells a client that nobody listens.
func (w *World) streamRefused(e *clock.Event) {
	switch e.Slot % watchKinds {
	case watchOpen:
		w.sendPush(pushed{stream: e.A, err: errRefused})
	case watchAsk:
		w.takeAsk(e)
	}
}

// breakStreams ends all streams of a process that has died.
func (w *World) breakStreams(n *node) {
	for _, s := range w.openStreams() {
		if s.node == n.ix {
			s.there = false
			w.sendPush(pushed{stream: s.id, err: errReset})
		}
	}
}

// openStreams lists the clients' streams in a fixed order.
func (w *World) openStreams() []*stream {
	w.opened = w.opened[:0]
	for _, s := range w.streams {
		w.opened = append(w.opened, s)
	}
	slices.SortFunc(w.opened, func(a, b *stream) int { return int(int64(a.id) - int64(b.id)) })
	return w.opened
}

// endStream is a member's own end of a stream.
func (w *World) endStream(n *node, end *member.StreamEnd) {
	if s := w.streams[end.Stream]; s != nil {
		s.there = false
		if errors.Is(end.Err, api.ErrNoLeader) && (!s.fenced || n.member.Leader() != 0) {
			w.judge.Broken(invariant.LeaderRequired, "member %d ends a stream for lack of a leader: its leader is %d, required: %t", n.id, n.member.Leader(), s.fenced)
		}
	}
	w.sendPush(pushed{stream: end.Stream, err: end.Err})
}

// push sends a member's watch response to its client.
func (w *World) push(n *node, p *watch.Push) {
	if w.streams[p.Stream] == nil {
		return
	}
	h := n.member.Header()
	w.sendPush(pushed{stream: p.Stream, response: p.Response.Message(&pb.ResponseHeader{ClusterId: h.ClusterID, MemberId: h.MemberID, RaftTerm: h.RaftTerm})})
}

func (w *World) sendPush(p pushed) {
	s := w.streams[p.stream]
	if s == nil {
		return
	}
	// A reader that is slow on purpose is a fault, and healed with the others:
	// else it could be more behind than it can read while the cluster settles.
	read := time.Duration(0)
	if s.client > 0 && s.client%2 == 0 && !w.settling {
		read = w.cfg.Watch.Read
	}
	s.arrival = max(w.clock.Now+w.clientLatency(), s.arrival+int64(read))
	slot := w.pushes.Take()
	*w.pushes.At(slot) = p
	w.clock.Push(clock.Event{At: s.arrival, Kind: evWatchPush, Slot: slot, Member: uint32(w.nodes[s.node].id), Life: w.nodes[s.node].life})
}

// pushArrives is a response at the client.
func (w *World) pushArrives(e *clock.Event) {
	p := *w.pushes.At(e.Slot)
	*w.pushes.At(e.Slot) = pushed{}
	w.pushes.Give(e.Slot)
	s := w.streams[p.stream]
	if s == nil {
		return
	}
	if p.err != nil {
		w.streamBroken(s, p.err)
		return
	}
	w.credit(s, e)
	events := len(p.response.Events)
	w.emit(trace.Event{Kind: trace.WatchReceived, Peer: w.byID(uint64(e.Member)).id, A: s.about(p.response), B: uint64(s.client), C: uint64(events), Rev: p.response.Header.Revision})
	w.judge.StreamReceived(s.judged, s.client, p.response)
	w.beginsLate(s, p.response, e.Life)
	w.deliverWatch(s, p.response)
	if events > 0 {
		c, rev := w.clients[s.client], p.response.Events[events-1].Kv.ModRevision
		c.lastRev = max(c.lastRev, rev)
		c.hears(s.node, e.Life, rev)
	}
}

// beginsLate holds a watch "from now on" to what its client had heard before it
// asked, from the same life of the member: it begins after that.
func (w *World) beginsLate(s *stream, r *pb.WatchResponse, life uint32) {
	if !r.Created || r.Canceled {
		return
	}
	if wt := s.oldestUnanswered(); wt != nil && wt.start == 0 && wt.floor.life == life && r.Header.Revision < wt.floor.rev {
		w.judge.Broken(invariant.WatchFilter, "client %d had heard of revision %d, and a watch from then on begins after %d", s.client, wt.floor.rev, r.Header.Revision)
	}
}

// streamBroken goes on elsewhere, in a moment.
func (w *World) streamBroken(s *stream, err error) {
	wait := retryWait
	var refused *api.Error
	switch {
	case err == errRefused:
		w.clients[s.client].down[s.node] = w.clock.Now + int64(reconnect)
	case errors.As(err, &refused):
		wait = leaderWait
	}
	w.reconnect(s, wait)
}

// leaderWait is how long a client leaves alone who has sent it away.
const leaderWait = 200 * time.Millisecond

// about is the watch that a response is for, by the request that opened it; 0 if
// it is for all.
func (s *stream) about(r *pb.WatchResponse) uint64 {
	wt := s.numbered(r.WatchId)
	if r.Created {
		wt = s.oldestUnanswered()
	}
	if wt == nil {
		return 0
	}
	return wt.id
}

// numbered finds an open watch by its id on the stream.
func (s *stream) numbered(id int64) *watcher {
	for _, wt := range s.watchers {
		if wt.answered && wt.number == id {
			return wt
		}
	}
	return nil
}

// oldestUnanswered is the watch that the next answer to a create is for.
func (s *stream) oldestUnanswered() *watcher {
	for _, wt := range s.watchers {
		if !wt.answered {
			return wt
		}
	}
	return nil
}

// toBack moves a watch that is asked for again behind all others.
func (s *stream) toBack(wt *watcher) {
	s.drop(wt)
	s.watchers = append(s.watchers, wt)
}

func (s *stream) drop(wt *watcher) {
	if i := slices.Index(s.watchers, wt); i >= 0 {
		s.watchers = slices.Delete(s.watchers, i, i+1)
	}
}

// credit tells the member that its client has read a response.
func (w *World) credit(s *stream, e *clock.Event) {
	n := w.byID(uint64(e.Member))
	sent := clock.Event{Kind: evWatchArrive, Slot: watchSent, Member: e.Member, A: s.id}
	switch {
	case n.life != e.Life:
	case n.process == paused:
		n.hold(sent)
	case n.process == running:
		w.watchArrives(n, &sent)
	}
}

// askProgress makes a client ask how far its watches have come.
func (w *World) askProgress(s *stream) {
	w.ask(s, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}

// cancelNumber asks for the end of the watch with that id, whether there is one
// or not.
func (w *World) cancelNumber(s *stream, id int64) {
	if wt := s.numbered(id); wt != nil {
		wt.canceling = true
	}
	w.ask(s, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}})
}

// closeStream ends a stream from the client's side, and all watches on it.
func (w *World) closeStream(s *stream) {
	if s.closed {
		return
	}
	s.closed = true
	w.transmit(s, watchClose, 0, w.clientLatency())
	delete(w.streams, s.id)
	for _, wt := range slices.Clone(s.watchers) {
		w.closeWatch(wt, 0, "canceled by the client")
	}
}

// breakStream ends the connection under a stream. A member that does not hear of
// it learns it when its probes of the connection stay without an answer.
func (w *World) breakStream(s *stream, heard bool) {
	wait := w.clientLatency()
	if !heard {
		wait = int64(keepalive)
	}
	w.clock.Push(clock.Event{At: w.clock.Now + wait, Kind: evWatchArrive, Slot: watchClose, Member: uint32(w.nodes[s.node].id), A: s.id})
	w.reconnect(s, retryWait)
}

// keepalive is when a server gives up a connection that is silent: half a minute
// by default, and here less, so that it happens.
const keepalive = 10 * time.Second
