package sim

import (
	"cmp"
	"time"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/disk"
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
func (w *World) use(n *node, what string, took int64, then clock.Kind, cause uint64) {
	from := max(w.clock.Now, n.busy.hungUntil)
	n.busy.what, n.busy.since, n.busy.until = what, w.clock.Now, from+took
	w.clock.Push(clock.Event{At: from + took, Kind: then, Member: uint32(n.id), Life: n.life, Cause: cause})
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

// forecastSync is when a sync that begins now will be done, as its dice say.
func (w *World) forecastSync(n *node) int64 {
	if mutant.On(mutant.AckBeforeFsync) {
		return -1
	}
	n.syncTime = n.fsyncTime()
	return w.diskAt(n, n.syncTime)
}

// wrote puts the group into the file and starts its sync.
func (w *World) wrote(n *node, e *clock.Event) {
	group, used := n.logs[:n.batch], n.log.Size()
	w.pen(n, e.Cause)
	mustSync, err := n.log.Append(group)
	if err != nil {
		w.logFailed(n, err, e.Cause)
		return
	}
	fragile := n.wrote(group, used, w.cfg.Mirrored)
	last := &n.logs[n.batch-1]
	e.Cause = n.tracer.Caused()
	if !mustSync {
		w.logDone(n, last.Ticket, e.Cause)
		return
	}
	if mutant.On(mutant.AckBeforeFsync) {
		w.step(n, &member.Input{Kind: member.LogDone, Ticket: last.Ticket, Cause: e.Cause})
		n.syncTime = n.fsyncTime()
	}
	n.syncing = true
	w.use(n, "syncing", n.syncTime, evSync, e.Cause)
	for i := range group {
		if group[i].Snapshot != nil {
			n.received = w.clock.Now
		}
	}
	switch {
	case fragile && n.received > 0 && w.clock.Now < n.received+afterSnapshot:
		w.chaos.SnapshotNoted(n.id)
	case fragile || n.log.Size() > used+vfs.BlockSize: // half of it may survive
		w.chaos.Fragile(n.id)
	}
}

// afterSnapshot is how long a mark counts as one behind a received snapshot.
const afterSnapshot = int64(200 * time.Millisecond)

// wrote notes how far the log is written, and whether a crash would meet it in
// the middle of something: fragile before the sync, delicate just after it.
func (n *node) wrote(group []consensus.LogWrite, used int64, mirrored bool) (fragile bool) {
	n.delicate = n.delicate || n.log.Size() < used
	last := n.written.Index
	for i := range group {
		l := &group[i]
		if mirrored {
			n.mirrors.file.write(l)
		}
		fragile = fragile || l.Mark != nil || l.Snapshot != nil
		if s := l.Snapshot; s != nil {
			last = s.GetMetadata().GetIndex()
		}
		if k := len(l.Entries); k > 0 {
			n.delicate = n.delicate || l.Entries[0].GetIndex() <= last
			last = l.Entries[k-1].GetIndex()
		}
	}
	n.written = n.log.Written()
	return fragile
}

// wasSynced is the disk's part of a finished sync; a paused process learns of
// it later.
func (w *World) wasSynced(n *node, e *clock.Event) {
	if e.A == 0 {
		w.pen(n, e.Cause)
		if err := n.log.Sync(); n.wear.Struck() {
			return
		} else if err != nil {
			n.wear.Unsynced, e.A = err, 1
		}
	}
	if err := n.wear.Unsynced; err != nil {
		if n.process == paused {
			n.hold(*e)
			return
		}
		n.wear.Unsynced = nil // it has heard
		w.logFailed(n, err, e.Cause)
		return
	}
	if e.A == 0 {
		n.synced, n.busy.what = n.log.Synced(), ""
		for i := range n.logs[:n.batch] {
			if w.cfg.Mirrored {
				n.mirrors.disk.write(&n.logs[i])
			}
		}
		e.Cause = n.tracer.Caused()
		e.A = 1
		if n.delicate {
			n.delicate = false
			w.chaos.Fragile(n.id)
		}
	}
	if n.process == paused {
		n.hold(*e)
		return
	}
	n.syncing = false
	w.logDone(n, n.logs[n.batch-1].Ticket, e.Cause)
}

// logDone reports a finished group and starts the next one.
func (w *World) logDone(n *node, ticket uint64, cause uint64) {
	if err := n.log.Finish(n.logs[:n.batch]); err != nil {
		w.logFailed(n, err, cause)
		return
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

// logFailed tells a member that its disk refused. A machine that has been struck
// tells nobody anything.
func (w *World) logFailed(n *node, err error, cause uint64) {
	if n.wear.Struck() {
		return
	}
	if mutant.On(mutant.FsyncRetried) && n.syncing {
		cause = w.emit(trace.Event{Kind: trace.LogFailed, Member: n.id, Text: err.Error(), Cause: cause})
		n.wear.Unsynced = nil
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
	w.clock.Push(clock.Event{At: w.clock.Now + took, Kind: evApply, Member: uint32(n.id), Life: n.life, Cause: b.Cause})
}

func (w *World) applied(n *node, e *clock.Event) {
	b := n.applies[0]
	if b.Snapshot != nil && n.exclusive() {
		later := *e
		n.install = &later
		return
	}
	rest := copy(n.applies, n.applies[1:])
	clear(n.applies[rest:])
	n.applies = n.applies[:rest]
	n.applying = false
	n.tracer.At(trace.Instant(w.clock.Now), e.Cause)
	in := member.Input{Kind: member.Applied, Ticket: b.Ticket, Cause: e.Cause}
	if b.Snapshot != nil {
		in.Kind = member.SnapshotApplied
		if in.Result = w.installImage(n, b.Snapshot); in.Result == nil {
			return
		}
	} else {
		w.judge.Applied(b.Entries)
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

// exclusive tells whether the database is in the hands of a commit or of a
// defragmentation.
func (n *node) exclusive() bool { return n.commit != nil || n.defrag != nil }

// released lets those go on who waited for the database: a defragmentation, then
// a snapshot, then whatever is to be committed.
func (w *World) released(n *node) {
	if n.process == running && n.defragDue && !n.exclusive() {
		n.defragDue = false
		w.beginDefrag(n)
	}
	if n.install != nil && !n.exclusive() {
		e := *n.install
		n.install, e.At = nil, w.clock.Now
		w.clock.Push(e)
	}
	if n.process == running {
		w.needCommit(n)
	}
}

// needCommit arranges that what was applied becomes durable in time.
func (w *World) needCommit(n *node) {
	if n.backend.Pending() >= w.cfg.CommitOps {
		w.beginCommit(n)
	}
	if !n.commitTimer && n.backend.Buffered() {
		n.commitTimer, n.commitAt = true, w.clock.Now+int64(w.cfg.CommitEvery)
		w.clock.Push(clock.Event{At: n.commitAt, Kind: evCommitTimer, Member: uint32(n.id), Life: n.life, A: n.era})
	}
}

func (w *World) commitDue(n *node) {
	n.commitTimer = false
	w.beginCommit(n)
	w.needCommit(n)
}

func (w *World) beginCommit(n *node) {
	if n.exclusive() || n.install != nil {
		return
	}
	w.pen(n, 0)
	c, err := n.state.Begin()
	if err != nil {
		w.logFailed(n, err, 0)
		return
	}
	if c == nil {
		return
	}
	n.commit = c
	w.measure(n, evCommitTimer)
	w.clock.Push(clock.Event{At: w.diskAt(n, n.fsyncTime()), Kind: evCommitDone, Member: uint32(n.id), Life: n.life, A: n.era})
}

func (w *World) committed(n *node) {
	c := n.commit
	if mutant.On(mutant.CommitReportedEarly) && !n.reported {
		n.reported = true
		w.pen(n, 0)
		c.Tell(c.Applied())
		w.backed(n, c.Applied())
		w.clock.Push(clock.Event{At: w.diskAt(n, n.fsyncTime()), Kind: evCommitDone, Member: uint32(n.id), Life: n.life, A: n.era})
		return
	}
	n.commit, n.reported = nil, false
	var runErr error
	if n.wear.Fails(script.FailCommit) {
		runErr = n.wear.Meets(script.FailCommit, disk.ErrIO)
	} else if runErr = c.Run(); n.wear.Struck() {
		return
	}
	w.pen(n, 0)
	durable, _, err := n.state.End(c, runErr)
	if err != nil {
		w.logFailed(n, err, 0)
		return
	}
	w.backed(n, durable)
	if n.process != running {
		return
	}
	w.tellCompactions(n)
	w.dropImages(n)
	w.takeImages(n)
	w.released(n)
	if n.compacted {
		n.compacted = false
		w.chaos.Fragile(n.id)
	}
}

// backed tells the member that a commit is durable.
func (w *World) backed(n *node, durable backend.Applied) {
	w.step(n, &member.Input{Kind: member.Backed, Backed: durable, Cause: n.tracer.Caused()})
}

// tellCompactions tells of those that are finished and durable.
func (w *World) tellCompactions(n *node) {
	for len(n.compactions) > 0 && n.process == running && n.state.Durable(n.compactions[0].at) {
		rev := n.compactions[0].rev
		n.compactions = n.compactions[1:]
		w.step(n, &member.Input{Kind: member.Compacted, Revision: rev})
	}
}

// beginDefrag rewrites the database of a member, when no commit is in flight. It
// takes as long as some syncs do, and commits wait.
func (w *World) beginDefrag(n *node) {
	if n.exclusive() || n.install != nil {
		n.defragDue = true
		return
	}
	d, err := n.state.BeginDefrag()
	if err != nil {
		w.judge.Broken(invariant.NoPanic, "member %d: %v", n.id, err)
		return
	}
	n.defrag, n.copied = d, w.diskAt(n, 2*n.fsyncTime())
	w.clock.Push(clock.Event{At: n.copied, Kind: evDefrag, Member: uint32(n.id), Life: n.life})
}

// defragmented copies the database, and a little later puts the copy in its place.
func (w *World) defragmented(n *node, e *clock.Event) {
	if e.A == 0 {
		if err := n.defrag.Copy(); err == nil {
			e.A, e.At = 1, w.diskAt(n, n.fsyncTime())
			w.clock.Push(*e)
			return
		}
	} else if final, err := n.defrag.Rename(); err == nil {
		if _, err := n.state.EndDefrag(n.defrag); err != nil {
			w.logFailed(n, err, e.Cause)
			return
		}
	} else if final {
		w.logFailed(n, err, e.Cause)
		return
	}
	n.defrag = nil
	w.released(n)
}

// needHousekeeping keeps a compaction going in small steps.
func (w *World) needHousekeeping(n *node) {
	if n.keeping || !n.store.Compacting() {
		return
	}
	n.keeping = true
	w.clock.Push(clock.Event{At: w.clock.Now + int64(housekeepEvery), Kind: evHousekeep, Member: uint32(n.id), Life: n.life, A: n.era})
}

const (
	housekeepEvery = 10 * time.Millisecond
	housekeepLimit = 50 // small, so that a crash has a chance to fall between two steps
)

func (w *World) housekeep(n *node) {
	n.keeping = false
	n.tracer.At(trace.Instant(w.clock.Now), 0)
	more, err := n.state.Housekeep(housekeepLimit)
	if err != nil {
		return // struck: nothing else is in the way of memory
	}
	n.compacted = !more
	w.needCommit(n)
	if more {
		w.chaos.Fragile(n.id)
		w.needHousekeeping(n)
		return
	}
	n.compactions = append(n.compactions, mark{at: n.state.Mark(), rev: n.store.KV.CompactRevision()})
	w.tellCompactions(n)
}

// read is a request that its member may answer from its store now. A long one is
// answered from a view, beside what is applied meanwhile.
type read struct {
	ready api.ReadReady
	view  *mvcc.View
}

func (w *World) startRead(n *node, r *api.ReadReady) {
	slot := w.reads.Take()
	w.reads.At(slot).ready = *r
	w.clock.Push(clock.Event{At: w.clock.Now + int64(w.process.Read), Kind: evRead, Slot: slot, Member: uint32(n.id), Life: n.life})
}

// longReads is how much longer a long read takes than a short one.
const longReads = 500

func (w *World) dropRead(slot int32) (r read) {
	r = *w.reads.At(slot)
	if r.view != nil {
		r.view.Close()
	}
	*w.reads.At(slot) = read{}
	w.reads.Give(slot)
	return r
}

func (w *World) evaluate(n *node, e *clock.Event) {
	open := w.reads.At(e.Slot)
	if open.view == nil && driver.Long(n.store, open.ready.Body, cmp.Or(w.cfg.LongRange, driver.ShortRange)) {
		open.view = n.store.KV.View()
		e.At = w.clock.Now + longReads*int64(w.process.Read)
		w.clock.Push(*e)
		return
	}
	w.pen(n, e.Cause)
	r := open.ready
	resp, err := w.resultOf(n, open)
	w.dropRead(e.Slot)
	resp, err = r.Finish(resp, err)
	driver.Answered(n.tracer, r.ID, resp, err)
	w.reply(n, &api.Reply{ID: r.ID, Response: resp, Err: err})
}

func (w *World) resultOf(n *node, r *read) (any, error) {
	if r.view == nil {
		return w.answerCall(n, &r.ready)
	}
	resp, err := driver.ReadView(r.view, r.ready.Body)
	if !mutant.On(mutant.LongReadUnpinned) || err != nil {
		return resp, err
	}
	now, err := n.store.Read(r.ready.Body)
	if err == nil {
		setHeaderRevision(now, r.view.Revision())
	}
	return now, err
}

// setHeaderRevision is the lie of a mutant.
func setHeaderRevision(resp any, rev int64) {
	switch r := resp.(type) {
	case *pb.RangeResponse:
		r.Header.Revision = rev
	case *pb.TxnResponse:
		r.Header.Revision = rev
	}
}

// scan is a watcher's question for history.
type scan struct{ want watch.Scan }

func (w *World) startScan(n *node, s *watch.Scan) {
	slot := w.scans.Take()
	w.scans.At(slot).want = *s
	w.clock.Push(clock.Event{At: w.clock.Now + int64(w.process.Read), Kind: evScan, Slot: slot, Member: uint32(n.id), Life: n.life})
}

func (w *World) scanned(n *node, e *clock.Event) {
	s := w.scans.At(e.Slot).want
	*w.scans.At(e.Slot) = scan{}
	w.scans.Give(e.Slot)
	n.tracer.At(trace.Instant(w.clock.Now), e.Cause)
	w.step(n, &member.Input{Kind: member.Scanned, Scan: n.store.Scan(s), Cause: e.Cause})
}
