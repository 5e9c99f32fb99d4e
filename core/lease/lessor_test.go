package lease

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"vitrine/core/limits"
	"vitrine/core/trace"

	"pgregory.net/rapid"
)

const second = trace.Instant(time.Second)

func sec(n float64) trace.Instant { return trace.Instant(n * float64(time.Second)) }

// naive is the same promises as a list that is looked through each time.
type naive struct {
	all      []*naiveLease
	running  bool
	interval time.Duration
}

type naiveLease struct {
	Lease
	expiry, offered, plan trace.Instant
	underway, fresh       bool
}

func (n *naive) find(id int64) *naiveLease {
	for _, l := range n.all {
		if l.ID == id {
			return l
		}
	}
	return nil
}

func (n *naive) run(l *naiveLease, from trace.Instant, seconds int64) {
	l.expiry = from + trace.Instant(seconds)*second
	l.offered = l.expiry
}

func (n *naive) plan(now trace.Instant, l *naiveLease) {
	l.plan = 0
	left := l.TTL
	if l.Remaining > 0 {
		left = l.Remaining
	}
	if !l.underway && left > int64(n.interval/time.Second) {
		l.plan = now + trace.Instant(n.interval)
	}
}

func (n *naive) promote(now trace.Instant, extend time.Duration) {
	n.running = true
	for _, l := range n.all {
		l.underway = false
		left := l.TTL
		if l.Remaining > 0 {
			left = l.Remaining
		}
		n.run(l, now+trace.Instant(extend), left)
		l.plan, l.fresh = 0, true
	}
}

// touch plans the checkpoint of a lease whose clock has not been started since the promotion.
func (n *naive) touch(now trace.Instant, l *naiveLease) {
	if n.running && l.fresh {
		l.fresh = false
		n.plan(now, l)
	}
}

func (n *naive) expired(now trace.Instant, retry time.Duration) (ids []int64) {
	for _, l := range n.all {
		if n.running && l.offered <= now {
			l.offered = now + trace.Instant(retry)
			ids = append(ids, l.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (n *naive) renew(now trace.Instant, id int64) (int64, Verdict) {
	l := n.find(id)
	switch {
	case !n.running:
		return 0, NotPrimary
	case l == nil:
		return 0, Unknown
	}
	n.touch(now, l)
	switch {
	case l.expiry <= now:
		return 0, Expired
	case l.Remaining > 0 || l.underway:
		return 0, Clear
	}
	n.run(l, now, l.TTL)
	n.plan(now, l)
	return l.TTL, Renewed
}

func (n *naive) checkpoints(now trace.Instant) (all []Lease) {
	for _, l := range n.all {
		if !n.running || l.plan == 0 || l.plan > now {
			continue
		}
		l.plan = 0
		left := int64(math.Ceil(time.Duration(l.expiry - now).Seconds()))
		if left <= 0 {
			continue
		}
		if left >= l.TTL {
			n.plan(now, l)
			continue
		}
		l.underway = true
		all = append(all, Lease{l.ID, l.TTL, left})
	}
	sortByID(all)
	return all
}

func sortByID(all []Lease) {
	slices.SortFunc(all, func(a, b Lease) int { return int(a.ID - b.ID) })
}

// apply is what the naive one makes of a change.
func (n *naive) apply(now trace.Instant, c Change) {
	one := n.find(c.ID)
	switch c.Kind {
	case Granted:
		one = &naiveLease{Lease: c.Lease}
		n.all = append(n.all, one)
		if n.running {
			n.run(one, now, c.TTL)
			n.plan(now, one)
		}
	case Revoked:
		n.all = slices.DeleteFunc(n.all, func(x *naiveLease) bool { return x == one })
	default:
		if one == nil {
			return
		}
		one.Remaining = c.Remaining
		one.underway = one.underway && c.Remaining == 0
		if n.running {
			one.fresh = false
			n.plan(now, one)
		}
	}
}

// TestAgainstNaive drives a Lessor and a list with the same history: grants, revocations, renewals, checkpoints,
// changes of leader, and time. The clocks of a new leader are started in pieces of any size.
func TestAgainstNaive(t *testing.T) {
	const extend, interval, retry = time.Second, 10 * time.Second, 7 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		l := NewLessor(Config{
			Extend: extend, CheckpointInterval: interval, Retry: retry, RevokesPerSecond: math.MaxInt32,
		}, nil)
		n := &naive{interval: interval}
		now, term := trace.Instant(0), uint64(1)
		apply := func(c Change) {
			l.Apply(now, []Change{c})
			n.apply(now, c)
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			id := rapid.Int64Range(1, 6).Draw(t, "lease")
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			case 0, 1:
				if n.find(id) == nil {
					apply(Change{Granted, Lease{ID: id, TTL: rapid.Int64Range(1, 30).Draw(t, "ttl")}})
				}
			case 2:
				apply(Change{Revoked, Lease{ID: id}})
			case 3:
				apply(Change{Checkpointed, Lease{ID: id, Remaining: rapid.Int64Range(0, 20).Draw(t, "remaining")}})
			case 4:
				term++
				l.Promote(now, term)
				n.promote(now, extend)
			case 5:
				if rapid.IntRange(0, 2).Draw(t, "demote") == 0 {
					l.Demote()
					n.running = false
				}
			default:
				ttl, v := l.Renew(now, id)
				if wantTTL, want := n.renew(now, id); ttl != wantTTL || v != want {
					t.Fatalf("at %v renewal of %d: %d %v, want %d %v", time.Duration(now), id, ttl, v, wantTTL, want)
				}
			}
			now += trace.Instant(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "time"))
			for l.Advance(now, rapid.IntRange(1, 3).Draw(t, "piece")) {
			}
			for _, one := range n.all {
				n.touch(now, one)
			}
			got := l.Expired(nil, now, math.MaxInt)
			slices.Sort(got)
			if want := n.expired(now, retry); !slices.Equal(got, want) {
				t.Fatalf("at %v expired %v, want %v", time.Duration(now), got, want)
			}
			cps := l.Checkpoints(nil, now, math.MaxInt)
			sortByID(cps)
			if want := n.checkpoints(now); !slices.Equal(cps, want) {
				t.Fatalf("at %v checkpoints %v, want %v", time.Duration(now), cps, want)
			}
			checkLeft(t, l, n, now)
		}
	})
}

