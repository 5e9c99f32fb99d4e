package sim

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"

	"vitrine/core/backend"
	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/mutant"
	"vitrine/core/pb"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

// judge is the simulator's side of core/check: it hands over what only the
// simulator can see, and turns a violation into the end of the run. A nil judge
// sees nothing.
type judge struct {
	w       *World
	checker *check.Checker
	fold    *check.Fold
	history *check.History
	turn    int // whose image is looked at next
}

func newJudge(w *World) *judge {
	j := &judge{w: w, checker: check.New(check.Options{}), fold: check.NewFold(), history: check.NewHistory()}
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
	if j != nil {
		r.token = j.history.Invoke(r.client, trace.Instant(now), r.body)
	}
}

func (j *judge) complete(r *request, now int64) {
	if j != nil {
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

func (j *judge) watchResponse(wt *watcher, r *watch.Response) {
	if j != nil {
		wt.judged.Received(j.w.Now(), r.Message(nil))
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
		j.history.Entries(entries)
	}
}

// image compares the durable database of a member with the fold of the log.
func (j *judge) image(n *node) {
	if j == nil {
		return
	}
	view, err := n.db.View()
	if err != nil {
		j.w.broken(check.AtomicApply, "member %d: %v", n.id, err)
		return
	}
	defer view.Close()
	err = j.fold.Image(func(bucket string, fn func(key, value []byte) bool) {
		if b, ok := bucketNamed(bucket); ok {
			view.Range(b, nil, nil, fn)
		}
	})
	if err != nil && !errors.Is(err, check.ErrForgotten) {
		j.w.broken(check.AtomicApply, "member %d: %v", n.id, err)
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

// holds tells whether an invariant has held so far.
func (j *judge) holds(number int) bool { return j == nil || j.checker.Holds(number) }

// inspect compares all that can be compared right now.
func (w *World) inspect() {
	w.inspectLater()
	if w.judge == nil {
		return
	}
	if mutant.On(mutant.Canary) {
		w.broken(check.NoPanic, "the canary is dead")
		return
	}
	w.judge.forget()
	w.judge.cut()
	w.judge.turn = (w.judge.turn + 1) % len(w.nodes)
	w.judge.image(w.nodes[w.judge.turn])
	common := int64(0)
	for _, n := range w.nodes {
		if n.process == running {
			if r := n.store.KV.Revision(); common == 0 || r < common {
				common = r
			}
		}
	}
	for _, n := range w.nodes {
		if n.process == running && n.store.KV.CompactRevision() <= common {
			w.judge.hash(n, common)
		}
	}
}

const inspectEvery = 5 * second

func (w *World) inspectLater() {
	w.q.pushFirst(event{at: w.now + inspectEvery, kind: evInspect})
}

// final judges what only the whole history can tell.
func (j *judge) final() {
	if j == nil {
		return
	}
	for _, n := range j.w.nodes {
		if n.process == running {
			j.hash(n, 0)
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
		j.w.broken(check.Linearizable, "%v", err)
	}
}

// judgedOperations is how many operations are remembered before a part of them
// is judged and forgotten: a world may live for hours.
const judgedOperations = 2000

// cut judges and forgets what is long over. No client waits for as long as four
// times its patience.
func (j *judge) cut() {
	j.judged(j.history.Cut(j.w.Now(), 4*max(j.w.cfg.Workload.Timeout, j.w.cfg.Workload.Hasty, probePatience), judgedOperations))
}

// stopAt ends the run at its first violation.
func (w *World) stopAt(number int, text string, seq uint64) {
	if w.violation == nil {
		w.violation = &Violation{Number: number, Text: text, At: w.now, Since: w.now, Seq: seq}
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
	w.broken(check.NoPanic, "panic: %v", p)
}
