package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"vitrine/core/driver"
	"vitrine/core/sim/dice"
	"vitrine/core/sim/setup"
	"vitrine/core/vfs"
)

// Options are what a run drew before it began.
type Options struct {
	On        [Classes]bool
	Loss      float64
	Duplicate float64
	Jitter    time.Duration
	Fsync     time.Duration
	SpikeProb float64
	Spike     time.Duration
	Gap       [Classes]time.Duration // mean between two faults of a class
	VoteCrash float64
	Moment    float64
	NoteCrash float64 // of moments in which a log takes note of a received snapshot
	Coup      float64
	Install   float64
	Note      float64
	Rotting   uint64        // who may rot: a permutation of the members; its top four bits are 0 if all may
	Patience  time.Duration // of clients with one request in eight
	Founding  []setup.Founding

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
	Watch           setup.Watching
	Calls           int // their weight
	Alarms          bool
	Quota           int64
	Leases          int // weight of what clients ask about leases
	Retention       setup.Retention
	Checkpoints     time.Duration // how long a lease runs before what is left of it is written down
	Loose           bool          // members are changed whoever is there
	Audits          setup.Audits
	Fallen          bool // where members that start compare themselves, one is given something to find
	Logins          setup.Logins
}

// String is one line with everything that was drawn.
func (o *Options) String() string {
	var words []string
	for class, on := range o.On {
		if on {
			words = append(words, names[class]+o.degree(Class(class)))
		}
	}
	if len(words) == 0 {
		words = append(words, "no faults")
	}
	return strings.Join(append(words, o.tuning()...), " ")
}

// degree is how much there is of a fault: a measure, or the mean time between two.
func (o *Options) degree(class Class) string {
	switch class {
	case Loss:
		return fmt.Sprintf("=%.3f", o.Loss)
	case Duplicate:
		return fmt.Sprintf("=%.3f", o.Duplicate)
	case Delay:
		return fmt.Sprintf("=%v", o.Jitter.Round(100*time.Microsecond))
	case Disk:
		return fmt.Sprintf("=%v,%.3f*%v", o.Fsync.Round(100*time.Microsecond), o.SpikeProb, o.Spike.Round(time.Millisecond))
	case Vote:
		return fmt.Sprintf("=%.2f", o.VoteCrash)
	case Moment:
		return fmt.Sprintf("=%.2f,%.2f", o.Moment, o.NoteCrash)
	case Install:
		return fmt.Sprintf("=%.2f", o.Install)
	case Note:
		return fmt.Sprintf("=%.2f", o.Note)
	case Coup:
		return fmt.Sprintf("=%.2f", o.Coup)
	case Deadline:
		return fmt.Sprintf("=%v", o.Patience.Round(time.Millisecond))
	}
	return fmt.Sprintf("/%v", o.Gap[class].Round(time.Millisecond))
}

// tuning names what varies besides faults, as far as it does.
func (o *Options) tuning() (words []string) {
	say := func(drawn bool, format string, values ...any) {
		if drawn {
			words = append(words, fmt.Sprintf(format, values...))
		}
	}
	say(o.SnapshotCount > 0, "snapshots=%d-%d/%d", o.SnapshotCount, o.SnapshotCatchUp, o.CompactEntries)
	say(o.SegmentBytes > 0, "segments=%d", o.SegmentBytes)
	say(o.CommitEvery > 0, "commit/%v", o.CommitEvery.Round(time.Millisecond))
	say(o.Progress > 0, "progress/%v", o.Progress.Round(time.Millisecond))
	say(o.Keys > 0, "keys=%d rate=%g", o.Keys, o.Rate)
	say(o.Large > 0, "large=%d", o.Large)
	say(o.Clients > 0, "clients=%d", o.Clients)
	say(o.Timeout > 0, "timeout=%v", o.Timeout.Round(time.Millisecond))
	say(o.Watch.Pushes > 0, "pushes=%d", o.Watch.Pushes)
	say(o.Watch.Recent > 0, "recent=%d scan=%d", o.Watch.Recent, o.Watch.Revisions)
	say(o.Watch.ScanBytes > 0, "bytes=%d/%d/%d", o.Watch.ScanBytes, o.Watch.ResponseBytes, o.Watch.FragmentBytes)
	say(o.Watch.Read > 0, "read=%v", o.Watch.Read.Round(time.Millisecond))
	say(o.Watch.Turn > 0, "turn/%v", o.Watch.Turn.Round(time.Millisecond))
	say(o.Calls > 0, "calls=%d", o.Calls)
	say(o.Alarms, "alarms")
	say(o.Quota > 0, "quota=%d", o.Quota)
	say(o.Retention.Period > 0, "keep=%v", o.Retention.Period.Round(time.Millisecond))
	say(o.Retention.Revisions > 0, "keep=%d/%v", o.Retention.Revisions, o.Retention.Every.Round(time.Millisecond))
	say(o.On[Roster] && !o.Loose, "strict")
	say(o.Audits.Leading > 0, "audits/%v", o.Audits.Leading.Round(time.Millisecond))
	say(o.Audits.Compactions > 0, "compaction-audits/%v", o.Audits.Compactions.Round(time.Millisecond))
	say(o.Audits.Start, "start-audits")
	say(o.Audits.Wrong, "wrong-pair")
	say(o.Logins.TTL > 0, "logins=%v/%v signed=%t", o.Logins.TTL.Round(time.Millisecond),
		o.Logins.Work.Round(time.Millisecond), o.Logins.Signed)
	say(o.Leases > 0, "leases=%d checkpoints=%v", o.Leases, o.Checkpoints)
	return words
}

