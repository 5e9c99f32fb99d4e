package sim

import (
	"strconv"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/trace"
	"vitrine/core/vfs"
)

// faultClass is a kind of misfortune. Each has its own dice, and each is off
// in half of the runs: a run that suffers from everything hides what a run
// that suffers from one thing would show (swarm testing).
type faultClass uint8

const (
	faultLoss faultClass = iota
	faultDuplicate
	faultDelay
	faultClog      // one direction between two members for a while
	faultPartition // groups
	faultPause
	faultCrash // or kill, with a restart
	faultDisk  // slow syncs, and spikes
	faultStall // one disk hangs
	faultVote  // a crash just after a vote has become durable
	faultCompact
	faultTransfer
	faultCampaign // a member's clock runs ahead: it times out now
	faultBlackout // everyone at once, rarely
	faultMoment   // a crash or a hanging disk where it hurts most
	faultWriteError
	faultFull
	faultSyncError
	faultReadError
	faultCommitError
	faultRot // of a log, on members that the others can do without
	faultClock
	faultDeadline // clients give up soon
	faultExile    // the leader is cut off and its clock is slow, the others' are fast
	faultCoup     // who has just been elected dies or is cut off
	faultStrike   // power or process end just before some step of a driver
	faultRefusal  // a disk refuses some step of a driver
	faultDefrag   // a database is defragmented
	faultGarble   // a database on its way to a member is damaged
	faultClasses
)

var faultNames = [...]string{
	"loss", "duplicate", "delay", "clog", "partition", "pause", "crash", "disk", "stall", "vote-crash",
	"compact", "transfer", "campaign", "blackout", "moment",
	"write-error", "disk-full", "sync-error", "read-error", "commit-error", "rot", "clock", "deadline", "exile", "coup",
	"strike", "refusal", "defragment", "garble",
}

// faults draws misfortunes while a run's fault phase lasts.
type faults struct {
	on      bool
	options Options
	dice    [faultClasses]*dice.Dice
	counts  [faultClasses]int

	head, tombstone int64  // newest revision of all, and newest that deleted something
	lurking         bool   // the next delete is compacted at once
	deposed         uint64 // the last leader that was cut off for being one
}

// Options are the drawn options of the run; their classes are all off if the
// run has no faults.
func (w *World) Options() *Options { return &w.faults.options }

