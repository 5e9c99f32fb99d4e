package consensus

import (
	"encoding/binary"
	"slices"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// Ready adds everything that the node wants done to out.
func (n *Node) Ready(out *Output) {
	n.collect()
	out.Sends = append(out.Sends, n.out.Sends...)
	out.Log = append(out.Log, n.out.Log...)
	out.Applies = append(out.Applies, n.out.Applies...)
	out.Reads = append(out.Reads, n.out.Reads...)
	clear(n.out.Sends) // what was handed out must not be kept alive here
	clear(n.out.Log)
	clear(n.out.Applies)
	n.out = Output{n.out.Sends[:0], n.out.Log[:0], n.out.Applies[:0], n.out.Reads[:0]}
}

// collect asks raft what it wants. raft has said everything after one answer; but answering may make this node ask
// something in turn (reads after a change of leader), so it goes on until there is nothing left.
func (n *Node) collect() {
	if !n.dirty {
		return
	}
	for n.dirty {
		n.dirty = false
		if !n.raw.HasReady() { // it costs little, and half of what raft is given changes nothing that shows
			break
		}
		rd := n.raw.Ready()
		oldLead := n.lead
		n.observe(&rd)
		for _, m := range rd.Messages {
			n.dispatch(m)
		}
		invariant.Assert(len(n.requests) == 0, "consensus: votes are asked for in a term that is not being written")
		for _, rs := range rd.ReadStates {
			n.readAnswered(rs)
		}
		n.leaderMoved(oldLead)
	}
	n.observeProgress()
}

// observe notes what has changed in raft, and tells the trace.
func (n *Node) observe(rd *raft.Ready) {
	term, vote, commit := n.term, n.vote, n.commit
	if rd.HardState != nil {
		n.term, n.vote, n.commit = rd.HardState.GetTerm(), rd.HardState.GetVote(), rd.HardState.GetCommit()
	}
	invariant.Assert(n.term >= term, "consensus: the term falls")
	invariant.Assert(n.commit >= commit, "consensus: the commit index falls")
	invariant.Assert(n.term > term || vote == 0 || n.vote == vote, "consensus: a vote changes within its term")
	if n.term != term {
		n.maxReadAck = 0
		n.t.Emit(trace.Event{Kind: trace.TermChanged, Term: n.term})
	}
	if n.vote != 0 && (n.vote != vote || n.term != term) {
		n.t.Emit(trace.Event{Kind: trace.VoteCast, Term: n.term, Peer: n.vote})
	}
	if rd.SoftState != nil {
		n.lead, n.role = rd.SoftState.Lead, rd.SoftState.RaftState
		n.confPending = n.last // as raft has it: whatever is in the log may be a change
		n.t.Emit(trace.Event{Kind: trace.RoleChanged, Term: n.term, Peer: n.lead, A: uint64(n.role)})
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		// The snapshot takes the place of the whole log, and of entries that were never committed.
		if n.last > commit {
			n.t.Emit(trace.Event{Kind: trace.LogTruncated, Index: commit + 1, Term: n.term})
		}
		n.last = rd.Snapshot.GetMetadata().GetIndex()
		n.t.Emit(trace.Event{Kind: trace.SnapshotRestored, Index: n.last, Term: rd.Snapshot.GetMetadata().GetTerm()})
	}
	n.observeEntries(rd.Entries)
	if n.commit != commit {
		n.t.Emit(trace.Event{Kind: trace.CommitAdvanced, Index: n.commit, Term: n.term})
	}
	if k := len(rd.CommittedEntries); k > 0 {
		if t := rd.CommittedEntries[k-1].GetTerm(); t == n.term && n.commitTerm != t {
			n.commitTerm = t
			n.firstCommit()
		}
	}
}

func (n *Node) observeEntries(es []*raftpb.Entry) {
	if len(es) == 0 {
		return
	}
	if first := es[0].GetIndex(); first <= n.last {
		n.t.Emit(trace.Event{Kind: trace.LogTruncated, Index: first, Term: n.term})
	}
	invariant.Assert(es[0].GetIndex() <= n.last+1, "consensus: a gap between entries")
	invariant.Assert(es[0].GetIndex() > n.log.applied, "consensus: an applied entry is replaced")
	for _, e := range es {
		if e.GetType() == raftpb.EntryConfChange {
			n.confPending = e.GetIndex()
		}
	}
	n.last = es[len(es)-1].GetIndex()
	invariant.Assert(n.last == es[0].GetIndex()+uint64(len(es))-1, "consensus: a gap among entries")
	if n.t.On() { // hashing is work
		for _, e := range es {
			n.t.Emit(trace.Event{
				Kind: trace.EntryAppended, Index: e.GetIndex(), Term: e.GetTerm(), A: trace.HashData(e.GetData()),
				B: uint64(e.GetType()),
			})
		}
	}
}

// mayMove notes that a message may change what a leader knows of a peer. Answers to heartbeats come often and seldom
// do.
func (n *Node) mayMove(m *raftpb.Message) {
	if m.GetType() != raftpb.MsgHeartbeatResp {
		n.moved = true
		return
	}
	for i := range n.told {
		if p := &n.told[i]; p.ID == m.GetFrom() && (!p.Active || p.Paused || p.Match < n.last) {
			n.moved = true
		}
	}
}

// observeProgress tells the trace what a leader has learned of the others. It looks at raft's own figures after all
// that may have changed them.
func (n *Node) observeProgress() {
	switch {
	case n.role != raft.StateLeader || !n.t.On():
		n.told = n.told[:0]
		return
	case !n.moved && len(n.told) > 0:
		return
	}
	n.moved, n.telling = false, 0
	n.raw.WithProgress(n.tell)
	n.told = n.told[:n.telling]
}

// tellProgress is called for each member, by id.
func (n *Node) tellProgress(id uint64, typ raft.ProgressType, pr tracker.Progress) {
	p, i := progressOf(id, typ, &pr), n.telling
	n.telling++
	if i == len(n.told) {
		n.told = append(n.told, Progress{})
	}
	if n.told[i] == p || id == n.cfg.ID {
		n.told[i] = p
		return
	}
	n.told[i] = p
	bits := uint64(p.State)
	for _, b := range [...]struct {
		on  bool
		bit uint64
	}{{p.Paused, trace.ProgressPaused}, {p.Active, trace.ProgressActive}, {p.Learner, trace.ProgressLearner}} {
		if b.on {
			bits |= b.bit
		}
	}
	n.t.Emit(trace.Event{
		Kind: trace.ProgressChanged, Peer: id, Term: n.term, Index: p.Match, A: p.Next, B: bits, C: p.PendingSnapshot,
	})
}

// dispatch puts one of raft's messages on its lane.
func (n *Node) dispatch(m *raftpb.Message) {
	switch m.GetTo() {
	case raft.LocalAppendThread:
		n.write(m)
	case raft.LocalApplyThread:
		n.apply(m)
	default:
		if m.GetType() == raftpb.MsgHeartbeat && len(m.GetContext()) == 8 {
			n.maxReadAck = max(n.maxReadAck, binary.LittleEndian.Uint64(m.GetContext()))
		}
		if m.GetType() == raftpb.MsgVote && !mutant.On(mutant.VoteRequestEarly) {
			n.requests = append(n.requests, m)
			return
		}
		n.send(m)
	}
}

// A request for votes waits until the candidate's own term and vote are durable. raft's asynchronous writes send it at
// once and hold back only the candidate's vote for itself, which is not enough, because the votes of others can be a
// quorum without it:
//
//  1. S1 becomes candidate in term 5 and asks for votes; its disk still says term 4.
//  2. S2 and S3 vote, durably. S1 leads term 5 and appends (9, term 5) = x; S2 gets and keeps it.
//  3. S1 loses power before its first write of term 5, and starts again in term 4.
//  4. S1 becomes candidate in term 5 again. S2 and S3 have voted for S1 in term 5, so they do again.
//  5. S1 leads term 5 a second time and appends (9, term 5) = y.
//
// Now two entries have one index and one term, and everything that rests on log matching is lost. A request is itself
// a promise: whoever asks as a candidate of a term never asks a second time.
func (n *Node) holdRequests(p *pendingWrite) {
	p.responses = append(slices.Clip(p.responses), n.requests...)
	n.requests = nil
}

func (n *Node) write(m *raftpb.Message) {
	invariant.Assert(len(n.writes) == 0 || n.writes[len(n.writes)-1].ticket <= n.lastWrite,
		"consensus: tickets of writes go back")
	n.lastWrite++
	w := LogWrite{Ticket: n.lastWrite, Entries: m.GetEntries(), Cause: n.t.Caused()}
	p := pendingWrite{ticket: n.lastWrite, entries: m.GetEntries(), responses: m.GetResponses()}
	if m.Term != nil && !(mutant.On(mutant.TermForgotten) && len(w.Entries) == 0) { // raft leaves all three out, or none
		invariant.Assert(m.GetTerm() >= n.retention.writtenTerm, "consensus: an older term is written")
		w.HardState = &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
		w.MustSync = m.GetTerm() != n.retention.writtenTerm || m.GetVote() != n.retention.writtenVote &&
			!mutant.On(mutant.VoteForgotten)
		n.retention.writtenTerm, n.retention.writtenVote = m.GetTerm(), m.GetVote()
	}
	w.MustSync = w.MustSync || len(w.Entries) > 0
	if s := m.GetSnapshot(); !raft.IsEmptySnap(s) {
		w.Snapshot, w.Release, w.MustSync = s, s.GetMetadata().GetIndex(), true
		invariant.Assert(s.GetMetadata().GetIndex() > n.log.base,
			"consensus: a snapshot of what the log begins with is saved")
		p.snapshot = s
		if !mutant.On(mutant.MarkBehindSnapshot) {
			n.retention.marking = s.GetMetadata().GetIndex() // an older mark must not follow it
		}
		n.setConf(s.GetMetadata().GetConfState())
		n.confSince = s.GetMetadata().GetIndex()
		n.traceConf()
	}
	n.holdRequests(&p)
	if !w.MustSync && len(n.writes) == 0 {
		// Everything that the answers depend on is durable already: a new commit index alone is no promise.
		n.release(p.responses)
		p.responses = nil
		if w.HardState == nil {
			n.lastWrite--
			return
		}
	}
	n.out.Log = append(n.out.Log, w)
	n.writes = append(n.writes, p)
}

func (n *Node) apply(m *raftpb.Message) {
	n.lastApply++
	es := m.GetEntries() // never empty
	handed := n.log.applied
	if k := len(n.applies); k > 0 {
		handed = n.applies[k-1].index
	}
	invariant.Assert(len(es) > 0 && es[0].GetIndex() == handed+1, "consensus: a gap between batches to apply")
	invariant.Assert(es[len(es)-1].GetIndex() <= n.commit, "consensus: what is not committed is to be applied")
	n.out.Applies = append(n.out.Applies, ApplyBatch{Ticket: n.lastApply, Entries: es, Cause: n.t.Caused()})
	p := pendingApply{ticket: n.lastApply, index: es[len(es)-1].GetIndex(), responses: m.GetResponses()}
	for _, e := range es {
		if e.GetType() == raftpb.EntryConfChange {
			p.changes = append(p.changes, e.GetIndex())
		}
	}
	n.applies = append(n.applies, p)
}