// Draw draws the options of a seed: a fixed number of values. The classes that
// always names are on whatever the seed says.
func Draw(seed uint64, always []string) (o Options, err error) {
	d := dice.New(seed, dice.Options, 0)
	for class := range WriteError {
		o.On[class] = d.Chance(0.5)
	}
	o.On[Blackout] = o.On[Blackout] && d.Chance(0.1)
	o.Loss = 0.3 * float64(d.Uint64N(1001)) / 1000 * float64(d.Uint64N(1001)) / 1000
	o.Duplicate = 0.2 * float64(d.Uint64N(1001)) / 1000
	o.Jitter = d.Exp(30*time.Millisecond) + time.Millisecond
	o.Fsync = d.Exp(20*time.Millisecond) + time.Millisecond
	o.SpikeProb = 0.02 * float64(d.Uint64N(1001)) / 1000
	o.Spike = d.Between(100*time.Millisecond, 5*time.Second)
	gap := func(c Class, lo, hi time.Duration) { o.Gap[c] = d.Between(lo, hi) }
	gap(Clog, 200*time.Millisecond, 3*time.Second)
	gap(Partition, 2*time.Second, 12*time.Second)
	gap(Pause, time.Second, 8*time.Second)
	gap(Crash, 500*time.Millisecond, 8*time.Second)
	gap(Stall, 2*time.Second, 10*time.Second)
	gap(Compact, time.Second, 10*time.Second)
	gap(Transfer, time.Second, 10*time.Second)
	gap(Campaign, time.Second, 10*time.Second)
	gap(Blackout, 10*time.Second, 40*time.Second)
	o.VoteCrash = 0.1 + 0.4*float64(d.Uint64N(1001))/1000
	o.Moment = 0.02 + 0.2*float64(d.Uint64N(1001))/1000
	o.drawTuning(d)
	o.drawBroken(dice.New(seed, dice.Options, 1))
	o.drawSteps(dice.New(seed, dice.Options, 2))
	o.drawInstall(dice.New(seed, dice.Options, 3))
	o.drawRetention(dice.New(seed, dice.Options, 4))
	o.drawRoster(dice.New(seed, dice.Options, 5))
	o.drawNote(dice.New(seed, dice.Options, 6))
	o.drawAudits(dice.New(seed, dice.Options, 7))
	o.drawLogins(dice.New(seed, dice.Options, 8))
	o.Fallen = dice.New(seed, dice.Options, 9).Chance(0.5)
	for _, name := range always {
		class := slices.Index(names[:], name)
		if class < 0 {
			return o, fmt.Errorf("chaos: %q is no class of faults", name)
		}
		o.On[class] = true
	}
	// A minority of disks may decay, and where members come and go nobody knows of which cluster.
	if o.On[Rot] && !slices.Contains(always, names[Roster]) {
		o.On[Roster] = false
	}
	o.On[Rot] = o.On[Rot] && !o.On[Roster]
	return o, nil
}

