// Package chaos draws what goes wrong in a world, from a seed: faults of some
// classes as time passes (Happens), and at the moments at which they hurt most
// (VoteLeft, Elected, Fragile, ImageKept, SnapshotNoted, Struck, Revised). All it does are commands
// of package script.
//
//	options, err := chaos.Draw(seed, nil)
//	options.Tune(&cfg)
//	x := chaos.New(world, clock, seed, options)
//	x.Begin()
package chaos

import (
	"slices"
	"strconv"
	"time"

	"vitrine/core/script"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/vfs"
)

// World is a world to which misfortunes happen.
type World interface {
	Do(c script.Command) error                  // now; an error says that it is not possible at the moment
	Later(wait time.Duration, c script.Command) // the same in a while, if it is possible then
	Members() []uint64                          // the ids, in order; nobody changes the list
	Leader() uint64                             // 0 = there is none
	Learners() []uint64                         // those of the members who do not vote, in order
	Machines() int                              // how many there have ever been; they are numbered from 1
}

// Wake is the kind of the events in which a Chaos wakes up to draw a fault.
const Wake clock.Kind = 200

// Chaos draws misfortunes while the fault phase of a run lasts. It acts by commands
// only, so that what it did can be repeated without its dice.
type Chaos struct {
	world   World
	clock   *clock.Clock
	seed    uint64
	on      bool
	options Options
	dice    [Classes]*dice.Dice
	counts  [Classes]int

	head, tombstone int64  // newest revision of all, and newest that deleted something
	lurking         bool   // the next delete is compacted at once
	installing      int64  // until then a member suffers from Install
	noting          int64  // until then nobody suffers from Note
	deposed         uint64 // the last leader that was cut off for being one
	grows           bool   // a member was added, or is about to be
}

// New makes a Chaos that sleeps. Its options are those that Draw has drawn from
// the same seed.
func New(w World, c *clock.Clock, seed uint64, drawn Options) *Chaos {
	return &Chaos{world: w, clock: c, seed: seed, options: drawn}
}

// Options are what was drawn for the run; their classes are all off if it has no
// faults.
func (x *Chaos) Options() *Options { return &x.options }

// Begin wakes it up.
func (x *Chaos) Begin() {
	x.on = true
	for class := range Classes {
		x.dice[class] = dice.New(x.seed, dice.Fault, uint64(class))
		if x.options.On[class] && x.options.Gap[class] > 0 {
			x.drawLater(class)
		}
	}
	o := &x.options
	x.set(Loss, "loss", formatFloat(o.Loss))
	x.set(Duplicate, "duplicate", formatFloat(o.Duplicate))
	x.set(Delay, "jitter", o.Jitter.String())
	x.set(Disk, "fsync", o.Fsync.String())
	x.set(Disk, "spike-probability", formatFloat(o.SpikeProb))
	x.set(Disk, "spike", o.Spike.String())
}

// End puts it to sleep for good.
func (x *Chaos) End() { x.on = false }

// Suffers reports whether faults of a class happen now.
func (x *Chaos) Suffers(class Class) bool { return x.on && x.options.On[class] }

// Count notes that a fault of a class has happened.
func (x *Chaos) Count(class Class) { x.counts[class]++ }

