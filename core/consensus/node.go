package consensus

import (
	"errors"
	"fmt"
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Errors of Node's inputs.
var (
	ErrNoLeader      = errors.New("consensus: no leader")
	ErrLeaderChanged = errors.New("consensus: leader changed")
	// ErrProposalDropped: nothing of the proposal was appended anywhere; it may be proposed again.
	ErrProposalDropped = raft.ErrProposalDropped
)

// Node is one member's raft. It is not safe for concurrent use.
type Node struct {
	cfg Config
	raw *raft.RawNode
	log *memLog
	t   *trace.Tracer
	now trace.Instant

	// dirty: raft was given something since it was last asked what it wants.
	dirty bool
	out   Output // collected and not yet taken by Ready

	// raft's state as of the last collection.
	term, vote, commit uint64
	lead               uint64
	role               raft.StateType
	last               uint64
	conf               *raftpb.ConfState
	ids                []uint64 // of everyone in conf, sorted
	confSince          uint64   // conf came with a snapshot at this index; changes up to there are in it
	confPending        uint64   // of a leader: the newest entry that may change conf
	commitTerm         uint64   // the newest term in which something is known to be committed

	writes     []pendingWrite    // in ticket order
	requests   []*raftpb.Message // for votes, until they join a write
	lastWrite  uint64            // the newest ticket of a write
	applies    []pendingApply
	lastApply  uint64
	reads      reads
	retention  retention
	rejected   uint64
	refused    error  // the newest of them, until Refused tells it
	maxReadAck uint64 // newest position of the read queue that we have asked followers to confirm in this term
	counting   counting

	// What the trace has been told of the others' progress, by id.
	told    []Progress
	moved   bool // something may have changed since
	telling int  // how many of them the visit under way has seen
	tell    func(id uint64, typ raft.ProgressType, pr tracker.Progress)
}

// pendingWrite is a LogWrite that is not reported done, with what may happen only then.
type pendingWrite struct {
	ticket    uint64
	entries   []*raftpb.Entry
	snapshot  *raftpb.Snapshot
	mark      *pb.WALSnapshot
	responses []*raftpb.Message
}

type pendingApply struct {
	ticket    uint64
	index     uint64   // of its last entry
	changes   []uint64 // indexes of its conf changes
	responses []*raftpb.Message
}

// New starts a node where Boot left off. It asks for nothing yet but what raft wants at once: see Ready.
func New(cfg Config, boot Boot) (*Node, error) {
	cfg = cfg.withDefaults()
	if cfg.ID == 0 || raft.IsLocalMsgTarget(cfg.ID) {
		return nil, fmt.Errorf("consensus: id %x is not allowed", cfg.ID)
	}
	if cfg.ElectionTicks <= cfg.HeartbeatTicks {
		return nil, fmt.Errorf("consensus: election after %d ticks must be later than a heartbeat, %d", cfg.ElectionTicks,
			cfg.HeartbeatTicks)
	}
	log, err := boot.log()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: log, t: cfg.Tracer}
	reads := raft.ReadOnlySafe
	if mutant.On(mutant.ReadOnLease) {
		reads = raft.ReadOnlyLeaseBased
	}
	n.raw, err = raft.NewRawNode(&raft.Config{
		ID:                 cfg.ID,
		ElectionTick:       cfg.ElectionTicks,
		HeartbeatTick:      cfg.HeartbeatTicks,
		Storage:            log,
		Applied:            log.applied,
		AsyncStorageWrites: true,
		MaxSizePerMsg:      limits.MaxAppendBytes,
		MaxInflightMsgs:    limits.MaxInflightAppends,
		MaxInflightBytes:   limits.MaxInflightBytes,

		MaxCommittedSizePerReady:  limits.MaxCommittedBytesPerReady,
		MaxUncommittedEntriesSize: limits.MaxUncommittedBytes,

		CheckQuorum:    !cfg.NoCheckQuorum,
		PreVote:        !cfg.NoPreVote && !mutant.On(mutant.NoPreVote),
		ReadOnlyOption: reads,
		Logger:         logger{cfg.Tracer},
	})
	if err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	n.term, n.vote, n.commit = log.hard.GetTerm(), log.hard.GetVote(), log.hard.GetCommit()
	n.last = log.last()
	n.setConf(log.conf)
	n.traceConf()
	n.t.Emit(trace.Event{Kind: trace.CommitAdvanced, Index: n.commit, Term: n.term})
	n.tell = n.tellProgress
	n.reads.ids = NewIDs(cfg.FirstID)
	n.retention = retention{mark: log.base, marking: log.base, writtenTerm: n.term, writtenVote: n.vote}
	n.dirty = true
	n.persistRecoveredTerm(boot.HardState.GetTerm())
	return n, nil
}

