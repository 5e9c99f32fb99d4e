package sim

import (
	"errors"
	"slices"
	"time"

	"vitrine/core/api"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/trace"
)

// client behaves as clientv3 does: it takes its endpoints in turn, goes on to
// the next when a connection is refused, repeats a read that failed as
// unavailable and never a write that may have been sent.
type client struct {
	id      int
	dice    *dice.Dice
	next    int     // endpoint of the next request
	down    []int64 // by endpoint: no connection before this time
	request int32   // slot of the request it waits for, -1 = none
	due     bool    // it thought of the next operation while waiting
	asleep  bool    // there is no load
	seen    []sight // by key: what it last read, for conditions
	lastRev int64   // newest revision in any header

	tombstone int64 // revision of its last delete

	refused bool              // for an alarm
	cleared bool              // it has made room since
	alarms  []*pb.AlarmMember // that it will take down

	stream *stream // of its watches, nil = it never had one
	heard  []known // by member
	done   int
	failed int
}

// hears notes the newest revision that came from a member.
func (c *client) hears(node int, life uint32, rev int64) {
	switch k := &c.heard[node]; {
	case k.life != life:
		*k = known{rev, life}
	case rev > k.rev:
		k.rev = rev
	}
}

// linearizable reports whether an answer must come from the newest state.
func linearizable(op script.Op, body any) bool {
	asks := func(op *pb.RequestOp) bool { return !op.GetRequestRange().GetSerializable() }
	switch r := body.(type) {
	case *pb.RangeRequest:
		return !r.Serializable
	case *pb.TxnRequest:
		return slices.ContainsFunc(r.Success, asks) || slices.ContainsFunc(r.Failure, asks)
	}
	return op < script.OpMoveLeader
}

// sight is what a client knows of a key.
type sight struct {
	value string
	mod   int64
}

// requireLeader: one request in so many does not want to wait for a leader.
const requireLeader = 8

// clientv3's figures.
const (
	retryWait   = 25 * time.Millisecond // between attempts, with 10% jitter
	reconnect   = time.Second           // before a refused endpoint is tried again
	maxAttempts = 100
)

// stage is where a request is on its way.
type stage uint8

const (
	thinking stage = iota // at the client, waiting for its next attempt
	onWay                 // to the member
	atMember
	onReturn
	finished
)

// request is one operation of a client through all its attempts.
type request struct {
	id       uint64
	client   int
	op       script.Op
	readOnly bool
	pinned   bool // to one endpoint, as etcdctl --endpoints: no other is tried
	body     any
	words    string // the operation in words
	key      string
	node     int
	attempts int
	stage    stage
	status   string
	answer   any
	err      error
	rev      int64
	issued   int64
	deadline int64
	done     int64
	cause    uint64
	said     string // the answer in words, once somebody asked
	stations []StationState
	over     uint32 // life of the member that answered: the connection
	token    int    // of the judge's history
	met      arrival
	floor    int64            // the newest revision that its client had heard of when it asked
	then     func(r *request) // when it is over
}

// errRefused and errReset are what a connection reports.
var (
	errRefused  = errors.New("connection refused")
	errReset    = errors.New("connection reset")
	errDeadline = errors.New("context deadline exceeded")
)

// issue starts an operation. body is the request of the API.
func (w *World) issue(c *client, op script.Op, body any, words, key string, endpoint int, timeout time.Duration) int32 {
	slot := w.newRequest()
	r := w.requests.At(slot)
	w.requestID++
	stations := r.stations[:0]
	*r = request{
		id: w.requestID, client: c.id, op: op, body: body, words: words, key: key,
		readOnly: op.ReadOnly(), pinned: endpoint >= 0, node: endpoint, status: StatusPending,
		issued: w.clock.Now, deadline: w.clock.Now + int64(timeout), stations: stations, floor: c.lastRev,
	}
	w.byRequest[r.id] = slot
	w.open = append(w.open, slot)
	if r.pinned {
		r.node = endpoint
	} else {
		r.node = w.choose(c)
	}
	peer := uint64(0)
	if r.node >= 0 {
		peer = w.nodes[r.node].id
	}
	r.cause = w.emit(trace.Event{Kind: trace.RequestIssued, Peer: peer, Request: r.id, A: uint64(op), Text: words})
	if op.Judged() {
		r.token = w.judge.Invoked(r.client, r.body)
	}
	w.clock.Push(clock.Event{At: r.deadline, Kind: evClientTimer, Slot: slot, A: r.id<<8 | timerDeadline})
	w.attempt(slot)
	return slot
}

// What a client timer is for.
const (
	timerDeadline = 1
	timerRetry    = 2
)

