package chaos

import (
	"time"

	"vitrine/core/driver"
	"vitrine/core/script"
	"vitrine/core/sim/dice"
	"vitrine/core/vfs"
)

// Moments: what random faults hardly ever hit, and hurts most.

// Revised sees a member apply a revision, for the first time or not. Compaction at
// the newest revision, when that is a delete, is where much has gone wrong.
func (x *Chaos) Revised(rev int64, deletes bool, member uint64) {
	x.head = max(x.head, rev)
	if !deletes {
		return
	}
	x.tombstone = max(x.tombstone, rev)
	if x.lurking && x.on {
		x.lurking = false
		x.counts[Compact]++
		x.world.Later(1, script.Command{Cmd: script.Compact, Rev: rev, Member: member})
	}
}

// falls tells whether a fault of a class falls on something that has just
// happened, and draws how: three draws.
func (x *Chaos) falls(class Class, p float64) (how, long uint64, hit bool) {
	if !x.on || !x.options.On[class] {
		return 0, 0, false
	}
	d := x.dice[class]
	hit, how, long = d.Chance(p), d.Uint64(), d.Uint64()
	if hit {
		x.counts[class]++
	}
	return how, long, hit
}

// losePower schedules a power loss of a member, and its restart.
func (x *Chaos) losePower(id uint64, wait, down time.Duration, how uint64) {
	x.world.Later(wait, powerFailure(id, how))
	x.world.Later(wait+down, script.Command{Cmd: script.Restart, Member: id})
}

// atOnce is now, or half of the time a little later.
func atOnce(how uint64) time.Duration {
	return time.Duration(1 + how>>8%2*(how>>16%uint64(2*time.Millisecond)))
}

// VoteLeft is a moment at which random crashes never hit: a vote, or a request
// for votes, has only just left.
func (x *Chaos) VoteLeft(id uint64) {
	if how, long, hit := x.falls(Vote, x.options.VoteCrash); hit {
		x.losePower(id, atOnce(how), spread(long, time.Millisecond, 50*time.Millisecond), how)
	}
}

// Elected sees a new leader. The logs that conflict worst are those of leaders
// who left an entry at home, so whoever is elected dies or is cut off, and the one
// before comes back into its place. It takes three acts to the figure 3.7 of the
// raft thesis: two leaders keep their entries to themselves, then the first has
// part of its log elsewhere when it must go.
func (x *Chaos) Elected(id uint64) {
	if len(x.world.Members()) < 2 {
		return
	}
	how, long, hit := x.falls(Coup, x.options.Coup)
	if !hit {
		return
	}
	act := x.counts[Coup] % 3
	if how>>8%4 == 0 {
		act = int(how >> 10 % 3)
	}
	wait := time.Duration(1 + how>>16%uint64(400*time.Microsecond)) // before its first entry is anywhere else
	if act == 0 {
		wait = spread(how>>16, time.Millisecond, 250*time.Millisecond)
	}
	if how%4 == 0 {
		x.losePower(id, wait, spread(long, time.Millisecond, 3*time.Second), how)
		return
	}
	if x.deposed != 0 {
		x.world.Later(wait, script.Command{Cmd: script.Heal, Member: x.deposed})
	}
	x.deposed = id
	x.world.Later(wait, script.Command{Cmd: script.Isolate, Member: id})
	x.world.Later(wait+spread(long, time.Second, 10*time.Second), script.Command{Cmd: script.Heal, Member: id})
}

// Fragile is one of those moments at which random crashes hardly ever hit: part of a log
// was just overwritten, a segment just begun, an image just received, a
// compaction is half done. The machine dies, or its disk hangs.
func (x *Chaos) Fragile(id uint64) {
	how, long, hit := x.falls(Moment, x.options.Moment)
	switch {
	case !hit:
	case how%4 == 0:
		hangs := spread(long, 50*time.Millisecond, 5*time.Second)
		x.world.Later(atOnce(how), script.Command{Cmd: script.Stall, Member: id, Value: hangs.String()})
	default:
		x.losePower(id, atOnce(how), spread(long, time.Millisecond, time.Second), how)
	}
}