// persistRecoveredTerm writes the term that was found in the log to disk at boot. A crash may leave the entries of a
// write and not its hard state; the node then lives in the term of its last entry, and the disk is to say so before the
// node promises anything: etcd, if it is the next to start on that disk, goes by the hard state.
func (n *Node) persistRecoveredTerm(written uint64) {
	if n.term == written {
		return
	}
	invariant.Assert(n.term > written, "consensus: the term of a recovered log falls")
	n.lastWrite++
	n.out.Log = append(n.out.Log, LogWrite{
		Ticket: n.lastWrite, HardState: &raftpb.HardState{Term: new(n.term), Vote: new(n.vote), Commit: new(n.commit)},
		MustSync: true, Cause: n.t.Caused(),
	})
	n.writes = append(n.writes, pendingWrite{ticket: n.lastWrite})
}

// log checks what was found at boot and makes the log of it. raft would panic at what is refused here.
func (b Boot) log() (*memLog, error) {
	l := &memLog{base: b.Snapshot.GetIndex(), baseTerm: b.Snapshot.GetTerm(), applied: b.Applied}
	term := l.baseTerm
	for i, e := range b.Entries {
		if want := l.base + uint64(i) + 1; e.GetIndex() != want || e.GetTerm() < term {
			return nil, fmt.Errorf("consensus: entry (index %d, term %d) where index %d, term >= %d was expected",
				e.GetIndex(), e.GetTerm(), want, term)
		}
		term = e.GetTerm()
	}
	l.entries = slices.Clip(b.Entries)
	if l.applied < l.base {
		return nil, fmt.Errorf("%w: applied %d, first entry %d", ErrStoreBehindLog, l.applied, l.base+1)
	}
	if l.applied > l.last() {
		return nil, fmt.Errorf("%w: applied %d, last entry %d", ErrLogBehindStore, l.applied, l.last())
	}
	if b.HardState.GetCommit() > l.last() {
		return nil, fmt.Errorf("consensus: committed up to %d, but the log ends at %d", b.HardState.GetCommit(), l.last())
	}
	var err error
	if l.conf, err = b.conf(); err != nil {
		return nil, err
	}
	// What the store contains was committed, even if the last hard state to say so was not synced.
	l.hard = &raftpb.HardState{
		Term:   new(max(b.HardState.GetTerm(), term)),
		Vote:   new(b.HardState.GetVote()),
		Commit: new(max(b.HardState.GetCommit(), l.applied)),
	}
	if term > b.HardState.GetTerm() { // the vote was another term's
		l.hard.Vote = new(uint64(0))
	}
	return l, nil
}

// At tells the node the time. It goes before any other input of the same step.
func (n *Node) At(now trace.Instant) { n.now = now }

// Tick: one tick of raft's clock has passed.
func (n *Node) Tick() {
	n.raw.Tick()
	n.dirty, n.moved = true, true
	n.retryRead()
}

// Campaign stands for election now.
func (n *Node) Campaign() {
	n.dirty = true
	// A refusal (not promotable, a conf change not applied) is no error: the next timeout tries again.
	_ = n.raw.Campaign()
}

// Propose appends entries to the log, or, on a follower, asks the leader to. It is all or nothing: after
// ErrProposalDropped none of them is anywhere. No error is no promise: only seeing an entry applied is.
func (n *Node) Propose(data [][]byte) error {
	if len(data) == 0 {
		return nil
	}
	entries, made := make([]*raftpb.Entry, len(data)), make([]raftpb.Entry, len(data))
	for i, d := range data {
		made[i].Data, entries[i] = d, &made[i]
	}
	n.dirty = true
	return n.raw.Step(&raftpb.Message{
		Type: raftpb.MsgProp.Enum(), From: new(n.cfg.ID), Entries: entries,
	})
}