// drawBroken draws the classes of disks that fail, of clocks, and of clients
// that do not wait.
func (o *Options) drawBroken(d *dice.Dice) {
	for class := WriteError; class <= Coup; class++ {
		o.On[class] = d.Chance(0.5)
		o.Gap[class] = d.Between(3*time.Second, 20*time.Second)
	}
	o.Gap[Deadline] = 0 // it is a way of life
	o.Gap[Rot] = d.Between(10*time.Second, time.Minute)
	o.Rotting = d.Uint64()
	o.Patience = spread(d.Uint64(), 2*time.Millisecond, time.Second)
	o.Gap[Exile] = d.Between(2*time.Second, 15*time.Second)
	o.Gap[Coup] = 0 // it comes with elections
	o.Coup = 0.1 + 0.8*float64(d.Uint64N(1001))/1000
}

// drawSteps draws the classes that concern the steps of a driver, and when power
// fails while the first disks are made.
func (o *Options) drawSteps(d *dice.Dice) {
	for class := Strike; class <= Garble; class++ {
		o.On[class] = d.Chance(0.5)
	}
	o.NoteCrash = 0.1 + 0.4*float64(d.Uint64N(1001))/1000
	o.Gap[Strike] = d.Between(150*time.Millisecond, 1500*time.Millisecond)
	o.Gap[Refusal] = d.Between(500*time.Millisecond, 5*time.Second)
	o.Gap[Defrag] = d.Between(500*time.Millisecond, 6*time.Second)
	o.Gap[Garble] = d.Between(2*time.Second, 15*time.Second)
	// A short log in small segments, and much to write: then segments come and go,
	// and members are often sent a database.
	if count, keep, every := 2+d.Uint64N(60), 1+d.Uint64N(4), 1+d.Uint64N(4); d.Chance(0.5) {
		o.SnapshotCount, o.SnapshotCatchUp, o.CompactEntries, o.SegmentBytes = count, keep, every, 4096
		o.Keys, o.Rate, o.Large = cmp.Or(o.Keys, 8), max(o.Rate, 150), cmp.Or(o.Large, 1024)
	}
	for id := range uint64(setup.MaxMembers) {
		step, torn := driver.Step(d.Uint64N(uint64(lastDrawn)+1)), d.Uint64()
		if o.On[Strike] && step.Founding() {
			o.Founding = append(o.Founding, setup.Founding{
				Member: id + 1, Step: step.String(), Keep: torn>>40%2 == 0, Torn: int(vfs.Survival(torn)),
			})
		}
	}
}

// drawInstall draws the class of received databases that wait for the old one.
func (o *Options) drawInstall(d *dice.Dice) {
	o.On[Install], o.Install = d.Chance(0.5), 0.2+0.8*float64(d.Uint64N(1001))/1000
}

// drawNote draws the class of notes of received snapshots that are never committed.
func (o *Options) drawNote(d *dice.Dice) {
	o.On[Note], o.Note = d.Chance(0.5), 0.3+0.7*float64(d.Uint64N(1001))/1000
}

// drawRetention lets leaders compact by themselves in half of the runs.
func (o *Options) drawRetention(d *dice.Dice) {
	r := setup.Retention{Period: d.Between(2*time.Second, 15*time.Second)}
	if revisions, every := 1+int64(d.Uint64N(200)), d.Between(500*time.Millisecond, 4*time.Second); d.Chance(0.5) {
		r = setup.Retention{Revisions: revisions, Every: every}
	}
	if d.Chance(0.5) {
		o.Retention = r
	}
}

// drawRoster draws the class of members that come and go.
func (o *Options) drawRoster(d *dice.Dice) {
	o.On[Roster] = d.Chance(0.95) // of the runs in which no disk decays, and those are half of all
	o.Gap[Roster] = d.Between(500*time.Millisecond, 8*time.Second)
	o.Loose = d.Chance(0.75) // where there are faults, little is done else
}

// drawAudits lets leaders compare the members' keys, each in its way, in half of the runs, and gives them something to
// find in half of those.
func (o *Options) drawAudits(d *dice.Dice) {
	leading, compactions := d.Between(time.Second, 10*time.Second), d.Between(time.Second, 8*time.Second)
	if d.Chance(0.5) {
		o.Audits.Leading = leading
	}
	if d.Chance(0.5) {
		o.Audits.Compactions = compactions
	}
	o.Audits.Wrong = d.Chance(0.5) && o.Audits != setup.Audits{}
}

