package sim

import (
	"errors"
	"time"

	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/inspect"
	"vitrine/core/invariant"
	"vitrine/core/member"
	"vitrine/core/picture"
	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/disk"
	"vitrine/core/sim/roster"
	"vitrine/core/sim/secret"
	"vitrine/core/store"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// process is what a member's process is doing.
type process uint8

const (
	running process = iota
	paused
	crashed // unsynced data was lost
	killed  // the page cache survived
	stopped // by its own decision
	starting
)

var processNames = [...]string{
	picture.Running, picture.Paused, picture.Crashed, picture.Killed, picture.Stopped, picture.Starting,
}

// node is one machine: a disk that survives, and a process that may not.
type node struct {
	id      uint64
	world   *World
	name    string
	tracer  *trace.Tracer
	raft    *dice.Dice // the member's election timeouts
	disk    *dice.Dice
	process process
	reason  string // why it stopped by itself
	life    uint32 // events of an earlier life are void
	era     uint64 // of the store within a life; a received snapshot begins a new one
	starts  int    // how often the process has come up

	// The disk.
	fs      *vfs.Mem
	durable uint64 // applied index of the database, while the process is down

	// The process, over package driver.
	member   *member.Member
	files    *driver.Disk
	log      *driver.Log
	state    *driver.State
	store    *store.Store     // of state
	backend  *backend.Backend // of store
	out      member.Output
	proposed func(request uint64) bool // was it proposed here?
	inbox    []clock.Event             // what came while it was paused
	nextTick int64
	led      int64 // when it last had a leader, or started
	resumed  int64 // when it was last paused no more
	tickHeld bool  // a tick is in the inbox; a timer does not pile them up

	logLane
	storeLane
	readLane
	*secret.Lane
	transfers
	gauges

	wear          *disk.Wear
	tickEvery     int64 // its clock's idea of Config.TickEvery
	day           clock.Day
	busy          diskActivity
	dial          Disk             // this disk's figures
	slowest       time.Duration    // that a sync of it has been
	apply         int64            // how long applying a batch takes
	links         []*link          // to others, by their numbers, which are small; see network.link
	heard         map[uint64]int64 // by member: when its last message came; for look-ups only
	votes         map[uint64]bool  // answers to a candidate, granted or refused
	connections   roster.Connections
	gone          bool // it was removed, and knows it
	elapsed       int  // ticks since it heard from a leader
	timeout       int  // ticks after which it campaigns
	electionTicks int

	bootMark uint64
	ends     inspect.Ends // of the last process, and the start after it

	// For who looks into it.
	mirrors             mirrors
	ghost               *store.Store // what the disk holds, while the process is down
	leftKilled          bool         // that was the last end of the process
	lastFirst, lastMark uint64       // of its log in memory
	lastLearner         bool
}

// logLane writes the log: the first batch writes of logs are being executed.
type logLane struct {
	of       *node
	logs     []consensus.LogWrite
	batch    int
	syncing  bool
	syncTime int64           // how long the sync under way takes
	delicate bool            // what is being synced overwrites part of the log, or begins a segment
	written  driver.Position // what is in the file
	synced   driver.Position // what a power loss leaves
	noting   uint64          // see driver.Position
	received int64           // when the log last took note of a received snapshot; 0 = never
}

// storeLane applies entries, in order, and makes durable what was applied. A commit, a
// defragmentation and the installation of a received database exclude one another.
type storeLane struct {
	of          *node
	applies     []consensus.ApplyBatch
	applying    bool
	commit      *driver.Commit
	commitTimer bool
	commitAt    int64 // when the timer fires
	commitEnds  int64 // when the one in flight does
	reported    bool  // the commit in flight was, too early
	defrag      *driver.Defrag
	copied      int64        // when the last defragmentation has made its copy, or will have
	defragDue   bool         // one waits for the commit in flight
	install     *clock.Event // the application of a snapshot that waits for the same
	keeping     bool         // a housekeeping event is scheduled
	compacted   bool         // a compaction has ended since the last commit
	compactions []mark       // finished ones that are to be durable before anybody hears of them
}

// readLane answers what the store can: reads that the member has let through, and
// watchers' questions for history.
type readLane struct{ of *node }

// gauges tell by events what events do not tell by themselves.
type gauges struct {
	of   *node
	told figures // so far
}

// transfers are databases that the member sends and receives.
type transfers struct {
	of       *node
	wanted   []wantedImage
	receipts uint64 // begun
	driver.Reception
	images  bool            // there may be received databases on the disk
	garbled *script.Command // what happens to the next one that it receives
}

// diskActivity is what the disk LED shows.
type diskActivity struct {
	what         string
	since, until int64
	hungUntil    int64 // a stall holds everything until then
}

// byID is nil if there is no such member.
func (w *World) byID(id uint64) *node {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

func (n *node) alive() bool { return n.process == running || n.process == paused }

// hold keeps an event for the time after the pause.
func (n *node) hold(e clock.Event) { n.inbox = append(n.inbox, e) }

// mark is a moment in the life of a database: what was written before it is to
// be durable.
type mark struct {
	at  uint64 // see driver.State.Mark
	rev int64  // up to which it was compacted
}

// step gives a running member one input and does what it wants, unless its machine has just been struck.
func (n *node) step(in *member.Input) {
	w := n.world
	if n.wear.Struck() {
		return
	}
	w.rand.Use(n)
	n.member.Step(trace.Instant(w.clock.Now), *in)
	n.member.Poll(&n.out)
	w.rand.Use(nil)
	if n.member.Leader() != 0 {
		n.led = w.clock.Now
	}
	n.dispatch()
}

// dispatch executes a member's outputs, in the order of ARCHITECTURE.md, section 4: the
// network first, because it takes longest.
func (n *node) dispatch() {
	w := n.world
	out := &n.out
	n.judgeImage()
	for i := range out.Sends {
		w.network.send(n, &out.Sends[i])
	}
	if len(out.Log) > 0 {
		for i := range out.Log {
			if w.cfg.Mirrored {
				n.mirrors.memory.Write(&out.Log[i])
			}
		}
		n.logs = append(n.logs, out.Log...)
		n.startWrite()
	}
	if len(out.Applies) > 0 {
		n.applies = append(n.applies, out.Applies...)
		n.startApply()
	}
	for i := range out.Replies {
		n.reply(&out.Replies[i])
	}
	for i := range out.Reads {
		n.startRead(&out.Reads[i])
	}
	for i := range out.Works {
		n.Work(&out.Works[i], n.apply)
	}
	w.passing.On(n, out.Forwards)
	for i := range out.Pushes {
		w.clients.Push(n, &out.Pushes[i])
	}
	for i := range out.Scans {
		n.startScan(&out.Scans[i])
	}
	for i := range out.Ends {
		w.clients.EndStream(n, &out.Ends[i])
	}
	if out.Halt != nil && n.process == running {
		n.stop(out.Halt)
	}
}

func (n *node) tick() {
	w := n.world
	late := w.clock.Now > n.nextTick
	n.nextTick = w.clock.Now + n.tickEvery
	if off := n.nextTick % n.tickEvery; w.spread == 0 && off > 0 { // all clocks tick together
		n.nextTick -= off
		n.clockSet()
	}
	if late {
		w.emit(trace.Event{Kind: trace.ClockTicked, Member: n.id, A: uint64(n.nextTick)})
	}
	w.clock.Push(clock.Event{At: n.nextTick, Kind: evTick, Member: uint32(n.id), Life: n.life})
	n.elapsed++
	if n.connect(); n.member == nil || n.wear.Struck() {
		return
	}
	n.step(&member.Input{Kind: member.Tick})
	w.clients.Headless(n)
}

// stop is a member's own end: a failed disk, a damaged log.
func (n *node) stop(why error) {
	n.fs = n.wear.Leftovers()
	n.quit(stopped)
	n.reason, n.gone = why.Error(), errors.Is(why, member.ErrRemoved)
	driver.Stopped(n.pen(0), why, n.left(), n.durable)
	n.comeBack()
}

// crash ends a process from outside. With Keep the machine lives on and so
// does its page cache; without, unsynced data goes, but for Torn percent. A
// database commit in flight may have reached the disk or not.
func (n *node) crash(c *script.Command, cause uint64) {
	w := n.world
	done := n.disk.Chance(0.5)
	if n.commit != nil && done {
		n.wear.Quiet()
		if err := n.commit.Run(); err != nil {
			w.judge.Broken(invariant.NoPanic, "member %d: commit to memory failed: %v", n.id, err)
		}
	}
	how, lost := killed, uint64(0)
	if c.Keep {
		n.fs = n.fs.Clone()
	} else {
		n.fs = n.fs.CrashKeeping(n.disk, uint64(c.Torn))
		how, lost = crashed, 1
	}
	n.quit(how)
	died(n, lost, "", cause)
}

// died tells that a process has ended from outside, and what its disk holds.
func died(n *node, lost uint64, text string, cause uint64) {
	w := n.world
	p := n.left()
	w.emit(trace.Event{
		Kind: trace.MemberCrashed, Member: n.id, A: lost, Text: text, Cause: cause,
		Term: p.InTerm, Peer: p.Vote, Index: n.durable, C: p.Index, B: p.Term, Rev: int64(p.Noting),
	})
}

// left is how far the log on the disk goes at least, when a process has ended.
func (n *node) left() (p driver.Position) {
	if p = n.synced; n.process == killed {
		p = n.written
	}
	p.Noting = n.noting
	return p
}

// quit ends a process: its memory is gone, its connections break.
func (n *node) quit(how process) {
	w := n.world
	if n.member != nil && w.cfg.Mirrored {
		st := n.member.Status() // what only the process knows
		n.lastFirst, n.lastMark, n.lastLearner = st.First, st.Mark, st.Learner
	}
	n.ended(how)
	n.process, n.ghost, n.leftKilled = how, nil, how == killed
	n.life++
	held := n.inbox
	n.inbox, n.tickHeld = nil, false
	clear(n.connections)
	for i := range held {
		w.void(&held[i])
	}
	if n.log != nil {
		n.noting = n.log.Noting()
	}
	n.member, n.store, n.backend, n.state, n.log, n.files = nil, nil, nil, nil, nil, nil
	n.logs, n.batch, n.syncing, n.applies, n.applying = nil, 0, false, nil, false
	n.commit, n.commitTimer, n.keeping, n.compacted = nil, false, false, false
	n.defrag, n.defragDue, n.install, n.reported = nil, false, nil, false
	n.compactions, n.wanted, n.Reception = nil, nil, driver.Reception{}
	n.Forget()
	n.wear.End()
	n.busy = diskActivity{hungUntil: n.busy.hungUntil}
	n.durable = n.readDurable()
	n.ends.Durable = n.durable
	w.judge.Image(n)
	w.passing.End(n.id)
	w.clients.HangUp(n)
}

// durable is the applied index of a disk's database.
func (n *node) readDurable() uint64 {
	w := n.world
	db, err := backend.ReadMemFile(n.fs, n.layout().DB())
	if err == nil {
		var b *backend.Backend
		if b, err = backend.New(db); err == nil {
			return b.Durable().Index
		}
	}
	w.judge.Broken(invariant.Boot, "member %d: its database does not open: %v", n.id, err)
	return 0
}

func (n *node) pause(_ *script.Command, cause uint64) {
	w := n.world
	n.process = paused
	w.emit(trace.Event{Kind: trace.MemberPaused, Member: n.id, Cause: cause})
}

// resume lets a paused process run: what waited for it comes at once, in its
// old order.
func (n *node) resume(_ *script.Command, cause uint64) {
	w := n.world
	n.process, n.resumed = running, w.clock.Now
	w.emit(trace.Event{Kind: trace.MemberResumed, Member: n.id, Cause: cause})
	held := n.inbox
	n.inbox = nil
	for _, e := range held {
		e.At = w.clock.Now
		w.clock.Push(e)
	}
}

// void frees what an event carries whose member has died.
func (w *World) void(e *clock.Event) {
	switch e.Kind {
	case evDeliver, evImage:
		w.network.lose(e)
	case evRead:
		w.dropRead(e.Slot)
	case evPass:
		w.passing.Lost(e)
	case evScan:
		*w.scans.At(e.Slot) = scan{}
		w.scans.Give(e.Slot)
	default:
		w.clients.Void(e)
	}
}
