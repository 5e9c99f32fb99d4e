package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/duty"
	"vitrine/core/invariant"
	"vitrine/core/lease"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

// Config is what a member is told once: what its parts are told, and what only it knows. Zero values get etcd's
// defaults, except the ids. CheckProposal is the member's own.
type Config struct {
	consensus.Config
	api.Limits
	duty.Self
	ClusterID uint64
	// TickInterval is how often the driver steps Tick; it is raft's unit of time.
	TickInterval time.Duration // 100 ms
	Watch        watch.Config
	// TraceValues: events tell the values of pairs, too, cut short.
	TraceValues bool
	// LooseReconfig: members are added and removed without a look at whether a quorum would be there afterwards.
	LooseReconfig bool
	Began         uint64 // api.Config.Began
	// NewID names a member that is added at a time in seconds; nil = as etcd does.
	NewID func(peerURLs []string, seconds int64) uint64
	// LeaseCheckpointInterval is how long a lease runs before what is left of it is written to the log; negative = never.
	LeaseCheckpointInterval time.Duration // 5 min
}

func (c Config) withDefaults() Config {
	c.TickInterval = cmp.Or(c.TickInterval, limits.Tick)
	c.ElectionTicks = cmp.Or(c.ElectionTicks, limits.ElectionTicks)
	return c
}

// Member is one member. It is not safe for concurrent use: one goroutine steps and polls it.
type Member struct {
	cfg  Config
	t    *trace.Tracer
	now  trace.Instant
	node *consensus.Node
	book *api.Book
	hub  *watch.Hub
	halt error

	duties    *duty.Duties
	lessor    *lease.Lessor
	seen      duty.State // what the duties see; reused by Poll, as are their proposals
	proposals []duty.Proposal

	watchers watchers
	leaving  bool // this member has applied its own removal
	leaves   trace.Instant
	fenced   []uint64      // watch streams whose clients require a leader
	headless trace.Instant // since when no leader is known
	ends     []StreamEnd
	reads    []consensus.ReadState // room for those of a poll, used again
}

// ErrRemoved stops a member that has applied its own removal, and one that is started again after it.
var ErrRemoved = errors.New("the member has been permanently removed from the cluster")

// admit tells why a member must not start with what its driver found.
func admit(cfg Config, boot consensus.Boot, info StoreInfo) error {
	if info.Members != nil && info.Members.IsRemoved(cfg.ID) {
		return ErrRemoved
	}
	return store.CheckLog(boot.Entries, boot.Applied, boot.HardState.GetCommit())
}

// New starts a member with what its driver found on disk. Poll it before the first Step. It refuses a member that was
// removed from the cluster (ErrRemoved), and a log with committed entries that this build cannot apply.
func New(cfg Config, boot consensus.Boot, info StoreInfo, now trace.Instant) (*Member, error) {
	cfg = cfg.withDefaults()
	if err := admit(cfg, boot, info); err != nil {
		return nil, fmt.Errorf("member %x: %w", cfg.ID, err)
	}
	cfg.Tracer.At(now, cfg.Tracer.Caused())
	traceLog(&cfg, boot.Entries)
	cfg.CheckProposal = checkProposal
	node, err := consensus.New(cfg.Config, boot)
	if err != nil {
		return nil, fmt.Errorf("member %x: %w", cfg.ID, err)
	}
	m := &Member{cfg: cfg, t: cfg.Tracer, now: now, node: node, headless: now}
	m.lessor = lease.NewLessor(lease.Config{
		Extend:             m.electionTimeout(),
		Retry:              limits.RequestTimeout + 2*m.electionTimeout(),
		CheckpointInterval: cfg.LeaseCheckpointInterval,
	}, info.Leases)
	m.book = api.NewBook(api.Config{
		Limits: cfg.Limits, MemberID: cfg.ID, ClusterID: cfg.ClusterID, Tick: cfg.TickInterval,
		ElectionTicks: cfg.ElectionTicks, FirstID: cfg.FirstID, Began: cfg.Began,
		Tracer: cfg.Tracer, TraceValues: cfg.TraceValues,
		LooseReconfig: cfg.LooseReconfig, NewID: cfg.NewID,
	}, node, api.Info{
		Revision: info.Revision, CompactRevision: info.CompactRevision, Members: info.Members, Alarms: info.Alarms,
		Auth:  info.Auth,
		Clock: m.lessor,
	})
	m.duties = duty.New(duty.Config{
		Self: cfg.Self, MemberID: cfg.ID, Retry: m.electionTimeout(),
	}, m.lessor)
	m.hub = watch.NewHub(cfg.Watch, cfg.Tracer)
	m.hub.Reset(now, info.Revision, info.CompactRevision)
	m.watchers = watchers{book: m.book, hub: m.hub, clients: map[uint64]*api.Identity{}}
	m.at(now)
	return m, nil
}

