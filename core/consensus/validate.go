package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"vitrine/core/limits"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/confchange"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// ErrBadMessage: a peer's message that raft must not see. Nothing has changed.
var ErrBadMessage = errors.New("consensus: bad message")

// maxTerm leaves raft room to count on from any term that it was told.
const maxTerm = 1 << 62

// Receive hands in a message from a peer. The image of a MsgSnap must be durable before. A message that no correct
// peer could have sent, or that has become meaningless on its way, is refused and counted.
func (n *Node) Receive(m *raftpb.Message) error {
	m, err := n.vet(m)
	if err != nil {
		return n.refuse(err)
	}
	n.dirty = true
	n.mayMove(m)
	quiet := asksForVote(m) && n.t.On() && !n.raw.HasReady()
	err = n.raw.Step(m)
	if quiet && !n.raw.HasReady() && n.lead != 0 { // raft says nothing while its leader's lease lasts
		n.t.Emit(trace.Event{
			Kind: trace.VoteIgnored, Peer: m.GetFrom(), Term: m.GetTerm(), A: n.lead, Msg: uint8(m.GetType()) + 1,
		})
	}
	if m.GetType() == raftpb.MsgSnap || m.GetType() == raftpb.MsgApp && len(m.GetEntries()) > 0 && m.GetIndex() < n.last {
		// The log may have become shorter. It may be longer than n.last at any time, but never shorter, or
		// validation would let pass what it must not.
		n.collect()
	}
	switch {
	case err == nil, errors.Is(err, raft.ErrProposalDropped):
		return err
	default:
		return n.refuse(fmt.Errorf("%w: %w", ErrBadMessage, err))
	}
}

// asksForVote tells whether a message is a candidate's question.
func asksForVote(m *raftpb.Message) bool {
	return m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote
}

// refuse counts a message and keeps the reason for Refused.
func (n *Node) refuse(err error) error {
	n.rejected++
	n.refused = err
	return err
}

// Refused is why the newest message was refused since the last call, nil if none was.
func (n *Node) Refused() error {
	err := n.refused
	n.refused = nil
	return err
}

func bad(m *raftpb.Message, format string, args ...any) error {
	return fmt.Errorf("%w: %s from %x: %s", ErrBadMessage, m.GetType(), m.GetFrom(), fmt.Sprintf(format, args...))
}

// vet returns the message as raft may see it, or why not. raft trusts its peers and panics at much of what is refused
// here. Messages that raft passes on are copied first: it writes the new address into them, and the simulator's
// network may deliver one message twice.
func (n *Node) vet(m *raftpb.Message) (*raftpb.Message, error) {
	switch {
	case m.GetFrom() == 0 || m.GetFrom() == n.cfg.ID || raft.IsLocalMsgTarget(m.GetFrom()):
		return nil, bad(m, "no peer has this id")
	case m.GetTo() != n.cfg.ID:
		return nil, bad(m, "is for %x", m.GetTo())
	case len(m.GetResponses()) != 0:
		return nil, bad(m, "carries answers of a disk")
	}
	switch m.GetType() {
	case raftpb.MsgProp, raftpb.MsgReadIndex:
		return n.vetForwarded(m)
	}
	if m.GetTerm() == 0 || m.GetTerm() > maxTerm {
		return nil, bad(m, "term %d", m.GetTerm())
	}
	switch m.GetType() {
	case raftpb.MsgApp:
		return m, vetEntries(m)
	case raftpb.MsgSnap:
		return m, n.vetSnapshot(m)
	case raftpb.MsgHeartbeat:
		return m, n.vetHeartbeat(m)
	case raftpb.MsgVote, raftpb.MsgPreVote, raftpb.MsgTimeoutNow:
		return m, nil // a member that we do not know yet may ask: it can be ahead of us
	}
	if !n.knows(m.GetFrom()) {
		return nil, bad(m, "is no member")
	}
	switch m.GetType() {
	case raftpb.MsgAppResp:
		return m, n.vetAppResp(m)
	case raftpb.MsgHeartbeatResp:
		return m, n.vetHeartbeatResp(m)
	case raftpb.MsgVoteResp, raftpb.MsgPreVoteResp, raftpb.MsgReadIndexResp:
		return m, nil
	case raftpb.MsgTransferLeader:
		return n.vetTransfer(m)
	}
	return nil, bad(m, "does not travel")
}

