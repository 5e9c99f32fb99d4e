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
func (l *logLane) startWrite() {
	n := l.of
	if n.batch > 0 || len(n.logs) == 0 {
		return
	}
	n.batch = len(n.logs)
	took := int64(n.dial.Write)
	n.use("writing", took, evWrite, n.logs[n.batch-1].Cause)
}

// use occupies the disk for a while and schedules what comes then.
func (l *logLane) use(what string, took int64, then clock.Kind, cause uint64) {
	n, w := l.of, l.of.world
	from := max(w.clock.Now, n.busy.hungUntil)
	n.busy.what, n.busy.since, n.busy.until = what, w.clock.Now, from+took
	w.clock.Push(clock.Event{At: from + took, Kind: then, Member: uint32(n.id), Life: n.life, Cause: cause})
}

// fsyncTime draws how long a sync takes.
func (n *node) fsyncTime() int64 {
	took := disk.SyncTime(n.disk, &n.dial)
	n.slowest = max(n.slowest, took)
	return int64(took)
}

// forecastSync is when a sync that begins now will be done, as its dice say.
func (l *logLane) forecastSync() int64 {
	n := l.of
	if mutant.On(mutant.AckBeforeFsync) {
		return -1
	}
	n.syncTime = n.fsyncTime()
	return n.diskAt(n.syncTime)
}

