package client

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
type Client struct {
	ID      int
	dice    *dice.Dice
	next    int              // endpoint of the next request
	down    map[uint64]int64 // by member: no connection before this time
	Request int32            // slot of the request it waits for, -1 = none
	due     bool             // it thought of the next operation while waiting
	asleep  bool             // there is no load
	seen    []sight          // by key: what it last read, for conditions
	LastRev int64            // newest revision in any header
	as      string           // who the visitor is on the next stream that he opens, "" = root
	shows   string           // what he shows on it, see script.Command.Token
	wallet

	tombstone int64 // revision of its last delete

	Refused bool              // for an alarm
	cleared bool              // it has made room since
	Alarms  []*pb.AlarmMember // that it will take down

	Stream *Stream          // of its watches, nil = it never had one
	heard  map[uint64]known // by member
	Done   int
	Failed int
}

// hears notes the newest revision that came from a member.
func (c *Client) hears(member uint64, life uint32, rev int64) {
	if k := c.heard[member]; k.life != life || rev > k.rev {
		c.heard[member] = known{rev, life}
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
type Request struct {
	ID       uint64
	Client   int
	Op       script.Op
	readOnly bool
	pinned   bool // to one endpoint, as etcdctl --endpoints: no other is tried
	Body     any
	Who      api.Identity
	Words    string // the operation in words
	Key      string
	Member   uint64 // of the present attempt, 0 = no connection is open
	Tried    uint64 // the member of the last attempt; of a watch, the one that it has come to
	Attempts int
	stage    stage
	Status   string
	Answer   any
	Err      error
	Rev      int64
	Issued   int64
	deadline int64
	Done     int64
	cause    uint64
	over     uint32 // life of the member that answered: the connection
	op       int    // of the judge's history
	Met      Arrival
	floor    int64            // the newest revision that its client had heard of when it asked
	Then     func(r *Request) // when it is over
}

// What became of a request.
const (
	Pending = "pending"
	OK      = "ok"
	Failed  = "error"
	Unknown = "unknown" // it may have happened or may yet happen
)

// Returning reports whether an answer is on its way back.
func (r *Request) Returning() bool { return r.stage == onReturn }

// errRefused and errReset are what a connection reports.
var (
	errRefused  = errors.New("connection refused")
	errReset    = errors.New("connection reset")
	ErrDeadline = errors.New("context deadline exceeded")
)

// Issue starts an operation. body is the request of the API.
func (p *Pool) Issue(c *Client, op script.Op, body any, words, key string, endpoint uint64,
	timeout time.Duration) int32 {
	slot := p.newRequest()
	r := p.requests.At(slot)
	p.requestID++
	*r = Request{
		ID: p.requestID, Client: c.ID, Op: op, Body: body, Who: p.identity(c, op, ""), Words: words, Key: key,
		readOnly: op.ReadOnly(), pinned: endpoint != 0, Member: endpoint, Status: Pending,
		Issued: p.clock.Now, deadline: p.clock.Now + int64(timeout), floor: c.LastRev,
	}
	p.byRequest[r.ID] = slot
	p.open = append(p.open, slot)
	if r.pinned {
		r.Member = endpoint
	} else {
		r.Member = p.choose(c)
	}
	r.cause = p.host.Emit(trace.Event{Kind: trace.RequestIssued, Peer: r.Member, Request: r.ID,
		A: uint64(api.OperationOf(body)), B: uint64(c.ID), Text: words})
	if op.Judged() {
		r.op = p.judge.Invoked(r.Client, r.Body)
	}
	p.clock.Push(clock.Event{At: r.deadline, Kind: ClientTimer, Slot: slot, A: r.ID<<8 | timerDeadline})
	p.attempt(slot)
	return slot
}

// What a client timer is for.
const (
	timerDeadline = 1
	timerRetry    = 2
)

// choose picks the next endpoint in turn whose connection is not known to be
// down; 0 if all are.
func (p *Pool) choose(c *Client) uint64 {
	members := p.host.Members()
	for range members {
		id := members[c.next]
		c.next = (c.next + 1) % len(members)
		if c.down[id] <= p.clock.Now {
			return id
		}
	}
	return 0
}

// Endpoint is the member that a client speaks to next.
func (p *Pool) Endpoint(c *Client) uint64 { return p.host.Members()[c.next] }

// attempt sends a request to the endpoint chosen for it.
func (p *Pool) attempt(slot int32) {
	r := p.requests.At(slot)
	if r.Member == 0 { // no connection anywhere: wait for one
		r.stage = thinking
		p.retryLater(slot, int64(100*time.Millisecond))
		return
	}
	r.Attempts++
	r.stage = onWay
	if r.Tried = r.Member; r.Attempts > 1 || p.clock.Now > r.Issued { // there was no connection when it was issued
		p.sentAgain(r)
	}
	p.clock.Push(clock.Event{At: p.clock.Now + p.latency(), Kind: Arrive, Slot: slot, A: r.ID, Member: uint32(r.Member),
		Cause: r.cause})
}

func (p *Pool) retryLater(slot int32, wait int64) {
	r := p.requests.At(slot)
	p.clock.Push(clock.Event{At: p.clock.Now + wait, Kind: ClientTimer, Slot: slot, A: r.ID<<8 | timerRetry})
}

// arrive brings a request to its member.
func (p *Pool) arrive(n Server, e *clock.Event) {
	r := p.requests.At(e.Slot)
	if r.ID != e.A || r.stage != onWay {
		return // given up meanwhile
	}
	switch {
	case n.Paused():
		n.Hold(*e)
		return
	case !n.Runs():
		p.refuse(e)
		return
	}
	r.stage = atMember
	h := n.Member().Header()
	r.Met = Arrival{Term: h.RaftTerm, Rev: n.Store().KV.Revision(), Index: n.Store().Backend.Applied().Index,
		at: p.clock.Now, life: n.Life()}
	p.judge.Shows(n, r.ID, r.Who.Token, min(r.deadline, p.clock.Now+int64(limits.RequestTimeout)))
	fenced, headless := dice.Mix(r.ID)%requireLeader == 0, n.Member().Leader() == 0
	p.call = api.Call{
		ID: r.ID, Body: r.Body, Identity: n.Verify(r.Who), Deadline: trace.Instant(r.deadline), RequireLeader: fenced,
		Cause: e.Cause,
	}
	n.Step(member.Input{Kind: member.Request, Cause: e.Cause, Call: &p.call})
	if r = p.requests.At(e.Slot); fenced && headless && n.Runs() && (r.stage != onReturn || r.Err == nil) {
		p.judge.Broken(invariant.LeaderRequired, "member %d has no leader and takes a request that requires one: %s", n.ID(),
			r.Words)
	}
}

// refuse answers for a process that is not there.
func (p *Pool) refuse(e *clock.Event) {
	r := p.requests.At(e.Slot)
	if r.ID == e.A && r.stage == onWay {
		p.answer(e.Slot, nil, errRefused)
	}
}

// HangUp breaks the connections of a process that has ended.
func (p *Pool) HangUp(n Server) {
	for _, slot := range p.open {
		if r := p.requests.At(slot); r.Member == n.ID() && r.stage == atMember {
			p.answer(slot, nil, errReset)
		}
	}
	p.breakStreams(n)
}

// Asked is the request of that id if the member has it.
func (p *Pool) Asked(member, id uint64) *Request {
	if r := p.Unfinished(id); r != nil && r.stage == atMember && r.Member == member {
		return r
	}
	return nil
}

// Reply sends a member's answer on its way.
func (p *Pool) Reply(n Server, a *api.Reply) {
	if r := p.Asked(n.ID(), a.ID); r != nil {
		p.judge.Named(n, r.ID, a.Err)
		if login, ok := r.Body.(*pb.AuthenticateRequest); ok {
			p.judge.LoggedIn(n, r.Met.Index, login, a.Response, a.Err)
		}
		p.answer(p.byRequest[a.ID], a.Response, a.Err)
	}
}

func (p *Pool) answer(slot int32, response any, err error) {
	r := p.requests.At(slot)
	r.stage = onReturn
	r.Answer, r.Err, r.over = response, err, p.host.Server(r.Member).Life()
	p.clock.Push(clock.Event{At: p.clock.Now + p.latency(), Kind: Answer, Slot: slot, A: r.ID})
}

// answered decides at the client what to do with an answer.
func (p *Pool) answered(e *clock.Event) {
	r := p.requests.At(e.Slot)
	if r.ID != e.A || r.stage != onReturn {
		return
	}
	c := p.clients[r.Client]
	refused := r.Err == errRefused
	if refused {
		c.down[r.Member] = p.clock.Now + int64(reconnect)
	}
	again := refused || (r.readOnly || mutant.On(mutant.ClientRetries)) && (r.Err == errReset || unavailable(r.Err))
	if again && !r.pinned && r.Attempts < maxAttempts {
		wait := int64(0)
		if !refused {
			wait = int64(retryWait) * int64(90+p.wire.Uint64N(21)) / 100
		}
		r.stage, r.Answer = thinking, nil
		r.Member = p.choose(c)
		if wait == 0 {
			p.attempt(e.Slot)
		} else {
			p.retryLater(e.Slot, wait)
		}
		return
	}
	p.finish(e.Slot, r.Answer, r.Err)
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

// forbidden reports whether who asks may not do it, or is not known: whatever was refused for that had no effect.
func forbidden(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && (e.Code == api.PermissionDenied || e.Code == api.Unauthenticated)
}

// clientTimer ends a client's patience or a backoff.
func (p *Pool) clientTimer(e *clock.Event) {
	r := p.requests.At(e.Slot)
	if r.ID != e.A>>8 || r.stage == finished {
		return
	}
	if e.A&0xff == timerRetry {
		if r.stage == thinking {
			if r.Member == 0 {
				r.Member = p.choose(p.clients[r.Client])
			}
			p.attempt(e.Slot)
		}
		return
	}
	if r.stage == atMember {
		if n := p.host.Server(r.Member); n.Runs() {
			p.inTime(n, r)
			p.judge.Withdrawn(r.ID)
			n.Step(member.Input{Kind: member.Cancel, ID: r.ID, Cause: r.cause})
		}
	}
	if r = p.requests.At(e.Slot); r.stage != finished {
		if p.chaos.Suffers(chaos.Deadline) {
			p.chaos.Count(chaos.Deadline)
		}
		p.finish(e.Slot, nil, ErrDeadline)
	}
}

// inTime holds a member that has run all the while to its own time for a request
// (I33): a client that waits longer is told. Only the deletions of a compaction
// may take as long as they do.
func (p *Pool) inTime(n Server, r *Request) {
	allowed := limits.RequestTimeout + 2*time.Duration(p.cfg.ElectionTicks)*p.cfg.TickEvery + 2*time.Duration(n.Tick())
	compaction, _ := r.Body.(*pb.CompactionRequest)
	if p.clock.Now-r.Met.at > int64(allowed) && n.Life() == r.Met.life && n.Resumed() < r.Met.at &&
		!compaction.GetPhysical() {
		p.judge.Broken(invariant.Timely, "member %d has had the request %q for %v and has not answered", n.ID(), r.Words,
			time.Duration(p.clock.Now-r.Met.at))
	}
}

// finish hands the outcome to the client and to the judge.
func (p *Pool) finish(slot int32, response any, err error) {
	r := p.requests.At(slot)
	c := p.clients[r.Client]
	r.stage, r.Answer, r.Err, r.Done = finished, response, err, p.clock.Now
	delete(p.byRequest, r.ID)
	for i, s := range p.open {
		if s == slot {
			p.open = append(p.open[:i], p.open[i+1:]...)
			break
		}
	}
	text := ""
	c.refusedFor(response, err)
	p.credentials(c, r, response, err)
	if r.Op >= script.OpUserAdd && r.Op != script.OpLogin && err != nil && !definite(err) {
		p.founded = max(0, p.founded-2) // perhaps it was not done
	}
	switch {
	case err == nil:
		r.Status = OK
		r.Rev = pb.HeaderRevision(response)
		if r.Rev < r.floor && linearizable(r.Op, r.Body) {
			p.judge.Broken(invariant.Linearizable, "client %d had heard of revision %d, and then %q was answered at %d", c.ID,
				r.floor, r.Words, r.Rev)
		}
		c.LastRev = max(c.LastRev, r.Rev)
		c.hears(r.Member, r.over, r.Rev)
		if d, ok := response.(*pb.DeleteRangeResponse); ok && d.Deleted > 0 {
			c.tombstone = r.Rev
		}
		if a, ok := response.(*pb.LeaseKeepAliveResponse); ok && a.TTL > 0 {
			p.judge.LeasePromised(a.ID, r.Issued, a.TTL)
		}
		c.Done++
		c.learn(p, r)
	case r.readOnly || definite(err) || forbidden(err):
		r.Status, text = Failed, err.Error()
		c.Failed++
	default:
		r.Status, text = Unknown, err.Error()
		c.Failed++
	}
	done := trace.Event{Kind: trace.RequestDone, Request: r.ID, Rev: r.Rev, Text: text, Cause: r.cause}
	switch {
	case err == nil:
		done.Peer, done.A, done.B, done.C = r.Member, uint64(r.Client), uint64(r.over), uint64(r.Issued)
		p.host.Emit(trace.Event{Kind: trace.RequestAnswered, Request: r.ID, Text: AnswerWords(response), Cause: r.cause})
	case r.Status == Unknown:
		done.C = 1
	}
	p.host.Emit(done)
	if r.Op.Judged() {
		p.judge.Returned(r.op, r.Answer, r.Err)
	}
	if r.Then != nil {
		r.Then(r)
	}
	p.retire(slot)
	if c.Request == slot {
		c.Request = -1
		if c.due {
			c.due = false
			p.clock.PushFirst(clock.Event{At: p.clock.Now + 1, Kind: Think, A: uint64(c.ID), Slot: thoughtBefore})
		}
	}
}

// newRequest finds a place; retire keeps the last finished ones for the page.
func (p *Pool) newRequest() int32 { return p.requests.Take() }

func (p *Pool) retire(slot int32) {
	at := p.finished % keptRequests
	if p.finished >= keptRequests {
		p.requests.Give(p.retired[at])
	}
	p.retired[at] = slot
	p.finished++
}

const keptRequests = 64

// sentAgain tells that a later attempt leaves its client.
func (p *Pool) sentAgain(r *Request) {
	p.host.Emit(trace.Event{
		Kind: trace.RequestSent, Peer: r.Member, Request: r.ID, B: uint64(r.Client), C: uint64(r.Attempts), Cause: r.cause,
	})
}

// Arrival is what a request meets at its member.
type Arrival struct {
	Term  uint64
	Rev   int64
	Index uint64 // that the member had applied
	at    int64
	life  uint32
}
