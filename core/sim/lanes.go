package sim

import (
	"time"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/mutant"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
	"vitrine/core/watch"
)

// The lanes of a member, in virtual time: its log, its state machine, its
// database, its reads. Each does one thing at a time, in order, and tells the
// member when it is done.

// startWrite takes everything queued as one group if the log lane is idle.
func (w *World) startWrite(n *node) {
	if n.batch > 0 || len(n.logs) == 0 {
		return
	}
	n.batch = len(n.logs)
	took := int64(n.dial.Write)
	w.use(n, "writing", took, evWrite, n.logs[n.batch-1].Cause)
}

// use occupies the disk for a while and schedules what comes then.
func (w *World) use(n *node, what string, took int64, then eventKind, cause uint64) {
	from := max(w.now, n.busy.hungUntil)
	n.busy.what, n.busy.since, n.busy.until = what, w.now, from+took
	w.q.push(event{at: from + took, kind: then, node: uint8(n.ix), life: n.life, cause: cause})
}

// longestSpike bounds a spike, in means: a tail without end would outlast the
// time that a healed cluster gets to settle.
const longestSpike = 4

// fsyncTime draws how long a sync takes: three numbers.
func (n *node) fsyncTime() int64 {
	half := n.dial.Fsync / 2
	took := half + n.disk.Exp(half)
	spike, long := n.disk.Chance(n.dial.SpikeProb), n.disk.Exp(n.dial.Spike)
	if spike {
		took += min(long, longestSpike*n.dial.Spike)
	}
	return int64(took)
}

// wrote puts the group into the file and starts its sync.
func (w *World) wrote(n *node, e *event) {
	mustSync, fragile, used := false, false, n.wal.Size()
	for i := range n.batch {
		l := &n.logs[i]
		fragile = fragile || l.Mark != nil || l.Snapshot != nil
		if err := w.appendLog(n, l); err != nil {
			w.logFailed(n, err, e.cause)
			return
		}
		mustSync = mustSync || l.MustSync
	}
	last := &n.logs[n.batch-1]
	e.cause = w.emitLog(n, trace.LogWritten, last.Ticket, n.written, e.cause)
	if !mustSync {
		w.logDone(n, last.Ticket, e.cause)
		return
	}
	if mutant.On(mutant.AckBeforeFsync) {
		w.step(n, &member.Input{Kind: member.LogDone, Ticket: last.Ticket, Cause: e.cause})
	}
	n.syncing = true
	w.use(n, "syncing", n.fsyncTime(), evSync, e.cause)
	if fragile || n.wal.Size() > used+vfs.BlockSize { // half of it may survive
		w.moment(n)
	}
}

func (w *World) appendLog(n *node, l *consensus.LogWrite) error {
	if s := l.Snapshot; s != nil {
		if err := n.wal.SaveSnapshot(markOf(s)); err != nil {
			return err
		}
		n.written.index, n.written.term = s.GetMetadata().GetIndex(), s.GetMetadata().GetTerm()
	}
	if l.HardState != nil || len(l.Entries) > 0 {
		used := n.wal.Size()
		if err := n.wal.Append(l.HardState, l.Entries); err != nil {
			return err
		}
		n.delicate = n.delicate || n.wal.Size() < used || len(l.Entries) > 0 && l.Entries[0].GetIndex() <= n.written.index
	}
	if k := len(l.Entries); k > 0 {
		n.written.index, n.written.term = l.Entries[k-1].GetIndex(), l.Entries[k-1].GetTerm()
	}
	if h := l.HardState; h != nil {
		n.written.vote, n.written.inTerm = h.GetVote(), h.GetTerm()
	}
	if l.Mark == nil {
		return nil
	}
	if err := n.wal.SaveSnapshot(l.Mark); err != nil || !mutant.On(mutant.SegmentReleasedEarly) {
		return err
	}
	return n.wal.Release(l.Release)
}

func (w *World) emitLog(n *node, kind trace.Kind, ticket uint64, p position, cause uint64) uint64 {
	return w.emit(trace.Event{Kind: kind, Member: n.id, Index: p.index, Term: p.term, A: ticket, B: p.vote, C: p.inTerm, Cause: cause})
}