// recoveredEntries is how many entries of the log the trace is told at a start: as many as anybody looks at.
const recoveredEntries = 64

// traceLog tells the trace the newest part of a log that was found on disk.
func traceLog(cfg *Config, entries []*raftpb.Entry) {
	t := cfg.Tracer
	if !t.On() {
		return
	}
	for _, e := range entries[max(0, len(entries)-recoveredEntries):] {
		t.Emit(trace.Event{
			Kind: trace.EntryRecovered, Index: e.GetIndex(), Term: e.GetTerm(), A: trace.HashData(e.GetData()),
			B:    uint64(e.GetType()),
			Text: api.EntryWords(e, cfg.TraceValues),
		})
	}
}

func (m *Member) electionTimeout() time.Duration {
	return time.Duration(m.cfg.ElectionTicks) * m.cfg.TickInterval
}

func (m *Member) at(now trace.Instant) {
	m.now = now
	m.node.At(now)
	m.book.At(now)
	m.watchers.now = now
}

// Step takes one input. Time never goes back. A member that has halted takes none.
func (m *Member) Step(now trace.Instant, in Input) {
	if m.halt != nil {
		return
	}
	invariant.Assert(now >= m.now, "member: time goes back")
	m.t.At(now, in.Cause)
	m.at(now)
	switch in.Kind {
	case Tick:
		m.tick(now)
	case Receive:
		m.receive(in.Message)
	case LogDone:
		m.node.LogDone(in.Ticket)
	case LogFailed:
		m.fail(in.Err)
	case Applied:
		m.applied(in.Ticket, in.Result)
	case SnapshotApplied:
		m.restored(in.Ticket, in.Result)
	case Request:
		m.book.Request(in.Call)
	case Cancel:
		m.book.Cancel(in.ID)
	case WorkDone:
		m.book.WorkDone(in.Done)
	case Compacted:
		m.book.Compacted(in.Revision)
	case Backed:
		m.node.Backed(in.Backed)
	case Campaign:
		m.node.Campaign()
	case TransferLeadership:
		m.node.TransferLeader(in.Peer)
	case Forwarded:
		m.book.Forwarded(in.ID, in.Response, in.Err)
	case Versions:
		m.duties.Versions(in.Version, in.Newest)
	case PeerUnreachable:
		m.book.Lost(in.Peer)
		m.node.Unreachable(in.Peer)
	case PeerConnected:
		m.connected(in.Peer, in.OK)
	case Expelled:
		m.expelled(in.Peer)
	case SnapshotStatus:
		m.node.SnapshotStatus(in.Peer, in.OK)
	default:
		m.watch(now, &in)
	}
}

// watch takes the inputs of watch streams.
func (m *Member) watch(now trace.Instant, in *Input) {
	switch in.Kind {
	case WatchOpen:
		m.openStream(in.Stream, in.OK, in.Call)
	case WatchRequest:
		m.watchers.request(in)
	case WatchClose:
		m.closeStream(in.Stream)
	case WatchSent:
		m.hub.Sent(in.Stream, in.N)
	case Scanned:
		m.hub.Scanned(now, in.Scan)
	}
}

func (m *Member) receive(msg *raftpb.Message) {
	if m.node.Receive(msg) == nil {
		m.book.Heard(msg.GetFrom())
	}
}

// fail is I12: what a failed sync has left on disk is unknown, so nothing that depends on it may be said any more, and
// a second sync that succeeds would prove nothing.
func (m *Member) fail(err error) {
	if err == nil {
		err = fmt.Errorf("the log failed")
	}
	m.t.Emit(trace.Event{Kind: trace.LogFailed, Text: err.Error()})
	m.halt = fmt.Errorf("member %x has stopped: %w", m.cfg.ID, err)
}

func (m *Member) applied(ticket uint64, r *store.Result) {
	invariant.Assert(r.Revision >= m.book.Revision(), "member: the store's revision falls")
	invariant.Assert(r.CompactRevision <= r.Revision || mutant.On(mutant.CompactRevisionLost),
		"member: the store is compacted beyond its revision")
	invariant.Assert(len(r.Changes) == 0 || r.Changes[len(r.Changes)-1].Rev == r.Revision,
		"member: changes end before the store's revision")
	m.node.Applied(ticket, r.Index, r.ConfChanges)
	m.hub.Publish(m.now, r.Changes, r.Revision, r.CompactRevision)
	m.lessor.Apply(m.now, r.Leases)
	m.promote(r.Term)
	m.book.Applied(r)
	m.watchers.again()
	m.heedEnds()
	m.duties.Applied(r)
	m.leave(r.Members)
	if r.Err != nil {
		m.halt = fmt.Errorf("member %x has stopped: %w", m.cfg.ID, r.Err)
	}
}

