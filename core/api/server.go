package api

import (
	"cmp"
	"time"

	"vitrine/core/consensus"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// Config is what a Server is told once. Zero values get etcd's defaults, except the ids.
type Config struct {
	MemberID, ClusterID uint64
	Tick                time.Duration // 100 ms
	ElectionTicks       int           // 10
	MaxRequestBytes     int           // of one marshalled request in the log
	MaxTxnOps           int
	MaxPending          int           // requests held at a time
	SlowRequest         time.Duration // from here on a Reply carries its stations; negative = never
	// Epoch tells one life of this member from its others (consensus.Config.Epoch).
	Epoch uint64
	// Name and ClientURLs are published to the cluster when the member has started. An empty Name publishes nothing.
	Name       string
	ClientURLs []string
	// ClusterVersion is what this member, as leader, sets if the cluster has no version yet: "3.7.0". "" = see Versions.
	ClusterVersion string
	Tracer         *trace.Tracer
}

func (c Config) withDefaults() Config {
	c.Tick = cmp.Or(c.Tick, limits.Tick)
	c.ElectionTicks = cmp.Or(c.ElectionTicks, limits.ElectionTicks)
	c.MaxRequestBytes = cmp.Or(c.MaxRequestBytes, limits.MaxRequestBytes)
	c.MaxTxnOps = cmp.Or(c.MaxTxnOps, limits.MaxTxnOps)
	c.MaxPending = cmp.Or(c.MaxPending, limits.MaxRequestsPending)
	c.SlowRequest = cmp.Or(c.SlowRequest, limits.SlowRequest)
	return c
}

func (c Config) electionTimeout() time.Duration { return time.Duration(c.ElectionTicks) * c.Tick }
func (c Config) timeout() time.Duration         { return limits.RequestTimeout + 2*c.electionTimeout() }

// Server answers requests. It is not safe for concurrent use.
type Server struct {
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
	moving     []*pending

	revision, compactRevision int64
	members                   *membership.Members
	alarms                    []*pb.AlarmMember
	links                     links
	published, publishing     bool
	publishAt                 trace.Instant // not again before: the cluster may have refused
	stuck                     bool          // raft has dropped proposals since the last step
	versionTerm               uint64        // the term in which the cluster version was last looked at
	versioning                bool          // a cluster version is proposed
	alarming                  bool          // the space alarm is proposed

	replies []Reply
	reads   []ReadReady
	batches [][]byte         // reused by flush
	head    pb.RequestHeader // reused by write
}

// Info is what the store holds when the member starts.
type Info struct {
	Revision, CompactRevision int64
	Members                   *membership.Members
	Alarms                    []*pb.AlarmMember
}

// NewServer returns a server without requests.
func NewServer(cfg Config, node *consensus.Node, info Info) *Server {
	cfg = cfg.withDefaults()
	return &Server{
		cfg: cfg, node: node, t: cfg.Tracer, ids: consensus.NewIDs(cfg.MemberID, cfg.Epoch),
		requests: map[uint64]*pending{}, proposals: map[uint64]*pending{},
		revision: info.Revision, compactRevision: info.CompactRevision, members: info.Members, alarms: info.Alarms,
		links: links{since: map[uint64]trace.Instant{}}, published: cfg.Name == "",
	}
}

// At tells the server the time. It goes before any other input of the same step, and ends what has waited too long.
func (s *Server) At(now trace.Instant) {
	s.now, s.stuck = now, false
	for len(s.deadlines) > 0 && s.deadlines[0].deadline <= now && !mutant.On(mutant.NeverExpires) {
		s.expire(s.deadlines[0])
	}
}

// Request takes a request. Its answer comes from Poll, perhaps at once.
func (s *Server) Request(r *Request) {
	op := OperationOf(r.Body)
	s.t.Emit(trace.Event{Kind: trace.RequestArrived, Request: r.ID, A: uint64(op), Cause: r.Cause})
	p := &pending{id: r.ID, body: r.Body, op: op}
	p.way.start = s.now
	p.deadline = s.now + trace.Instant(s.cfg.timeout())
	if r.Deadline != 0 && r.Deadline < p.deadline {
		p.deadline, p.byClient = r.Deadline, true
	}
	if err := s.admit(r, p); err != nil {
		s.refuse(p, err)
		return
	}
	s.requests[p.id] = p
	s.deadlines.add(p)
	s.route(p)
}

// admit is what every request must pass, whatever it is.
func (s *Server) admit(r *Request, p *pending) *Error {
	if p.op == NoOperation {
		return ErrUnknownMethod
	}
	if s.node.IsLearner() && !r.Own && !forLearner(r.Body) {
		return ErrNotSupportedForLearner
	}
	if r.RequireLeader && s.node.Leader() == 0 && !mutant.On(mutant.LeaderNotRequired) {
		return ErrNoLeader
	}
	if err := check(r.Body, s.cfg.MaxTxnOps); err != nil {
		return err
	}
	if _, twice := s.requests[r.ID]; twice || len(s.requests) >= s.cfg.MaxPending {
		return ErrTooManyRequests
	}
	return nil
}

// forLearner tells whether a learner, which may be far behind, can answer.
func forLearner(body any) bool {
	switch r := body.(type) {
	case *pb.RangeRequest:
		return r.Serializable
	case *pb.StatusRequest, *pb.SnapshotRequest:
		return true
	}
	return false
}

// route sends an admitted request on its way.
func (s *Server) route(p *pending) {
	switch r := p.body.(type) {
	case *pb.RangeRequest:
		s.read(p, r.Serializable)
	case *pb.TxnRequest:
		if pb.ReadOnly(r) {
			s.read(p, pb.Serializable(r) || mutant.On(mutant.TxnReadLocal))
			return
		}
		s.write(p, &pb.InternalRaftRequest{Txn: r})
	case *pb.PutRequest:
		s.write(p, &pb.InternalRaftRequest{Put: r})
	case *pb.DeleteRangeRequest:
		s.write(p, &pb.InternalRaftRequest{DeleteRange: r})
	case *pb.CompactionRequest:
		s.write(p, &pb.InternalRaftRequest{Compaction: r})
	case *pb.AlarmRequest:
		s.write(p, &pb.InternalRaftRequest{Alarm: r})
	case *pb.MemberListRequest:
		s.read(p, !r.Linearizable)
	case *pb.MoveLeaderRequest:
		s.moveLeader(p, r)
	default: // the store's own figures: status, hashes, image
		s.read(p, true)
	}
}

// Cancel forgets a request whose client has gone. A write may happen all the same.
func (s *Server) Cancel(id uint64) {
	if p := s.requests[id]; p != nil {
		s.finish(p)
		s.dropMoving()
		s.traceDone(p, 0, ErrCanceled.Text)
	}
}

// expire ends a request that has waited too long. What it did not learn may still happen.
func (s *Server) expire(p *pending) {
	err := ErrTimeout
	switch p.stage {
	case moving:
		err = ErrTimeoutLeaderTransfer
	case queued: // raft never took it: there was no leader. etcd is still inside Propose then, and its context ends
		err = ErrContextDeadline
	case asking, catching, finishing:
		if p.byClient {
			err = ErrContextDeadline
		}
	default:
		err = s.timeoutCause(p.way.start)
	}
	s.answer(p, nil, err)
	s.dropMoving()
}

// dropMoving forgets the changes of leader that nobody waits for: the leader may stay the same for ever.
func (s *Server) dropMoving() {
	if len(s.moving) > 0 && !mutant.On(mutant.MoveLeftBehind) {
		s.moving = drop(s.moving)
	}
}

// finish takes a request out of every book; lists drop it when they come by.
func (s *Server) finish(p *pending) {
	p.stage = done
	s.deadlines.remove(p)
	if p.id != 0 {
		delete(s.requests, p.id)
	}
	if p.proposal != 0 && !(mutant.On(mutant.ProposalLeftBehind) && p.index == 0) {
		delete(s.proposals, p.proposal)
	}
	s.dequeue(p)
	s.ownEnded(p)
}

// answer ends a request with a reply.
func (s *Server) answer(p *pending, response any, err *Error) {
	s.finish(p)
	if p.id != 0 {
		s.reply(p, response, err)
	}
}

// refuse answers a request that was never admitted.
func (s *Server) refuse(p *pending, err *Error) { s.reply(p, nil, err) }

func (s *Server) reply(p *pending, response any, err *Error) {
	r := Reply{ID: p.id, Response: response}
	text := ""
	if err != nil {
		r.Err, r.Response, text = err, nil, err.Text
	}
	r.Slow = s.slow(p)
	s.replies = append(s.replies, r)
	s.traceDone(p, pb.HeaderRevision(r.Response), text)
}

// traceDone tells the trace that a reply has left. Only a write that succeeded acknowledges an entry.
func (s *Server) traceDone(p *pending, rev int64, text string) {
	e := trace.Event{Kind: trace.RequestDone, Request: p.id, Rev: rev, Text: text}
	if p.proposal != 0 && text == "" {
		e.Index = p.index
	}
	s.t.Emit(e)
}

// Poll adds answers to replies and reads, and hands raft what has gathered. node.Ready must follow, and then Ready.
func (s *Server) Poll() {
	s.publish()
	s.flush()
	s.askNext()
}

// Ready takes what the node has answered, and adds all answers that are due. It returns true if raft has been given
// more to do, so that Poll and Node.Ready are due again.
func (s *Server) Ready(states []consensus.ReadState, replies []Reply, reads []ReadReady) ([]Reply, []ReadReady, bool) {
	for _, rs := range states {
		s.readState(rs)
	}
	s.leaderSeen()
	replies = append(replies, s.replies...)
	reads = append(reads, s.reads...)
	clear(s.replies)
	clear(s.reads)
	s.replies, s.reads = s.replies[:0], s.reads[:0]
	more := len(s.queue) > 0 && s.canPropose() && !s.stuck || len(s.waiting) > 0 && !s.node.Reading()
	return replies, reads, more
}

// Applied takes what applying a batch has brought about. The node must have had its share before.
func (s *Server) Applied(r *store.Result) {
	s.revision, s.compactRevision = r.Revision, r.CompactRevision
	s.alarms = r.Alarms
	if r.Members != nil {
		s.members = r.Members
	}
	if r.OverQuota {
		s.raiseSpaceAlarm()
	}
	for i := range r.Outcomes {
		s.outcome(&r.Outcomes[i])
	}
	s.setVersion(r.Term)
	s.caughtUp()
}

// Restored takes the state of a snapshot that has become the store. What the snapshot skipped is answered by nobody:
// proposals among it end with a timeout, their outcome unknown. Compactions that were to be finished in the replaced
// state are finished if nothing is left to delete in the received one.
func (s *Server) Restored(r *store.Result) {
	s.Applied(r)
	if !r.Compacting {
		s.Compacted(r.CompactRevision)
	}
}

// Revision and CompactRevision are the store's as of the last applied entry; Published tells whether the cluster knows
// this member's name and URLs; Pending counts the requests held; Members is the membership. None of them allocates.
func (s *Server) Revision() int64              { return s.revision }
func (s *Server) CompactRevision() int64       { return s.compactRevision }
func (s *Server) Published() bool              { return s.published }
func (s *Server) Pending() int                 { return len(s.requests) }
func (s *Server) Members() *membership.Members { return s.members }

// Uses appends how much of its bounds the server has taken.
func (s *Server) Uses(dst []limits.Use) []limits.Use {
	return append(dst, limits.Use{Name: "requests held", Have: len(s.requests), Limit: s.cfg.MaxPending})
}

// Held appends what is in each of the server's books. Where no request is under way, all of them are empty.
func (s *Server) Held(dst []limits.Use) []limits.Use {
	for _, book := range [...]limits.Use{
		{Name: "requests", Have: len(s.requests)}, {Name: "proposals", Have: len(s.proposals)}, {Name: "deadlines", Have: len(s.deadlines)},
		{Name: "writes that wait for raft", Have: len(s.queue)}, {Name: "bytes that wait for raft", Have: s.queueBytes},
		{Name: "reads that wait for a question", Have: len(s.waiting)}, {Name: "reads that wait for an index", Have: len(s.asked)},
		{Name: "reads that wait for the store", Have: len(s.confirmed)}, {Name: "compactions that wait for their end", Have: len(s.finishing)},
		{Name: "changes of leader", Have: len(s.moving)},
	} {
		dst = append(dst, book)
	}
	return dst
}
