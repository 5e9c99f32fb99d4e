package check

import (
	"fmt"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// leases are what the trace tells of leases: how long each must live, and who has ended it.
//
// A lease that ends by time (by the proposal of a leader to whom it had run out) must have outlived every promise. From
// its grant it lives for its TTL from when anybody first applied that; a client that was told that it lives for T
// seconds counts from when it asked (I14). And when a leader took over it has at least what was left at its last
// checkpoint from then on, or its whole TTL (I15).
type leases struct {
	lives map[uint64]*life
	ends  map[uint64]ending // by proposal
	term  uint64            // of the newest leader that counts
}

// ending is what a leader found that proposes to end a lease.
type ending struct {
	at      trace.Instant
	applied uint64 // index of what it had applied
}

// life is a lease from a grant to its end.
type life struct {
	granted uint64 // index
	newest  uint64 // index of the last checkpoint, or of the grant
	at      trace.Instant
	ttl     int64
	left    int64         // at the last checkpoint; 0 = ttl
	until   trace.Instant // it lives at least until then
	why     string
	floor   trace.Instant // and until then, for the leader that counts
	over    bool
	ended   trace.Instant // when it had run out, if that ended it
	byTime  bool
}

func (c *Checker) lease(e *trace.Event) {
	switch e.Kind {
	case trace.LeaseGranted:
		c.leases.granted(e)
	case trace.LeaseCheckpointed:
		c.leases.checkpointed(e)
	case trace.LessorPromoted:
		c.leases.promoted(e)
	case trace.LeaseExpired:
		c.leaseExpired(e)
	case trace.LeaseRevoked:
		c.leaseRevoked(e)
	}
}

func secondsFrom(t trace.Instant, n int64) trace.Instant {
	return t + trace.Instant(n*int64(time.Second))
}

func (l *leases) granted(e *trace.Event) {
	if l.lives == nil {
		l.lives, l.ends = map[uint64]*life{}, map[uint64]ending{}
	}
	if old := l.lives[e.A]; old != nil && old.granted >= e.Index {
		return
	}
	until := secondsFrom(e.Now, int64(e.C))
	l.lives[e.A] = &life{
		granted: e.Index, newest: e.Index, at: e.Now, ttl: int64(e.C), until: until, floor: until,
		why: fmt.Sprintf("it was granted %d s at %v", e.C, time.Duration(e.Now)),
	}
}

func (l *leases) checkpointed(e *trace.Event) {
	if x := l.lives[e.A]; x != nil && e.Index > x.newest { // whoever comes late applies it again
		x.newest, x.left = e.Index, int64(e.C)
	}
}

// promoted: a leader of a new term gives every lease what is left of it.
func (l *leases) promoted(e *trace.Event) {
	if e.Term <= l.term {
		return
	}
	l.term = e.Term
	for _, x := range l.lives {
		left := x.ttl
		if x.left > 0 {
			left = x.left
		}
		x.floor = secondsFrom(e.Now, left)
	}
}

func (c *Checker) leaseExpired(e *trace.Event) {
	if c.leases.ends != nil {
		c.leases.ends[e.B] = ending{e.Now, c.member(e.Member).applied}
	}
}

// leaseRevoked judges the end of a lease when it is applied first.
func (c *Checker) leaseRevoked(e *trace.Event) {
	l := &c.leases
	x := l.lives[e.A]
	if x == nil || x.over || e.Index <= x.granted {
		return
	}
	x.over = true
	end, byTime := l.ends[e.B]
	delete(l.ends, e.B)
	// An earlier lease of this id may have run out, at a leader that is to apply the grant: an entry names no more than
	// the id.
	x.ended, x.byTime = end.at, byTime && end.applied >= x.granted
	switch {
	case !x.byTime:
	case x.ended < x.until:
		c.violate(invariant.LeaseFence, e, "lease %x had run out at %v, before %v: %s", e.A, time.Duration(x.ended),
			time.Duration(x.until), x.why)
	case x.ended < x.floor:
		c.violate(invariant.LeaseRemaining, e, "lease %x had run out at %v; what the leader of term %d found lasts until %v",
			e.A, time.Duration(x.ended), l.term, time.Duration(x.floor))
	}
}

// LeasePromised tells that a client which asked at some moment was told that a lease lives for ttl seconds.
func (c *Checker) LeasePromised(now trace.Instant, id uint64, asked trace.Instant, ttl int64) {
	x := c.leases.lives[id]
	if x == nil || x.at > asked {
		return // it has ended since and was granted anew: nobody knows which of them was meant
	}
	until := secondsFrom(asked, ttl)
	if until > x.until {
		x.until, x.why = until, fmt.Sprintf("a client that asked at %v was promised %d s", time.Duration(asked), ttl)
	}
	if x.over && x.byTime && x.ended < until {
		c.Violate(Violation{Number: invariant.LeaseFence, Seq: c.seq, Now: now, Text: fmt.Sprintf(
			"lease %x had run out at %v, and %s", id, time.Duration(x.ended), x.why)})
	}
}