// sync is what the disk does about it.
func (n *node) sync() error {
	if mutant.On(mutant.FsyncLies) && n.disk.Chance(0.1) {
		return nil
	}
	return n.wal.Sync()
}

// wasSynced is the disk's part of a finished sync; a paused process learns of
// it later.
func (w *World) wasSynced(n *node, e *event) {
	if e.a == 0 {
		if err := n.sync(); err != nil {
			n.wear.unsynced, e.a = err, 1
		}
	}
	if err := n.wear.unsynced; err != nil {
		if n.process == paused {
			n.hold(*e)
			return
		}
		w.logFailed(n, err, e.cause)
		return
	}
	if e.a == 0 {
		n.synced = n.written
		e.cause = w.emitLog(n, trace.LogSynced, n.logs[n.batch-1].Ticket, n.synced, e.cause)
		e.a = 1
		if n.delicate {
			n.delicate = false
			w.moment(n)
		}
	}
	if n.process == paused {
		n.hold(*e)
		return
	}
	n.syncing = false
	w.logDone(n, n.logs[n.batch-1].Ticket, e.cause)
}

// logDone reports a finished group and starts the next one.
func (w *World) logDone(n *node, ticket uint64, cause uint64) {
	for i := range n.batch {
		if r := n.logs[i].Release; r > 0 {
			if err := n.wal.Release(r); err != nil {
				w.logFailed(n, err, cause)
				return
			}
		}
	}
	if mutant.On(mutant.DiskReorders) {
		ticket = n.logs[len(n.logs)-1].Ticket
	}
	rest := copy(n.logs, n.logs[n.batch:])
	clear(n.logs[rest:])
	n.logs = n.logs[:rest]
	n.batch = 0
	n.busy.what = ""
	w.step(n, &member.Input{Kind: member.LogDone, Ticket: ticket, Cause: cause})
	if n.process == running {
		w.startWrite(n)
	}
}

func (w *World) logFailed(n *node, err error, cause uint64) {
	cause = w.emit(trace.Event{Kind: trace.LogFailed, Member: n.id, Text: err.Error(), Cause: cause})
	if mutant.On(mutant.FsyncRetried) && n.syncing {
		n.wear.unsynced = nil
		w.use(n, "syncing", n.fsyncTime(), evSync, cause)
		return
	}
	w.step(n, &member.Input{Kind: member.LogFailed, Err: err, Cause: cause})
}

// startApply runs the next batch of entries if the state machine is idle.
func (w *World) startApply(n *node) {
	if n.applying || len(n.applies) == 0 {
		return
	}
	n.applying = true
	b := &n.applies[0]
	took := int64(w.process.Apply) + int64(len(b.Entries))*int64(w.process.PerItem)
	w.q.push(event{at: w.now + took, kind: evApply, node: uint8(n.ix), life: n.life, cause: b.Cause})
}

func (w *World) applied(n *node, e *event) {
	b := n.applies[0]
	rest := copy(n.applies, n.applies[1:])
	clear(n.applies[rest:])
	n.applies = n.applies[:rest]
	n.applying = false
	n.tracer.At(trace.Instant(w.now), e.cause)
	in := member.Input{Kind: member.Applied, Ticket: b.Ticket, Cause: e.cause}
	if b.Snapshot != nil {
		in.Kind = member.SnapshotApplied
		in.Result = w.install(n, b.Snapshot)
	} else {
		w.judge.applied(b.Entries)
		in.Result = n.store.Apply(store.ApplyContext{WithPrev: n.member.WantsPrev(), Proposer: n.proposed, Decode: w.decode}, b.Entries)
	}
	w.needCommit(n)
	w.step(n, &in)
	if n.process != running {
		return
	}
	w.startApply(n)
	w.needHousekeeping(n)
}

// needCommit arranges that what was applied becomes durable in time.
func (w *World) needCommit(n *node) {
	if n.backend.Pending() >= w.cfg.CommitOps {
		w.beginCommit(n)
	}
	if !n.commitTimer && n.backend.Applied().Index > n.backend.Durable().Index {
		n.commitTimer = true
		w.q.push(event{at: w.now + int64(w.cfg.CommitEvery), kind: evCommitTimer, node: uint8(n.ix), life: n.life, a: n.era})
	}
}

