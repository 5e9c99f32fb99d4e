package lease

import (
	"cmp"
	"math"
	"slices"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/trace"
)

// Config is what a Lessor is told once. Zero values get etcd's defaults.
type Config struct {
	// Extend is what a new leader adds to all leases: an election timeout, 1 s.
	Extend time.Duration
	// CheckpointInterval is how long a lease runs before what is left of it is written down; 5 min, negative = never.
	CheckpointInterval time.Duration
	// Retry is when an expired lease that is still there is handed out again: the timeout of a request, 7 s.
	Retry time.Duration
	// RevokesPerSecond is how fast expired leases are handed out; 1,000.
	RevokesPerSecond int
}

func (c Config) withDefaults() Config {
	election := limits.ElectionTicks * limits.Tick
	c.Extend = cmp.Or(c.Extend, election)
	c.CheckpointInterval = cmp.Or(c.CheckpointInterval, limits.LeaseCheckpointInterval)
	c.Retry = cmp.Or(c.Retry, limits.RequestTimeout+2*election)
	c.RevokesPerSecond = cmp.Or(c.RevokesPerSecond, limits.LeaseRevokesPerSecond)
	return c
}

// ChangeKind is what an entry has done to a lease.
type ChangeKind uint8

// The kinds of changes.
const (
	Granted ChangeKind = iota + 1
	Revoked
	Checkpointed
)

// Change is what an applied entry has done to a lease, as it is after it.
type Change struct {
	Kind ChangeKind
	Lease
}

// Lessor is the clock of all leases. It is not safe for concurrent use.
type Lessor struct {
	cfg     Config
	table   *table
	heap    heap
	queue   queue
	term    uint64 // in which the clock runs; 0 = it does not
	since   trace.Instant
	started int32 // the clock of the slots below this has been started
	spread  spread
	allowed trace.Instant // from when on the next expired lease may be handed out
	renewed uint64
}

// NewLessor returns a clock that does not run.
func NewLessor(cfg Config, all []Lease) *Lessor {
	l := &Lessor{cfg: cfg.withDefaults()}
	l.Reset(all)
	return l
}

// Reset forgets all leases for others, when a snapshot has become the state. The clock stops.
func (l *Lessor) Reset(all []Lease) {
	l.table = newTable()
	for _, one := range all {
		l.table.add(one)
	}
	l.Demote()
}

// Term is the term in which the clock runs, 0 if it does not.
func (l *Lessor) Term() uint64 { return l.term }

// Len is how many leases there are; Renewed counts renewals.
func (l *Lessor) Len() int        { return len(l.table.byID) }
func (l *Lessor) Renewed() uint64 { return l.renewed }

// Promote starts the clock: this member leads in term and has applied all entries before its own. Every lease has what
// was left of it at its last checkpoint, or its whole TTL, and Config.Extend.
func (l *Lessor) Promote(now trace.Instant, term uint64) {
	invariant.Assert(term != 0, "lease: a clock without a term")
	l.Demote()
	l.term, l.since, l.allowed = term, now, now
	if l.Len() >= l.cfg.RevokesPerSecond {
		l.spread = newSpread(3 * l.cfg.RevokesPerSecond / 4)
	}
}

// Demote stops the clock: the member no longer leads. No lease expires any more.
func (l *Lessor) Demote() {
	l.table.run++
	l.heap = heap{table: l.table}
	l.queue = queue{table: l.table, first: nowhere, last: nowhere}
	l.term, l.started, l.spread = 0, 0, spread{}
}

// Advance starts the clocks of up to limit leases that Promote has left, and tells whether there are more. One that is
// asked for is started then.
func (l *Lessor) Advance(now trace.Instant, limit int) (more bool) {
	if l.term == 0 {
		return false
	}
	for ; l.started < l.table.used && limit > 0; limit-- {
		if s := l.table.at(l.started); s.ID != 0 {
			l.start(now, l.started, s)
		}
		l.started++
	}
	if l.started == l.table.used {
		l.spread = spread{}
	}
	return l.started < l.table.used
}

// start starts the clock of a lease that there was when the term began.
func (l *Lessor) start(now trace.Instant, i int32, s *slot) {
	if s.expiry != 0 {
		return
	}
	s.expiry = l.spread.take(after(l.since, s.remaining(), l.cfg.Extend))
	l.heap.set(i, s.expiry)
	l.plan(now, i, s)
}

// after is seconds and extend from now, or the end of time.
func after(now trace.Instant, seconds int64, extend time.Duration) trace.Instant {
	if mutant.On(mutant.LeaseCutShort) {
		seconds--
	}
	left := math.MaxInt64 - int64(now) - int64(extend)
	if seconds > left/int64(time.Second) {
		return math.MaxInt64
	}
	return now + trace.Instant(extend) + trace.Instant(seconds*int64(time.Second))
}

// remaining is what a new leader gives a lease, in seconds.
func (s *slot) remaining() int64 {
	if s.Remaining > 0 {
		return s.Remaining
	}
	return s.TTL
}

// plan puts a lease at the end of those whose remaining time is written down, if it has enough of it.
func (l *Lessor) plan(now trace.Instant, i int32, s *slot) {
	l.queue.remove(i)
	if l.cfg.CheckpointInterval > 0 && !s.checkpointed &&
		s.remaining() > int64(l.cfg.CheckpointInterval/time.Second) {
		l.queue.push(i, now+trace.Instant(l.cfg.CheckpointInterval))
	}
}