// ProposeConfChange proposes a change of the configuration, a raftpb.ConfChange, under the same promise. A leader takes
// one at a time and drops others: until it has applied the one before, and, when it is new, all that it has found in
// its log. raft itself would put an empty entry in its place.
func (n *Node) ProposeConfChange(data []byte) error {
	n.collect()
	if n.role == raft.StateLeader && n.confPending > n.log.applied {
		return ErrProposalDropped
	}
	n.dirty = true
	return n.raw.Step(&raftpb.Message{
		Type: raftpb.MsgProp.Enum(), From: new(n.cfg.ID),
		Entries: []*raftpb.Entry{{Type: raftpb.EntryConfChange.Enum(), Data: data}},
	})
}

// TransferLeader asks a leader to hand over to another voter, or, for 0, to the one that is most up to date. It
// returns whom it chose, 0 if it leads no one or nobody can take over. Success shows in Status: another leader.
func (n *Node) TransferLeader(to uint64) uint64 {
	n.collect()
	if n.role != raft.StateLeader {
		return 0
	}
	if to == 0 {
		to = n.successor()
	}
	if to == n.cfg.ID || !slices.Contains(n.conf.GetVoters(), to) {
		return 0
	}
	n.raw.TransferLeader(to)
	n.dirty = true
	return to
}

// successor is the voter with the longest log among those that were heard lately; the smaller id breaks a tie.
func (n *Node) successor() uint64 {
	var best, match uint64
	for _, p := range n.progress(nil) {
		if p.ID != n.cfg.ID && !p.Learner && p.Active && p.State != tracker.StateSnapshot && (best == 0 || p.Match > match) {
			best, match = p.ID, p.Match
		}
	}
	return best
}

// Unreachable: a message to the peer could not be sent.
func (n *Node) Unreachable(peer uint64) {
	if n.knows(peer) {
		n.raw.ReportUnreachable(peer)
		n.dirty, n.moved = true, true
	}
}

// SnapshotStatus: the image for the peer has arrived there, or not.
func (n *Node) SnapshotStatus(peer uint64, ok bool) {
	if !n.knows(peer) {
		return
	}
	status := raft.SnapshotFailure
	if ok {
		status = raft.SnapshotFinish
		n.retention.until = n.now + trace.Instant(keepAfterSnapshot)
	}
	n.raw.ReportSnapshot(peer, status)
	n.dirty, n.moved = true, true
}

// LogDone: the write with this ticket, and all before it, are done, and durable where they had to be. What waited for
// that happens now: entries become part of the durable log, votes and acknowledgements leave.
func (n *Node) LogDone(ticket uint64) {
	invariant.Assert(ticket <= n.lastWrite, "consensus: LogDone of a write that was never asked for")
	done := 0
	for done < len(n.writes) && n.writes[done].ticket <= ticket {
		w := &n.writes[done]
		if w.snapshot != nil {
			n.installed(w.snapshot)
		}
		n.log.append(w.entries)
		if w.mark != nil {
			n.marked(w.mark)
		}
		n.release(w.responses)
		done++
	}
	n.writes = slices.Delete(n.writes, 0, done)
}

// installed: the WAL starts at a received snapshot now, so the store may become it.
func (n *Node) installed(s *raftpb.Snapshot) {
	m := s.GetMetadata()
	invariant.Assert(m.GetIndex() > n.log.applied, "consensus: a snapshot of what is applied is installed")
	n.log.install(m.GetIndex(), m.GetTerm(), m.GetConfState())
	n.retention.mark = m.GetIndex()
	n.t.Emit(trace.Event{Kind: trace.SnapshotSaved, Index: m.GetIndex(), Term: m.GetTerm()})
	n.t.Emit(trace.Event{Kind: trace.LogCompacted, Index: m.GetIndex() + 1})
	n.lastApply++
	n.applies = append(n.applies, pendingApply{ticket: n.lastApply, index: m.GetIndex()})
	n.out.Applies = append(n.out.Applies, ApplyBatch{Ticket: n.lastApply, Snapshot: s, Cause: n.t.Caused()})
}

// release lets messages go that had to wait: to peers, or back into raft.
func (n *Node) release(ms []*raftpb.Message) {
	for _, m := range ms {
		invariant.Assert(m.GetTo() != 0, "consensus: a message to nobody")
		if m.GetTo() == n.cfg.ID {
			// raft takes its own answers in any state; the only error is for unknown peers.
			_ = n.raw.Step(m)
			n.dirty = true
			if mutant.On(mutant.QuorumOffByOne) && m.GetType() == raftpb.MsgAppResp {
				forged := proto.Clone(m).(*raftpb.Message)
				forged.From = new(n.conf.GetVoters()[n.cfg.ID%uint64(len(n.conf.GetVoters()))])
				_ = n.raw.Step(forged)
			}
			continue
		}
		n.send(m)
	}
}

