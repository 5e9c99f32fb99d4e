package sim

import (
	"fmt"
	"slices"

	"vitrine/core/driver"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/script"
	"vitrine/core/sim/chaos"
	"vitrine/core/sim/checkup"
	"vitrine/core/sim/client"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/decoding"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/judge"
	"vitrine/core/sim/pass"
	"vitrine/core/sim/roster"
	"vitrine/core/sim/settle"
	"vitrine/core/sim/setup"
	"vitrine/core/trace"
)

// World is a cluster with everything around it. It is single-threaded, and two
// worlds must not run at the same time in one process (see the package
// comment).
type World struct {
	cfg    Config
	clock  *clock.Clock
	stream *trace.Stream
	mutant mutant.ID
	rand   dice.Global
	judge  *judge.Judge

	nodes   []*node
	ids     []uint64 // of nodes that vote, or did: what clients know
	roster  roster.Roster
	network *network
	net     Network
	process setup.Process
	spread  float64 // of election timeouts: 1 = raft's own, 0 = all are equal, and all clocks tick together
	clients *client.Pool

	reads    clock.Slab[read]
	scans    clock.Slab[scan]
	passing  *pass.Passing
	checkups *checkup.Checkups

	acts      map[string]*act // what commands do, by verb
	commands  []script.Timed  // done
	scheduled []script.Timed  // to be done
	chaos     *chaos.Chaos
	decode    func(data []byte) (*pb.InternalRaftRequest, error) // of an entry; see decoding
	skipped   []int                                              // scheduled commands that were not possible
	dying     *node                                              // its machine was struck between two steps of this event
	struck    [driver.StepCount]int                              // how often, by step
}

// New builds a world at time 0: the members have started, nothing has happened
// yet. The sinks see every event.
func New(cfg Config, sinks ...trace.Sink) (*World, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	bug, err := mutant.Find(cfg.Mutant)
	if err != nil {
		return nil, err
	}
	if bug != mutant.None && !mutant.Enabled {
		return nil, fmt.Errorf("sim: mutant %q: this binary carries no mutants; build it with -tags mutants", cfg.Mutant)
	}
	var drawn chaos.Options
	if cfg.Faults {
		if drawn, err = chaos.Draw(cfg.Seed, cfg.Always); err != nil {
			return nil, err
		}
		drawn.Tune(&cfg)
	}
	w := &World{
		acts: newActs(), clock: new(clock.Clock),
		cfg: cfg, net: cfg.Network, process: cfg.Process, spread: 1,
		stream: trace.NewStream(sinks...), mutant: bug, decode: new(decoding.Decoder).Decode,
	}
	w.chaos = chaos.New(faultTarget{w}, w.clock, cfg.Seed, drawn)
	w.judge = judge.New(w.clock, w.stream, judge.Options{
		Check: !cfg.NoChecks, Quota: cfg.Quota, KeepFor: cfg.Retention.Period,
		KeepRevisions: cfg.Retention.Revisions, Kept: cfg.Judged, Decode: w.decode, NoPreVote: cfg.NoPreVote,
		TokenTTL: cfg.Workload.Logins.TTL,
		Patience: max(cfg.Workload.Timeout, cfg.Workload.Hasty, settle.ProbePatience),
	})
	w.clients = client.New(clientHost{w}, &w.cfg, &w.net, w.clock, w.chaos, w.judge)
	isCut := func(from, to uint64) bool { return w.network.link(w.byID(from), w.byID(to)).cut }
	w.passing = pass.New(evPass, w.clock, &w.net, clientHost{w}.Server, isCut)
	w.checkups = checkup.New(evAudit, evAudited, evWaited, w.clock, clientHost{w}, w.passing, w.judge, &cfg.Audits)
	w.stream.Attach(observer{w})
	w.roster = roster.Of(cfg.Members)
	for i := range cfg.Members {
		w.addNode(uint64(i + 1))
	}
	w.enter()
	defer w.leave()
	w.network = newNetwork(w)
	peers := w.firstPeers()
	for _, n := range w.nodes {
		if err := n.format(peers); err != nil {
			return nil, fmt.Errorf("sim: format the disk of member %d: %w", n.id, err)
		}
	}
	for _, n := range w.nodes {
		n.boot()
	}
	w.clients.Begin()
	w.beginFaults()
	w.inspectLater()
	return w, nil
}

