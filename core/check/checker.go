package check

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"vitrine/core/trace"
)

// Violation says which invariant broke, where and how.
type Violation struct {
	Number int
	Seq    uint64 // the event that broke it; walk its causes back
	Cause  uint64 // what led to that event
	Now    trace.Instant
	Member uint64
	Text   string
}

// Error implements error.
func (v Violation) Error() string { return fmt.Sprintf("invariant I%d violated: %s", v.Number, v.Text) }

// Options of a Checker. The zero value is fine.
type Options struct {
	// Voters of the first configuration, for traces without ConfChanged events.
	Voters []uint64
	// MaxViolations bounds what is recorded; 0 = 16. Later ones are counted only.
	MaxViolations int
	// Window bounds the entries whose hashes are remembered; 0 = 16,384. It is
	// rounded up to a power of two.
	Window int
	// KeepFor or KeepRevisions, if not 0, is the history that members who compact by themselves must keep.
	KeepFor       time.Duration
	KeepRevisions int64
	// NoPreVote: members stand for election without asking before.
	NoPreVote bool
}

// Report returns a callback for Checker.OnViolation that writes a Violated event.
func Report(s *trace.Stream) func(Violation) {
	return func(v Violation) {
		s.Emit(&trace.Event{Kind: trace.Violated, Cause: v.Seq, Now: v.Now, Member: v.Member, A: uint64(v.Number),
			Text: v.Text})
	}
}

// member is what the trace and its disk say about one member.
type member struct {
	id   uint64
	seen bool

	log      end    // in memory
	durable  end    // on disk, by LogSynced
	hardTerm uint64 // term and vote on disk
	hardVote uint64
	replaced end // the first durable entry that another leader's took the place of, while no sync has told so

	term              uint64 // in memory
	votedIn, votedFor uint64
	leading           bool
	grants            []grant
	told              bool   // by the leader, to stand for election now
	failed            uint64 // the event by which its disk refused, 0 = none in this life
	cut               uint64 // while leading: its log was truncated from here, 0 = no
	snapshots         int    // on their way in: the log may start anew
	arrivals          []arrival

	commit      uint64
	commitKnown bool // false until it says so after a start; its hard state may know more
	applied     uint64
	backed      uint64 // applied index that is durable
	rev         int64

	view view
}

// Checker holds the events of a trace to I1 to I8, I10, I12, I13 and I18. It is a trace.Sink. Its
// memory is bounded by the options and the constants of this package.
type Checker struct {
	// OnViolation, if set, is called for each violation, at once.
	OnViolation func(Violation)

	options    Options
	violations []Violation
	retention  retention
	broken     [64]uint64 // violations by number
	seq        uint64     // of the last event

	members    []*member
	failing    int       // members whose disk has refused in this life
	runs       []termRun // by term
	window     []entry   // by index, modulo its length
	leaders    []leader
	committed  end      // the furthest entry that anyone knows to be committed
	commits    []commit // by term
	configs    []config // by index
	hashes     []hashed
	sessions   []session
	past       []seen
	leases     leases
	rosters    rosters
	void       map[mark]bool
	dispatches []dispatch
	listing    int // members whose configuration is being told
}

// firstWindow is how long the window begins: most runs never need more.
const firstWindow = 1 << 10

// New makes a checker that has seen nothing.
func New(o Options) *Checker {
	if o.MaxViolations == 0 {
		o.MaxViolations = 16
	}
	if o.Window == 0 {
		o.Window = 1 << 14
	}
	return &Checker{
		options: o,
		window:  make([]entry, min(firstWindow, 1<<bits.Len(uint(o.Window-1)))),
		configs: []config{{voters: slices.Clone(o.Voters)}},
	}
}

func (c *Checker) member(id uint64) *member {
	for _, m := range c.members {
		if m.id == id {
			return m
		}
	}
	m := &member{id: id}
	c.members = append(c.members, m)
	return m
}

// Emit implements trace.Sink.
func (c *Checker) Emit(e *trace.Event) {
	c.seq = e.Seq
	if c.failing > 0 {
		c.afterFailure(e)
	}
	if c.listing > 0 {
		c.listed(e)
	}
	switch e.Kind {
	case trace.LogFailed:
		c.diskFailed(c.member(e.Member), e)
	case trace.MessageSent:
		c.speaks(c.member(e.Member), e)
		switch e.Msg {
		case msgAppResp, msgVoteResp, msgVote:
			c.sent(c.member(e.Member), e)
		case msgPreVoteResp:
			c.preVoted(c.member(e.Peer), e)
		}
	case trace.MessageDelivered:
		c.delivered(e)
	case trace.EntryAppended:
		c.appended(c.member(e.Member), e)
	case trace.LogTruncated:
		c.truncated(c.member(e.Member), e, e.Index)
	case trace.LogSynced:
		c.synced(c.member(e.Member), e)
	case trace.CommitAdvanced:
		c.commitAdvanced(c.member(e.Member), e)
		c.quorumHas(c.member(e.Member), e)
	case trace.EntryApplied:
		c.owes(c.member(e.Member), e)
		c.applied(c.member(e.Member), e)
		c.revised(e)
	case trace.CompactionDue:
		c.compactionDue(e)
	case trace.RequestDone:
		switch {
		case e.Text != "":
		case e.Member != 0 && e.Index != 0:
			c.acked(e)
		case e.Member == 0 && e.Peer != 0:
			c.heard(e)
		}
	case trace.BackendCommitted:
		c.backendCommitted(c.member(e.Member), e)
	case trace.RoleChanged:
		c.role(c.member(e.Member), e)
	case trace.TermChanged:
		c.term(c.member(e.Member), e)
	case trace.VoteCast:
		c.voted(c.member(e.Member), e)
	case trace.ConfChanged:
		c.confChanged(e)
		c.viewChanged(c.member(e.Member), e)
	case trace.SnapshotInstalled:
		c.installed(c.member(e.Member), e)
	case trace.MemberStarted:
		c.started(c.member(e.Member), e)
	case trace.MemberCrashed, trace.MemberStopped:
		c.ended(c.member(e.Member), e)
	case trace.MemberChanged, trace.MemberLeft, trace.MemberResumed, trace.SnapshotRestored:
		c.roster(c.member(e.Member), e)
	case trace.SnapshotSent, trace.SnapshotReceived:
		c.transferred(e)
	default:
		c.lease(e)
	}
}

// delivered handles MessageDelivered.
func (c *Checker) delivered(e *trace.Event) {
	switch e.Msg {
	case msgSnap:
		c.member(e.Member).snapshots++
	case msgTimeoutNow:
		c.member(e.Member).told = true
	case msgVoteResp:
		c.votedFor(c.member(e.Member), e)
	}
}

// violate records a violation by e.
func (c *Checker) violate(number int, e *trace.Event, format string, args ...any) {
	c.Violate(Violation{
		Number: number, Seq: e.Seq, Cause: e.Cause, Now: e.Now, Member: e.Member,
		Text: fmt.Sprintf(format, args...),
	})
}

// Violate records a violation found elsewhere (an image, a history), so that all
// are in one place.
func (c *Checker) Violate(v Violation) {
	c.broken[v.Number&63]++
	if len(c.violations) < c.options.MaxViolations {
		c.violations = append(c.violations, v)
	}
	if c.OnViolation != nil {
		c.OnViolation(v)
	}
}

// Violations are the first violations, in order.
func (c *Checker) Violations() []Violation { return c.violations }

// Holds reports whether the invariant has held so far.
func (c *Checker) Holds(number int) bool { return c.broken[number&63] == 0 }
