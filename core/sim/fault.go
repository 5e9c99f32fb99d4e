package sim

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	faultClasses
)

var faultNames = [...]string{
	"loss", "duplicate", "delay", "clog", "partition", "pause", "crash", "disk", "stall", "vote-crash",
	"compact", "transfer", "campaign", "blackout", "moment",
	"write-error", "disk-full", "sync-error", "read-error", "commit-error", "rot", "clock", "deadline", "exile", "coup",
}

// Options are what a run drew before it began.
type Options struct {
	On        [faultClasses]bool
	Loss      float64
	Duplicate float64
	Jitter    time.Duration
	Fsync     time.Duration
	SpikeProb float64
	Spike     time.Duration
	Gap       [faultClasses]time.Duration // mean between two faults of a class
	VoteCrash float64
	Moment    float64
	Coup      float64
	Rotting   uint64        // who may rot: a permutation of the members; its top four bits are 0 if all may
	Patience  time.Duration // of clients with one request in eight

	// What is not a fault but varies as well, so that rare paths become common.
	SnapshotCount   uint64 // 0 = as configured
	SnapshotCatchUp uint64
	CompactEntries  uint64
	SegmentBytes    int64
	CommitEvery     time.Duration
	Progress        time.Duration
	Keys            int
	Rate            float64
	Large           int
	Clients         int
	Timeout         time.Duration
	Watch           Watching
}