func checkLeft(t *rapid.T, l *Lessor, n *naive, now trace.Instant) {
	all := l.All()
	if len(all) != len(n.all) || l.Len() != len(n.all) {
		t.Fatalf("%d leases, %d in the list, want %d", l.Len(), len(all), len(n.all))
	}
	for _, one := range all {
		want := n.find(one.ID)
		if want == nil || want.Lease != one.Lease || n.running && one.Expiry != want.expiry {
			t.Fatalf("lease %+v, want %+v", one, want)
		}
		ttl, left, v := l.Left(now, one.ID)
		if n.running && (ttl != want.TTL || left != time.Duration(want.expiry-now)) || (v == Renewed) != n.running {
			t.Fatalf("lease %d has %v of %d left (%v), want %v", one.ID, left, ttl, v, time.Duration(want.expiry-now))
		}
	}
}

// TestRate: many that expire at once are handed out at the rate, the earliest first, and none is left out.
func TestRate(t *testing.T) {
	l := NewLessor(Config{}, nil)
	l.Promote(0, 1)
	for id := int64(1); id <= 3000; id++ {
		l.Apply(trace.Instant(id), []Change{{Granted, Lease{ID: id, TTL: 5}}})
	}
	var got []int64
	for now := sec(0); now < sec(9); now += trace.Instant(limits.Tick) {
		before := len(got)
		got = l.Expired(got, now, math.MaxInt)
		if per := len(got) - before; per > 101 {
			t.Fatalf("%d handed out at %v", per, time.Duration(now))
		}
		for _, id := range got[before:] {
			l.Apply(now, []Change{{Revoked, Lease{ID: id}}})
		}
	}
	if len(got) != 3000 || !slices.IsSorted(got) || l.Len() != 0 {
		t.Errorf("%d handed out, sorted %v, %d left", len(got), slices.IsSorted(got), l.Len())
	}
}

// TestSpread: leases of one TTL do not expire together at a new leader, and none early.
func TestSpread(t *testing.T) {
	var all []Lease
	for id := int64(1); id <= 5000; id++ {
		all = append(all, Lease{ID: id, TTL: 60})
	}
	l := NewLessor(Config{}, all)
	now := sec(100.25)
	l.Promote(now, 2)
	for l.Advance(now, 100) {
	}
	perSecond := map[trace.Instant]int{}
	for _, s := range l.All() {
		if s.Expiry < now+61*second || s.Expiry > now+61*second+7*second {
			t.Fatalf("%v", s)
		}
		perSecond[s.Expiry/second]++
	}
	for s, n := range perSecond {
		if n > 750 {
			t.Errorf("%d in second %d", n, s)
		}
	}
}

