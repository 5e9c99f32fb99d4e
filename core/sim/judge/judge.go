// Package judge is the simulator's side of core/check: it sees members and clients
// from outside, tells the checkers what they cannot learn from events, and keeps
// the first invariant that broke.
//
//	j := judge.New(clock, stream, judge.Options{Check: true})
//	j.Inspect(members)
//	if v := j.Violation(); v != nil { ... }
package judge

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"vitrine/core/api"
	"vitrine/core/auth"
	"vitrine/core/backend"
	"vitrine/core/check"
	"vitrine/core/check/fold"
	"vitrine/core/check/history"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/model"
	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/store"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// Violation is the first broken invariant of a run.
type Violation struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
	At     int64  `json:"at"`    // when the checkers found it
	Since  int64  `json:"since"` // when it happened: a history is judged at the end
	Seq    uint64 `json:"seq"`   // the event at which it showed
}

func (v *Violation) Error() string { return v.Text }

// Member is one of those that are judged: its disk at any time, its store and its
// books while it runs.
type Member interface {
	ID() uint64
	Runs() bool
	Store() *store.Store
	Member() *member.Member
	Size() int64     // of its database file
	Durable() uint64 // the applied index that its disk has
	SlowestSync() time.Duration
	Database() (backend.StoreView, error)
}

// Options say how a run is judged.
type Options struct {
	// without it, only what the simulator finds by itself counts
	Check bool
	Quota int64 // of the members' databases, 0 = none
	// what members who compact by themselves keep
	KeepFor       time.Duration
	KeepRevisions int64
	Patience      time.Duration // no client waits longer for an answer
	TokenTTL      time.Duration // of simple tokens, 0 = a server's
	// operations that are judged and forgotten at a time, 0 = 5000
	Kept      int
	NoPreVote bool                                               // of the members
	Decode    func(data []byte) (*pb.InternalRaftRequest, error) // of an entry
}

// Judge hands over to the checkers what only the simulator can see, and keeps the
// first violation.
type Judge struct {
	clock     *clock.Clock
	stream    *trace.Stream
	options   Options
	violation *Violation
	stack     string

	checker *check.Checker
	fold    *fold.Fold
	history *history.History
	turn    int // whose image is looked at next
	uses    []limits.Use
	buckets map[string]backend.Bucket
	flows   map[uint64]flow // by member
	spoiled map[uint64]bool // members, see Spoiled
	tokens  *tokens
}

// flow is since when a member has been able to get entries applied: it has no others, or goes on from look to look. A
// look that found it down or paused is none.
type flow struct {
	applied uint64
	since   int64
	turn    int // of the last look
}

// New makes a judge who sees all events of the stream.
func New(c *clock.Clock, stream *trace.Stream, o Options) *Judge {
	j := &Judge{clock: c, stream: stream, options: o, spoiled: map[uint64]bool{}}
	if !o.Check {
		return j
	}
	j.fold, j.flows = fold.New(), map[uint64]flow{}
	j.buckets = map[string]backend.Bucket{}
	for _, b := range backend.Buckets() {
		j.buckets[b.Name()] = b
	}
	j.checker = check.New(check.Options{KeepFor: o.KeepFor, KeepRevisions: o.KeepRevisions, NoPreVote: o.NoPreVote})
	j.fold.Decode = o.Decode
	j.history = history.New(j.fold)
	report := check.Report(stream)
	j.checker.OnViolation = func(v check.Violation) {
		report(v)
		j.stopAt(v.Number, v.Text, v.Seq)
		if j.violation.Number == v.Number && v.Now > 0 {
			j.violation.Since = min(j.violation.Since, int64(v.Now))
		}
	}
	j.tokens = newTokens(j)
	j.fold.Follow(j.tokens)
	stream.Attach(j)
	return j
}

// Emit implements trace.Sink.
func (j *Judge) Emit(e *trace.Event) {
	j.checker.Emit(e)
	switch e.Kind {
	case trace.CompactionDue, trace.LeaseExpired: // what members propose by themselves
		j.history.Own(e.B)
	case trace.RequestProposed:
		j.tokens.proposed(e)
	}
}