func (w *World) newFaults() {
	if w.cfg.FaultsFor > 0 {
		w.clock.PushFirst(clock.Event{At: int64(w.cfg.FaultsFor), Kind: evFault, A: uint64(faultClasses)})
	}
	if !w.cfg.Faults {
		return
	}
	f := &w.faults
	f.on = true
	for class := range faultClasses {
		f.dice[class] = dice.New(w.cfg.Seed, dice.Fault, uint64(class))
		if f.options.On[class] && f.options.Gap[class] > 0 {
			w.nextFault(class)
		}
	}
	o := &f.options
	w.dial(faultLoss, "loss", formatFloat(o.Loss))
	w.dial(faultDuplicate, "duplicate", formatFloat(o.Duplicate))
	w.dial(faultDelay, "jitter", o.Jitter.String())
	w.dial(faultDisk, "fsync", o.Fsync.String())
	w.dial(faultDisk, "spike-probability", formatFloat(o.SpikeProb))
	w.dial(faultDisk, "spike", o.Spike.String())
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func (w *World) dial(class faultClass, name, value string) {
	if w.faults.options.On[class] {
		w.inflict(class, script.Command{Cmd: script.Set, Name: name, Value: value})
	}
}

func (w *World) nextFault(class faultClass) {
	gap := w.faults.dice[class].Exp(w.faults.options.Gap[class])
	w.clock.PushFirst(clock.Event{At: w.clock.Now + int64(gap) + 1, Kind: evFault, A: uint64(class)})
}

// inflict does a drawn fault. What is not possible at the moment is no fault.
func (w *World) inflict(class faultClass, c script.Command) bool {
	if _, err := w.do(&c, true); err != nil {
		return false
	}
	w.faults.counts[class]++
	return true
}

// later takes a fault back, or continues it, after a while.
func (w *World) later(wait time.Duration, c script.Command) {
	w.scheduled = append(w.scheduled, script.Timed{At: w.clock.Now + int64(wait), Command: c, Fault: true})
	w.clock.PushFirst(clock.Event{At: w.clock.Now + int64(wait), Kind: evCommand, A: uint64(len(w.scheduled) - 1)})
}

// drawFault inflicts one fault of a class: five draws, whatever it becomes.
func (w *World) drawFault(e *clock.Event) {
	class := faultClass(e.A)
	if class == faultClasses {
		w.endFaults()
		return
	}
	if !w.faults.on {
		return
	}
	w.nextFault(class)
	d := w.faults.dice[class]
	victim, other := d.IntN(len(w.nodes)), d.IntN(len(w.nodes))
	how, long := d.Uint64(), d.Uint64()
	if leader := w.leader(); leader != nil && how>>32%2 == 0 {
		victim = leader.ix
	}
	if len(w.nodes) > 1 && other == victim {
		other = (other + 1) % len(w.nodes)
	}
	id, otherID := w.nodes[victim].id, w.nodes[other].id
	switch class {
	case faultClog:
		if id != otherID {
			w.clog(id, otherID, how, long)
		}
	case faultPartition:
		w.partition(id, how, long)
	case faultPause:
		if w.inflict(class, script.Command{Cmd: script.Pause, Member: id}) {
			w.later(spread(long, 100*time.Millisecond, 10*time.Second), script.Command{Cmd: script.Resume, Member: id})
		}
	case faultCrash:
		w.crashAndRestart(class, powerFailure(id, how), spread(long, time.Millisecond, 10*time.Second))
	case faultStall:
		w.inflict(class, script.Command{Cmd: script.Stall, Member: id, Value: spread(long, 50*time.Millisecond, 5*time.Second).String()})
	case faultCompact:
		rev := w.faults.head - int64(how%40)
		switch how >> 8 % 4 {
		case 0:
			rev = w.faults.head
		case 1:
			rev = w.faults.tombstone
		case 2:
			w.faults.lurking = true
			return
		}
		w.inflict(class, script.Command{Cmd: script.Compact, Rev: max(1, rev), Member: id})
	case faultTransfer:
		w.inflict(class, script.Command{Cmd: script.Transfer, Member: otherID})
	case faultCampaign:
		w.inflict(class, script.Command{Cmd: script.Campaign, Member: otherID})
	case faultBlackout:
		for _, n := range w.nodes {
			w.crashAndRestart(class, powerFailure(n.id, how), spread(dice.Mix(long+n.id), time.Millisecond, 5*time.Second))
		}
	case faultWriteError, faultFull, faultSyncError, faultReadError, faultCommitError, faultRot:
		w.drawDiskFault(class, w.nodes[victim], how, long)
	case faultClock:
		w.drawClock(w.nodes[victim], how, long)
	case faultExile:
		w.exile(long)
	case faultStrike:
		w.drawStrike(w.nodes[victim], how, long)
	case faultRefusal:
		w.drawRefusal(w.nodes[victim], how, long)
	case faultDefrag:
		w.inflict(class, script.Command{Cmd: script.Defragment, Member: id})
	case faultGarble:
		w.inflict(class, script.Command{Cmd: script.Garble, Member: id, Rev: int64(long >> 16 % (1 << 40)), Limit: int64(how % 8)})
	}
}

// spread turns drawn bits into a duration, as often below the geometric middle
// as above: short and long ones both matter.
func spread(bits uint64, lo, hi time.Duration) time.Duration {
	octaves := 0
	for d := lo; d < hi; d *= 2 {
		octaves++
	}
	base := lo << (bits % uint64(octaves))
	return min(hi, base+time.Duration(bits>>16%uint64(base)))
}

func (w *World) crashAndRestart(class faultClass, c script.Command, wait time.Duration) {
	if w.inflict(class, c) {
		w.later(wait, script.Command{Cmd: script.Restart, Member: c.Member})
	}
}

// powerFailure is a crash by drawn bits: in a quarter of all cases only the
// process dies.
func powerFailure(id, bits uint64) script.Command {
	c := script.Command{Cmd: script.Crash, Member: id, Keep: bits>>20%4 == 0}
	if !c.Keep {
		c.Torn = int(vfs.Survival(bits >> 24))
	}
	return c
}

// endFaults heals the world: cuts, pauses, stalls, dials, and the dead rise.
func (w *World) endFaults() {
	w.faults.on = false
	cause := w.emit(trace.Event{Kind: trace.Fault, Text: "the faults end"})
	w.net = w.cfg.Network
	w.healAll(cause)
	for _, n := range w.nodes {
		n.dial = w.cfg.Disk
		n.tickEvery, n.wear.armed = int64(w.cfg.TickEvery), [script.DiskErrors]int{}
		n.strikes.disarm()
		n.garbled = nil
		if !n.alive() && n.process != starting && (n.process != stopped || n.wear.hit != nil) {
			w.start(n)
		}
	}
	// What was to be taken back later has been taken back.
	for i := range w.scheduled {
		if t := &w.scheduled[i]; t.Fault && t.At >= w.clock.Now {
			t.Cmd = ""
		}
	}
}

// FaultCounts are the faults so far by class; lost and doubled messages count.
func (w *World) FaultCounts() []Count {
	var all []Count
	for class, n := range w.faults.counts {
		if n > 0 {
			all = append(all, Count{faultNames[class], n})
		}
	}
	return all
}