// choose picks the next endpoint in turn whose connection is not known to be
// down; -1 if all are.
func (w *World) choose(c *client) int {
	for range w.nodes {
		ix := c.next
		c.next = (c.next + 1) % len(w.nodes)
		if c.down[ix] <= w.clock.Now {
			return ix
		}
	}
	return -1
}

// attempt sends a request to the endpoint chosen for it.
func (w *World) attempt(slot int32) {
	r := w.requests.At(slot)
	if r.node < 0 { // no connection anywhere: wait for one
		r.stage = thinking
		w.retryLater(slot, int64(100*time.Millisecond))
		return
	}
	r.attempts++
	r.stage = onWay
	w.station(r, "client", 0)
	w.clock.Push(clock.Event{At: w.clock.Now + w.clientLatency(), Kind: evArrive, Slot: slot, A: r.id, Member: uint32(w.nodes[r.node].id), Cause: r.cause})
}

func (w *World) retryLater(slot int32, wait int64) {
	r := w.requests.At(slot)
	w.clock.Push(clock.Event{At: w.clock.Now + wait, Kind: evClientTimer, Slot: slot, A: r.id<<8 | timerRetry})
}

// arrive brings a request to its member.
func (w *World) arrive(n *node, e *clock.Event) {
	r := w.requests.At(e.Slot)
	if r.id != e.A || r.stage != onWay {
		return // given up meanwhile
	}
	switch n.process {
	case paused:
		n.hold(*e)
		return
	case running:
	default:
		w.refuse(e)
		return
	}
	r.stage = atMember
	h := n.member.Header()
	r.met = arrival{term: h.RaftTerm, rev: n.store.KV.Revision(), at: w.clock.Now, life: n.life}
	fenced, headless := dice.Mix(r.id)%requireLeader == 0, n.member.Leader() == 0
	w.step(n, &member.Input{Kind: member.Request, Cause: e.Cause, Call: &api.Call{
		ID: r.id, Body: r.body, Deadline: trace.Instant(r.deadline), RequireLeader: fenced, Cause: e.Cause,
	}})
	if r = w.requests.At(e.Slot); fenced && headless && n.process == running && (r.stage != onReturn || r.err == nil) {
		w.judge.Broken(invariant.LeaderRequired, "member %d has no leader and takes a request that requires one: %s", n.id, r.words)
	}
}

// refuse answers for a process that is not there.
func (w *World) refuse(e *clock.Event) {
	r := w.requests.At(e.Slot)
	if r.id == e.A && r.stage == onWay {
		w.answer(e.Slot, nil, errRefused)
	}
}

// hangUp breaks the connections of a process that has ended.
func (w *World) hangUp(n *node) {
	for _, slot := range w.open {
		if r := w.requests.At(slot); r.node == n.ix && r.stage == atMember {
			w.answer(slot, nil, errReset)
		}
	}
	w.breakStreams(n)
}

// reply sends a member's answer on its way.
func (w *World) reply(n *node, a *api.Reply) {
	slot, ok := w.byRequest[a.ID]
	if !ok {
		return
	}
	if r := w.requests.At(slot); r.stage == atMember && r.node == n.ix {
		w.answeredRightly(n, r, a.Response, a.Err)
		w.answer(slot, a.Response, a.Err)
	}
}

func (w *World) answer(slot int32, response any, err error) {
	r := w.requests.At(slot)
	r.stage = onReturn
	r.answer, r.err, r.over = response, err, w.nodes[r.node].life
	w.clock.Push(clock.Event{At: w.clock.Now + w.clientLatency(), Kind: evAnswer, Slot: slot, A: r.id})
}

// answered decides at the client what to do with an answer.
func (w *World) answered(e *clock.Event) {
	r := w.requests.At(e.Slot)
	if r.id != e.A || r.stage != onReturn {
		return
	}
	c := w.clients[r.client]
	refused := r.err == errRefused
	if refused {
		c.down[r.node] = w.clock.Now + int64(reconnect)
	}
	again := refused || (r.readOnly || mutant.On(mutant.ClientRetries)) && (r.err == errReset || unavailable(r.err))
	if again && !r.pinned && r.attempts < maxAttempts {
		wait := int64(0)
		if !refused {
			wait = int64(retryWait) * int64(90+w.wire.Uint64N(21)) / 100
		}
		r.stage, r.answer = thinking, nil
		r.node = w.choose(c)
		if wait == 0 {
			w.attempt(e.Slot)
		} else {
			w.retryLater(e.Slot, wait)
		}
		return
	}
	w.finish(e.Slot, r.answer, r.err)
}

func unavailable(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == api.Unavailable
}