// Checks reports whether there are checkers.
func (j *Judge) Checks() bool { return j.options.Check }

// Violation is the invariant that broke first, nil while all hold.
func (j *Judge) Violation() *Violation { return j.violation }

// Stack is where the core panicked, if it did.
func (j *Judge) Stack() string { return j.stack }

// Broken reports a violation that the simulator found itself.
func (j *Judge) Broken(number int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if j.options.Check {
		j.violate(number, text)
	}
	j.stopAt(number, text, j.stream.Seq())
}

func (j *Judge) violate(number int, text string) {
	j.checker.Violate(check.Violation{Number: number, Seq: j.stream.Seq(), Now: j.now(), Text: text})
}

// stopAt ends the run at its first violation.
func (j *Judge) stopAt(number int, text string, seq uint64) {
	if j.violation == nil {
		j.violation = &Violation{Number: number, Text: text, At: j.clock.Now, Since: j.clock.Now, Seq: seq}
	}
}

// Caught turns a panic of the core into a violation: of the invariant that it
// names, or of I30, no panic but by a broken invariant.
func (j *Judge) Caught(p any) {
	if v, ok := p.(*invariant.Violation); ok && v.Number != 0 {
		j.stopAt(v.Number, v.Text, j.stream.Seq())
		return
	}
	j.stack = string(debug.Stack())
	j.Broken(invariant.NoPanic, "panic: %v", p)
}

// SameStory compares two runs of one seed, by the hashes at their ends.
func (j *Judge) SameStory(hash, again uint64) *Violation {
	v := check.SameStory(hash, again)
	if v == nil {
		return nil
	}
	return &Violation{Number: v.Number, Text: v.Text, At: j.clock.Now, Since: j.clock.Now, Seq: j.stream.Seq()}
}

func (j *Judge) now() trace.Instant { return trace.Instant(j.clock.Now) }

// Invoked tells of an operation on the data that a client begins. The token names
// it when it is over.
func (j *Judge) Invoked(client int, body any) (token int) {
	if !j.options.Check {
		return 0
	}
	return j.history.Invoke(client, j.now(), body)
}

// Returned tells how an operation has ended for its client.
func (j *Judge) Returned(token int, answer any, err error) {
	if j.options.Check {
		j.history.Return(token, j.now(), answer, err)
	}
}

// LeasePromised tells that a client which asked at some moment was told that a lease lives for so many seconds from
// then.
func (j *Judge) LeasePromised(id, asked, ttl int64) {
	if j.options.Check {
		j.checker.LeasePromised(j.now(), uint64(id), trace.Instant(asked), ttl)
	}
}

// WatchOpened tells that a stream begins to carry a watch, from a revision on; h is
// what the judge knows of it so far, nil for a new one.
func (j *Judge) WatchOpened(h *history.Watch, client int, create *pb.WatchCreateRequest, next int64) *history.Watch {
	if !j.options.Check {
		return nil
	}
	if h == nil {
		h = j.history.Watch(client, create)
	}
	h.Opened(j.now(), next)
	return h
}

// WatchReceived tells of a response to a watch.
func (j *Judge) WatchReceived(h *history.Watch, r *pb.WatchResponse) {
	if h != nil {
		if err := h.Received(j.now(), r); err != nil {
			j.judged(err)
		}
	}
}

// WatchClosed tells that nothing more will come for a watch.
func (j *Judge) WatchClosed(h *history.Watch) {
	if h != nil {
		h.Closed()
	}
}

// StreamOpened tells that a watch stream has a new connection.
func (j *Judge) StreamOpened() *history.Stream {
	if !j.options.Check {
		return nil
	}
	return history.NewStream()
}