// wrote puts the group into the file and starts its sync.
func (l *logLane) writeDone(e *clock.Event) {
	n, w := l.of, l.of.world
	group, used := n.logs[:n.batch], n.log.Size()
	n.pen(e.Cause)
	mustSync, err := n.log.Append(group)
	if err != nil {
		n.logFailed(err, e.Cause)
		return
	}
	fragile := n.wrote(group, used, w.cfg.Mirrored)
	last := &n.logs[n.batch-1]
	e.Cause = n.tracer.Caused()
	if !mustSync {
		n.logDone(last.Ticket, e.Cause)
		return
	}
	if mutant.On(mutant.AckBeforeFsync) {
		n.step(&member.Input{Kind: member.LogDone, Ticket: last.Ticket, Cause: e.Cause})
		n.syncTime = n.fsyncTime()
	}
	n.syncing = true
	n.use("syncing", n.syncTime, evSync, e.Cause)
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
			n.mirrors.file.Write(l)
		}
		fragile = fragile || l.Mark != nil || l.Snapshot != nil
		if s := l.Snapshot; s != nil {
			last, n.received = s.GetMetadata().GetIndex(), n.world.clock.Now
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
func (l *logLane) wasSynced(e *clock.Event) {
	n, w := l.of, l.of.world
	if e.A == 0 {
		n.pen(e.Cause)
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
		n.logFailed(err, e.Cause)
		return
	}
	if e.A == 0 {
		n.synced, n.busy.what = n.log.Synced(), ""
		for i := range n.logs[:n.batch] {
			if w.cfg.Mirrored {
				n.mirrors.disk.Write(&n.logs[i])
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
	n.logDone(n.logs[n.batch-1].Ticket, e.Cause)
}

// logDone reports a finished group and starts the next one.
func (l *logLane) logDone(ticket uint64, cause uint64) {
	n := l.of
	if err := n.log.Finish(n.logs[:n.batch]); err != nil {
		n.logFailed(err, cause)
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
	n.step(&member.Input{Kind: member.LogDone, Ticket: ticket, Cause: cause})
	if n.process == running {
		n.startWrite()
	}
}

// logFailed tells a member that its disk refused. A machine that has been struck
// tells nobody anything.
func (l *logLane) logFailed(err error, cause uint64) {
	n, w := l.of, l.of.world
	if n.wear.Struck() {
		return
	}
	if mutant.On(mutant.FsyncRetried) && n.syncing {
		cause = w.emit(trace.Event{Kind: trace.LogFailed, Member: n.id, Text: err.Error(), Cause: cause})
		n.wear.Unsynced = nil
		n.use("syncing", n.fsyncTime(), evSync, cause)
		return
	}
	n.step(&member.Input{Kind: member.LogFailed, Err: err, Cause: cause})
}

// startApply runs the next batch of entries if the state machine is idle.
func (l *storeLane) startApply() {
	n, w := l.of, l.of.world
	if n.applying || len(n.applies) == 0 {
		return
	}
	n.applying = true
	b := &n.applies[0]
	took := n.apply + int64(len(b.Entries))*int64(w.process.PerItem)
	w.clock.Push(clock.Event{At: w.clock.Now + took, Kind: evApply, Member: uint32(n.id), Life: n.life, Cause: b.Cause})
}

func (l *storeLane) applyDone(e *clock.Event) {
	n, w := l.of, l.of.world
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
		if in.Result = n.installImage(b.Snapshot); in.Result == nil {
			return
		}
	} else {
		w.judge.Applied(n.id, b.Entries)
		apply := store.ApplyContext{WithPrev: n.member.WantsPrev(), Proposer: n.proposed, Decode: w.decode}
		if n == w.nodes[0] { // as a server does, who shares with nobody
			apply.Decode = nil
		}
		in.Result = n.store.Apply(apply, b.Entries)
		w.judge.Decided(n.id, in.Result.Outcomes)
	}
	n.needCommit()
	n.step(&in)
	if n.process != running {
		return
	}
	n.startApply()
	n.needHousekeeping()
}

// exclusive tells whether the database is in the hands of a commit or of a defragmentation.
func (n *node) exclusive() bool { return n.commit != nil || n.defrag != nil }

// released lets those go on who waited for the database: a defragmentation, a snapshot, whatever is to be committed.
func (l *storeLane) released() {
	n, w := l.of, l.of.world
	if n.process == running && n.defragDue && !n.exclusive() {
		n.defragDue = false
		n.beginDefrag()
	}
	if n.install != nil && !n.exclusive() {
		e := *n.install
		n.install, e.At = nil, w.clock.Now
		w.clock.Push(e)
	}
	if n.process == running {
		n.needCommit()
	}
}

// needCommit arranges that what was applied becomes durable in time.
func (l *storeLane) needCommit() {
	n, w := l.of, l.of.world
	if n.backend.Pending() >= w.cfg.CommitOps {
		n.beginCommit()
	}
	if !n.commitTimer && n.backend.Buffered() {
		n.commitTimer, n.commitAt = true, w.clock.Now+int64(w.cfg.CommitEvery)
		w.clock.Push(clock.Event{At: n.commitAt, Kind: evCommitTimer, Member: uint32(n.id), Life: n.life, A: n.era})
	}
}

func (l *storeLane) commitDue() {
	n := l.of
	n.commitTimer = false
	n.beginCommit()
	n.needCommit()
}

func (l *storeLane) beginCommit() {
	n, w := l.of, l.of.world
	if n.exclusive() || n.install != nil {
		return
	}
	n.pen(0)
	c, err := n.state.Begin()
	if err != nil {
		n.logFailed(err, 0)
		return
	}
	if c == nil {
		return
	}
	n.commit = c
	n.measure(evCommitTimer)
	n.commitEnds = n.diskAt(n.fsyncTime())
	w.clock.Push(clock.Event{At: n.commitEnds, Kind: evCommitDone, Member: uint32(n.id), Life: n.life,
		A: n.era})
}

func (l *storeLane) committed() {
	n, w := l.of, l.of.world
	c := n.commit
	if mutant.On(mutant.CommitReportedEarly) && !n.reported {
		n.reported = true
		n.pen(0)
		c.Tell(c.Applied())
		n.backed(c.Applied())
		w.clock.Push(clock.Event{At: n.diskAt(n.fsyncTime()), Kind: evCommitDone, Member: uint32(n.id), Life: n.life,
			A: n.era})
		return
	}
	n.commit, n.reported = nil, false
	var runErr error
	if n.wear.Fails(script.FailCommit) {
		runErr = n.wear.Meets(script.FailCommit, disk.ErrIO)
	} else if runErr = c.Run(); n.wear.Struck() {
		return
	}
	n.pen(0)
	durable, _, err := n.state.End(c, runErr)
	if err != nil {
		n.logFailed(err, 0)
		return
	}
	n.backed(durable)
	if n.process != running {
		return
	}
	n.tellCompactions()
	n.dropImages()
	if n.takeImages(); n.wear.Struck() {
		return
	}
	n.released()
	if n.compacted {
		n.compacted = false
		w.chaos.Fragile(n.id)
	}
}

// backed tells the member that a commit is durable.
func (l *storeLane) backed(durable backend.Applied) {
	n := l.of
	n.step(&member.Input{Kind: member.Backed, Backed: durable, Cause: n.tracer.Caused()})
}

// tellCompactions tells of those that are finished and durable.
func (l *storeLane) tellCompactions() {
	n := l.of
	for len(n.compactions) > 0 && n.process == running && n.state.Durable(n.compactions[0].at) {
		rev := n.compactions[0].rev
		n.compactions = n.compactions[1:]
		n.step(&member.Input{Kind: member.Compacted, Revision: rev})
	}
}

// beginDefrag rewrites the database of a member, when no commit is in flight. It
// takes as long as some syncs do, and commits wait.
func (l *storeLane) beginDefrag() {
	n, w := l.of, l.of.world
	if n.exclusive() || n.install != nil {
		n.defragDue = true
		return
	}
	d, err := n.state.BeginDefrag()
	if err != nil {
		w.judge.Broken(invariant.NoPanic, "member %d: %v", n.id, err)
		return
	}
	n.defrag, n.copied = d, n.diskAt(2*n.fsyncTime())
	w.clock.Push(clock.Event{At: n.copied, Kind: evDefrag, Member: uint32(n.id), Life: n.life})
}

// Defragment implements client.Server.
func (l *storeLane) Defragment() bool {
	begins := l.of.Runs() && !l.Defragments()
	if begins {
		l.beginDefrag()
	}
	return begins
}

// Defragments implements settle.Member.
func (l *storeLane) Defragments() bool { return l.of.defrag != nil || l.of.defragDue }

// defragmented copies the database, and a little later puts the copy in its place.
func (l *storeLane) defragmented(e *clock.Event) {
	n, w := l.of, l.of.world
	if e.A == 0 {
		if err := n.defrag.Copy(); err == nil {
			e.A, e.At = 1, n.diskAt(n.fsyncTime())
			n.copied = e.At
			w.clock.Push(*e)
			return
		}
	} else if final, err := n.defrag.Rename(); err == nil {
		if _, err := n.state.EndDefrag(n.defrag); err != nil {
			n.logFailed(err, e.Cause)
			return
		}
	} else if final {
		n.logFailed(err, e.Cause)
		return
	}
	n.defrag = nil
	n.released()
}

// needHousekeeping keeps a compaction going in small steps.
func (l *storeLane) needHousekeeping() {
	n, w := l.of, l.of.world
	if n.keeping || !n.store.Compacting() {
		return
	}
	n.keeping = true
	w.clock.Push(clock.Event{At: w.clock.Now + int64(housekeepEvery), Kind: evHousekeep, Member: uint32(n.id),
		Life: n.life, A: n.era})
}

const (
	housekeepEvery = 10 * time.Millisecond
	housekeepLimit = 50 // small, so that a crash has a chance to fall between two steps
)

func (l *storeLane) housekeep() {
	n, w := l.of, l.of.world
	n.keeping = false
	n.tracer.At(trace.Instant(w.clock.Now), 0)
	more, err := n.state.Housekeep(housekeepLimit)
	if err != nil {
		return // struck: nothing else is in the way of memory
	}
	n.compacted = !more
	n.needCommit()
	if more {
		w.chaos.Fragile(n.id)
		n.needHousekeeping()
		return
	}
	n.compactions = append(n.compactions, mark{at: n.state.Mark(), rev: n.store.KV.CompactRevision()})
	n.tellCompactions()
}

// read is a request that its member may answer from its store now. A long one is
// answered from a view, beside what is applied meanwhile.
type read struct {
	ready api.ReadReady
	view  *mvcc.View
}

func (l *readLane) startRead(r *api.ReadReady) {
	n, w := l.of, l.of.world
	slot := w.reads.Take()
	w.reads.At(slot).ready = *r
	w.clock.Push(clock.Event{At: w.clock.Now + int64(w.process.Read), Kind: evRead, Slot: slot, Member: uint32(n.id),
		Life: n.life})
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

func (l *readLane) evaluate(e *clock.Event) {
	n, w := l.of, l.of.world
	open := w.reads.At(e.Slot)
	var resp any
	err := w.judge.MayRead(n, &open.ready, open.view != nil)
	if err == nil && open.view == nil && driver.Long(n.store, open.ready.Body, cmp.Or(w.cfg.LongRange,
		driver.ShortRange)) {
		open.view = n.store.KV.View()
		e.At = w.clock.Now + longReads*int64(w.process.Read)
		w.clock.Push(*e)
		return
	}
	n.pen(e.Cause)
	r := open.ready
	if denied, ok := api.Denied(r.ID, 0, err); ok {
		n.tracer.Emit(denied)
	}
	if err == nil {
		resp, err = n.resultOf(open)
	}
	w.dropRead(e.Slot)
	resp, err = r.Finish(resp, err)
	driver.Answered(n.tracer, r.ID, resp, err)
	n.reply(&api.Reply{ID: r.ID, Response: resp, Err: err})
}

func (l *readLane) resultOf(r *read) (any, error) {
	n := l.of
	if r.view == nil {
		return n.answerCall(&r.ready)
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

func (l *readLane) startScan(s *watch.Scan) {
	n, w := l.of, l.of.world
	slot := w.scans.Take()
	w.scans.At(slot).want = *s
	w.clock.Push(clock.Event{At: w.clock.Now + int64(w.process.Read), Kind: evScan, Slot: slot, Member: uint32(n.id),
		Life: n.life})
}

func (l *readLane) scanned(e *clock.Event) {
	n, w := l.of, l.of.world
	s := w.scans.At(e.Slot).want
	*w.scans.At(e.Slot) = scan{}
	w.scans.Give(e.Slot)
	n.tracer.At(trace.Instant(w.clock.Now), e.Cause)
	n.step(&member.Input{Kind: member.Scanned, Scan: n.store.Scan(s), Cause: e.Cause})
}