// String is one line with everything that was drawn.
func (o *Options) String() string {
	var b strings.Builder
	for class, on := range o.On {
		if !on {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(faultNames[class])
		switch faultClass(class) {
		case faultLoss:
			fmt.Fprintf(&b, "=%.3f", o.Loss)
		case faultDuplicate:
			fmt.Fprintf(&b, "=%.3f", o.Duplicate)
		case faultDelay:
			fmt.Fprintf(&b, "=%v", o.Jitter.Round(100*time.Microsecond))
		case faultDisk:
			fmt.Fprintf(&b, "=%v,%.3f*%v", o.Fsync.Round(100*time.Microsecond), o.SpikeProb, o.Spike.Round(time.Millisecond))
		case faultVote:
			fmt.Fprintf(&b, "=%.2f", o.VoteCrash)
		case faultMoment:
			fmt.Fprintf(&b, "=%.2f", o.Moment)
		case faultCoup:
			fmt.Fprintf(&b, "=%.2f", o.Coup)
		case faultDeadline:
			fmt.Fprintf(&b, "=%v", o.Patience.Round(time.Millisecond))
		default:
			fmt.Fprintf(&b, "/%v", o.Gap[class].Round(time.Millisecond))
		}
	}
	if b.Len() == 0 {
		b.WriteString("no faults")
	}
	if o.SnapshotCount > 0 {
		fmt.Fprintf(&b, " snapshots=%d-%d/%d", o.SnapshotCount, o.SnapshotCatchUp, o.CompactEntries)
	}
	if o.SegmentBytes > 0 {
		fmt.Fprintf(&b, " segments=%d", o.SegmentBytes)
	}
	if o.CommitEvery > 0 {
		fmt.Fprintf(&b, " commit/%v", o.CommitEvery.Round(time.Millisecond))
	}
	if o.Progress > 0 {
		fmt.Fprintf(&b, " progress/%v", o.Progress.Round(time.Millisecond))
	}
	if o.Keys > 0 {
		fmt.Fprintf(&b, " keys=%d rate=%g", o.Keys, o.Rate)
	}
	if o.Large > 0 {
		fmt.Fprintf(&b, " large=%d", o.Large)
	}
	if o.Clients > 0 {
		fmt.Fprintf(&b, " clients=%d", o.Clients)
	}
	if o.Timeout > 0 {
		fmt.Fprintf(&b, " timeout=%v", o.Timeout.Round(time.Millisecond))
	}
	if o.Watch.Pushes > 0 {
		fmt.Fprintf(&b, " pushes=%d", o.Watch.Pushes)
	}
	if o.Watch.Recent > 0 {
		fmt.Fprintf(&b, " recent=%d scan=%d", o.Watch.Recent, o.Watch.Revisions)
	}
	if o.Watch.Read > 0 {
		fmt.Fprintf(&b, " read=%v", o.Watch.Read.Round(time.Millisecond))
	}
	if o.Watch.Turn > 0 {
		fmt.Fprintf(&b, " turn/%v", o.Watch.Turn.Round(time.Millisecond))
	}
	return b.String()
}

// drawOptions draws the options of a seed: a fixed number of values.
func drawOptions(seed uint64) (o Options) {
	d := newDice(seed, streamOptions, 0)
	for class := range faultWriteError {
		o.On[class] = d.Chance(0.5)
	}
	o.On[faultBlackout] = o.On[faultBlackout] && d.Chance(0.1)
	o.Loss = 0.3 * float64(d.Uint64N(1001)) / 1000 * float64(d.Uint64N(1001)) / 1000
	o.Duplicate = 0.2 * float64(d.Uint64N(1001)) / 1000
	o.Jitter = d.Exp(30*time.Millisecond) + time.Millisecond
	o.Fsync = d.Exp(20*time.Millisecond) + time.Millisecond
	o.SpikeProb = 0.02 * float64(d.Uint64N(1001)) / 1000
	o.Spike = d.Between(100*time.Millisecond, 5*time.Second)
	gap := func(c faultClass, lo, hi time.Duration) { o.Gap[c] = d.Between(lo, hi) }
	gap(faultClog, 200*time.Millisecond, 3*time.Second)
	gap(faultPartition, 2*time.Second, 12*time.Second)
	gap(faultPause, time.Second, 8*time.Second)
	gap(faultCrash, 500*time.Millisecond, 8*time.Second)
	gap(faultStall, 2*time.Second, 10*time.Second)
	gap(faultCompact, time.Second, 10*time.Second)
	gap(faultTransfer, time.Second, 10*time.Second)
	gap(faultCampaign, time.Second, 10*time.Second)
	gap(faultBlackout, 10*time.Second, 40*time.Second)
	o.VoteCrash = 0.1 + 0.4*float64(d.Uint64N(1001))/1000
	o.Moment = 0.02 + 0.2*float64(d.Uint64N(1001))/1000
	o.drawTuning(d)
	o.drawBroken(newDice(seed, streamOptions, 1))
	return o
}

// drawBroken draws the classes of disks that fail, of clocks, and of clients
// that do not wait.
func (o *Options) drawBroken(d *Dice) {
	for class := faultWriteError; class < faultClasses; class++ {
		o.On[class] = d.Chance(0.5)
		o.Gap[class] = d.Between(3*time.Second, 20*time.Second)
	}
	o.Gap[faultDeadline] = 0 // it is a way of life
	o.Gap[faultRot] = d.Between(10*time.Second, time.Minute)
	o.Rotting = d.Uint64()
	o.Patience = spread(d.Uint64(), 2*time.Millisecond, time.Second)
	o.Gap[faultExile] = d.Between(2*time.Second, 15*time.Second)
	o.Gap[faultCoup] = 0 // it comes with elections
	o.Coup = 0.1 + 0.8*float64(d.Uint64N(1001))/1000
}

// drawTuning varies what is not a fault: each thing in half of the runs.
func (o *Options) drawTuning(d *Dice) {
	if count, keep, every := 10+d.Uint64N(100), 1+d.Uint64N(30), 1+d.Uint64N(40); d.Chance(0.5) {
		o.SnapshotCount, o.SnapshotCatchUp, o.CompactEntries = count, keep, every
	}
	if size := int64(4096 << d.Uint64N(5)); d.Chance(0.5) {
		o.SegmentBytes = size
	}
	if every := spread(d.Uint64(), 2*time.Millisecond, 5*time.Second); d.Chance(0.5) {
		o.CommitEvery = every
	}
	if every := spread(d.Uint64(), 100*time.Millisecond, 2*time.Second); d.Chance(0.5) {
		o.Progress = every
	}
	if keys, rate := 1+int(d.Uint64N(16)), float64(int(5)<<d.Uint64N(6)); d.Chance(0.5) {
		o.Keys, o.Rate = keys, rate
	}
	if large := 512 << d.Uint64N(3); d.Chance(0.5) {
		o.Large = large
	}
	if clients := 2 + int(d.Uint64N(10)); d.Chance(0.5) {
		o.Clients = clients
	}
	if timeout := spread(d.Uint64(), 200*time.Millisecond, 5*time.Second); d.Chance(0.5) {
		o.Timeout = timeout
	}
	pushes, recent, scan := 1+int(d.Uint64N(8)), 1+int(d.Uint64N(32)), 1+int(d.Uint64N(32))
	if d.Chance(0.5) {
		o.Watch.Pushes, o.Watch.Recent, o.Watch.Revisions = pushes, recent, scan
	}
	if read := spread(d.Uint64(), 5*time.Millisecond, 3*time.Second); d.Chance(0.5) {
		o.Watch.Read, o.Watch.Pushes = read, pushes // who reads slowly has little on the way, or it would take minutes to read
	}
	if turn := spread(d.Uint64(), 200*time.Millisecond, 4*time.Second); d.Chance(0.5) {
		o.Watch.Turn = turn
	}
}

// tune puts the drawn variations into a configuration.
func (o *Options) tune(c *Config) {
	c.SnapshotCount = cmp.Or(o.SnapshotCount, c.SnapshotCount)
	c.SnapshotCatchUp = cmp.Or(o.SnapshotCatchUp, c.SnapshotCatchUp)
	c.CompactEntries = cmp.Or(o.CompactEntries, c.CompactEntries)
	c.SegmentBytes = cmp.Or(o.SegmentBytes, c.SegmentBytes)
	c.CommitEvery = cmp.Or(o.CommitEvery, c.CommitEvery)
	c.Progress = cmp.Or(o.Progress, c.Progress)
	if c.Workload.Rate > 0 && o.Keys > 0 {
		c.Workload.Keys, c.Workload.Rate = o.Keys, o.Rate
	}
	if c.Workload.Clients > 0 {
		c.Workload.Clients = cmp.Or(o.Clients, c.Workload.Clients)
	}
	c.Workload.Timeout = cmp.Or(o.Timeout, c.Workload.Timeout)
	c.Workload.Large = cmp.Or(o.Large, c.Workload.Large)
	if o.On[faultDeadline] {
		c.Workload.Hasty = o.Patience
	}
	c.Watch.Pushes = cmp.Or(o.Watch.Pushes, c.Watch.Pushes)
	c.Watch.Recent = cmp.Or(o.Watch.Recent, c.Watch.Recent)
	c.Watch.Revisions = cmp.Or(o.Watch.Revisions, c.Watch.Revisions)
	c.Watch.Read = cmp.Or(o.Watch.Read, c.Watch.Read)
	c.Watch.Turn = cmp.Or(o.Watch.Turn, c.Watch.Turn)
}

// faults draws misfortunes while a run's fault phase lasts.
type faults struct {
	on      bool
	options Options
	dice    [faultClasses]*Dice
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
		w.q.pushFirst(event{at: int64(w.cfg.FaultsFor), kind: evFault, a: uint64(faultClasses)})
	}
	if !w.cfg.Faults {
		return
	}
	f := &w.faults
	f.on = true
	for class := range faultClasses {
		f.dice[class] = newDice(w.cfg.Seed, streamFault, uint64(class))
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
		w.inflict(class, Command{Cmd: "set", Name: name, Value: value})
	}
}

