package api

import (
	"container/heap"

	"vitrine/core/auth"
	"vitrine/core/duty"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/trace"
)

// stage is how far a request has come.
type stage uint8

const (
	queued    stage = iota // a write that raft has not taken yet
	proposed               // a write in the log, or on its way there
	finishing              // applied; its deletions are under way (physical compaction)
	asking                 // a read that waits for the commit index
	catching               // a read that waits until the store has applied it
	moving                 // leadership is under way
	naming                 // the token that names its client is of an entry that is not applied here yet
	working                // the driver is at its password, or signs its token
	expiring               // a renewal of a lease that has run out
	away                   // at another member, or waiting for a leader
	done                   // answered, or given up: whoever still holds it drops it
)

// pending is a request between its arrival and its answer.
type pending struct {
	id       uint64 // the driver's; 0 = the member's own request, which nobody is told about
	body     any
	op       Operation
	stage    stage
	way      way
	identity Identity
	who      auth.Identity // whom that names
	named    bool          // who is known
	allowed  bool          // the keys of the lease have been looked at
	served   bool          // a read that waits for its name alone
	checked  uint64        // the auth revision at which the password was found right
	deadline trace.Instant
	byClient bool // the deadline is the client's, not ours
	at       int  // place in the heap of deadlines

	proposal uint64
	data     []byte // to propose; nil once raft has it
	response any    // of a write that is not finished yet
	index    uint64 // the entry that the answer acknowledges
	target   uint64 // of a leadership transfer
	change   bool   // of the members: data is a change of the configuration
	own      duty.Kind
	refused  bool // applied, without effect

	term     uint64 // of the leader that is to answer
	fence    uint64 // the only term in which it may be proposed; 0 = any
	again    trace.Instant
	revision int64 // when it came
}

// newPending takes a spare one or makes one.
func (b *Book) newPending() *pending {
	if n := len(b.spare); n > 0 {
		p := b.spare[n-1]
		b.spare = b.spare[:n-1]
		return p
	}
	return new(pending)
}

// reuse keeps an answered request, which no list may hold any more, for one to come.
func (b *Book) reuse(p *pending) {
	invariant.Assert(p.stage == done, "api: a request is reused before it is answered")
	if len(b.spare) < limits.SpareRequests {
		*p = pending{}
		b.spare = append(b.spare, p)
	}
}

// deadlines is a heap: the request that ends first is at 0.
type deadlines []*pending

func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	if d[i].deadline != d[j].deadline {
		return d[i].deadline < d[j].deadline
	}
	return d[i].id < d[j].id || d[i].id == d[j].id && d[i].proposal < d[j].proposal
}
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].at, d[j].at = i, j
}

// Push and Pop are the heap's.
func (d *deadlines) Push(x any) {
	p := x.(*pending)
	p.at = len(*d)
	*d = append(*d, p)
}

func (d *deadlines) Pop() any {
	old := *d
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	return p
}

func (d *deadlines) add(p *pending)    { heap.Push(d, p) }
func (d *deadlines) remove(p *pending) { heap.Remove(d, p.at) }
func (d *deadlines) move(p *pending, to trace.Instant) {
	p.deadline = to
	heap.Fix(d, p.at)
}

// drop removes what is done from a list, in place and in order.
func drop(list []*pending) []*pending {
	kept := list[:0]
	for _, p := range list {
		if p.stage != done {
			kept = append(kept, p)
		}
	}
	clear(list[len(kept):])
	return kept
}