func (m *Member) restored(ticket uint64, r *store.Result) {
	invariant.Assert(r.Index > m.node.AppliedIndex(), "member: an older state is installed")
	invariant.Assert(r.Members != nil, "member: a state without members is installed")
	invariant.Assert(len(r.Changes) == 0 && len(r.Outcomes) == 0, "member: a state is installed with changes")
	m.t.Emit(trace.Event{Kind: trace.SnapshotInstalled, Index: r.Index, Term: r.Term, Rev: r.Revision})
	m.node.Applied(ticket, r.Index, nil)
	m.hub.Reset(m.now, r.Revision, r.CompactRevision)
	m.lessor.Reset(r.AllLeases)
	m.book.Restored(r)
	m.watchers.again()
	m.heedEnds()
	m.duties.Applied(r)
	m.leave(r.Members)
}

// promote starts the clock of leases when this member leads and has applied the first entry of its term, and with it
// all of the terms before.
func (m *Member) promote(applied uint64) {
	if !m.node.IsLeader() || m.node.Term() != applied || m.lessor.Term() == applied {
		return
	}
	m.lessor.Promote(m.now, applied)
	if n := m.lessor.Len(); n > 0 {
		m.t.Emit(trace.Event{Kind: trace.LessorPromoted, Term: applied, A: uint64(n)})
	}
}

// demote stops it when the member does not lead that term any more.
func (m *Member) demote() {
	term := m.lessor.Term()
	if term == 0 || m.node.IsLeader() && m.node.Term() == term || mutant.On(mutant.RevokeUnfenced) {
		return
	}
	if m.lessor.Len() > 0 {
		m.t.Emit(trace.Event{Kind: trace.LessorDemoted, Term: term})
	}
	m.lessor.Demote()
	m.book.Demoted()
}

// heedEnds tells the duties which of their proposals are over.
func (m *Member) heedEnds() {
	for _, e := range m.book.Ends() {
		m.duties.Ended(e)
	}
}

// perform proposes what the member's duties want.
func (m *Member) perform() {
	m.demote()
	m.heedEnds()
	m.seen = duty.State{
		Now: m.now, Leader: m.node.Leader(), Term: m.node.Term(), Leading: m.node.IsLeader(),
		Members: m.book.Members(), Alarms: m.book.Alarms(),
		Revision: m.book.Revision(),
	}
	m.proposals = m.duties.Due(&m.seen, m.proposals[:0])
	for _, p := range m.proposals {
		m.book.Propose(p)
	}
	clear(m.proposals)
}

// openStream opens a watch stream. One that requires a leader is cut when there has been none for too long.
func (m *Member) openStream(stream uint64, fenced bool, c *api.Call) {
	if err := m.book.Gate().Admit(&api.Call{Operation: api.Watch, RequireLeader: fenced}); err != nil {
		m.ends = append(m.ends, StreamEnd{stream, err})
		return
	}
	invariant.Assert(!slices.Contains(m.fenced, stream), "member: a watch stream is opened twice")
	if fenced {
		m.fenced = append(m.fenced, stream)
	}
	m.hub.Open(stream)
	if c != nil && c.Identity != (api.Identity{}) {
		m.watchers.clients[stream] = &c.Identity
	}
}

func (m *Member) closeStream(stream uint64) {
	m.hub.Close(stream)
	m.watchers.close(stream)
	if i := slices.Index(m.fenced, stream); i >= 0 && !mutant.On(mutant.StreamLeftBehind) {
		m.fenced = slices.Delete(m.fenced, i, i+1)
	}
}

// fence cuts the streams that require a leader after three election timeouts without one.
func (m *Member) fence() {
	if m.node.Leader() != 0 || mutant.On(mutant.StreamUnfenced) {
		m.headless = m.now
		return
	}
	patience := limits.NoLeaderTimeouts * time.Duration(m.cfg.ElectionTicks) * m.cfg.TickInterval
	invariant.Assert(m.headless <= m.now, "member: the leader will be lost in the future")
	if time.Duration(m.now-m.headless) < patience {
		return
	}
	for _, stream := range m.fenced {
		m.hub.Close(stream)
		m.watchers.close(stream)
		m.ends = append(m.ends, StreamEnd{stream, api.ErrNoLeader})
	}
	m.fenced = m.fenced[:0]
}