// Counts are the faults so far by class, those that happened.
func (x *Chaos) Counts(tell func(class string, n int)) {
	for class, n := range x.counts {
		if n > 0 {
			tell(names[class], n)
		}
	}
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// drawLater wakes up once more for a class, after a drawn while.
func (x *Chaos) drawLater(class Class) {
	gap := x.dice[class].Exp(x.options.Gap[class])
	if class == Roster {
		gap += changeEvery
	}
	x.clock.PushFirst(clock.Event{At: x.clock.Now + int64(gap) + 1, Kind: Wake, A: uint64(class)})
}

// set turns a dial if the class is on.
func (x *Chaos) set(class Class, name, value string) {
	if x.options.On[class] {
		x.inflict(class, script.Command{Cmd: script.Set, Name: name, Value: value})
	}
}

// inflict does a drawn fault. What is not possible at the moment is no fault.
func (x *Chaos) inflict(class Class, c script.Command) bool {
	if x.world.Do(c) != nil {
		return false
	}
	x.counts[class]++
	return true
}

// Happens inflicts one fault of the class that wakes up: five draws, whatever it
// becomes.
func (x *Chaos) Happens(e *clock.Event) {
	if !x.on {
		return
	}
	class := Class(e.A)
	x.drawLater(class)
	d, members := x.dice[class], x.world.Members()
	victim, other := d.IntN(len(members)), d.IntN(len(members))
	how, long := d.Uint64(), d.Uint64()
	if leader := slices.Index(members, x.world.Leader()); leader >= 0 && how>>32%2 == 0 {
		victim = leader
	}
	if len(members) > 1 && other == victim {
		other = (other + 1) % len(members)
	}
	x.draw(class, members[victim], members[other], how, long)
}

// draw inflicts a fault on a member, as the drawn bits say.
func (x *Chaos) draw(class Class, victim, other, how, long uint64) {
	switch class {
	case Clog:
		if victim != other {
			x.clog(victim, other, how, long)
		}
	case Partition:
		x.partition(victim, how, long)
	case Pause:
		if x.inflict(class, script.Command{Cmd: script.Pause, Member: victim}) {
			x.world.Later(spread(long, 100*time.Millisecond, 10*time.Second), script.Command{Cmd: script.Resume, Member: victim})
		}
	case Crash:
		x.crashAndRestart(class, powerFailure(victim, how), spread(long, time.Millisecond, 10*time.Second))
	case Stall:
		hangs := spread(long, 50*time.Millisecond, 5*time.Second)
		x.inflict(class, script.Command{Cmd: script.Stall, Member: victim, Value: hangs.String()})
	case Compact:
		x.compact(victim, how)
	case Transfer:
		x.inflict(class, script.Command{Cmd: script.Transfer, Member: other})
	case Campaign:
		x.inflict(class, script.Command{Cmd: script.Campaign, Member: other})
	case Blackout:
		for _, id := range x.world.Members() {
			x.crashAndRestart(class, powerFailure(id, how), spread(dice.Mix(long+id), time.Millisecond, 5*time.Second))
		}
	case WriteError, Full, SyncError, ReadError, CommitError, Rot:
		x.drawDiskFault(class, victim, how, long)
	case Clock:
		x.drawClock(victim, how, long)
	case Exile:
		x.exile(long)
	case Strike:
		x.drawStrike(victim, how, long)
	case Refusal:
		x.drawRefusal(victim, how, long)
	case Defrag:
		x.inflict(class, script.Command{Cmd: script.Defragment, Member: victim})
	case Roster:
		x.changeMembers(victim, other, how, long)
	case Password:
		x.slowPasswords(victim, how, long)
	case Garble:
		x.inflict(class, script.Command{
			Cmd: script.Garble, Member: victim, Rev: int64(long >> 16 % (1 << 40)), Limit: int64(how % 8),
		})
	}
}

// slowPasswords lets a member take long over each password for a while.
func (x *Chaos) slowPasswords(victim, how, long uint64) {
	slow := script.Command{Cmd: script.Set, Name: script.Passwords, Member: victim,
		Value: spread(how, 100*time.Millisecond, 3*time.Second).String()}
	if x.inflict(Password, slow) {
		slow.Value = x.options.Logins.Work.String()
		x.world.Later(spread(long, 100*time.Millisecond, 5*time.Second), slow)
	}
}

// compact compacts a little behind the newest revision, at it, at the newest
// delete, or at the next one as soon as it comes.
func (x *Chaos) compact(victim, how uint64) {
	rev := x.head - int64(how%40)
	switch how >> 8 % 4 {
	case 0:
		rev = x.head
	case 1:
		rev = x.tombstone
	case 2:
		x.lurking = true
		return
	}
	x.inflict(Compact, script.Command{Cmd: script.Compact, Rev: max(1, rev), Member: victim})
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

func (x *Chaos) crashAndRestart(class Class, c script.Command, wait time.Duration) {
	if x.inflict(class, c) {
		x.world.Later(wait, script.Command{Cmd: script.Restart, Member: c.Member})
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

// drawClock inflicts a clock fault: a rate between a half and twice, a step of the
// time of day of up to an hour, or one that is lost at each start.
func (x *Chaos) drawClock(id, how, long uint64) {
	c := script.Command{Cmd: script.Clock, Member: id}
	if how%2 == 0 {
		c.Value = formatFloat(float64(50+how>>8%151) / 100)
	} else if how>>9%4 == 0 {
		c.Name = script.ClockLost
	} else {
		step := spread(long, 10*time.Millisecond, time.Hour)
		if how>>8%2 == 0 {
			step = -step
		}
		c.Name, c.Value = script.ClockStep, step.String()
	}
	x.inflict(Clock, c)
}
