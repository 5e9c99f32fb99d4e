package player

import (
	"math/bits"

	"vitrine/core/picture"
	"vitrine/core/trace"
)

// Tally is what a cluster did from a moment on, in numbers.
type Tally struct {
	Since      int64   `json:"since"`      // simulated time
	Over       int64   `json:"over"`       // so long
	Writes     Answers `json:"writes"`     // of clients: puts, deletes, transactions
	Reads      Answers `json:"reads"`      // of clients: gets
	Failed     uint64  `json:"failed"`     // requests of clients that were refused, or that they gave up
	Entries    uint64  `json:"entries"`    // committed
	Messages   uint64  `json:"messages"`   // sent from member to member
	Syncs      uint64  `json:"syncs"`      // of logs, at all members
	Elections  uint64  `json:"elections"`  // won
	Leaderless int64   `json:"leaderless"` // so long nobody led, by any member's own view
}

// Answers says how many there were, and how long half of them took at most, and 99 of a hundred.
type Answers struct {
	Count uint64 `json:"count"`
	P50   int64  `json:"p50"`
	P99   int64  `json:"p99"`
}

// Numbers are those before the visitor's mark, nil if there is none, and those since.
type Numbers struct {
	Was *Tally `json:"was,omitempty"`
	Now Tally  `json:"now"`
}

// tally folds the numbers. What happened before from counts for nothing, but decides who
// leads and what is committed.
type tally struct {
	Tally
	from          int64
	commit        uint64           // the highest index that was known to be committed
	leads         map[uint64]bool  // who leads, by its own view; for look-ups only
	led           int64            // up to here Leaderless is counted
	asked         map[uint64]began // requests under way; for look-ups only
	writes, reads latencies
}

type began struct {
	at int64
	op string // as the picture names it
}

// openRequests bounds those that are remembered.
const openRequests = 4096

func newTally() tally { return tally{leads: map[uint64]bool{}, asked: map[uint64]began{}} }

// mark begins anew from a moment on.
func (t *tally) mark(now int64) {
	t.Tally, t.from, t.led = Tally{Since: now}, now, now
	t.writes, t.reads = latencies{}, latencies{}
}

// numbers are those up to a moment.
func (t *tally) numbers(now int64) Tally {
	all := t.Tally
	all.Over = max(0, now-all.Since)
	if len(t.leads) == 0 {
		all.Leaderless += max(0, now-t.led)
	}
	all.Writes, all.Reads = t.writes.answers(), t.reads.answers()
	return all
}

func (t *tally) take(e *trace.Event) {
	now, counts := int64(e.Now), int64(e.Now) >= t.from
	switch e.Kind {
	case trace.RoleChanged:
		t.leader(now, e.Member, e.A == roleLeader)
		if counts && e.A == roleLeader {
			t.Elections++
		}
	case trace.MemberCrashed, trace.MemberStopped:
		t.leader(now, e.Member, false)
	case trace.CommitAdvanced:
		if counts && e.Index > t.commit {
			t.Entries += e.Index - t.commit
		}
		t.commit = max(t.commit, e.Index)
	case trace.MessageSent:
		if counts {
			t.Messages++
		}
	case trace.LogSynced:
		if counts {
			t.Syncs++
		}
	case trace.RequestIssued:
		if len(t.asked) >= openRequests {
			clear(t.asked)
		}
		t.asked[e.Request] = began{now, picture.OpName(e.A)}
	case trace.RequestDone:
		if e.Member == 0 {
			t.done(e, counts)
		}
	}
}

// leader notes who leads, and how long nobody did.
func (t *tally) leader(now int64, member uint64, leads bool) {
	if len(t.leads) == 0 && now > t.led {
		t.Leaderless += now - t.led
	}
	t.led = max(t.from, now)
	if leads {
		t.leads[member] = true
	} else {
		delete(t.leads, member)
	}
}

// done counts what a client has of its request.
func (t *tally) done(e *trace.Event, counts bool) {
	r, known := t.asked[e.Request]
	delete(t.asked, e.Request)
	switch {
	case !known || !counts:
	case e.Text != "":
		t.Failed++
	case r.op == "put" || r.op == "delete" || r.op == "txn":
		t.writes.add(int64(e.Now) - r.at)
	case r.op == "get":
		t.reads.add(int64(e.Now) - r.at)
	}
}

// latencies counts durations by their highest four bits: each is known to a sixteenth.
type latencies struct {
	count uint64
	of    [64 * 8]uint32
}

func (l *latencies) add(ns int64) {
	l.count++
	l.of[bucket(ns)]++
}

// bucket is the number of the durations that are counted as one with ns.
func bucket(ns int64) int {
	n := uint64(max(ns, 8))
	high := bits.Len64(n) - 4
	return high*8 + int(n>>high)&7
}

func (l *latencies) answers() Answers {
	return Answers{Count: l.count, P50: l.within(50), P99: l.within(99)}
}

// within is how long that many of a hundred took at most, 0 if there were none.
func (l *latencies) within(percent uint64) int64 {
	left := (l.count*percent + 99) / 100
	for i, n := range &l.of {
		if uint64(n) >= left && left > 0 {
			high := i / 8
			return int64(8+i%8)<<high + int64(1)<<high/2 // the middle of the bucket
		}
		left -= uint64(n)
	}
	return 0
}