// vetForwarded checks what followers pass on to the leader. Such messages have no term.
func (n *Node) vetForwarded(m *raftpb.Message) (*raftpb.Message, error) {
	if !n.knows(m.GetFrom()) {
		return nil, bad(m, "is no member")
	}
	if m.GetTerm() != 0 {
		return nil, bad(m, "has term %d", m.GetTerm())
	}
	if len(m.GetEntries()) == 0 || m.GetType() == raftpb.MsgReadIndex && len(m.GetEntries()) != 1 {
		return nil, bad(m, "has %d entries", len(m.GetEntries()))
	}
	if m.GetType() == raftpb.MsgReadIndex && len(n.conf.GetVoters()) == 1 && n.role == raft.StateLeader &&
		n.commitTerm != n.term {
		return nil, bad(m, "nothing is committed in term %d yet", n.term) // a learner asks; see ask
	}
	fresh := &raftpb.Message{Type: m.Type, From: m.From, To: m.To, Context: m.Context}
	fresh.Entries = make([]*raftpb.Entry, len(m.GetEntries()))
	for i, e := range m.GetEntries() {
		if err := n.vetProposal(m, e); err != nil {
			return nil, err
		}
		fresh.Entries[i] = &raftpb.Entry{Type: e.Type, Data: e.GetData()}
	}
	return fresh, nil
}

// maxReadContext bounds what names a read that a follower asks for, in bytes: raft keeps it until a quorum has
// answered. Members use eight.
const maxReadContext = 64

func (n *Node) vetProposal(m *raftpb.Message, e *raftpb.Entry) error {
	switch {
	case m.GetType() == raftpb.MsgReadIndex:
		if len(e.GetData()) > maxReadContext {
			return bad(m, "has a context of %d bytes", len(e.GetData()))
		}
		return nil // it names a read, and gets into no log
	case e.GetType() == raftpb.EntryNormal:
	case e.GetType() == raftpb.EntryConfChange:
		if err := proto.Unmarshal(e.GetData(), &raftpb.ConfChange{}); err != nil {
			return bad(m, "conf change: %v", err)
		}
	default:
		return bad(m, "entry of type %v", e.GetType())
	}
	if n.cfg.CheckProposal == nil {
		return nil
	}
	if err := n.cfg.CheckProposal(e); err != nil {
		return bad(m, "no member could apply it: %v", err)
	}
	return nil
}

// vetEntries checks that the entries of an append form a piece of a log.
func vetEntries(m *raftpb.Message) error {
	if m.GetIndex() >= maxTerm || m.GetLogTerm() > m.GetTerm() {
		return bad(m, "follows (index %d, term %d) in term %d", m.GetIndex(), m.GetLogTerm(), m.GetTerm())
	}
	term := m.GetLogTerm()
	for i, e := range m.GetEntries() {
		if want := m.GetIndex() + uint64(i) + 1; e.GetIndex() != want {
			return bad(m, "entry %d where %d was due", e.GetIndex(), want)
		}
		if e.GetTerm() < term || e.GetTerm() > m.GetTerm() || e.GetTerm() == 0 {
			return bad(m, "entry %d of term %d after term %d", e.GetIndex(), e.GetTerm(), term)
		}
		if e.GetType() != raftpb.EntryNormal && e.GetType() != raftpb.EntryConfChange &&
			e.GetType() != raftpb.EntryConfChangeV2 {
			return bad(m, "entry %d of type %v", e.GetIndex(), e.GetType())
		}
		term = e.GetTerm()
	}
	return nil
}