func (w *World) commitDue(n *node) {
	n.commitTimer = false
	w.beginCommit(n)
}

func (w *World) beginCommit(n *node) {
	c := n.backend.BeginCommit()
	if c == nil {
		return
	}
	n.commit = c
	took := n.fsyncTime()
	w.q.push(event{at: max(w.now, n.busy.hungUntil) + took, kind: evCommitDone, node: uint8(n.ix), life: n.life, a: n.era})
}

func (w *World) committed(n *node) {
	c := n.commit
	n.commit = nil
	var err error
	if n.strikes(failCommit) {
		err = n.meets(failCommit, errDiskIO)
	} else {
		err = c.Run()
	}
	n.backend.EndCommit(c, err)
	if err != nil {
		w.logFailed(n, err, 0)
		return
	}
	durable := n.backend.Durable()
	cause := w.emit(trace.Event{Kind: trace.BackendCommitted, Member: n.id, Index: durable.Index, Term: durable.Term, A: uint64(c.Ops())})
	w.step(n, &member.Input{Kind: member.Backed, Backed: durable, Cause: cause})
	if n.process == running {
		w.needCommit(n)
	}
	if n.compacted {
		n.compacted = false
		w.moment(n)
	}
}

// needHousekeeping keeps a compaction going in small steps.
func (w *World) needHousekeeping(n *node) {
	if n.keeping || !n.store.Compacting() {
		return
	}
	n.keeping = true
	w.q.push(event{at: w.now + int64(housekeepEvery), kind: evHousekeep, node: uint8(n.ix), life: n.life, a: n.era})
}

const (
	housekeepEvery = 10 * time.Millisecond
	housekeepLimit = 50 // small, so that a crash has a chance to fall between two steps
)

func (w *World) housekeep(n *node) {
	n.keeping = false
	n.tracer.At(trace.Instant(w.now), 0)
	more := n.store.Housekeep(housekeepLimit)
	n.compacted = !more
	w.needCommit(n)
	if more {
		w.moment(n)
		w.needHousekeeping(n)
		return
	}
	w.step(n, &member.Input{Kind: member.Compacted, Revision: n.store.KV.CompactRevision()})
}

// read is a request that its member may answer from its store now.
type read struct{ ready api.ReadReady }

func (w *World) startRead(n *node, r *api.ReadReady) {
	slot := w.reads.take()
	w.reads.at(slot).ready = *r
	w.q.push(event{at: w.now + int64(w.process.Read), kind: evRead, slot: slot, node: uint8(n.ix), life: n.life})
}

func (w *World) evaluate(n *node, e *event) {
	r := w.reads.at(e.slot).ready
	*w.reads.at(e.slot) = read{}
	w.reads.give(e.slot)
	n.tracer.At(trace.Instant(w.now), e.cause)
	resp, err := n.store.Read(r.Body)
	resp, err = api.Finish(resp, r.Header, err)
	text := ""
	if err != nil {
		text = err.Error()
	}
	n.tracer.Emit(trace.Event{Kind: trace.RequestDone, Request: r.ID, Rev: headerRevision(resp), Text: text})
	w.reply(n, &api.Reply{ID: r.ID, Response: resp, Err: err})
}

// scan is a watcher's question for history.
type scan struct{ want watch.Scan }

func (w *World) startScan(n *node, s *watch.Scan) {
	slot := w.scans.take()
	w.scans.at(slot).want = *s
	w.q.push(event{at: w.now + int64(w.process.Read), kind: evScan, slot: slot, node: uint8(n.ix), life: n.life})
}

func (w *World) scanned(n *node, e *event) {
	s := w.scans.at(e.slot).want
	*w.scans.at(e.slot) = scan{}
	w.scans.give(e.slot)
	n.tracer.At(trace.Instant(w.now), e.cause)
	w.step(n, &member.Input{Kind: member.Scanned, Scan: n.store.Scan(s), Cause: e.cause})
}
