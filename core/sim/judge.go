package sim

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"

	"vitrine/core/backend"
	"vitrine/core/check"
	"vitrine/core/check/fold"
	"vitrine/core/check/history"
	"vitrine/core/invariant"
	"vitrine/core/limits"
	"vitrine/core/mutant"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/sim/clock"
	"vitrine/core/sim/dice"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

// judge is the simulator's side of core/check: it hands over what only the
// simulator can see, and turns a violation into the end of the run. A nil judge
// sees nothing.
type judge struct {
	w       *World
	checker *check.Checker
	fold    *fold.Fold
	history *history.History
	turn    int // whose image is looked at next
	uses    []limits.Use
}

func newJudge(w *World) *judge {
	j := &judge{w: w, checker: check.New(check.Options{}), fold: fold.New()}
	j.fold.Decode = w.decode
	j.history = history.New(j.fold)
	report := check.Report(w.stream)
	j.checker.OnViolation = func(v check.Violation) {
		report(v)
		w.stopAt(v.Number, v.Text, v.Seq)
		if w.violation.Number == v.Number && v.Now > 0 {
			w.violation.Since = min(w.violation.Since, int64(v.Now))
		}
	}
	w.stream.Attach(j.checker)
	return j
}

// violate records what the simulator itself found.
func (j *judge) violate(number int, text string) {
	j.checker.Violate(check.Violation{Number: number, Seq: j.w.stream.Seq(), Now: j.w.Now(), Text: text})
}

func (j *judge) invoke(r *request, now int64) {
	if j != nil && r.op.Judged() {
		r.token = j.history.Invoke(r.client, trace.Instant(now), r.body)
	}
}

func (j *judge) complete(r *request, now int64) {
	if j != nil && r.op.Judged() {
		j.history.Return(r.token, trace.Instant(now), r.answer, r.err)
	}
}

// watchOpened tells that a stream begins to carry a watch.
func (j *judge) watchOpened(wt *watcher) {
	if j == nil {
		return
	}
	if wt.judged == nil {
		wt.judged = j.history.Watch(wt.client, wt.create)
	}
	wt.judged.Opened(j.w.Now(), wt.next)
}

func (j *judge) watchResponse(wt *watcher, r *pb.WatchResponse) {
	if j != nil {
		wt.judged.Received(j.w.Now(), r)
	}
}

// streamOpened tells that a stream has a new connection.
func (j *judge) streamOpened(s *stream) {
	if j != nil {
		s.judged = history.NewStream()
	}
}

// streamAsked tells what a client sends over its stream.
func (j *judge) streamAsked(s *stream, r *pb.WatchRequest) {
	if j != nil {
		s.judged.Asked(r)
	}
}

// streamResponse holds a response to what was asked on its stream.
func (j *judge) streamResponse(s *stream, r *pb.WatchResponse) {
	if j == nil {
		return
	}
	var v check.Violation
	if errors.As(s.judged.Received(r), &v) {
		j.violate(v.Number, fmt.Sprintf("client %d: %s", s.client, v.Text))
	}
}

// watchClosed tells that nothing more will come for a watch.
func (j *judge) watchClosed(wt *watcher) {
	if j != nil && wt.judged != nil {
		wt.judged.Closed()
	}
}

// applied tells what a member is about to apply.
func (j *judge) applied(entries []*raftpb.Entry) {
	if j != nil {
		j.fold.Entries(entries)
	}
}

// image compares the durable database of a member with the fold of the log.
func (j *judge) image(n *node) {
	if j == nil {
		return
	}
	view, err := n.database()
	if err != nil {
		j.w.broken(invariant.AtomicApply, "member %d: %v", n.id, err)
		return
	}
	defer view.Close()
	err = j.fold.Image(func(bucket string, fn func(key, value []byte) bool) {
		if b, ok := bucketNamed(bucket); ok {
			view.Range(b, nil, nil, fn)
		}
	})
	if err != nil && !errors.Is(err, fold.ErrForgotten) {
		j.w.broken(invariant.AtomicApply, "member %d: %v", n.id, err)
	}
}

func bucketNamed(name string) (backend.Bucket, bool) {
	for b := backend.Key; b <= backend.Cluster; b++ {
		if b.Name() == name {
			return b, true
		}
	}
	return 0, false
}

// forget tells the fold below which index no disk is any more.
func (j *judge) forget() {
	low := uint64(0)
	for i, n := range j.w.nodes {
		durable := n.durable
		if n.backend != nil {
			durable = n.backend.Durable().Index
		}
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
func (j *judge) hash(n *node, rev int64) {
	alive, err := n.store.KV.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev, CountOnly: true})
	if err != nil || alive.Count == 0 {
		return
	}
	sum, compactRev, current, err := n.store.HashKV(rev)
	if err == nil {
		j.checker.Hash(j.w.Now(), n.id, cmp.Or(rev, current), compactRev, sum)
	}
}

// past asks a member for everything at some revisions: just below its compact
// revision, at it, at its head, and at two between that all members share.
func (j *judge) past(n *node) {
	compactRev, head := n.store.KV.CompactRevision(), n.store.KV.Revision()
	for _, rev := range [...]int64{compactRev - 1, compactRev, head &^ 15, head&^15 - 16, head} {
		if rev < 1 || rev > head {
			continue
		}
		resp, err := n.store.KV.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: rev})
		p := check.Past{Rev: rev, Compact: compactRev, Err: err, Refused: errors.Is(err, mvcc.ErrCompacted)}
		if err == nil {
			p.Sum = pairsSum(resp.Kvs)
		}
		j.checker.Past(j.w.Now(), n.id, p)
	}
}

