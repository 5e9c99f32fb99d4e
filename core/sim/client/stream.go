package client

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"vitrine/core/api"
	"vitrine/core/check/history"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"google.golang.org/protobuf/proto"
)

// stream is a client's watch stream, which its watches share as those of clientv3
// do: when the connection under it breaks, all of them go on over the next.
type Stream struct {
	id       uint64 // of the present connection
	Client   int
	Member   uint64
	began    uint64       // the endpoint that was chosen first, 0 = there was none
	Fenced   bool         // it wants no member without a leader
	who      api.Identity // what is shown on the present connection
	as, show string       // what a visitor wants to be shown
	There    bool         // its member has it open
	Closed   bool         // for good
	sent     int64        // when the last of its requests arrives: a stream does not reorder
	arrival  int64        // and when the last response does
	Watchers []*Watcher
	Judged   *history.Stream // the present connection
}

// pushed is a response on its way to a client.
type pushed struct {
	stream   uint64
	response *pb.WatchResponse
	err      error
}

// What WatchArrive brings to a member, in the low bits of its slot; above them
// stands the request.
const (
	watchOpen  = 0
	watchClose = 1
	watchSent  = 2 // the client has read one response
	watchAsk   = 3
	watchKinds = 4
)

func (t *streams) newStream(c *Client, fenced bool, endpoint uint64) *Stream {
	p := t.p
	s := &Stream{Client: c.ID, Fenced: fenced, Member: endpoint, began: endpoint, as: c.as, show: c.shows}
	if endpoint == 0 {
		s.began = p.choose(c)
		s.Member = cmp.Or(s.began, p.host.Members()[0])
	}
	if c.ID != 0 {
		c.Stream = s
	}
	return s
}

// connect opens a connection after a while and asks for all watches on it.
func (t *streams) connect(s *Stream, wait int64) {
	p := t.p
	p.streamID++
	delete(p.byID, s.id)
	s.id, s.arrival, s.sent, s.There = p.streamID, 0, 0, false
	if s.who = p.identity(p.clients[s.Client], script.OpWatch, s.show); s.as != "" {
		s.who = Named(s.as)
	}
	p.byID[s.id] = s
	s.Judged = p.judge.StreamOpened()
	p.transmit(s, watchOpen, 0, wait)
	for _, wt := range slices.Clone(s.Watchers) {
		wt.Answered = false
		if wt.canceling { // its stream has gone, and so has it
			p.closeWatch(wt, 0, "canceled by the client")
			continue
		}
		p.askWatch(wt)
	}
}

// transmit puts something on the way to a member, behind what was sent before.
func (t *streams) transmit(s *Stream, what, request int32, wait int64) {
	p := t.p
	s.sent = max(p.clock.Now+wait, s.sent+1)
	p.clock.Push(clock.Event{At: s.sent, Kind: WatchArrive, Slot: what + request*watchKinds, Member: uint32(s.Member),
		A: s.id})
}

// ask sends a request over the stream.
func (t *streams) ask(s *Stream, r *pb.WatchRequest) {
	p := t.p
	p.judge.StreamAsked(s.Judged, r)
	at := p.asks.Take()
	*p.asks.At(at) = asked{r, s.who.Token}
	p.transmit(s, watchAsk, at, p.latency())
}

// Headless looks after a tick whether a member without a leader has cut the
// streams that require one, when it should have.
func (t *streams) Headless(n Server) {
	p := t.p
	if !n.Runs() || n.Member().Leader() != 0 {
		return
	}
	patience := time.Duration(limits.NoLeaderTimeouts*p.cfg.ElectionTicks)*p.cfg.TickEvery + time.Duration(n.Tick())
	if p.clock.Now-n.Led() <= int64(patience) {
		return
	}
	for _, s := range p.OpenStreams() {
		if s.Fenced && s.There && s.Member == n.ID() {
			p.judge.Broken(invariant.LeaderRequired,
				"member %d has had no leader for %v and still serves a stream that requires one", n.ID(), patience)
			return
		}
	}
}