// definite reports whether an error says that the request had no effect and
// never will.
func definite(err error) bool {
	if err == errRefused {
		return true
	}
	var e *api.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case api.InvalidArgument, api.NotFound, api.FailedPrecondition, api.OutOfRange, api.ResourceExhausted:
		return true
	}
	return false
}

// clientTimer ends a client's patience or a backoff.
func (w *World) clientTimer(e *clock.Event) {
	r := w.requests.At(e.Slot)
	if r.id != e.A>>8 || r.stage == finished {
		return
	}
	if e.A&0xff == timerRetry {
		if r.stage == thinking {
			if r.node < 0 {
				r.node = w.choose(w.clients[r.client])
			}
			w.attempt(e.Slot)
		}
		return
	}
	if r.stage == atMember {
		if n := w.nodes[r.node]; n.process == running {
			w.inTime(n, r)
			w.step(n, &member.Input{Kind: member.Cancel, ID: r.id, Cause: r.cause})
		}
	}
	if r = w.requests.At(e.Slot); r.stage != finished {
		if w.chaos.Suffers(chaos.Deadline) {
			w.chaos.Count(chaos.Deadline)
		}
		w.finish(e.Slot, nil, errDeadline)
	}
}

// inTime holds a member that has run all the while to its own time for a request
// (I33): a client that waits longer is told. Only the deletions of a compaction
// may take as long as they do.
func (w *World) inTime(n *node, r *request) {
	allowed := limits.RequestTimeout + 2*time.Duration(w.cfg.ElectionTicks)*w.cfg.TickEvery + 2*time.Duration(n.tickEvery)
	compaction, _ := r.body.(*pb.CompactionRequest)
	if w.clock.Now-r.met.at > int64(allowed) && n.life == r.met.life && n.resumed < r.met.at && !compaction.GetPhysical() {
		w.judge.Broken(invariant.Timely, "member %d has had the request %q for %v and has not answered", n.id, r.words, time.Duration(w.clock.Now-r.met.at))
	}
}

// finish hands the outcome to the client and to the judge.
func (w *World) finish(slot int32, response any, err error) {
	r := w.requests.At(slot)
	c := w.clients[r.client]
	r.stage, r.answer, r.err, r.done = finished, response, err, w.clock.Now
	delete(w.byRequest, r.id)
	for i, s := range w.open {
		if s == slot {
			w.open = append(w.open[:i], w.open[i+1:]...)
			break
		}
	}
	text := ""
	c.refusedFor(response, err)
	switch {
	case err == nil:
		r.status = StatusOK
		r.rev = pb.HeaderRevision(response)
		if r.rev < r.floor && linearizable(r.op, r.body) {
			w.judge.Broken(invariant.Linearizable, "client %d had heard of revision %d, and then %q was answered at %d", c.id, r.floor, r.words, r.rev)
		}
		c.lastRev = max(c.lastRev, r.rev)
		c.hears(r.node, r.over, r.rev)
		if d, ok := response.(*pb.DeleteRangeResponse); ok && d.Deleted > 0 {
			c.tombstone = r.rev
		}
		c.done++
		c.learn(w, r)
	case r.readOnly || definite(err):
		r.status, text = StatusError, err.Error()
		c.failed++
	default:
		r.status, text = StatusUnknown, err.Error()
		c.failed++
	}
	w.station(r, "client", 0)
	done := trace.Event{Kind: trace.RequestDone, Request: r.id, Rev: r.rev, Text: text, Cause: r.cause}
	if err == nil {
		done.Peer, done.A, done.B, done.C = w.nodes[r.node].id, uint64(r.client), uint64(r.over), uint64(r.issued)
	}
	w.emit(done)
	if r.op.Judged() {
		w.judge.Returned(r.token, r.answer, r.err)
	}
	if r.then != nil {
		r.then(r)
	}
	w.retire(slot)
	if c.request == slot {
		c.request = -1
		if c.due {
			c.due = false
			w.clock.PushFirst(clock.Event{At: w.clock.Now + 1, Kind: evThink, A: uint64(c.id), Slot: thoughtBefore})
		}
	}
}

// newRequest finds a place; retire keeps the last finished ones for the page.
func (w *World) newRequest() int32 { return w.requests.Take() }

func (w *World) retire(slot int32) {
	at := w.finished % keptRequests
	if w.finished >= keptRequests {
		w.requests.Give(w.retired[at])
	}
	w.retired[at] = slot
	w.finished++
}

const keptRequests = 64

func (w *World) station(r *request, name string, at uint64) {
	if len(r.stations) < 64 {
		r.stations = append(r.stations, StationState{Name: name, At: w.clock.Now, Member: at})
	}
}