// ImageKept sees a member that has just received a database. If it has something to
// commit to the old one, in that time from now on, the commit may end, and be noted
// in the log, behind the note of the received snapshot. A disk that hangs until
// then has the install wait for it. Then the power fails, or the process dies, as
// soon as the log has taken the next note but one, or a moment later.
func (x *Chaos) ImageKept(id uint64, commits time.Duration, behind bool) {
	if behind && x.clock.Now >= x.installing {
		if how, long, hit := x.falls(Install, x.options.Install); hit {
			x.install(id, commits, how, long)
			return
		}
	}
	x.noteHalf(id)
	x.Fragile(id)
}

// noteHalf has a process end between the record of a received snapshot in its log and the state that commits it.
func (x *Chaos) noteHalf(id uint64) {
	if x.clock.Now < x.noting {
		return
	}
	how, long, hit := x.falls(Note, x.options.Note)
	if !hit {
		return
	}
	x.noting = x.clock.Now + int64(spread(long, time.Second, 16*time.Second))
	c := script.Command{Cmd: script.Strike, Member: id, Name: driver.LogCommit.String(),
		Value: script.ProcessDies.String()}
	if how%4 == 0 {
		c.Value, c.Torn = script.PowerFails.String(), int(vfs.Survival(how>>8))
	}
	x.world.Later(1, c)
}

// halfNoted is when that has happened. The record must not count later on, when its index is committed by other
// means: by entries, which the present leader does not have any more, but the next one may. Then only a start tells
// whether it counts, before the member has written another.
func (x *Chaos) halfNoted(id uint64) {
	how, long, hit := x.falls(Note, 1)
	if !hit {
		return
	}
	wait := spread(long, time.Second, 8*time.Second)
	if leader := x.world.Leader(); leader != 0 && leader != id && how%4 > 0 {
		x.world.Later(1, script.Command{Cmd: script.Isolate, Member: leader})
		x.world.Later(wait, script.Command{Cmd: script.Heal, Member: leader})
	}
	for i := range uint64(1 + how>>2%4) {
		down := spread(long>>32, time.Millisecond, 50*time.Millisecond)
		x.losePower(id, wait/4+time.Duration(dice.Mix(how+i)%uint64(wait)), down, dice.Mix(long+i))
	}
}

func (x *Chaos) install(id uint64, commits time.Duration, how, long uint64) {
	hangs := commits + spread(how>>16, time.Millisecond, 64*time.Millisecond)
	x.installing = x.clock.Now + int64(hangs)
	x.world.Later(1, script.Command{Cmd: script.Stall, Member: id, Value: hangs.String()})
	if how%4 == 0 {
		x.losePower(id, hangs+spread(how>>40, 500*time.Microsecond, 64*time.Millisecond),
			spread(long, time.Millisecond, time.Second), how)
		return
	}
	strike := script.Command{Cmd: script.Strike, Member: id, Name: driver.Release.String(),
		Value: script.PowerFails.String(), Rev: 1}
	if how%4 == 1 {
		strike.Value = script.ProcessDies.String()
	}
	x.world.Later(1, strike)
}

// SnapshotNoted is the moment in which a log takes note of a received snapshot, or
// writes a mark soon behind one. There are few of them, and what is wrong with a
// note shows only to a process that starts before the next. The power fails, or
// the process dies, at once or when the sync, the install and the next mark have
// had their time.
func (x *Chaos) SnapshotNoted(id uint64) {
	how, long, hit := x.falls(Moment, x.options.NoteCrash)
	if !hit {
		return
	}
	wait := atOnce(how)
	if how>>32%2 == 0 {
		wait = spread(how>>33, time.Millisecond, 64*time.Millisecond)
	}
	x.losePower(id, wait, spread(long, time.Millisecond, time.Second), how)
}

// Struck is when a process has ended before some step of its driver.
func (x *Chaos) Struck(id uint64, by driver.Step) {
	if !x.on {
		return
	}
	x.restartLater(Strike, id, time.Second)
	if by == driver.LogCommit {
		x.halfNoted(id)
	}
}

// DiskFailed is when a process has ended because its disk refused something: that
// was once, so it may start again.
func (x *Chaos) DiskFailed(id uint64, kind script.DiskError) {
	if x.on {
		x.restartLater(errorClasses[kind], id, 5*time.Second)
	}
}

func (x *Chaos) restartLater(class Class, id uint64, longest time.Duration) {
	wait := spread(x.dice[class].Uint64(), time.Millisecond, longest)
	x.world.Later(wait, script.Command{Cmd: script.Restart, Member: id})
}
