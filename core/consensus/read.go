package consensus

import (
	"encoding/binary"

	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
)

// reads is the one question about the commit index that may be open. All reads that wait when it is asked share its
// answer; later ones wait for the next question, because an answer may be as old as its question.
//
// The question is asked again when no answer comes: messages get lost, and a leader drops questions when it steps
// down. Every time it has a fresh id, and any of its ids may answer, for each was first used after all reads of the
// batch had arrived. An id is never used twice, not even across restarts: an old answer to an old question must not
// pass for an answer to a new one (that made etcd serve stale reads, etcd issue 20418).
type reads struct {
	ids         IDs
	batch       uint64 // the id it was first asked under, 0 = no question is open
	first, last uint64 // ids in use for it; 0 = not asked yet, for want of a leader
	lead        uint64 // who was asked
	at          trace.Instant
}

// ReadIndex opens a question for a batch of reads and returns the batch's id; the answer is a ReadState. Only one can
// be open: 0 means that one is.
func (n *Node) ReadIndex() uint64 {
	r := &n.reads
	if r.batch != 0 {
		return 0
	}
	batch := r.ids.Next()
	invariant.Assert(batch > r.last, "consensus: a question has an id that was used before")
	r.batch, r.first, r.lead, r.last = batch, 0, 0, batch
	n.ask(batch)
	return batch
}

// DropRead closes the open question: nobody waits for it any more.
func (n *Node) DropRead() { n.reads.batch = 0 }

// Reading tells whether a question is open.
func (n *Node) Reading() bool { return n.reads.batch != 0 }

// ask puts the question to whoever leads. Without a leader it stays open until there is one, and a leader that has
// committed nothing in its term parks it: what earlier terms have committed and acknowledged may be more than it knows.
// (raft parks such questions too, but not when it is the only voter.)
func (n *Node) ask(id uint64) {
	r := &n.reads
	r.at = n.now
	if n.lead == 0 || n.role == raft.StateLeader && n.commitTerm != n.term {
		return
	}
	if r.first == 0 {
		r.first = id
		n.t.Emit(trace.Event{Kind: trace.ReadIndexAsked, A: id, Peer: n.lead, Term: n.term})
	} else {
		n.t.Emit(trace.Event{Kind: trace.ReadIndexRetried, A: id, B: r.last, Peer: n.lead, Term: n.term})
	}
	invariant.Assert(id >= r.last && id >= r.first, "consensus: a question is asked under an older id")
	r.last, r.lead = id, n.lead
	if mutant.On(mutant.ReadWithoutQuorum) && n.role == raft.StateLeader {
		n.out.Reads = append(n.out.Reads, ReadState{Batch: r.batch, Index: n.commit})
		r.batch = 0
		return
	}
	n.raw.ReadIndex(binary.BigEndian.AppendUint64(nil, id))
	n.dirty = true
}

func (n *Node) retryRead() {
	if r := &n.reads; r.batch != 0 && n.now-r.at >= trace.Instant(n.cfg.ReadRetry) {
		n.askAgain()
	}
}

// firstCommit: something of the current term is committed, so the leader can answer what it may have dropped before.
func (n *Node) firstCommit() {
	if n.reads.batch != 0 && (n.reads.first == 0 || n.reads.lead == n.lead) {
		n.askAgain()
	}
}

// askAgain puts the open question, under a fresh id unless this is the first time.
func (n *Node) askAgain() {
	r := &n.reads
	if r.first == 0 {
		n.ask(r.batch)
		return
	}
	n.ask(r.ids.Next())
}

// leaderMoved gives the open question up if it was put to another leader, and puts it if it could not be put before.
func (n *Node) leaderMoved(old uint64) {
	r := &n.reads
	if n.lead == old || n.lead == 0 || r.batch == 0 {
		return
	}
	if r.lead != 0 && r.lead != n.lead {
		n.out.Reads = append(n.out.Reads, ReadState{Batch: r.batch, Err: ErrLeaderChanged})
		r.batch = 0
		return
	}
	n.askAgain()
}

func (n *Node) readAnswered(rs raft.ReadState) {
	r := &n.reads
	if r.batch == 0 || r.first == 0 || len(rs.RequestCtx) != 8 {
		return
	}
	if id := binary.BigEndian.Uint64(rs.RequestCtx); id < r.first && !mutant.On(mutant.ReadIndexReused) || id > r.last {
		return // an answer to a question that was closed
	}
	n.t.Emit(trace.Event{Kind: trace.ReadIndexReady, A: r.batch, Index: rs.Index, Term: n.term})
	n.out.Reads = append(n.out.Reads, ReadState{Batch: r.batch, Index: rs.Index})
	r.batch = 0
}