func (n *Node) vetSnapshot(m *raftpb.Message) error {
	meta := m.GetSnapshot().GetMetadata()
	if meta.GetIndex() == 0 || meta.GetIndex() >= maxTerm || meta.GetTerm() == 0 || meta.GetTerm() > m.GetTerm() {
		return bad(m, "snapshot at (index %d, term %d)", meta.GetIndex(), meta.GetTerm())
	}
	if len(meta.GetConfState().GetVoters()) == 0 {
		return bad(m, "snapshot without voters")
	}
	if err := checkConf(meta.GetConfState()); err != nil {
		return bad(m, "%v", err)
	}
	return nil
}

// vetHeartbeat: a leader never tells us to commit beyond what we have acknowledged. raft would panic.
func (n *Node) vetHeartbeat(m *raftpb.Message) error {
	if !n.has(m.GetCommit()) {
		return bad(m, "commit %d, but the log ends at %d", m.GetCommit(), n.last)
	}
	return nil
}

// has tells whether index is in the log, on disk or not.
func (n *Node) has(index uint64) bool {
	if index > n.last {
		n.collect()
	}
	return index <= n.last
}

func (n *Node) vetAppResp(m *raftpb.Message) error {
	if m.GetTerm() == n.term && !m.GetReject() && !n.has(m.GetIndex()) {
		return bad(m, "has index %d, but the log ends at %d", m.GetIndex(), n.last)
	}
	return nil
}

// vetHeartbeatResp: the context is our own count of reads, given back.
func (n *Node) vetHeartbeatResp(m *raftpb.Message) error {
	ctx := m.GetContext()
	if len(ctx) == 0 || m.GetTerm() < n.term {
		return nil
	}
	if len(ctx) != 8 || binary.LittleEndian.Uint64(ctx) > n.maxReadAck {
		return bad(m, "confirms reads that were not asked")
	}
	return nil
}

// vetTransfer: a follower would pass it on, but with our term in it raft panics at that; a follower that has a leader
// to ask can ask that leader itself.
func (n *Node) vetTransfer(m *raftpb.Message) (*raftpb.Message, error) {
	n.collect()
	if n.role != raft.StateLeader || m.GetTerm() != n.term {
		return nil, bad(m, "this member does not lead term %d", m.GetTerm())
	}
	return m, nil
}

// checkConf tells whether raft can take cs as its configuration.
func checkConf(cs *raftpb.ConfState) error {
	_, err := restoreConf(cs)
	return err
}

func restoreConf(cs *raftpb.ConfState) (tracker.ProgressTracker, error) {
	t := tracker.MakeProgressTracker(1, 0)
	all := [][]uint64{cs.GetVoters(), cs.GetLearners(), cs.GetVotersOutgoing(), cs.GetLearnersNext()}
	for _, ids := range all {
		if len(ids) > limits.MaxMembers {
			return t, fmt.Errorf("consensus: configuration with %d members", len(ids))
		}
		for _, id := range ids {
			if id == 0 || raft.IsLocalMsgTarget(id) {
				return t, fmt.Errorf("consensus: configuration %s has member %x", confText(cs), id)
			}
		}
	}
	cfg, progress, err := confchange.Restore(confchange.Changer{Tracker: t, LastIndex: 1}, cs)
	if err != nil {
		return t, fmt.Errorf("consensus: configuration %s: %w", confText(cs), err)
	}
	t.Config, t.Progress = cfg, progress
	if err := cs.Equivalent(t.ConfState()); err != nil {
		return t, fmt.Errorf("consensus: configuration %s: %w", confText(cs), err)
	}
	return t, nil
}

// checkChange tells whether raft can apply cc to cs.
func checkChange(cs *raftpb.ConfState, cc *raftpb.ConfChange) error {
	t, err := restoreConf(cs)
	if err != nil {
		return err
	}
	changer := confchange.Changer{Tracker: t, LastIndex: 1}
	_, _, err = changer.Simple(cc.AsV2().Changes...)
	return err
}

// confText never uses protobuf's own text, which differs between binaries by design.
func confText(cs *raftpb.ConfState) string {
	return fmt.Sprintf("voters %x learners %x outgoing %x next %x",
		cs.GetVoters(), cs.GetLearners(), cs.GetVotersOutgoing(), cs.GetLearnersNext())
}
