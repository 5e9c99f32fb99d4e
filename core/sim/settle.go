package sim

import (
	"time"

	"vitrine/core/backend"
	"vitrine/core/invariant"
	"vitrine/core/script"
	"vitrine/core/sim/checkup"
	"vitrine/core/sim/settle"
	"vitrine/core/trace"
)

// SettleLimit is how long a healed cluster may take to converge.
const SettleLimit = 30 * time.Second

// Run is a whole run: so long, and then until the cluster has settled. It
// returns the violation, if there was one.
func (w *World) Run(length time.Duration) *Violation {
	if w.RunUntil(trace.Instant(length), 0) {
		w.Settle(SettleLimit)
	}
	return w.judge.Violation()
}

// Settle ends the faults and the load, and runs on until the cluster has converged
// (I27), as package settle demands it. It reports whether all is well; if not,
// there is a violation.
func (w *World) Settle(limit time.Duration) bool {
	if w.judge.Violation() != nil {
		return false
	}
	w.Heal()
	settle.Run(settleWorld{w}, w.clients, w.judge, &w.cfg, limit)
	if w.judge.Violation() == nil {
		w.enter()
		w.judge.Final(w.judged())
		w.leave()
	}
	return w.judge.Violation() == nil
}

// settleWorld is a world as package settle sees it.
type settleWorld struct{ w *World }

// Now implements settle.World.
func (s settleWorld) Now() int64 { return s.w.clock.Now }

// RunUntil implements settle.World.
func (s settleWorld) RunUntil(at int64) { s.w.RunUntil(trace.Instant(at), 0) }

// Within implements settle.World.
func (s settleWorld) Within(f func()) {
	s.w.enter()
	defer s.w.leave()
	f()
}

// Copied implements settle.World.
func (s settleWorld) Copied() int64 {
	last := int64(0)
	for _, n := range s.w.nodes {
		last = max(last, n.copied)
	}
	return last
}

// Leader implements settle.World.
func (s settleWorld) Leader() uint64 { return s.w.Leader() }

// Members implements settle.World.
func (s settleWorld) Members() []settle.Member {
	var all []settle.Member
	for _, n := range s.w.nodes {
		if s.w.roster.Has(n.id) {
			all = append(all, n)
		}
	}
	return all
}

// Machines implements settle.World.
func (s settleWorld) Machines() int { return len(s.w.nodes) }

// Spoil implements settle.World.
func (s settleWorld) Spoil(id uint64, op backend.Op, down bool) {
	n, err := s.w.byID(id), error(nil)
	cause := s.w.emit(trace.Event{Kind: trace.Fault, Member: id, Text: settle.PairChanged})
	if down {
		n.crash(&script.Command{Keep: true}, cause)
		err = checkup.Rewrite(n.fs, n.layout().DB(), op)
		n.start()
	} else {
		err = n.backend.Store().Commit([]backend.Op{op})
	}
	if err != nil {
		s.w.judge.Broken(invariant.NoPanic, "member %d: commit to memory failed: %v", id, err)
	}
}

// State implements settle.Member.
func (n *node) State() string { return processNames[n.process] + " " + n.reason }

// Beyond implements settle.Member.
func (n *node) Beyond() error { return n.wear.Beyond }

// Heal ends the faults and the load, as Settle does, and returns at once: a
// player goes on from there at its own pace.
func (w *World) Heal() {
	w.enter()
	defer w.leave()
	w.clients.Rest()
	w.endFaults()
}

// endFaults heals everything: it ends cuts, pauses and stalls, puts back all
// settings, and restarts who can run.
func (w *World) endFaults() {
	w.chaos.End()
	cause := w.emit(trace.Event{Kind: trace.Fault, Text: "the faults end"})
	w.net = w.cfg.Network
	w.healAll(cause)
	for _, n := range w.nodes {
		n.dial = w.cfg.Disk
		n.TakesFor(-1)
		n.tickEvery = int64(w.cfg.TickEvery)
		n.wear.Disarm()
		n.garbled = nil
		if n.down() && (n.process != stopped || n.wear.Hit != nil) {
			n.start()
		}
	}
	// What was to be taken back later has been taken back.
	for i := range w.scheduled {
		if t := &w.scheduled[i]; t.Fault && t.At >= w.clock.Now {
			t.Cmd = ""
		}
	}
}