// enter installs the world's randomness and its mutant; leave puts back what was
// there, so that a world with a bug and one without can live in one page.
func (w *World) enter() {
	if w.rand.Enter() {
		mutant.Plant(w.mutant)
	}
}

func (w *World) leave() {
	if w.rand.Leave() {
		mutant.Plant(mutant.None)
	}
	if p := recover(); p != nil {
		w.judge.Caught(p)
	}
}

// Config is the one the world was built with.
func (w *World) Config() Config { return w.cfg }

// Now is the simulated time.
func (w *World) Now() trace.Instant { return trace.Instant(w.clock.Now) }

// Do executes a command now and records it. For put, get, delete, txn, compact
// and watch it returns the id of the request, which State then follows. The
// command happens a nanosecond after everything that has happened so far.
func (w *World) Do(c script.Command) (request uint64, err error) {
	if w.judge.Violation() != nil {
		return 0, fmt.Errorf("sim: %s: the world has stopped: %s", c.Cmd, w.judge.Violation().Text)
	}
	w.enter()
	defer w.leave()
	w.clock.Now = max(w.clock.Now, w.clock.Busy+1)
	request, err = w.do(&c, false)
	if w.dying != nil {
		w.perish()
	}
	return request, err
}

// do performs a command and, if it was possible, keeps it for the replay.
func (w *World) do(c *script.Command, fault bool) (uint64, error) {
	request, err := w.perform(c, fault)
	if err == nil {
		w.commands = append(w.commands, script.Timed{At: w.clock.Now, Command: *c, Fault: fault})
	}
	return request, err
}

// Schedule makes the world do a command at its time, before anything else that
// happens in that nanosecond. It must not lie in the past.
func (w *World) Schedule(t script.Timed) error {
	if t.At < w.clock.Now {
		return fmt.Errorf("sim: %s at %d: it is %d already", t.Cmd, t.At, w.clock.Now)
	}
	if err := w.valid(&t.Command); err != nil {
		return err
	}
	w.scheduled = append(w.scheduled, t)
	w.clock.PushFirst(clock.Event{At: t.At, Kind: evCommand, A: uint64(len(w.scheduled) - 1)})
	return nil
}

// Commands are all commands done so far, the drawn faults among them, with
// their times.
func (w *World) Commands() []script.Timed { return slices.Clone(w.commands) }

// RunUntil processes events up to time t, at most maxEvents of them (0 = any
// number). It reports whether it came as far as t; then Now is t. It stops for
// good at a violation.
func (w *World) RunUntil(t trace.Instant, maxEvents int) (reached bool) {
	w.enter()
	defer w.leave()
	for n := 0; w.judge.Violation() == nil; n++ {
		if w.clock.Len() == 0 || w.clock.Peek().At > int64(t) {
			w.clock.Now = max(w.clock.Now, int64(t))
			return true
		}
		if maxEvents > 0 && n >= maxEvents {
			return false
		}
		w.next()
	}
	return false
}

// StepEvent processes the next event, whenever it is; false if there is none
// or the world has stopped at a violation.
func (w *World) StepEvent() bool {
	if w.judge.Violation() != nil || w.clock.Len() == 0 {
		return false
	}
	w.enter()
	defer w.leave()
	w.next()
	return w.judge.Violation() == nil
}

// NextAt is the time of the next event.
func (w *World) NextAt() trace.Instant {
	if w.clock.Len() == 0 {
		return trace.Instant(w.clock.Now)
	}
	return trace.Instant(w.clock.Peek().At)
}

// next takes one event from the queue and makes it happen.
func (w *World) next() {
	e := w.clock.Next()
	if client.Owns(&e) {
		w.clients.Happens(&e)
	} else {
		w.happens(&e)
	}
	if w.dying != nil {
		w.perish()
	}
}

