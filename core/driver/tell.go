package driver

import (
	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// What happens to a member between its wishes and its reports is told here, in
// one text for all worlds: a server and the simulator emit the same events. The
// log, the database and the start tell of themselves. What only the owner sees
// (a message leaves, a process ends) it hands to one of these functions; before
// that it says when that happens, and by which event, to the tracer (At).

// message is what an event says of a raft message.
func message(kind trace.Kind, m *raftpb.Message) trace.Event {
	e := trace.Event{
		Kind: kind, Msg: uint8(m.GetType()) + 1, Term: m.GetTerm(), Index: m.GetIndex(),
		A: m.GetCommit(), B: m.GetLogTerm(), C: uint64(len(m.GetEntries())),
	}
	if m.GetReject() {
		e.C |= trace.Rejected
	}
	return e
}

// Sent tells that a message has left for its receiver.
func Sent(t *trace.Tracer, m *raftpb.Message) uint64 { return SentUntil(t, m, 0, "") }

// SentUntil is Sent where the future is known: when it will arrive, or would have
// if it were not lost.
func SentUntil(t *trace.Tracer, m *raftpb.Message, arrives int64, lost string) uint64 {
	if !t.On() {
		return 0
	}
	e := message(trace.MessageSent, m)
	e.Peer, e.Rev, e.Text = m.GetTo(), arrives, lost
	return t.Emit(e)
}

// Delivered tells that a message has come from a peer, which need not be the one
// that it names: a proposal that was handed on twice names its first sender. What
// the member then does is caused by it.
func Delivered(t *trace.Tracer, from uint64, m *raftpb.Message) uint64 {
	if !t.On() {
		return 0
	}
	e := message(trace.MessageDelivered, m)
	e.Peer = from
	return t.Lead(e)
}

// Dropped tells that a message from a peer to another will not come, and why.
func Dropped(t *trace.Tracer, from uint64, m *raftpb.Message, why string) uint64 {
	return t.Emit(trace.Event{
		Kind: trace.MessageDropped, Member: m.GetTo(), Peer: from, Msg: uint8(m.GetType()) + 1, Text: why,
	})
}

// adopting tells that a received database is about to become the member's own.
func adopting(t *trace.Tracer, s *store.Store) {
	if !t.On() {
		return
	}
	at := s.Backend.Applied()
	t.Emit(trace.Event{
		Kind: trace.SnapshotAdopted, Index: at.Index, Term: at.Term, Rev: s.KV.Revision(),
		A: uint64(s.KV.CompactRevision()), B: uint64(s.KV.Keys()),
	})
}

// Stopped tells that a process has ended by its own decision, and what its disk
// holds at least: a log up to a position, a database with all up to an index.
func Stopped(t *trace.Tracer, why error, log Position, applied uint64) {
	t.Emit(trace.Event{
		Kind: trace.MemberStopped, Text: why.Error(), Term: log.InTerm, Peer: log.Vote, Index: applied, C: log.Index,
		B: log.Term, Rev: int64(log.Noting),
	})
}

// Asked tells that a client's request has come that the member need not see: it
// is answered from what is there.
func Asked(t *trace.Tracer, request uint64, body any) {
	t.Emit(trace.Event{Kind: trace.RequestArrived, Request: request, A: uint64(api.OperationOf(body))})
}

// Answered tells that a read was answered from the store: with err, or with a
// response whose header has its revision.
func Answered(t *trace.Tracer, request uint64, response any, err error) {
	if !t.On() {
		return
	}
	e := trace.Event{Kind: trace.RequestDone, Request: request, Rev: pb.HeaderRevision(response)}
	if err != nil {
		e.Text = err.Error()
	}
	t.Emit(e)
}

// started tells what a process has found on its disk.
func (s *Started) started(t *trace.Tracer) {
	end := s.Log.synced
	t.Lead(trace.Event{
		Kind: trace.MemberStarted, Term: end.InTerm, Peer: end.Vote,
		Index: s.State.Store.Backend.Applied().Index, A: end.Term, B: s.Found.Snapshot.GetIndex(), C: end.Index,
		Rev: s.State.Store.KV.Revision(),
	})
}

// tell says how far the log is written, or synced. What follows is caused by it.
func (l *Log) tell(kind trace.Kind, p Position, until int64) {
	l.disk.LogTracer.Lead(trace.Event{Kind: kind, Index: p.Index, Term: p.Term, Rev: until, A: l.ticket, B: p.Vote,
		C: p.InTerm})
}

// Tell says that everything applied up to a position is durable. What follows is
// caused by it.
func (c *Commit) Tell(at backend.Applied) {
	c.disk.CommitTracer.Lead(trace.Event{Kind: trace.BackendCommitted, Index: at.Index, Term: at.Term, A: uint64(c.Ops())})
}
