package sim

import (
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// What raft keeps to itself, the world infers from outside, for the picture
// only: how long a follower has waited, how long it will, and who voted.

// drewTimeout sees the bytes that raft was given for a random number below
// ElectionTicks. It asks for one byte and takes as many of its low bits as the
// number needs; what is out of range it draws again.
func (n *node) drewTimeout(p []byte) {
	if len(p) != 1 {
		return
	}
	mask := byte(1)
	for int(mask) < n.electionTicks-1 {
		mask = mask<<1 | 1
	}
	if v := int(p[0] & mask); v < n.electionTicks {
		n.timeout, n.elapsed = n.electionTicks+v, 0
	}
}

// heardFrom notes a delivered message.
func (n *node) heardFrom(from *node, m *raftpb.Message, now int64) {
	n.heard[from.ix] = now
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		n.elapsed = 0
	case raftpb.MsgVoteResp, raftpb.MsgPreVoteResp:
		n.votes[from.ix] = 1
		if m.GetReject() {
			n.votes[from.ix] = 2
		}
	}
}

// observer is a sink: it follows requests and elections by what members say.
type observer struct{ w *World }

// Emit implements trace.Sink.
func (o observer) Emit(e *trace.Event) {
	switch {
	case e.Member == 0:
	case e.Kind == trace.RoleChanged && (e.A == uint64(raft.StateCandidate) || e.A == uint64(raft.StatePreCandidate)):
		n := o.w.nodes[e.Member-1]
		clear(n.votes[:])
		n.votes[n.ix] = 1
	case e.Kind == trace.RoleChanged && e.A == uint64(raft.StateLeader):
		o.w.chaos.Elected(e.Member)
	case e.Kind == trace.RevisionAdvanced:
		o.w.chaos.Revised(e.Rev, e.A == 1, e.Member)
	case e.Kind == trace.VoteCast:
		o.w.nodes[e.Member-1].elapsed = 0
	case e.Request != 0:
		o.station(e)
	}
}

func (o observer) station(e *trace.Event) {
	r := o.w.clients.Unfinished(e.Request)
	if r == nil {
		return
	}
	switch e.Kind {
	case trace.RequestArrived:
		o.w.clients.Passed(r, "arrived", e.Member)
	case trace.RequestProposed:
		o.w.clients.Passed(r, "proposed", e.Member)
	case trace.Station:
		o.w.clients.Passed(r, e.Text, e.Member)
	case trace.RequestDone:
		o.w.clients.Passed(r, "answered", e.Member)
	}
}