// happens is an event that is not the clients'.
func (w *World) happens(e *clock.Event) {
	switch e.Kind {
	case evDeliver:
		w.network.deliver(e)
	case evCommand:
		w.scheduledCommand(int(e.A))
	case chaos.Wake:
		w.chaos.Happens(e)
	case evFaultsEnd:
		w.endFaults()
	case evJoin:
		w.join(e.A)
	case evAudit:
		w.checkups.Due(e)
	case evWaited:
		w.checkups.Waited(e)
	case evInspect:
		w.inspectLater()
		w.judge.Inspect(w.judged())
	default:
		n := w.byID(uint64(e.Member))
		n.nodeEvent(e)
		n.measure(e.Kind)
	}
}

// nodeEvent is something inside a member. It is void if the member has died
// since, and waits if it is paused.
func (n *node) nodeEvent(e *clock.Event) {
	w := n.world
	if e.Life != n.life || !n.alive() && e.Kind != evBoot && (e.Kind != evPass || n.store == nil) {
		w.void(e)
		return
	}
	if n.process == paused && e.Kind != evSync {
		if e.Kind != evTick || !n.tickHeld {
			n.tickHeld = n.tickHeld || e.Kind == evTick
			n.hold(*e)
		}
		return
	}
	switch e.Kind {
	case evTick:
		n.tickHeld = false
		n.tick()
	case evWrite:
		n.writeDone(e)
	case evSync:
		n.wasSynced(e)
	case evApply:
		n.applyDone(e)
	case evCommitTimer, evCommitDone, evHousekeep:
		n.storeEvent(e)
	case evRead:
		n.evaluate(e)
	case evScan:
		n.scanned(e)
	case evBoot:
		n.boot()
	case evReport:
		n.hearReport(e)
	case evPass:
		w.passing.Arrives(n, e)
	case evAudited:
		w.checkups.Heard(e)
	case evImage:
		n.imageArrives(e)
	case evDefrag:
		n.defragmented(e)
	case evWork:
		n.Worked(e)
	}
}

// storeEvent concerns the store that was there when it was scheduled; a
// received snapshot has made it void.
func (l *storeLane) storeEvent(e *clock.Event) {
	n := l.of
	if e.A != n.era {
		return
	}
	switch e.Kind {
	case evCommitTimer:
		n.commitDue()
	case evCommitDone:
		n.committed()
	case evHousekeep:
		n.housekeep()
	}
}

// scheduledCommand replays a decision. One that is not possible any more, in a
// list that was edited, is skipped.
func (w *World) scheduledCommand(i int) {
	t := &w.scheduled[i]
	if _, err := w.do(&t.Command, t.Fault); err != nil {
		w.skipped = append(w.skipped, i)
	}
}

// emit writes an event of the world.
func (w *World) emit(e trace.Event) uint64 {
	e.Now = trace.Instant(w.clock.Now)
	return w.stream.Emit(&e)
}

// pen is the tracer of a member, for what happens to it now because of cause.
func (n *node) pen(cause uint64) *trace.Tracer {
	w := n.world
	n.tracer.At(trace.Instant(w.clock.Now), cause)
	return n.tracer
}

// Hash is the running hash of all events.
func (w *World) Hash() uint64 { return w.stream.Hash() }

// Skipped are the scheduled commands, by their order, that were not possible.
func (w *World) Skipped() []int { return slices.Clone(w.skipped) }

// HashText is Hash in 16 hex digits.
func (w *World) HashText() string { return fmt.Sprintf("%016x", w.stream.Hash()) }

// Events is the number of trace events so far, Processed that of queue events.
func (w *World) Events() uint64    { return w.stream.Seq() }
func (w *World) Processed() uint64 { return w.clock.Taken }

// Leader is the running leader with the highest term, 0 if there is none.
func (w *World) Leader() uint64 {
	if n := w.leader(); n != nil {
		return n.id
	}
	return 0
}

func (w *World) leader() (best *node) {
	term := uint64(0)
	for _, n := range w.nodes {
		if !n.alive() || n.member == nil || n.member.Leader() != n.id {
			continue
		}
		if t := n.member.Header().RaftTerm; best == nil || t > term {
			best, term = n, t
		}
	}
	return best
}

// Violation is the invariant that broke, nil while all hold.
func (w *World) Violation() *Violation { return w.judge.Violation() }

// Stack is where the core panicked, if it did.
func (w *World) Stack() string { return w.judge.Stack() }