// pairsSum is a hash of all that there is to know of some pairs.
func pairsSum(kvs []*pb.KeyValue) uint64 {
	sum := uint64(len(kvs))
	for _, kv := range kvs {
		for _, part := range [...]uint64{
			trace.HashData(kv.Key), trace.HashData(kv.Value), uint64(kv.CreateRevision), uint64(kv.ModRevision), uint64(kv.Version), uint64(kv.Lease),
		} {
			sum = dice.Mix(sum ^ part)
		}
	}
	return sum
}

// bounds looks how much a member holds.
func (j *judge) bounds(n *node) {
	j.uses = n.member.Uses(j.uses[:0])
	if quota := n.store.Quota(); j.w.cfg.Quota > 0 {
		j.uses = append(j.uses, limits.Use{Name: "bytes in its database", Have: int(n.backend.Store().SizeInUse()), Limit: int(quota + overQuota)})
	}
	j.checker.Bounds(j.w.Now(), n.id, j.uses)
	j.books(n)
}

// ownProposals bounds what a member proposes by itself at a time: its name, a
// version, an alarm.
const ownProposals = 3

// books holds the books that keep nothing of a request that is over to the number
// of requests that are not.
func (j *judge) books(n *node) {
	j.uses = n.member.Held(j.uses[:0])
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
			j.w.broken(invariant.NothingLeft, "member %d holds more %s than its %d requests", n.id, use.Name, requests)
		}
	}
}

// overQuota is how far a database may go beyond its quota until the alarm is up
// everywhere.
const overQuota = 64 << 10

// holds tells whether an invariant has held so far.
func (j *judge) holds(number int) bool { return j == nil || j.checker.Holds(number) }

// inspect compares all that can be compared right now.
func (w *World) inspect() {
	w.inspectLater()
	if w.judge == nil {
		return
	}
	if mutant.On(mutant.Canary) {
		w.broken(invariant.NoPanic, "the canary is dead")
		return
	}
	w.judge.cut()
	w.judge.forget()
	if w.judge.turn++; w.judge.turn%2 == 1 { // it is the dearest
		w.judge.image(w.nodes[(w.judge.turn/2+1)%len(w.nodes)])
	}
	common := int64(0)
	for _, n := range w.nodes {
		if n.process == running {
			if r := n.store.KV.Revision(); common == 0 || r < common {
				common = r
			}
		}
	}
	for _, n := range w.nodes {
		if n.process != running {
			continue
		}
		if n.store.KV.CompactRevision() <= common {
			w.judge.hash(n, common)
		}
		w.judge.past(n)
		w.judge.bounds(n)
	}
}

const inspectEvery = 5 * second

func (w *World) inspectLater() {
	w.clock.PushFirst(clock.Event{At: w.clock.Now + inspectEvery, Kind: evInspect})
}

// final judges what only the whole history can tell.
func (j *judge) final() {
	if j == nil {
		return
	}
	for _, n := range j.w.nodes {
		if n.process == running {
			j.hash(n, 0)
			j.past(n)
		}
		j.image(n)
	}
	j.judged(j.history.Check())
}

// judged takes the verdict on a history.
func (j *judge) judged(err error) {
	var v check.Violation
	if errors.As(err, &v) {
		v.Seq = j.w.stream.Seq()
		j.checker.Violate(v)
	} else if err != nil {
		j.w.broken(invariant.Linearizable, "%v", err)
	}
}

// judgedOperations is Config.Judged by default. Whoever plays for hours forgets,
// and whoever runs for a minute judges once.
const judgedOperations = 5000

// cut judges and forgets what is long over. No client waits for as long as four
// times its patience.
func (j *judge) cut() {
	j.judged(j.history.Cut(j.w.Now(), 4*max(j.w.cfg.Workload.Timeout, j.w.cfg.Workload.Hasty, probePatience), cmp.Or(j.w.cfg.Judged, judgedOperations)))
}

// SameStory compares two worlds that ran the same seed to its end, and returns
// the broken promise if they differ.
func (w *World) SameStory(again *World) *Violation {
	v := check.SameStory(w.Hash(), again.Hash())
	if v == nil {
		return nil
	}
	return &Violation{Number: v.Number, Text: v.Text, At: w.clock.Now, Since: w.clock.Now, Seq: w.stream.Seq()}
}

// stopAt ends the run at its first violation.
func (w *World) stopAt(number int, text string, seq uint64) {
	if w.violation == nil {
		w.violation = &Violation{Number: number, Text: text, At: w.clock.Now, Since: w.clock.Now, Seq: seq}
	}
}

// broken reports a violation that the simulator found itself.
func (w *World) broken(number int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if w.judge != nil {
		w.judge.violate(number, text)
	}
	w.stopAt(number, text, w.stream.Seq())
}

// caught turns a panic of the core into a violation: of the invariant that it
// names, or of I30, no panic but by a broken invariant.
func (w *World) caught(p any) {
	if v, ok := p.(*invariant.Violation); ok && v.Number != 0 {
		w.stopAt(v.Number, v.Text, w.stream.Seq())
		return
	}
	w.stack = string(debug.Stack())
	w.broken(invariant.NoPanic, "panic: %v", p)
}