// StreamArrived tells that a member gets a request on a stream of somebody.
func (j *Judge) StreamArrived(h *history.Stream, n Asked, who *api.Identity, r *pb.WatchRequest) {
	create := r.GetCreateRequest()
	if h == nil || create == nil {
		return
	}
	index := n.Store().Backend.Applied().Index
	users, ok := j.fold.Users(index)
	if !ok {
		if who.Token != "" {
			j.tokens.mayUse(n.ID(), who.Token)
		}
		return
	}
	user, revision := who.CommonName, users.Revision()
	switch {
	case !users.Enabled():
	case who.Forged:
		h.Decided(create, model.ErrInvalidToken)
		return
	case who.Signed != auth.Identity{}:
		user, revision = who.Signed.User, who.Signed.Revision
	case who.Token != "":
		name, good, known := j.tokens.streamed(n.ID(), who.Token, index)
		if !good {
			if known {
				h.Decided(create, model.ErrInvalidToken)
			}
			return
		}
		user = name
	case !who.Certified:
		revision = 0
	}
	denial := model.Error("")
	if err := users.May(user, revision, create); err != nil {
		denial = model.Error(err.Error())
	}
	h.Decided(create, denial)
}

// StreamAsked tells what a client sends over its stream.
func (j *Judge) StreamAsked(h *history.Stream, r *pb.WatchRequest) {
	if h != nil {
		h.Asked(r)
	}
}

// StreamReceived holds a response to what was asked on its stream.
func (j *Judge) StreamReceived(h *history.Stream, client int, r *pb.WatchResponse) {
	if h == nil {
		return
	}
	if err := h.Received(r); err != nil {
		j.streamBroken(client, err)
	}
}

func (j *Judge) streamBroken(client int, err error) {
	var v check.Violation
	if errors.As(err, &v) {
		j.violate(v.Number, fmt.Sprintf("client %d: %s", client, v.Text))
	}
}

// Applied tells what a member is about to apply.
func (j *Judge) Applied(id uint64, entries []*raftpb.Entry) {
	if j.options.Check {
		j.fold.Entries(entries)
	}
	if j.tokens != nil {
		j.tokens.applied(id, entries)
	}
}

// Decided holds what a member has refused somebody, entry by entry, to what the log says (I17).
func (j *Judge) Decided(id uint64, outcomes []store.Outcome) {
	if !j.options.Check {
		return
	}
	for i := range outcomes {
		o := &outcomes[i]
		want, ok := j.fold.Denied(o.Index)
		if got := denial(o.Err); ok && got != want {
			j.Broken(invariant.Authorization, "member %d decides entry %d: %s; by the log: %s", id, o.Index, said(got),
				said(want))
			return
		}
	}
}

// MayRead tells why a call must not read from its member's store, by the member, and holds that to what the log says
// (I17). A read that began on a view was let through then.
func (j *Judge) MayRead(n Member, r *api.ReadReady, begun bool) error {
	if begun {
		return nil
	}
	err := r.Allowed(n.Store())
	if !j.options.Check {
		return err
	}
	index := n.Store().Backend.Applied().Index
	users, ok := j.fold.Users(index)
	if !ok || !users.Enabled() {
		return err
	}
	j.tokens.reads(n.ID(), r, index)
	want := model.Error("")
	if e := users.May(r.Who.User, r.Who.Revision, r.Body); e != nil {
		want = model.Error(e.Error())
	}
	if got := denial(err); got != want && got != model.ErrOldAuthRevision {
		j.Broken(invariant.Authorization, "member %d at index %d, asked by %q to read: %s; by the log: %s",
			n.ID(), index, r.Who.User, said(got), said(want))
	}
	return err
}

// denial is what a client hears of who he is, "" if nothing.
func denial(err error) model.Error {
	if e := api.AsError(err); e != nil && model.Denial(e) {
		return model.Error(e.Text)
	}
	return ""
}

func said(e model.Error) string {
	if e == "" {
		return "he may"
	}
	return string(e)
}

// Image compares the durable database of a member with the fold of the log.
func (j *Judge) Image(n Member) {
	if !j.options.Check || j.spoiled[n.ID()] {
		return
	}
	view, err := n.Database()
	if err != nil {
		j.Broken(invariant.AtomicApply, "member %d: %v", n.ID(), err)
		return
	}
	defer view.Close()
	err = j.fold.Image(func(bucket string, fn func(key, value []byte) bool) {
		if b, ok := j.buckets[bucket]; ok {
			view.Range(b, nil, nil, fn)
		}
	})
	switch {
	case errors.Is(err, fold.ErrMembers):
		j.Broken(invariant.Membership, "member %d: %v", n.ID(), err)
	case err != nil && !errors.Is(err, fold.ErrForgotten):
		j.Broken(invariant.AtomicApply, "member %d: %v", n.ID(), err)
	}
}