func (n *Node) send(m *raftpb.Message) {
	if t := m.GetType(); t == raftpb.MsgApp || t == raftpb.MsgSnap {
		n.moved = true
	}
	switch {
	case mutant.On(mutant.AckUnheld) && m.GetType() == raftpb.MsgAppResp && !m.GetReject():
		m.Index = new(n.last)
	case mutant.On(mutant.ApplyBeforeCommit) && m.GetType() == raftpb.MsgApp:
		m.Commit = new(m.GetIndex() + uint64(len(m.GetEntries())))
	case mutant.On(mutant.CommitByCounting) && m.GetType() == raftpb.MsgApp:
		n.countOldTerms(m)
	}
	if n.supersedes(m) {
		n.out.Sends[len(n.out.Sends)-1].Message = m
		return
	}
	n.out.Sends = append(n.out.Sends, Send{
		To: m.GetTo(), Message: m, NeedImage: m.GetType() == raftpb.MsgSnap, Cause: n.t.Caused(),
	})
}

// supersedes tells whether m says all that the newest message under way says: an acknowledgement of more of the same
// log. A sync that covers many appends is then answered once.
func (n *Node) supersedes(m *raftpb.Message) bool {
	if m.GetType() != raftpb.MsgAppResp || m.GetReject() || len(n.out.Sends) == 0 {
		return false
	}
	o := n.out.Sends[len(n.out.Sends)-1].Message
	return o.GetType() == raftpb.MsgAppResp && !o.GetReject() && o.GetTo() == m.GetTo() &&
		o.GetTerm() == m.GetTerm() && o.GetIndex() <= m.GetIndex()
}

// Applied: the batch with this ticket, and all before it, are in the store, which has come to index. Changes are the
// conf changes among its entries, in log order; one that the store has refused is a change of node 0.
func (n *Node) Applied(ticket, index uint64, changes []*raftpb.ConfChange) {
	invariant.Assert(ticket <= n.lastApply, "consensus: Applied of a batch that was never handed out")
	done := 0
	for done < len(n.applies) && n.applies[done].ticket <= ticket {
		a := &n.applies[done]
		for _, at := range a.changes {
			if at <= index && len(changes) > 0 {
				n.changeConf(at, changes[0])
				changes = changes[1:]
			}
		}
		invariant.Assert(a.index > n.log.applied, "consensus: a batch is applied twice")
		invariant.Assert(a.index <= n.commit, "consensus: more is applied than is committed")
		n.log.applied = a.index
		for _, m := range a.responses {
			_ = n.raw.Step(m) // raft takes its own answers in any state
		}
		done++
	}
	invariant.Assert(n.log.applied <= n.log.last() || len(n.writes) > 0, "consensus: what is applied is not in the log")
	n.applies = slices.Delete(n.applies, 0, done)
	invariant.Assert(len(changes) == 0, "consensus: Applied reports conf changes that its batch does not have")
	// All that can come of it is that raft hands out more of what is committed.
	n.dirty = n.dirty || n.commit > n.log.applied
	n.compact()
}

func (n *Node) changeConf(index uint64, cc *raftpb.ConfChange) {
	if cc.GetNodeId() == 0 || index <= n.confSince {
		return
	}
	if mutant.On(mutant.RemovedCounts) && cc.GetType() == raftpb.ConfChangeRemoveNode {
		return
	}
	if err := checkChange(n.conf, cc); err != nil {
		invariant.Violated(n.t, invariant.Membership, "conf change at index %d cannot follow %s: %v", index, confText(n.conf),
			err)
	}
	n.dirty, n.moved = true, true
	if mutant.On(mutant.LearnerCounts) && cc.GetType() == raftpb.ConfChangeAddLearnerNode {
		cc = &raftpb.ConfChange{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: cc.NodeId}
	}
	n.setConf(n.raw.ApplyConfChange(cc))
	n.log.conf = n.conf
	n.t.Emit(n.confEvent(index, cc.GetNodeId(), cc.GetType()))
}