// askWatch asks for a watch from where it would go on.
func (t *streams) askWatch(wt *Watcher) {
	p := t.p
	wt.floor = p.clients[wt.Client].heard[wt.On.Member]
	wt.Start, wt.Asked = wt.Next, wt.On.Member
	p.tell(wt, trace.Event{
		Kind: trace.WatchAsked, Peer: wt.Asked, Rev: wt.Next,
		C: uint64(len(wt.Create.Key)), Text: string(wt.Create.Key) + string(wt.Create.RangeEnd),
	})
	create := proto.Clone(wt.Create).(*pb.WatchCreateRequest)
	create.StartRevision = wt.Next
	wt.judged = p.judge.WatchOpened(wt.judged, wt.Client, wt.Create, wt.Next)
	p.ask(wt.On, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
}

// reconnect goes to the next endpoint.
func (t *streams) reconnect(s *Stream, wait time.Duration) {
	p := t.p
	if id := p.choose(p.clients[s.Client]); id != 0 {
		s.Member = id
	}
	for _, wt := range s.Watchers {
		wt.Resumed++
	}
	p.connect(s, int64(wait)+p.latency())
}

// watchArrives brings a stream's beginning or end, or a request on it, to a
// member.
func (t *streams) watchArrives(n Server, e *clock.Event) {
	p := t.p
	if n.Paused() {
		n.Hold(*e)
		return
	}
	if !n.Runs() {
		p.streamRefused(e)
		return
	}
	s := p.byID[e.A]
	switch e.Slot % watchKinds {
	case watchOpen:
		if s != nil {
			s.There = true
			headless := n.Member().Leader() == 0
			s.who = n.Verify(s.who)
			n.Step(member.Input{Kind: member.WatchOpen, Stream: e.A, OK: s.Fenced, Call: &api.Call{Identity: s.who}})
			if headless && s.Fenced && s.There {
				p.judge.Broken(invariant.LeaderRequired, "member %d has no leader and opens a stream that requires one", n.ID())
			}
		}
	case watchClose:
		n.Step(member.Input{Kind: member.WatchClose, Stream: e.A})
	case watchAsk:
		ask, call := p.takeAsk(e), (*api.Call)(nil)
		if s != nil && s.There {
			s.who = n.Verify(s.who)
			call = &api.Call{Identity: s.who}
			p.judge.StreamArrived(s.Judged, n, &s.who, ask.request)
		} else {
			p.judge.StreamLeft(n, ask.token)
		}
		n.Step(member.Input{
			Kind: member.WatchRequest, Stream: e.A, Watch: ask.request, Call: call, Revision: n.Store().KV.Revision(),
			Cause: p.arrivedWatch(n, s, ask.request),
		})
	case watchSent:
		n.Step(member.Input{Kind: member.WatchSent, Stream: e.A, N: 1})
	}
}

// arrivedWatch notes that the request of a new watch is at its member, and
// returns its cause.
func (t *streams) arrivedWatch(n Server, s *Stream, r *pb.WatchRequest) uint64 {
	p := t.p
	if s == nil || r.GetCreateRequest() == nil {
		return 0
	}
	for _, wt := range s.Watchers {
		if !wt.Answered && wt.slot >= 0 {
			if r := p.requests.At(wt.slot); r.stage != atMember {
				r.stage, r.Member, r.Tried = atMember, n.ID(), n.ID()
				p.host.Emit(trace.Event{
					Kind: trace.RequestArrived, Member: n.ID(), Request: r.ID, A: uint64(api.Watch), Cause: r.cause,
				})
				return r.cause
			}
		}
	}
	return 0
}

// asked is a request on its way on a stream, and what the client shows there.
type asked struct {
	request *pb.WatchRequest
	token   string
}

func (t *streams) takeAsk(e *clock.Event) asked {
	p := t.p
	at := p.asks.At(e.Slot / watchKinds)
	r := *at
	*at = asked{}
	p.asks.Give(e.Slot / watchKinds)
	return r
}

// streamRefused tells a client that nobody listens.
func (t *streams) streamRefused(e *clock.Event) {
	p := t.p
	switch e.Slot % watchKinds {
	case watchOpen:
		p.send(pushed{stream: e.A, err: errRefused})
	case watchAsk:
		p.takeAsk(e)
	}
}

// breakStreams ends all streams of a process that has died.
func (t *streams) breakStreams(n Server) {
	p := t.p
	for _, s := range p.OpenStreams() {
		if s.Member == n.ID() {
			s.There = false
			p.send(pushed{stream: s.id, err: errReset})
		}
	}
}

// OpenStreams lists the clients' streams in a fixed order.
func (t *streams) OpenStreams() []*Stream {
	p := t.p
	p.opened = p.opened[:0]
	for _, s := range p.byID {
		p.opened = append(p.opened, s)
	}
	slices.SortFunc(p.opened, func(a, b *Stream) int { return int(int64(a.id) - int64(b.id)) })
	return p.opened
}

// EndStream is a member's own end of a stream.
func (t *streams) EndStream(n Server, end *member.StreamEnd) {
	p := t.p
	if s := p.byID[end.Stream]; s != nil {
		s.There = false
		if errors.Is(end.Err, api.ErrNoLeader) && (!s.Fenced || n.Member().Leader() != 0) {
			p.judge.Broken(invariant.LeaderRequired,
				"member %d ends a stream for lack of a leader: its leader is %d, required: %t", n.ID(), n.Member().Leader(),
				s.Fenced)
		}
	}
	p.send(pushed{stream: end.Stream, err: end.Err})
}

// Push sends a member's watch response to its client.
func (t *streams) Push(n Server, r *watch.Push) {
	p := t.p
	if p.byID[r.Stream] == nil {
		return
	}
	h := n.Member().Header()
	header := &pb.ResponseHeader{ClusterId: h.ClusterID, MemberId: h.MemberID, RaftTerm: h.RaftTerm}
	p.send(pushed{stream: r.Stream, response: r.Response.Message(header)})
}

func (t *streams) send(what pushed) {
	p := t.p
	s := p.byID[what.stream]
	if s == nil {
		return
	}
	read := time.Duration(0)
	if s.Client > 0 && s.Client%2 == 0 && !p.settled {
		read = p.cfg.Watch.Read
	}
	s.arrival = max(p.clock.Now+p.latency(), s.arrival+int64(read))
	slot := p.pushes.Take()
	*p.pushes.At(slot) = what
	p.clock.Push(clock.Event{
		At: s.arrival, Kind: WatchPush, Slot: slot, Member: uint32(s.Member), Life: p.host.Server(s.Member).Life(),
	})
}

// pushArrives is a response at the client.
func (t *streams) pushArrives(e *clock.Event) {
	p := t.p
	what := *p.pushes.At(e.Slot)
	*p.pushes.At(e.Slot) = pushed{}
	p.pushes.Give(e.Slot)
	s := p.byID[what.stream]
	if s == nil {
		return
	}
	if what.err != nil {
		p.streamBroken(s, what.err)
		return
	}
	p.credit(s, e)
	r := what.response
	events := len(r.Events)
	p.host.Emit(trace.Event{
		Kind: trace.WatchReceived, Peer: uint64(e.Member), A: s.about(r), B: uint64(s.Client), C: uint64(events),
		Rev: r.Header.Revision, Index: partOf(r),
	})
	p.judge.StreamReceived(s.Judged, s.Client, r)
	p.beginsLate(s, r, e.Life)
	p.deliverWatch(s, r)
	if events > 0 {
		c, rev := p.clients[s.Client], r.Events[events-1].Kv.ModRevision
		c.LastRev = max(c.LastRev, rev)
		c.hears(s.Member, e.Life, rev)
	}
}

// partOf says what a response is, as WatchReceived does.
func partOf(r *pb.WatchResponse) uint64 {
	switch {
	case r.Canceled:
		return 3
	case r.Created:
		return 2
	case r.Fragment:
		return 1
	}
	return 0
}

// beginsLate holds a watch "from now on" to what its client had heard before it
// asked, from the same life of the member: it begins after that.
func (t *streams) beginsLate(s *Stream, r *pb.WatchResponse, life uint32) {
	p := t.p
	if !r.Created || r.Canceled {
		return
	}
	if wt := s.oldestUnanswered(); wt != nil && wt.Start == 0 && wt.floor.life == life &&
		r.Header.Revision < wt.floor.rev {
		p.judge.Broken(invariant.WatchFilter, "client %d had heard of revision %d, and a watch from then on begins after %d",
			s.Client, wt.floor.rev, r.Header.Revision)
	}
}

// streamBroken goes on elsewhere, in a moment.
func (t *streams) streamBroken(s *Stream, err error) {
	p := t.p
	wait := retryWait
	var refused *api.Error
	switch {
	case err == errRefused:
		p.clients[s.Client].down[s.Member] = p.clock.Now + int64(reconnect)
	case errors.As(err, &refused):
		wait = leaderWait
	}
	p.reconnect(s, wait)
}

// leaderWait is how long a client leaves alone who has sent it away.
const leaderWait = 200 * time.Millisecond

// about is the watch that a response is for, by the request that opened it; 0 if
// it is for all.
func (s *Stream) about(r *pb.WatchResponse) uint64 {
	wt := s.numbered(r.WatchId)
	if r.Created {
		wt = s.oldestUnanswered()
	}
	if wt == nil {
		return 0
	}
	return wt.ID
}

// numbered finds an open watch by its id on the stream.
func (s *Stream) numbered(id int64) *Watcher {
	for _, wt := range s.Watchers {
		if wt.Answered && wt.Number == id {
			return wt
		}
	}
	return nil
}

// oldestUnanswered is the watch that the next answer to a create is for.
func (s *Stream) oldestUnanswered() *Watcher {
	for _, wt := range s.Watchers {
		if !wt.Answered {
			return wt
		}
	}
	return nil
}

// Shows tells whether the client shows who it is.
func (s *Stream) Shows() bool { return s.who != api.Identity{} }

// toBack moves a watch that is asked for again behind all others.
func (s *Stream) toBack(wt *Watcher) {
	s.drop(wt)
	s.Watchers = append(s.Watchers, wt)
}

func (s *Stream) drop(wt *Watcher) {
	if i := slices.Index(s.Watchers, wt); i >= 0 {
		s.Watchers = slices.Delete(s.Watchers, i, i+1)
	}
}

// credit tells the member that its client has read a response.
func (t *streams) credit(s *Stream, e *clock.Event) {
	p := t.p
	n := p.host.Server(uint64(e.Member))
	sent := clock.Event{Kind: WatchArrive, Slot: watchSent, Member: e.Member, A: s.id}
	switch {
	case n.Life() != e.Life:
	case n.Paused():
		n.Hold(sent)
	case n.Runs():
		p.watchArrives(n, &sent)
	}
}

// AskProgress makes a client ask how far its watches have come.
func (t *streams) AskProgress(s *Stream) {
	p := t.p
	p.ask(s, &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
}

// cancelNumber asks for the end of the watch with that id, whether there is one
// or not.
func (t *streams) cancelNumber(s *Stream, id int64) {
	p := t.p
	if wt := s.numbered(id); wt != nil {
		wt.canceling = true
	}
	cancel := &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}
	p.ask(s, &pb.WatchRequest{RequestUnion: cancel})
}

// CloseStream ends a stream from the client's side, and all watches on it.
func (t *streams) CloseStream(s *Stream) {
	p := t.p
	if s.Closed {
		return
	}
	s.Closed = true
	p.transmit(s, watchClose, 0, p.latency())
	delete(p.byID, s.id)
	for _, wt := range slices.Clone(s.Watchers) {
		p.closeWatch(wt, 0, "canceled by the client")
	}
}

// breakStream ends the connection under a stream. A member that does not hear of
// it learns it when its probes of the connection stay without an answer.
func (t *streams) breakStream(s *Stream, heard bool) {
	p := t.p
	wait := p.latency()
	if !heard {
		wait = int64(Keepalive)
	}
	p.clock.Push(clock.Event{At: p.clock.Now + wait, Kind: WatchArrive, Slot: watchClose, Member: uint32(s.Member),
		A: s.id})
	p.reconnect(s, retryWait)
}

// Keepalive is when a server gives up a connection that is silent: half a minute
// by default, and here less, so that it happens.
const Keepalive = 10 * time.Second
