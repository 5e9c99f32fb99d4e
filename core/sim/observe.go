package sim

import (
	"vitrine/core/sim/clock"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// What the world tells for the picture only: raft's timers, which it sees from
// outside, what disks are busy with, and the figures of stores.

// Read serves raft, which draws election timeouts while the member steps.
func (n *node) Read(p []byte) (int, error) {
	k, err := n.raft.Read(p)
	if spread := n.world.spread; spread < 1 && len(p) == 1 {
		p[0] = byte(float64(int(p[0])%n.electionTicks) * spread)
	}
	n.drewTimeout(p)
	return k, err
}

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
		n.tracer.Emit(trace.Event{Kind: trace.ElectionTimer, A: uint64(n.timeout)})
	}
}

// clockSet tells when a member's clock ticks.
func (n *node) clockSet() {
	w := n.world
	w.emit(trace.Event{Kind: trace.ClockSet, Member: n.id, A: uint64(n.nextTick), B: uint64(n.tickEvery)})
}

// hang lets a disk do nothing until then.
func (n *node) hang(until int64) {
	w := n.world
	if n.busy.hungUntil != until {
		n.busy.hungUntil = until
		w.emit(trace.Event{Kind: trace.DiskStalled, Member: n.id, A: uint64(max(0, until))})
	}
}

// logBytes is how much of a log's files is in use.
func (n *node) logBytes() int64 {
	w := n.world
	return int64(len(n.log.Segments())-1)*w.cfg.SegmentBytes + n.log.Size()
}

// figures are what a store can be measured by.
type figures struct {
	keys, buffered int
	size, inUse    int64
	compactedAt    int64
	segments       int
	logBytes       int64
	hashed         [2]int64 // revision and compact revision whose hash was told
}

func (l *gauges) figures() figures {
	n := l.of
	s := n.backend.Store()
	return figures{
		keys: n.store.KV.Keys(), buffered: n.backend.Pending(), size: s.Size(), inUse: s.SizeInUse(),
		compactedAt: n.store.KV.CompactRevision(), hashed: n.told.hashed,
		segments: n.told.segments, logBytes: n.told.logBytes,
	}
}

// measure tells the figures of a store after an event that may have changed them.
// What entries change they tell themselves.
func (l *gauges) measure(after clock.Kind) {
	n := l.of
	if n.member == nil || n.wear.Struck() {
		return
	}
	switch after {
	case evApply:
		n.told = n.figures()
		n.tellHash()
	case evCommitTimer, evCommitDone, evHousekeep, evDefrag:
		n.measureLog()
		if n.figures() != n.told {
			n.tellStore()
		}
	}
}

// measureLog tells how large a log has grown since it was looked at last.
func (l *gauges) measureLog() {
	n, w := l.of, l.of.world
	segments, used := len(n.log.Segments()), n.logBytes()
	if segments == n.told.segments && used == n.told.logBytes {
		return
	}
	n.told.segments, n.told.logBytes = segments, used
	w.emit(trace.Event{Kind: trace.LogMeasured, Member: n.id, A: uint64(segments), B: uint64(used)})
}

func (l *gauges) tellStore() {
	n, w := l.of, l.of.world
	n.told = n.figures()
	w.emit(trace.Event{
		Kind: trace.StoreMeasured, Member: n.id, Rev: n.told.compactedAt, A: uint64(n.told.keys), B: uint64(n.told.buffered),
		C: uint64(n.told.size), Index: uint64(n.told.inUse),
	})
	n.tellHash()
}

// tellHash tells the hash of a store at each of its revisions, in a world that
// wants that: it reads all that is there.
func (l *gauges) tellHash() {
	n, w := l.of, l.of.world
	rev := n.store.KV.Revision()
	now := [2]int64{rev, n.store.KV.CompactRevision()}
	if !w.cfg.Hashes || now == n.told.hashed {
		return
	}
	if hash, _, _, err := n.store.HashKV(0); err == nil {
		n.told.hashed = now
		w.emit(trace.Event{Kind: trace.StoreHashed, Member: n.id, Rev: rev, A: uint64(hash)})
	}
}

// heardFrom notes a delivered message.
func (n *node) heardFrom(from *node, m *raftpb.Message, now int64) {
	n.heard[from.id] = now
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		n.elapsed = 0
	case raftpb.MsgVoteResp, raftpb.MsgPreVoteResp:
		n.votes[from.id] = !m.GetReject()
	}
}

// observer is a sink: it follows elections and revisions by what members say.
type observer struct{ w *World }

// Emit implements trace.Sink.
func (o observer) Emit(e *trace.Event) {
	switch {
	case e.Member == 0:
	case e.Kind == trace.RoleChanged && (e.A == uint64(raft.StateCandidate) || e.A == uint64(raft.StatePreCandidate)):
		n := o.w.byID(e.Member)
		clear(n.votes)
		n.votes[n.id] = true
	case e.Kind == trace.RoleChanged && e.A == uint64(raft.StateLeader):
		o.w.chaos.Elected(e.Member)
	case e.Kind == trace.RevisionAdvanced:
		o.w.chaos.Revised(e.Rev, e.A == 1, e.Member)
	case e.Kind == trace.VoteCast:
		o.w.byID(e.Member).elapsed = 0
	case e.Kind == trace.MemberChanged:
		o.w.memberChanged(e)
	}
}