// forget tells the fold below which index no disk is any more.
func (j *Judge) forget(members []Member) {
	low := uint64(0)
	for i, n := range members {
		durable := n.Durable()
		if i == 0 || durable < low {
			low = durable
		}
	}
	j.fold.Forget(low)
}

// hash compares the data of a member with everyone who has been at the same
// revision. A revision at which no key lives is left out: there etcd's rule, to
// which HashKV keeps, gives one sum before a compaction at it and another after
// (a tombstone counts as kept by the one and not by the other).
func (j *Judge) hash(n Member, rev int64) {
	if j.spoiled[n.ID()] || !j.lives(n, rev) {
		return
	}
	sum, compactRev, current, err := n.Store().HashKV(rev)
	if err == nil {
		j.checker.Hash(j.now(), n.ID(), cmp.Or(rev, current), compactRev, sum)
	}
}

// HashTold compares what a member has told of its data in the same way. Of a revision that it has compacted since it
// told the sum which the compaction had made; there too nothing may have lived, and nobody can tell any more.
func (j *Judge) HashTold(n Member, a *pb.HashKVResponse) {
	if !j.spoiled[n.ID()] && a.CompactRevision == n.Store().KV.CompactRevision() && j.lives(n, a.HashRevision) {
		j.checker.Hash(j.now(), n.ID(), a.HashRevision, a.CompactRevision, a.Hash)
	}
}

// lives tells whether a member has a key at a revision.
func (j *Judge) lives(n Member, rev int64) bool {
	alive, err := n.Store().KV.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev, CountOnly: true})
	return err == nil && alive.Count > 0
}

// past asks a member for everything at some revisions: just below its compact
// revision, at it, at its head, and at two between that all members share.
func (j *Judge) past(n Member) {
	if j.spoiled[n.ID()] {
		return
	}
	compactRev, head := n.Store().KV.CompactRevision(), n.Store().KV.Revision()
	for _, rev := range [...]int64{compactRev - 1, compactRev, head &^ 15, head&^15 - 16, head} {
		if rev < 1 || rev > head {
			continue
		}
		resp, err := n.Store().KV.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev})
		p := check.Past{Rev: rev, Compact: compactRev, Err: err, Refused: errors.Is(err, mvcc.ErrCompacted)}
		if err == nil {
			p.Sum = pairsSum(resp.Kvs)
		}
		j.checker.Past(j.now(), n.ID(), p)
	}
}

// pairsSum is a hash of all that there is to know of some pairs.
func pairsSum(kvs []*pb.KeyValue) uint64 {
	sum := uint64(len(kvs))
	for _, kv := range kvs {
		for _, part := range [...]uint64{
			trace.HashData(kv.Key), trace.HashData(kv.Value), uint64(kv.CreateRevision), uint64(kv.ModRevision),
			uint64(kv.Version), uint64(kv.Lease),
		} {
			sum = dice.Mix(sum ^ part)
		}
	}
	return sum
}

// bounds looks how much a member holds.
func (j *Judge) bounds(n Member) {
	j.uses = n.Member().Uses(j.uses[:0])
	if quota := n.Store().Quota(); j.options.Quota > 0 {
		j.uses = append(j.uses, limits.Use{Name: "bytes in its database", Have: int(n.Size()), Limit: int(quota + overQuota)})
	}
	j.checker.Bounds(j.now(), n.ID(), j.uses)
	j.books(n)
}

// ownProposals bounds what a member proposes by itself at a time: its name, a
// version, an alarm, what is left of leases, and that some have run out.
const ownProposals = 4 + limits.LeaseRevokesPending

// books holds the books that keep nothing of a request that is over to the number
// of requests that are not.
func (j *Judge) books(n Member) {
	j.uses = n.Member().Held(j.uses[:0])
	requests := 0
	for _, use := range j.uses {
		switch use.Name {
		case "requests":
			requests = use.Have
			continue
		case "proposals", "deadlines":
			use.Have -= ownProposals
		case "changes of leader":
		default:
			continue
		}
		if use.Have > requests {
			j.Broken(invariant.NothingLeft, "member %d holds more %s than its %d requests", n.ID(), use.Name, requests)
		}
	}
}