// Poll fills out with everything that the member wants done since the last Poll.
func (m *Member) Poll(out *Output) {
	*out = Output{
		Sends: out.Sends[:0], Log: out.Log[:0], Applies: out.Applies[:0], Replies: out.Replies[:0],
		Reads: out.Reads[:0], Pushes: out.Pushes[:0], Scans: out.Scans[:0], Ends: out.Ends[:0],
		Works: out.Works[:0], Forwards: out.Forwards[:0], Halt: m.halt,
	}
	if m.halt != nil {
		return
	}
	lanes := consensus.Output{Sends: out.Sends, Log: out.Log, Applies: out.Applies, Reads: m.reads[:0]}
	for more := true; more; {
		m.perform()
		m.book.Poll()
		lanes.Reads = lanes.Reads[:0]
		m.node.Ready(&lanes)
		out.Replies, out.Reads, more = m.book.Ready(lanes.Reads, out.Replies, out.Reads)
	}
	checkLanes(&lanes)
	m.reads = lanes.Reads
	out.Sends, out.Log, out.Applies = lanes.Sends, lanes.Log, lanes.Applies
	out.Works = m.book.Works(out.Works)
	out.Forwards = m.book.Forwards(out.Forwards)
	m.fence()
	out.Ends = append(out.Ends, m.ends...)
	m.ends = m.ends[:0]
	out.Pushes, out.Scans = m.hub.Drain(out.Pushes, out.Scans)
	out.Refused = m.node.Refused()
}

// checkLanes looks that both lanes to the driver get their tickets in order.
func checkLanes(o *consensus.Output) {
	for i := 1; i < len(o.Log); i++ {
		invariant.Assert(o.Log[i].Ticket > o.Log[i-1].Ticket, "member: writes of the log are out of order")
	}
	for i := 1; i < len(o.Applies); i++ {
		invariant.Assert(o.Applies[i].Ticket > o.Applies[i-1].Ticket, "member: batches to apply are out of order")
	}
	for i := range o.Applies {
		b := &o.Applies[i]
		invariant.Assert((b.Snapshot == nil) != (len(b.Entries) == 0), "member: a batch has entries, or is a snapshot")
	}
}

// Status is a member seen from outside.
type Status struct {
	consensus.Status
	ClusterID                 uint64
	Revision, CompactRevision int64
	Published                 bool // the cluster knows this member's name: it is ready for clients
	Pending                   int  // client requests held
	Watch                     watch.Counts
	Leases                    int    // how many there are
	Renewed, Expired          uint64 // renewals by this member, and revocations of what had run out
	Halt                      error
}

// Status is the member's state now. It allocates; it is for people, not for every step.
func (m *Member) Status() Status {
	return Status{
		Status: m.node.Status(), ClusterID: m.cfg.ClusterID, Revision: m.book.Revision(),
		CompactRevision: m.book.CompactRevision(), Published: m.duties.Published(), Pending: m.book.Pending(),
		Watch: m.hub.Counts(), Leases: m.lessor.Len(), Renewed: m.lessor.Renewed(), Expired: m.duties.Revoked(),
		Halt: m.halt,
	}
}

// Uses appends how much of its bounds the member has taken.
func (m *Member) Uses(dst []limits.Use) []limits.Use {
	return m.hub.Uses(m.book.Uses(dst))
}

// Held appends what the member keeps for its clients, book by book: of api.Book.Held and watch.Hub.Held, and the
// streams that require a leader.
func (m *Member) Held(dst []limits.Use) []limits.Use {
	dst = m.hub.Held(m.book.Held(dst))
	return append(dst, limits.Use{Name: "streams that require a leader", Have: len(m.fenced)},
		limits.Use{Name: "streams whose clients show who they are", Have: len(m.watchers.clients)},
		limits.Use{Name: "watchers whose tokens are not known yet", Have: len(m.watchers.early)})
}

// WantsPrev tells whether the store should look up previous pairs when it applies (store.ApplyContext.WithPrev).
func (m *Member) WantsPrev() bool { return m.hub.WantsPrev() }

// Proposed tells whether the entry with this id was probably proposed here (consensus.Ours). It may be asked from any
// goroutine.
func (m *Member) Proposed(id uint64) bool { return consensus.Ours(m.cfg.FirstID, id) }

// Leader is the member that is known to lead, 0 if none; Header is the identity of an answer that is made now. Both
// are as of the last Poll, and free.
func (m *Member) Leader() uint64 { return m.node.Leader() }

// Header fills the headers of watch responses (their revision is their own).
func (m *Member) Header() api.Header {
	return api.Header{ClusterID: m.cfg.ClusterID, MemberID: m.cfg.ID, RaftTerm: m.node.Term(), Revision: m.book.Revision()}
}
