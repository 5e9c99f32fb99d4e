package sim

import (
	"time"

	"vitrine/core/script"
)

// Moments: what random faults hardly ever hit, and hurts most.

// tombstone sees a delete in the moment of its first apply. Compaction at the
// newest revision, when that is a delete, is where much has gone wrong.
func (w *World) tombstone(rev int64, member uint64) {
	f := &w.faults
	f.tombstone = max(f.tombstone, rev)
	if f.lurking && f.on {
		f.lurking = false
		f.counts[faultCompact]++
		w.later(1, script.Command{Cmd: script.Compact, Rev: rev, Member: member})
	}
}

// strikes tells whether a fault of a class falls on something that has just
// happened, and draws how: three draws.
func (f *faults) strikes(class faultClass, p float64) (how, long uint64, hit bool) {
	if !f.on || !f.options.On[class] {
		return 0, 0, false
	}
	d := f.dice[class]
	hit, how, long = d.Chance(p), d.Uint64(), d.Uint64()
	if hit {
		f.counts[class]++
	}
	return how, long, hit
}

// fells has the machine of a member lose power soon, and start again later.
func (w *World) fells(n *node, wait, down time.Duration, how uint64) {
	w.later(wait, powerFailure(n.id, how))
	w.later(wait+down, script.Command{Cmd: script.Restart, Member: n.id})
}

// atOnce is now, or half of the time a little later.
func atOnce(how uint64) time.Duration {
	return time.Duration(1 + how>>8%2*(how>>16%uint64(2*time.Millisecond)))
}

// promised is a moment at which random crashes never hit: a vote, or a request
// for votes, has only just left.
func (w *World) promised(n *node) {
	if how, long, hit := w.faults.strikes(faultVote, w.faults.options.VoteCrash); hit {
		w.fells(n, atOnce(how), spread(long, time.Millisecond, 50*time.Millisecond), how)
	}
}

// elected sees a new leader. The logs that conflict worst are those of leaders
// who left an entry at home, so whoever is elected dies or is cut off, and the one
// before comes back into its place. It takes three acts to the figure 3.7 of the
// raft thesis: two leaders keep their entries to themselves, then the first has
// part of its log elsewhere when it must go.
func (w *World) elected(n *node) {
	f := &w.faults
	if len(w.nodes) < 2 {
		return
	}
	how, long, hit := f.strikes(faultCoup, f.options.Coup)
	if !hit {
		return
	}
	act := f.counts[faultCoup] % 3
	if how>>8%4 == 0 {
		act = int(how >> 10 % 3)
	}
	wait := time.Duration(1 + how>>16%uint64(400*time.Microsecond)) // before its first entry is anywhere else
	if act == 0 {
		wait = spread(how>>16, time.Millisecond, 250*time.Millisecond)
	}
	if how%4 == 0 {
		w.fells(n, wait, spread(long, time.Millisecond, 3*time.Second), how)
		return
	}
	if f.deposed != 0 {
		w.later(wait, script.Command{Cmd: script.Heal, Member: f.deposed})
	}
	f.deposed = n.id
	w.later(wait, script.Command{Cmd: script.Isolate, Member: n.id})
	w.later(wait+spread(long, time.Second, 10*time.Second), script.Command{Cmd: script.Heal, Member: n.id})
}

// moment is one of those at which random crashes hardly ever hit: part of a log
// was just overwritten, a segment just begun, an image just received, a
// compaction is half done. The machine dies, or its disk hangs.
func (w *World) moment(n *node) {
	how, long, hit := w.faults.strikes(faultMoment, w.faults.options.Moment)
	switch {
	case !hit:
	case how%4 == 0:
		w.later(atOnce(how), script.Command{Cmd: script.Stall, Member: n.id, Value: spread(long, 50*time.Millisecond, 5*time.Second).String()})
	default:
		w.fells(n, atOnce(how), spread(long, time.Millisecond, time.Second), how)
	}
}

// afterSnapshot is how long a mark counts as one behind a received snapshot.
const afterSnapshot = int64(200 * time.Millisecond)

// noted is the moment in which a log takes note of a received snapshot, or writes a mark soon behind one. There are few
// of them, and what is wrong with a note shows only to a process that starts before the next. The power fails, or the
// process dies, at once or when the sync, the install and the next mark have had their time.
func (w *World) noted(n *node) {
	how, long, hit := w.faults.strikes(faultMoment, w.faults.options.NoteCrash)
	if !hit {
		return
	}
	wait := atOnce(how)
	if how>>32%2 == 0 {
		wait = spread(how>>33, time.Millisecond, 64*time.Millisecond)
	}
	w.fells(n, wait, spread(long, time.Millisecond, time.Second), how)
}