func (w *World) nextFault(class faultClass) {
	gap := w.faults.dice[class].Exp(w.faults.options.Gap[class])
	w.q.pushFirst(event{at: w.now + int64(gap) + 1, kind: evFault, a: uint64(class)})
}

// inflict does a drawn fault. What is not possible at the moment is no fault.
func (w *World) inflict(class faultClass, c Command) bool {
	if _, err := w.do(&c, true); err != nil {
		return false
	}
	w.faults.counts[class]++
	return true
}

// later takes a fault back, or continues it, after a while.
func (w *World) later(wait time.Duration, c Command) {
	w.scheduled = append(w.scheduled, Timed{At: w.now + int64(wait), Command: c, Fault: true})
	w.q.pushFirst(event{at: w.now + int64(wait), kind: evCommand, a: uint64(len(w.scheduled) - 1)})
}

// drawFault inflicts one fault of a class: five draws, whatever it becomes.
func (w *World) drawFault(e *event) {
	class := faultClass(e.a)
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
		if w.inflict(class, Command{Cmd: "pause", Member: id}) {
			w.later(spread(long, 100*time.Millisecond, 10*time.Second), Command{Cmd: "resume", Member: id})
		}
	case faultCrash:
		w.crashAndRestart(class, powerFailure(id, how), spread(long, time.Millisecond, 10*time.Second))
	case faultStall:
		w.inflict(class, Command{Cmd: "stall", Member: id, Value: spread(long, 50*time.Millisecond, 5*time.Second).String()})
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
		w.inflict(class, Command{Cmd: "compact", Rev: max(1, rev), Member: id})
	case faultTransfer:
		w.inflict(class, Command{Cmd: "transfer", Member: otherID})
	case faultCampaign:
		w.inflict(class, Command{Cmd: "campaign", Member: otherID})
	case faultBlackout:
		for _, n := range w.nodes {
			w.crashAndRestart(class, powerFailure(n.id, how), spread(mix(long+n.id), time.Millisecond, 5*time.Second))
		}
	case faultWriteError, faultFull, faultSyncError, faultReadError, faultCommitError, faultRot:
		w.drawDiskFault(class, w.nodes[victim], how, long)
	case faultClock:
		w.drawClock(w.nodes[victim], how, long)
	case faultExile:
		w.exile(long)
	}
}