// Apply takes what applied entries have done, in their order.
func (l *Lessor) Apply(now trace.Instant, changes []Change) {
	for _, c := range changes {
		i, known := l.table.find(c.ID)
		switch {
		case c.Kind == Granted:
			i = l.table.add(c.Lease)
			if l.term != 0 {
				s := l.table.at(i)
				s.expiry = after(now, s.TTL, 0)
				l.heap.set(i, s.expiry)
				l.plan(now, i, s)
			}
		case !known:
		case c.Kind == Revoked:
			l.heap.remove(i)
			l.queue.remove(i)
			l.table.remove(i)
		case c.Kind == Checkpointed:
			l.checkpointed(now, i, c.Remaining)
		}
	}
}

func (l *Lessor) checkpointed(now trace.Instant, i int32, remaining int64) {
	s := l.table.at(i)
	s.Remaining = remaining
	if remaining > 0 {
		s.checkpointed = false
	}
	if l.term != 0 {
		l.start(now, i, s)
		l.plan(now, i, s)
	}
}

// Verdict is what became of a renewal.
type Verdict uint8

// What a renewal may come to.
const (
	Renewed    Verdict = iota + 1
	NotPrimary         // the clock does not run: ask the leader
	Unknown            // there is no such lease
	Expired            // it has run out; whether it can be revoked decides what to answer
	Clear              // first a checkpoint of 0 must be applied: the next leader would begin with what is written down
)

// Renew gives a lease its whole TTL again, from now on, and returns it in seconds. The caller must know that this
// member led after the request had come.
func (l *Lessor) Renew(now trace.Instant, id int64) (ttl int64, v Verdict) {
	if l.term == 0 {
		return 0, NotPrimary
	}
	i, ok := l.table.find(id)
	if !ok {
		return 0, Unknown
	}
	s := l.table.at(i)
	l.start(now, i, s)
	switch {
	case s.expiry <= now:
		return 0, Expired
	case s.Remaining > 0 || s.checkpointed:
		return 0, Clear
	}
	s.expiry = after(now, s.TTL, 0)
	l.heap.set(i, s.expiry)
	l.plan(now, i, s)
	l.renewed++
	return s.TTL, Renewed
}

// Left is the granted TTL of a lease in seconds and the time that is left of it, less than 0 if it has run out;
// NotPrimary, Unknown, or Renewed if all is well.
func (l *Lessor) Left(now trace.Instant, id int64) (ttl int64, left time.Duration, v Verdict) {
	if l.term == 0 {
		return 0, 0, NotPrimary
	}
	i, ok := l.table.find(id)
	if !ok {
		return 0, 0, Unknown
	}
	s := l.table.at(i)
	l.start(now, i, s)
	return s.TTL, time.Duration(s.expiry - now), Renewed
}

// Expired appends leases that have run out, the earliest first, at most limit of them and no more than
// Config.RevokesPerSecond. Those which are still there after Config.Retry come again.
func (l *Lessor) Expired(dst []int64, now trace.Instant, limit int) []int64 {
	if l.term == 0 || mutant.On(mutant.LeaseImmortal) {
		return dst
	}
	pause := trace.Instant(time.Second) / trace.Instant(l.cfg.RevokesPerSecond)
	// What was not used of the rate counts for a tick, not for ever.
	l.allowed = max(l.allowed, now-trace.Instant(limits.Tick))
	for limit > 0 && l.allowed <= now && len(l.heap.all) > 0 && l.heap.all[0].at <= now {
		i := l.heap.all[0].slot
		l.heap.set(i, now+trace.Instant(l.cfg.Retry))
		dst = append(dst, l.table.at(i).ID)
		l.allowed += pause
		limit--
	}
	return dst
}

// Checkpoints appends leases with what is left of them now, of those whose time to be written down has come, at most
// limit. They are on their way from now on: one that cannot be proposed is to be returned with Planned.
func (l *Lessor) Checkpoints(dst []Lease, now trace.Instant, limit int) []Lease {
	for l.term != 0 && limit > 0 && l.queue.first != nowhere {
		i := l.queue.first
		s := l.table.at(i)
		if s.checkpoint > now {
			break
		}
		l.queue.remove(i)
		limit--
		left := int64((s.expiry - now + trace.Instant(time.Second) - 1) / trace.Instant(time.Second))
		switch {
		case left <= 0: // it will be revoked
		case left >= s.TTL: // not worth writing down, but later it is
			l.plan(now, i, s)
		default:
			s.checkpointed = true
			dst = append(dst, Lease{ID: s.ID, TTL: s.TTL, Remaining: left})
		}
	}
	return dst
}

// Planned takes back a checkpoint that could not be proposed. It is due again after an interval.
func (l *Lessor) Planned(now trace.Instant, id int64) {
	if i, ok := l.table.find(id); ok && l.term != 0 {
		s := l.table.at(i)
		s.checkpointed = false
		l.plan(now, i, s)
	}
}

// Status is a lease and when it runs out; 0 = the clock does not run.
type Status struct {
	Lease
	Expiry trace.Instant
}

// All lists all leases in no particular order: they may be many, and to sort them is the caller's, outside the core.
func (l *Lessor) All() []Status {
	all := make([]Status, 0, l.Len())
	for i := range l.table.used {
		s := l.table.at(i)
		if s.ID == 0 {
			continue
		}
		one := Status{Lease: s.Lease, Expiry: s.expiry}
		if l.term != 0 && s.expiry == 0 {
			one.Expiry = after(l.since, s.remaining(), l.cfg.Extend)
		}
		all = append(all, one)
	}
	return all
}

// SortByExpiry puts the lease that runs out first to the front, as etcd lists them; of two that run out together, or
// where no clock runs, the one with the smaller id.
func SortByExpiry(all []Status) {
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Expiry, b.Expiry), cmp.Compare(a.ID, b.ID))
	})
}