// A lease may go on for a while when its time is over: its end has to be agreed on, so that the time counts only while
// a member gets on with its log; where a majority's disks are slow, one sync more. A new leader gives it an election
// timeout more than it was granted.
const (
	leaseOverdue = 15 * time.Second
	leaseExtra   = 2 * time.Second
)

// leases looks at the clock of a member: no lease has more time than it was granted, and none is there long after it
// has run out, unless alarms forbid to end it.
func (j *Judge) leases(n Member) {
	mayEnd := j.flowing(n) > leaseOverdue && !n.Store().Alarms.Active(pb.AlarmType_CORRUPT)
	for _, l := range n.Member().Leases() {
		left := time.Duration(l.Expiry - j.now())
		switch {
		case l.Expiry == 0:
		case left > time.Duration(l.TTL)*time.Second+leaseExtra:
			j.Broken(invariant.LeaseRemaining, "to member %d lease %d has %v left of %d s", n.ID(), l.ID, left, l.TTL)
		case mayEnd && left < -leaseOverdue-n.SlowestSync():
			j.Broken(invariant.LeaseRemaining, "to member %d lease %d has run out %v ago, and is still there", n.ID(), l.ID,
				-left)
		}
	}
}

// flowing is for how long a member has been getting on with its log. It is told at every look at it.
func (j *Judge) flowing(n Member) time.Duration {
	f, applied := j.flows[n.ID()], n.Store().Backend.Applied().Index
	if f.turn != j.turn-1 || applied == f.applied && len(n.Member().Kept(applied+1, 1)) > 0 {
		f.since = int64(j.now())
	}
	f.applied, f.turn = applied, j.turn
	j.flows[n.ID()] = f
	return time.Duration(int64(j.now()) - f.since)
}

// overQuota is how far a database may go beyond its quota until the alarm is up
// everywhere.
const overQuota = 64 << 10

// Holds tells whether an invariant has held so far.
func (j *Judge) Holds(number int) bool { return !j.options.Check || j.checker.Holds(number) }

// Final judges what only the whole history can tell.
func (j *Judge) Final(members []Member) {
	if !j.options.Check {
		return
	}
	for _, n := range members {
		if n.Runs() {
			j.hash(n, 0)
			j.past(n)
		}
		j.Image(n)
	}
	j.judged(j.history.Check())
}

// judged takes the verdict on a history.
func (j *Judge) judged(err error) {
	var v check.Violation
	if errors.As(err, &v) {
		v.Seq = j.stream.Seq()
		j.checker.Violate(v)
	} else if err != nil {
		j.Broken(invariant.Linearizable, "%v", err)
	}
}

// keptOperations is Options.Kept by default. Whoever plays for hours forgets,
// and whoever runs for a minute judges once.
const keptOperations = 5000

// cut judges and forgets what is long over. No client waits for as long as four
// times its patience.
func (j *Judge) cut() {
	j.judged(j.history.Cut(j.now(), 4*j.options.Patience, cmp.Or(j.options.Kept, keptOperations)))
}

// Inspect compares all that can be compared right now.
func (j *Judge) Inspect(members []Member) {
	if !j.options.Check {
		return
	}
	if mutant.On(mutant.Canary) {
		j.Broken(invariant.NoPanic, "the canary is dead")
		return
	}
	j.cut()
	j.forget(members)
	if j.turn++; j.turn%2 == 1 { // it costs most
		j.Image(members[(j.turn/2+1)%len(members)])
	}
	common := int64(0)
	for _, n := range members {
		if n.Runs() {
			if r := n.Store().KV.Revision(); common == 0 || r < common {
				common = r
			}
		}
	}
	for _, n := range members {
		if !n.Runs() {
			continue
		}
		if n.Store().KV.CompactRevision() <= common {
			j.hash(n, common)
		}
		j.past(n)
		j.bounds(n)
		j.leases(n)
	}
}