// tombstone sees a delete in the moment of its first apply. Compaction at the
// newest revision, when that is a delete, is where much has gone wrong.
func (w *World) tombstone(rev int64, member uint64) {
	f := &w.faults
	f.tombstone = max(f.tombstone, rev)
	if f.lurking && f.on {
		f.lurking = false
		f.counts[faultCompact]++
		w.later(1, Command{Cmd: "compact", Rev: rev, Member: member})
	}
}

// exile cuts the leader off while its clock is slow and the others' are fast: for
// as long as can be, it does not know that they have another leader.
func (w *World) exile(long uint64) {
	leader := w.leader()
	if leader == nil || len(w.nodes) < 3 || !w.inflict(faultExile, Command{Cmd: "isolate", Member: leader.id}) {
		return
	}
	wait := spread(long, time.Second, 8*time.Second)
	w.later(wait, Command{Cmd: "heal", Member: leader.id})
	for _, n := range w.nodes {
		rate := "2"
		if n == leader {
			rate = "0.5"
		}
		w.inflict(faultExile, Command{Cmd: "clock", Member: n.id, Value: rate})
		w.later(wait, Command{Cmd: "clock", Member: n.id, Value: "1"})
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

func (w *World) crashAndRestart(class faultClass, c Command, wait time.Duration) {
	if w.inflict(class, c) {
		w.later(wait, Command{Cmd: "restart", Member: c.Member})
	}
}

// powerFailure is a crash by drawn bits: in a quarter of all cases only the
// process dies.
func powerFailure(id, bits uint64) Command {
	c := Command{Cmd: "crash", Member: id, Keep: bits>>20%4 == 0}
	if !c.Keep {
		c.Torn = int(vfs.Survival(bits >> 24))
	}
	return c
}

func (w *World) clog(from, to, how, long uint64) {
	c := Command{Cmd: "cut", From: []uint64{from}, To: []uint64{to}, OneWay: true}
	if how%2 == 0 {
		c.From, c.To = c.To, c.From
	}
	if w.inflict(faultClog, c) {
		c.Cmd = "heal"
		w.later(spread(long, 10*time.Millisecond, 5*time.Second), c)
	}
}

// partition draws one of the classic shapes.
func (w *World) partition(victim, how, long uint64) {
	n := len(w.nodes)
	if n < 2 {
		return
	}
	c := Command{Cmd: "cut"}
	shape := how % 7
	if n < 5 && shape == 6 {
		shape = 4 // a ring of three is whole
	}
	switch shape {
	case 0, 1: // two groups by coin; 1: only one direction is cut
		for _, m := range w.nodes {
			if how>>(8+m.id)&1 == 0 {
				c.From = append(c.From, m.id)
			} else {
				c.To = append(c.To, m.id)
			}
		}
		c.OneWay = shape == 1
	case 2: // one alone
		c.From = []uint64{victim}
		for _, m := range w.nodes {
			if m.id != victim {
				c.To = append(c.To, m.id)
			}
		}
	case 3: // one is heard but does not hear
		c.To, c.OneWay = []uint64{victim}, true
		for _, m := range w.nodes {
			if m.id != victim {
				c.From = append(c.From, m.id)
			}
		}
	case 4: // a bridge: two halves that only the victim can reach
		for _, m := range w.nodes {
			switch {
			case m.id == victim:
			case len(c.From) < (n-1)/2:
				c.From = append(c.From, m.id)
			default:
				c.To = append(c.To, m.id)
			}
		}
	case 5: // one hears but is not heard
		c.From, c.OneWay = []uint64{victim}, true
		for _, m := range w.nodes {
			if m.id != victim {
				c.To = append(c.To, m.id)
			}
		}
	case 6:
		w.ring(long)
		return
	}
	if len(c.From) == 0 || len(c.To) == 0 || !w.inflict(faultPartition, c) {
		return
	}
	c.Cmd = "heal"
	w.later(spread(long, 500*time.Millisecond, 20*time.Second), c)
}

// ring cuts so that each member reaches a majority, and no two the same one: its
// nearest neighbours in a circle.
func (w *World) ring(long uint64) {
	n := len(w.nodes)
	near := (n/2 + 1) / 2
	wait := spread(long, 500*time.Millisecond, 20*time.Second)
	for i, m := range w.nodes {
		c := Command{Cmd: "cut", From: []uint64{m.id}}
		for far := near + 1; i+far < n && n-far > near; far++ {
			c.To = append(c.To, w.nodes[i+far].id)
		}
		if len(c.To) > 0 && w.inflict(faultPartition, c) {
			c.Cmd = "heal"
			w.later(wait, c)
		}
	}
}

// promised is a moment at which random crashes never hit: a vote, or a request
// for votes, has only just left.
func (w *World) promised(n *node) {
	f := &w.faults
	if !f.on || !f.options.On[faultVote] {
		return
	}
	d := f.dice[faultVote]
	hit, how, long := d.Chance(f.options.VoteCrash), d.Uint64(), d.Uint64()
	if !hit {
		return
	}
	f.counts[faultVote]++
	wait := time.Duration(1 + how>>8%2*(how>>16%uint64(2*time.Millisecond)))
	w.later(wait, powerFailure(n.id, how))
	w.later(wait+spread(long, time.Millisecond, 50*time.Millisecond), Command{Cmd: "restart", Member: n.id})
}

// elected sees a new leader. The logs that conflict worst are those of leaders
// who left an entry at home, so whoever is elected dies or is cut off, and the one
// before comes back into its place. It takes three acts to the figure 3.7 of the
// raft thesis: two leaders keep their entries to themselves, then the first has
// part of its log elsewhere when it must go. Three draws.
func (w *World) elected(n *node) {
	f := &w.faults
	if !f.on || !f.options.On[faultCoup] || len(w.nodes) < 2 {
		return
	}
	d := f.dice[faultCoup]
	hit, how, long := d.Chance(f.options.Coup), d.Uint64(), d.Uint64()
	if !hit {
		return
	}
	f.counts[faultCoup]++
	act := f.counts[faultCoup] % 3
	if how>>8%4 == 0 {
		act = int(how >> 10 % 3)
	}
	wait := time.Duration(1 + how>>16%uint64(400*time.Microsecond)) // before its first entry is anywhere else
	if act == 0 {
		wait = spread(how>>16, time.Millisecond, 250*time.Millisecond)
	}
	if how%4 == 0 {
		w.later(wait, powerFailure(n.id, how))
		w.later(wait+spread(long, time.Millisecond, 3*time.Second), Command{Cmd: "restart", Member: n.id})
		return
	}
	if f.deposed != 0 {
		w.later(wait, Command{Cmd: "heal", Member: f.deposed})
	}
	f.deposed = n.id
	w.later(wait, Command{Cmd: "isolate", Member: n.id})
	w.later(wait+spread(long, time.Second, 10*time.Second), Command{Cmd: "heal", Member: n.id})
}

// moment is one of those at which random crashes hardly ever hit: part of a log
// was just overwritten, a segment just begun, an image just received, a
// compaction is half done. The machine dies, or its disk hangs: three draws.
func (w *World) moment(n *node) {
	f := &w.faults
	if !f.on || !f.options.On[faultMoment] {
		return
	}
	d := f.dice[faultMoment]
	hit, how, long := d.Chance(f.options.Moment), d.Uint64(), d.Uint64()
	if !hit {
		return
	}
	f.counts[faultMoment]++
	wait := time.Duration(1 + how>>8%2*(how>>16%uint64(2*time.Millisecond)))
	if how%4 == 0 {
		w.later(wait, Command{Cmd: "stall", Member: n.id, Value: spread(long, 50*time.Millisecond, 5*time.Second).String()})
		return
	}
	w.later(wait, powerFailure(n.id, how))
	w.later(wait+spread(long, time.Millisecond, time.Second), Command{Cmd: "restart", Member: n.id})
}

// endFaults heals the world: cuts, pauses, stalls, dials, and the dead rise.
func (w *World) endFaults() {
	w.faults.on = false
	cause := w.emit(trace.Event{Kind: trace.Fault, Text: "the faults end"})
	w.net = w.cfg.Network
	w.healAll(cause)
	for _, n := range w.nodes {
		n.dial = w.cfg.Disk
		n.tickEvery, n.wear.armed = int64(w.cfg.TickEvery), [diskErrors]int{}
		if !n.alive() && n.process != starting && (n.process != stopped || n.wear.hit != nil) {
			w.start(n)
		}
	}
	// What was to be taken back later has been taken back.
	for i := range w.scheduled {
		if t := &w.scheduled[i]; t.Fault && t.At >= w.now {
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