// drawLogins lets clients log in, in half of the runs that have users, and draws the class of slow passwords.
func (o *Options) drawLogins(d *dice.Dice) {
	o.On[Password], o.Gap[Password] = d.Chance(0.5), d.Between(time.Second, 8*time.Second)
	l := setup.Logins{TTL: spread(d.Uint64(), time.Second, 20*time.Second),
		Work: spread(d.Uint64(), time.Millisecond, 200*time.Millisecond), Signed: d.Chance(0.25)}
	if d.Chance(0.5) {
		o.Logins = l
	}
}

// drawTuning varies what is not a fault: each thing in half of the runs.
func (o *Options) drawTuning(d *dice.Dice) {
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
	if timeout := d.Between(8*time.Second, 20*time.Second); d.Chance(0.125) {
		o.Timeout = timeout // longer than a member's own
	}
	pushes, recent, scan := 1+int(d.Uint64N(8)), 1+int(d.Uint64N(32)), 1+int(d.Uint64N(32))
	if d.Chance(0.5) {
		o.Watch.Pushes, o.Watch.Recent, o.Watch.Revisions = pushes, recent, scan
	}
	if read := spread(d.Uint64(), 5*time.Millisecond, 3*time.Second); d.Chance(0.5) {
		// who reads slowly has little on the way, or it would take minutes to read
		o.Watch.Read, o.Watch.Pushes = read, pushes
	}
	if turn := spread(d.Uint64(), 200*time.Millisecond, 4*time.Second); d.Chance(0.5) {
		o.Watch.Turn = turn
	}
	if scan, response, fragment := 1<<d.Uint64N(10), 1<<d.Uint64N(10), 64<<d.Uint64N(6); d.Chance(0.5) {
		o.Watch.ScanBytes, o.Watch.ResponseBytes, o.Watch.FragmentBytes = scan, response, fragment
	}
	if weight := 1 + int(d.Uint64N(8)); d.Chance(0.5) {
		o.Calls = weight
	}
	o.Alarms = d.Chance(0.25)
	if quota := int64(smallestQuota << d.Uint64N(4)); d.Chance(0.5) {
		o.Quota = quota
	}
	if weight, every := 2+int(d.Uint64N(20)), d.Between(500*time.Millisecond, 4*time.Second); d.Chance(0.5) {
		o.Leases, o.Checkpoints = weight, every
	}
}

// smallestQuota has room for all keys with their largest values.
const smallestQuota = 96 << 10

// Tune puts the drawn variations into a configuration.
func (o *Options) Tune(c *setup.Config) {
	c.Founding = append(c.Founding, o.Founding...)
	c.Retention = cmp.Or(c.Retention, o.Retention)
	if start := c.Audits.Start; c.Audits == (setup.Audits{Start: start}) {
		c.Audits = o.Audits
		c.Audits.Start, c.Audits.Wrong = start, o.Audits.Wrong || start && o.Fallen
	}
	o.Audits = c.Audits
	if c.Workload.Users {
		c.Workload.Logins = cmp.Or(c.Workload.Logins, o.Logins)
	}
	o.Logins = c.Workload.Logins
	o.On[Password] = o.On[Password] && o.Logins.TTL > 0
	c.Loose = c.Loose || o.Loose
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
	if o.On[Deadline] {
		c.Workload.Hasty = o.Patience
	}
	c.Watch.Pushes = cmp.Or(o.Watch.Pushes, c.Watch.Pushes)
	c.Watch.Recent = cmp.Or(o.Watch.Recent, c.Watch.Recent)
	c.Watch.Revisions = cmp.Or(o.Watch.Revisions, c.Watch.Revisions)
	if c.Workload.Rate > 0 {
		c.Workload.Mix.Call, c.Workload.Alarms = cmp.Or(o.Calls, c.Workload.Mix.Call), o.Alarms
		c.Quota = cmp.Or(o.Quota, c.Quota)
		c.Workload.Mix.Lease, c.Checkpoints = cmp.Or(o.Leases, c.Workload.Mix.Lease), cmp.Or(o.Checkpoints, c.Checkpoints)
	}
	c.Watch.ScanBytes = cmp.Or(o.Watch.ScanBytes, c.Watch.ScanBytes)
	c.Watch.ResponseBytes = cmp.Or(o.Watch.ResponseBytes, c.Watch.ResponseBytes)
	c.Watch.FragmentBytes = cmp.Or(o.Watch.FragmentBytes, c.Watch.FragmentBytes)
	c.Watch.Read = cmp.Or(o.Watch.Read, c.Watch.Read)
	c.Watch.Turn = cmp.Or(o.Watch.Turn, c.Watch.Turn)
}