// TestLongest: the end of time does not wrap around.
func TestLongest(t *testing.T) {
	l := NewLessor(Config{}, []Lease{{ID: 1, TTL: limits.MaxLeaseTTL}})
	now := trace.Instant(time.Now().UnixNano())
	l.Promote(now, 1)
	l.Apply(now, []Change{{Granted, Lease{ID: 2, TTL: limits.MaxLeaseTTL}}})
	if got := l.Expired(nil, now+sec(1e6), 9); got != nil {
		t.Errorf("%d of the longest have expired", got)
	}
}

// TestLostCheckpoint: a lease whose checkpoint could not be proposed can be renewed, and is planned again.
func TestLostCheckpoint(t *testing.T) {
	l := NewLessor(Config{}, []Lease{{ID: 1, TTL: 900}})
	l.Promote(0, 1)
	l.Advance(0, 9)
	if cps := l.Checkpoints(nil, sec(300), 9); len(cps) != 1 || cps[0] != (Lease{1, 900, 601}) {
		t.Fatalf("checkpoints %v", cps)
	}
	if _, v := l.Renew(sec(300), 1); v != Clear {
		t.Errorf("renewal beside a checkpoint: %v", v)
	}
	l.Planned(sec(300), 1)
	if _, v := l.Renew(sec(300), 1); v != Renewed {
		t.Errorf("renewal: %v", v)
	}
	if cps := l.Checkpoints(nil, sec(599), 9); len(cps) != 0 {
		t.Errorf("checkpoints %v of what is renewed", cps)
	}
	if cps := l.Checkpoints(nil, sec(600), 9); len(cps) != 1 {
		t.Errorf("checkpoints %v", cps)
	}
}

// TestOrder lists leases as etcd does.
func TestOrder(t *testing.T) {
	l := NewLessor(Config{}, []Lease{{ID: 3, TTL: 9}, {ID: 2, TTL: 5}, {ID: 1, TTL: 9}})
	order := func() (ids []int64) {
		all := l.All()
		SortByExpiry(all)
		for _, s := range all {
			ids = append(ids, s.ID)
		}
		return ids
	}
	if got := order(); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("at a follower %v", got)
	}
	l.Promote(0, 1)
	if got := order(); !slices.Equal(got, []int64{2, 1, 3}) {
		t.Errorf("at the leader %v", got)
	}
}

const million = 1_000_000

func many(n int) []Lease {
	all := make([]Lease, n)
	for i := range all {
		all[i] = Lease{ID: int64(i)*2654435761 + 1, TTL: 60 + int64(i%600)}
	}
	return all
}

func running(n int) *Lessor {
	l := NewLessor(Config{}, many(n))
	l.Promote(0, 1)
	for l.Advance(0, limits.LeaseClocksPerTick) {
	}
	return l
}

// BenchmarkRenew is one keep-alive, beside so many leases.
func BenchmarkRenew(b *testing.B) {
	for _, n := range []int{1_000, million} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, ids, now := running(n), many(n), trace.Instant(0)
			at := 0
			for b.Loop() {
				at = (at + 7919) % n
				now += 100_000
				l.Renew(now, ids[at].ID)
			}
		})
	}
}

// BenchmarkTick is what a tick costs in which nothing expires, and one in which as many expire as are handed out.
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{1_000, million} {
		b.Run(fmt.Sprintf("idle/%d", n), func(b *testing.B) {
			l := running(n)
			for b.Loop() {
				l.Expired(nil, second, 100)
				l.Checkpoints(nil, second, limits.LeaseCheckpointBatch)
			}
		})
	}
	b.Run(fmt.Sprintf("mass-expiry/%d", million), func(b *testing.B) {
		l, now := running(million), sec(10_000)
		var ids []int64
		for b.Loop() {
			now += trace.Instant(limits.Tick)
			ids = l.Expired(ids[:0], now, 101)
			for _, id := range ids {
				l.Apply(now, []Change{{Revoked, Lease{ID: id}}, {Granted, Lease{ID: id, TTL: 1}}})
			}
		}
		b.ReportMetric(float64(len(ids)), "leases/op")
	})
}

// BenchmarkPromote is a new leader that takes a million leases over: at once, and the longest piece of it.
func BenchmarkPromote(b *testing.B) {
	l := running(million)
	longest, term := time.Duration(0), uint64(1)
	for b.Loop() {
		term++
		l.Promote(0, term)
		for more := true; more; {
			start := time.Now()
			more = l.Advance(0, limits.LeaseClocksPerTick)
			longest = max(longest, time.Since(start))
		}
	}
	b.ReportMetric(float64(longest.Microseconds()), "us/longest")
}