func (n *Node) confEvent(index, member uint64, typ raftpb.ConfChangeType) trace.Event {
	return trace.Event{
		Kind: trace.ConfChanged, Index: index, Peer: member, A: uint64(typ),
		B: uint64(len(n.conf.GetVoters())), C: uint64(len(n.conf.GetLearners())),
	}
}

// traceConf tells the trace the configuration that came with the store, as if it were made now, at index 0.
func (n *Node) traceConf() {
	for _, id := range n.conf.GetVoters() {
		n.t.Emit(n.confEvent(0, id, raftpb.ConfChangeAddNode))
	}
	for _, id := range n.conf.GetLearners() {
		n.t.Emit(n.confEvent(0, id, raftpb.ConfChangeAddLearnerNode))
	}
}

func (n *Node) setConf(cs *raftpb.ConfState) {
	invariant.Assert(len(cs.GetVoters()) > 0 || len(cs.GetLearners()) == 0, "consensus: learners without a voter")
	n.conf = cs
	n.ids = slices.Concat(cs.GetVoters(), cs.GetLearners(), cs.GetVotersOutgoing(), cs.GetLearnersNext())
	slices.Sort(n.ids)
}

func (n *Node) knows(id uint64) bool {
	_, ok := slices.BinarySearch(n.ids, id)
	return ok
}

// Leader is the member that is known to lead, 0 if none, as of the last Ready.
func (n *Node) Leader() uint64 { return n.lead }

// Leads tells whether this node leads the term now, as raft has it and not as of the last Ready: what it proposes
// before it takes another input is an entry of that term, or none.
func (n *Node) Leads(term uint64) bool {
	s := n.raw.BasicStatus()
	return s.RaftState == raft.StateLeader && s.GetTerm() == term
}

// Term, IsLeader, IsLearner, Committed and AppliedIndex are as of the last Ready, and free.
func (n *Node) Term() uint64         { return n.term }
func (n *Node) IsLeader() bool       { return n.role == raft.StateLeader }
func (n *Node) Committed() uint64    { return n.commit }
func (n *Node) AppliedIndex() uint64 { return n.log.applied }
func (n *Node) IsLearner() bool      { return slices.Contains(n.conf.GetLearners(), n.cfg.ID) }

// Matches is up to where the log of a member is known to be that of this leader, and where this leader's ends; ok is
// false if this node does not lead, or has no such member.
func (n *Node) Matches(id uint64) (match, own uint64, ok bool) {
	n.collect()
	if n.role != raft.StateLeader {
		return 0, 0, false
	}
	n.raw.WithProgress(func(peer uint64, _ raft.ProgressType, pr tracker.Progress) {
		if peer == id {
			match, ok = pr.Match, true
		}
		if peer == n.cfg.ID {
			own = pr.Match
		}
	})
	return match, own, ok
}

// Voters are the ids of the voters in force. The slice is shared.
func (n *Node) Voters() []uint64 { return n.conf.GetVoters() }

// Status is the node seen from outside. It allocates.
func (n *Node) Status() Status {
	n.collect()
	basic := n.raw.BasicStatus()
	s := Status{
		ID: n.cfg.ID, Term: n.term, Vote: n.vote, Lead: n.lead, Role: n.role, Learner: n.IsLearner(),
		Transferee: basic.LeadTransferee, Commit: n.commit, Applied: n.log.applied,
		First: n.log.base + 1, Last: n.last, Synced: min(n.log.last(), n.last), Mark: n.retention.mark,
		Rejected: n.rejected, ConfState: n.conf,
	}
	if n.role == raft.StateLeader {
		s.Progress = n.progress(nil)
	}
	return s
}

func (n *Node) progress(ps []Progress) []Progress {
	n.raw.WithProgress(func(id uint64, typ raft.ProgressType, pr tracker.Progress) { // by id
		ps = append(ps, progressOf(id, typ, &pr))
	})
	return ps
}

func progressOf(id uint64, typ raft.ProgressType, pr *tracker.Progress) Progress {
	return Progress{
		ID: id, Match: pr.Match, Next: pr.Next, State: pr.State, PendingSnapshot: pr.PendingSnapshot,
		Learner: typ == raft.ProgressTypeLearner, Active: pr.RecentActive,
		Paused: pr.State == tracker.StateSnapshot || pr.MsgAppFlowPaused,
	}
}
