package api

import (
	"cmp"
	"time"

	"vitrine/core/auth"
	"vitrine/core/consensus"
	"vitrine/core/duty"
	"vitrine/core/invariant"
	"vitrine/core/lease"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// Limits bound what clients may ask. Zero values get etcd's defaults.
type Limits struct {
	MaxRequestBytes int           // of one marshalled request in the log
	MaxTxnOps       int           // the compares, the success and the failure operations of a txn, each
	MaxPending      int           // calls held at a time
	SlowRequest     time.Duration // from here on a Reply carries its stations; negative = never
	TokenTTL        time.Duration // how long a simple token lives after its last use
}

// Config is what a Book is told once. Zero values get etcd's defaults, except the ids.
type Config struct {
	Limits
	MemberID, ClusterID uint64
	Tick                time.Duration // 100 ms
	ElectionTicks       int           // 10
	// FirstID is where the ids of this life's proposals begin (consensus.IDs).
	FirstID uint64
	// Began is the time of day at the start, in milliseconds since 1970: ids of members that are added are made of it.
	Began  uint64
	Tracer *trace.Tracer
	// TraceValues: events tell the values of pairs, too, cut short. A recording of a real cluster has none.
	TraceValues bool
	// LooseReconfig: changes of members are proposed without a look at whether a quorum would be there afterwards.
	LooseReconfig bool
	// NewID names a member that is added at a time in seconds; nil = as etcd does.
	NewID func(peerURLs []string, seconds int64) uint64
}

func (c Config) withDefaults() Config {
	c.Tick = cmp.Or(c.Tick, limits.Tick)
	c.ElectionTicks = cmp.Or(c.ElectionTicks, limits.ElectionTicks)
	c.MaxRequestBytes = cmp.Or(c.MaxRequestBytes, limits.MaxRequestBytes)
	c.MaxTxnOps = cmp.Or(c.MaxTxnOps, limits.MaxTxnOps)
	c.MaxPending = cmp.Or(c.MaxPending, limits.MaxRequestsPending)
	c.SlowRequest = cmp.Or(c.SlowRequest, limits.SlowRequest)
	c.TokenTTL = cmp.Or(c.TokenTTL, limits.TokenTTL)
	if c.NewID == nil {
		c.NewID = func(urls []string, now int64) uint64 { return membership.MemberID(urls, "", &now) }
	}
	return c
}

func (c Config) electionTimeout() time.Duration { return time.Duration(c.ElectionTicks) * c.Tick }
func (c Config) timeout() time.Duration         { return limits.RequestTimeout + 2*c.electionTimeout() }

// Book is where calls stand from their arrival to their answer, each with how far it has come and until when it waits.
// It is not safe for concurrent use.
type Book struct {
	cfg  Config
	node *consensus.Node
	t    *trace.Tracer
	now  trace.Instant
	ids  consensus.IDs

	requests  map[uint64]*pending // by the driver's id
	proposals map[uint64]*pending // by proposal id
	deadlines deadlines

	queue      []*pending // writes that raft has not taken, in order
	queueBytes int
	waiting    []*pending // reads that wait for the next question
	asked      []*pending // reads that share the open question
	batch      uint64     // the open question
	confirmed  []*pending // reads that wait for the store
	finishing  []*pending // compactions whose deletions are under way
	spare      []*pending // that nothing points to any more
	naming     []*pending // whose tokens are of entries that are not applied here yet
	working    int        // passwords and tokens that the driver is at
	moving     []*pending
	changing   []*pending // changes of the members, in order; the first may be with raft

	revision, compactRevision int64
	members                   *membership.Members
	alarms                    []*pb.AlarmMember
	auth                      *auth.State
	tokens                    *auth.Tokens
	links                     links
	stuck                     bool // raft has dropped proposals since the last step
	fenced                    int  // writes in the queue that one term alone may propose
	lessor                    lessor
	ends                      []duty.End

	replies []Reply
	reads   []ReadReady
	works   []auth.Work
	batches [][]byte               // reused by flush
	head    pb.RequestHeader       // reused by write
	entry   pb.InternalRaftRequest // reused by route
}

// Info is what the store holds when the member starts.
type Info struct {
	Revision, CompactRevision int64
	Members                   *membership.Members
	Alarms                    []*pb.AlarmMember
	Auth                      *auth.State   // nil = nobody is known
	Clock                     *lease.Lessor // of the member's leases
}

// NewBook returns a book without calls.
func NewBook(cfg Config, node *consensus.Node, info Info) *Book {
	cfg = cfg.withDefaults()
	if info.Auth == nil {
		info.Auth = auth.New()
	}
	return &Book{
		cfg: cfg, node: node, t: cfg.Tracer, ids: consensus.NewIDs(cfg.FirstID),
		requests: map[uint64]*pending{}, proposals: map[uint64]*pending{},
		revision: info.Revision, compactRevision: info.CompactRevision, members: info.Members, alarms: info.Alarms,
		auth: info.Auth, tokens: auth.NewTokens(cfg.TokenTTL),
		links:  links{since: map[uint64]trace.Instant{}},
		lessor: lessor{clock: info.Clock, expiring: map[int64][]*pending{}},
	}
}

// At tells the time. It goes before any other input of the same step, and ends what has waited too long.
func (b *Book) At(now trace.Instant) {
	invariant.Assert(now >= b.now, "api: time goes back")
	b.now, b.stuck = now, false
	for len(b.deadlines) > 0 && b.deadlines[0].deadline <= now && !mutant.On(mutant.NeverExpires) {
		b.expire(b.deadlines[0])
	}
	b.tokens.Expire(now)
}

// Request takes a call. Its answer comes from Poll, perhaps at once.
func (b *Book) Request(c *Call) {
	op := c.operation()
	arrived := trace.Event{Kind: trace.RequestArrived, Request: c.ID, A: uint64(op), Cause: c.Cause, Peer: about(c.Body)}
	if c.Identity.Own {
		arrived.B = 1
	}
	b.t.Emit(arrived)
	p := b.newPending()
	p.id, p.body, p.op, p.identity, p.revision = c.ID, c.Body, op, c.Identity, b.revision
	p.way.start = b.now
	p.deadline = b.now + trace.Instant(b.cfg.timeout())
	if c.Deadline != 0 && c.Deadline < p.deadline {
		p.deadline, p.byClient = c.Deadline, true
	}
	if err := b.admit(c); err != nil {
		b.reply(p, nil, err) // it was never in a book
		return
	}
	invariant.Assert(p.id != 0 && b.requests[p.id] == nil, "api: a call without a number, or with another's")
	b.requests[p.id] = p
	b.deadlines.add(p)
	b.route(p)
}

// about is the member that a call is to change, 0 = none.
func about(body any) uint64 {
	switch r := body.(type) {
	case *pb.MemberPromoteRequest:
		return r.ID
	case *pb.MemberRemoveRequest:
		return r.ID
	case *pb.MemberUpdateRequest:
		return r.ID
	}
	return 0
}

// admit asks the gate, and whether there is room.
func (b *Book) admit(c *Call) *Error {
	if err := b.Gate().Admit(c); err != nil {
		return err
	}
	if _, twice := b.requests[c.ID]; twice || len(b.requests) >= b.cfg.MaxPending {
		return ErrTooManyRequests
	}
	return nil
}

// Gate is what the member admits now.
func (b *Book) Gate() Gate {
	return Gate{Learner: b.node.IsLearner(), Leader: b.node.Leader(), MaxTxnOps: b.cfg.MaxTxnOps}
}

// route sends an admitted call on its way.
func (b *Book) route(p *pending) {
	switch p.op.Route(p.body) {
	case Propose:
		if b.letIn(p) {
			b.propose(p)
		}
	case Hashed:
		if b.letIn(p) {
			b.hash(p)
		}
	case ReadIndex, Login:
		b.read(p, false)
	case Serializable, Local, Driver:
		b.read(p, true)
	case Leader:
		if b.letIn(p) && b.keysAllowed(p) {
			b.askLeader(p)
		}
	case Lead:
		if b.letIn(p) {
			b.moveLeader(p, p.body.(*pb.MoveLeaderRequest))
		}
	case Configure:
		if b.letIn(p) {
			b.changeMembers(p)
		}
	case Promotion:
		if b.letIn(p) {
			b.askLeader(p)
		}
	case Downgrading:
		if b.letIn(p) {
			b.downgrade(p, p.body.(*pb.DowngradeRequest))
		}
	default: // it does not come by this way
		b.answer(p, nil, ErrUnknownMethod)
	}
}

func (b *Book) propose(p *pending) {
	if r, ok := p.body.(*pb.AuthUserAddRequest); ok {
		r.Password = "" // hashed by now, or of no use: etcd leaves the latter in the log
	}
	row := p.op.row()
	if row.complete != nil {
		row.complete(p.body, b.ids.Next)
	}
	row.propose(&b.entry, p.body)
	b.write(p, &b.entry)
	b.entry.Reset()
}

// Cancel forgets a request whose client has gone. A write may happen all the same.
func (b *Book) Cancel(id uint64) {
	if p := b.requests[id]; p != nil {
		b.finish(p)
		b.dropMoving()
		b.traceDone(p, 0, ErrCanceled.Text)
	}
}

// expire ends a request that has waited too long. What it did not learn may still happen.
func (b *Book) expire(p *pending) {
	err := ErrTimeout
	switch p.stage {
	case moving:
		err = ErrTimeoutLeaderTransfer
	case away:
		if b.node.Leader() == 0 {
			err = ErrNoLeader
		}
	case queued: // raft never took it: there was no leader. etcd is still inside Propose then, and its context ends
		err = ErrContextDeadline
	case naming:
		err = ErrInvalidAuthToken // nobody here has heard of it in all that time
	case asking, catching, finishing:
		if p.byClient {
			err = ErrContextDeadline
		}
	default:
		err = b.timeoutCause(p.way.start)
	}
	b.answer(p, nil, err)
	b.dropMoving()
}

// dropMoving forgets the changes of leader that nobody waits for: the leader may stay the same for ever.
func (b *Book) dropMoving() {
	if len(b.moving) > 0 && !mutant.On(mutant.MoveLeftBehind) {
		b.moving = drop(b.moving)
	}
}

// finish takes a request out of every book; lists drop it when they come by.
func (b *Book) finish(p *pending) {
	invariant.Assert(p.stage != done, "api: a call ends twice")
	b.workOver(p)
	if p.stage == expiring {
		b.notExpiring(p)
	}
	p.stage = done
	b.deadlines.remove(p)
	if p.id != 0 {
		delete(b.requests, p.id)
	}
	if p.proposal != 0 && !(mutant.On(mutant.ProposalLeftBehind) && p.index == 0) {
		delete(b.proposals, p.proposal)
	}
	b.dequeue(p)
	if p.change {
		b.changing = drop(b.changing)
	}
	if p.own != duty.None {
		b.ends = append(b.ends, duty.End{Duty: p.own, Applied: p.index != 0, Refused: p.refused})
	}
}

// answer ends a request with a reply.
func (b *Book) answer(p *pending, response any, err *Error) {
	b.finish(p)
	if p.id != 0 {
		b.reply(p, response, err)
	}
	if mutant.On(mutant.RequestReused) && err != nil {
		b.reuse(p)
	}
}

func (b *Book) reply(p *pending, response any, err *Error) {
	r := Reply{ID: p.id, Response: response}
	text := ""
	if err != nil {
		r.Err, r.Response, text = err, nil, err.Text
	}
	r.Slow = b.slow(p)
	b.replies = append(b.replies, r)
	b.traceDone(p, pb.HeaderRevision(r.Response), text)
}

// traceDone tells the trace that a reply has left. Only a write that succeeded acknowledges an entry.
func (b *Book) traceDone(p *pending, rev int64, text string) {
	e := trace.Event{Kind: trace.RequestDone, Request: p.id, Rev: rev, Text: text}
	if p.proposal != 0 && text == "" {
		e.Index = p.index
	}
	b.t.Emit(e)
}

// Poll adds answers to replies and reads, and hands raft what has gathered. node.Ready must follow, and then Ready.
func (b *Book) Poll() {
	b.askAway()
	b.flush()
	b.changeNext()
	b.askNext()
}

// Forwards appends what is to be put to other members.
func (b *Book) Forwards(dst []Forward) []Forward {
	dst = append(dst, b.lessor.forwards...)
	clear(b.lessor.forwards)
	b.lessor.forwards = b.lessor.forwards[:0]
	return dst
}

// Ready takes what the node has answered, and adds all answers that are due. It returns true if raft has been given
// more to do, so that Poll and Node.Ready are due again.
func (b *Book) Ready(states []consensus.ReadState, replies []Reply, reads []ReadReady) ([]Reply, []ReadReady, bool) {
	for _, rs := range states {
		b.readState(rs)
	}
	b.leaderSeen()
	replies = append(replies, b.replies...)
	reads = append(reads, b.reads...)
	clear(b.replies)
	clear(b.reads)
	b.replies, b.reads = b.replies[:0], b.reads[:0]
	more := len(b.queue) > 0 && b.canPropose() && !b.stuck || len(b.waiting) > 0 && !b.node.Reading()
	return replies, reads, more
}

// Applied takes what applying a batch has brought about. The node must have had its share before.
func (b *Book) Applied(r *store.Result) {
	invariant.Assert(r.Revision >= b.revision, "api: the revision of answers falls")
	b.revision, b.compactRevision = r.Revision, r.CompactRevision
	b.alarms = r.Alarms
	if r.Members != nil {
		b.members = r.Members
	}
	if r.Auth != nil {
		b.auth = r.Auth
	}
	for i := range r.Outcomes {
		b.tokens.Take(b.now, r.Outcomes[i].Tokens)
		b.outcome(&r.Outcomes[i])
	}
	b.nameAgain()
	b.leasesApplied(r.Leases)
	b.caughtUp()
}

// Restored takes the state of a snapshot that has become the store. What the snapshot skipped is answered by nobody:
// proposals among it end with a timeout, their outcome unknown. Compactions that were to be finished in the replaced
// state are finished if nothing is left to delete in the received one.
func (b *Book) Restored(r *store.Result) {
	if r.Auth != nil && r.Auth.Revision() != b.auth.Revision() {
		b.tokens.Forget() // what was skipped may have made any of them void
	}
	b.Applied(r)
	if !r.Compacting {
		b.Compacted(r.CompactRevision)
	}
}

// Revision and CompactRevision are the store's as of the last applied entry; Pending counts the requests held; Members
// and Alarms are those in force, and nobody's to change. None of them allocates.
func (b *Book) Revision() int64              { return b.revision }
func (b *Book) CompactRevision() int64       { return b.compactRevision }
func (b *Book) Pending() int                 { return len(b.requests) }
func (b *Book) Members() *membership.Members { return b.members }
func (b *Book) Alarms() []*pb.AlarmMember    { return b.alarms }

// Uses appends how much of its bounds the book has taken.
func (b *Book) Uses(dst []limits.Use) []limits.Use {
	return append(dst, limits.Use{Name: "requests held", Have: len(b.requests), Limit: b.cfg.MaxPending})
}

// Held appends what is in each of its lists. Where no request is under way, all of them are empty.
func (b *Book) Held(dst []limits.Use) []limits.Use {
	for _, book := range [...]limits.Use{
		{Name: "requests", Have: len(b.requests)}, {Name: "proposals", Have: len(b.proposals)},
		{Name: "deadlines", Have: len(b.deadlines)},
		{Name: "writes that wait for raft", Have: len(b.queue)}, {Name: "bytes that wait for raft", Have: b.queueBytes},
		{Name: "reads that wait for a question", Have: len(b.waiting)},
		{Name: "reads that wait for an index", Have: len(b.asked)},
		{Name: "reads that wait for the store", Have: len(b.confirmed)},
		{Name: "compactions that wait for their end", Have: len(b.finishing)},
		{Name: "changes of leader", Have: len(b.moving)}, {Name: "changes of members", Have: len(b.changing)},
		{Name: "renewals of expired leases", Have: len(b.lessor.expiring)},
		{Name: "questions for a leader", Have: len(b.lessor.away)},
		{Name: "calls whose token is not known yet", Have: len(b.naming)},
		{Name: "passwords and tokens under way", Have: b.working},
	} {
		dst = append(dst, book)
	}
	return dst
}
