package check

import (
	"testing"
	"time"

	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// lease makes events of lease 7, which is granted 10 s by entry 20.
func lease(kind trace.Kind, at time.Duration, index, b, c uint64) trace.Event {
	return trace.Event{Kind: kind, Member: 1, Now: trace.Instant(at), Index: index, A: 7, B: b, C: c, Term: 2}
}

func member2(e trace.Event) trace.Event {
	e.Member = 2
	return e
}

func TestLeases(t *testing.T) {
	const s = time.Second
	grant := lease(trace.LeaseGranted, 1*s, 20, 0, 10)
	expire := func(at time.Duration) trace.Event { return lease(trace.LeaseExpired, at, 0, 99, 0) }
	revoke := func(at time.Duration, index uint64) trace.Event {
		return lease(trace.LeaseRevoked, at, index, 99, 0)
	}
	leader := func(at time.Duration, term uint64) trace.Event {
		return trace.Event{Kind: trace.LessorPromoted, Member: 1, Now: trace.Instant(at), Term: term}
	}
	for name, c := range map[string]struct {
		number int // 0 = none
		events []trace.Event
	}{
		"ends in time":       {0, []trace.Event{grant, expire(11 * s), revoke(12*s, 30)}},
		"a client ends it":   {0, []trace.Event{grant, revoke(2*s, 30)}},
		"ends too early":     {invariant.LeaseFence, []trace.Event{grant, expire(10 * s), revoke(12*s, 30)}},
		"a new leader waits": {0, []trace.Event{grant, leader(8*s, 3), expire(18 * s), revoke(18*s, 30)}},
		"a new leader does not wait": {invariant.LeaseRemaining,
			[]trace.Event{grant, leader(8*s, 3), expire(17 * s), revoke(18*s, 30)}},
		"a new leader knows the checkpoint": {0, []trace.Event{grant, lease(trace.LeaseCheckpointed, 5*s, 25, 0, 6),
			leader(8*s, 3), expire(14 * s), revoke(14*s, 30)}},
		"it expires before the checkpoint": {invariant.LeaseRemaining, []trace.Event{grant,
			lease(trace.LeaseCheckpointed, 5*s, 25, 0, 6), leader(8*s, 3), expire(13 * s), revoke(14*s, 30)}},
		"a member applies an old checkpoint late": {0, []trace.Event{grant,
			lease(trace.LeaseCheckpointed, 4*s, 24, 0, 7), lease(trace.LeaseCheckpointed, 7*s, 25, 0, 4),
			lease(trace.LeaseCheckpointed, 7*s, 24, 0, 7), leader(8*s, 3), expire(12 * s), revoke(12*s, 30)}},
		"a member applies the grant late": {0, []trace.Event{grant,
			lease(trace.LeaseGranted, 9*s, 20, 0, 10), expire(11 * s), revoke(12*s, 30)}},
		"an earlier lease had run out at a leader who lags": {0, []trace.Event{grant, expire(11 * s),
			revoke(12*s, 26), member2(lease(trace.LeaseGranted, 13*s, 28, 0, 10)), lease(trace.LeaseExpired, 14*s, 0, 98, 0),
			lease(trace.LeaseRevoked, 15*s, 30, 98, 0)}},
		"an earlier lease of the id had run out": {0, []trace.Event{grant, expire(11 * s),
			lease(trace.LeaseGranted, 12*s, 28, 0, 10), revoke(13*s, 30)}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t).emit(started(1, 1, 0, 20, end{20, 1})).emit(c.events...)
			found := p.checker.Violations()
			switch {
			case c.number == 0 && len(found) > 0:
				t.Error(found[0])
			case c.number != 0 && (len(found) != 1 || found[0].Number != c.number):
				t.Errorf("got %v, want one of I%d", found, c.number)
			}
		})
	}
}

func TestLeasePromised(t *testing.T) {
	const s = time.Second
	p := newPlay(t).emit(started(1, 1, 0, 20, end{20, 1}), lease(trace.LeaseGranted, 1*s, 20, 0, 10))
	p.checker.LeasePromised(trace.Instant(9*s), 7, trace.Instant(8*s), 10)
	p.emit(lease(trace.LeaseExpired, 17*s, 0, 99, 0), lease(trace.LeaseRevoked, 18*s, 30, 99, 0))
	if v := p.checker.Violations(); len(v) != 1 || v[0].Number != invariant.LeaseFence {
		t.Errorf("renewed at 8 s, it ended at 17 s: %v", v)
	}
}
