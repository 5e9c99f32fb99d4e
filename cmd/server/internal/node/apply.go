package node

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// applyAll is the apply lane: the only goroutine that changes the store. It holds the
// write lock for one batch, which raft bounds to a megabyte.
func (n *Node) applyAll() {
	var group []consensus.ApplyBatch
	for {
		if group = n.applyLane.take(group); group == nil {
			return
		}
		for i := range group {
			b := &group[i]
			in := member.Input{Kind: member.Applied, Ticket: b.Ticket, Cause: b.Cause}
			n.begin(n.flight.apply, b.Cause)
			if b.Snapshot != nil {
				in.Kind = member.SnapshotApplied
				var err error
				in.Result, err = n.install(b.Snapshot)
				n.received()
				if err != nil {
					n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
					return
				}
			} else {
				in.Result = n.apply(b)
			}
			n.inbox.put(in)
		}
	}
}

func (n *Node) apply(b *consensus.ApplyBatch) *store.Result {
	start := time.Now()
	n.mu.Lock()
	r := n.state.Store.Apply(store.ApplyContext{WithPrev: n.wantsPrev.Load(), Proposer: n.ours}, b.Entries)
	if r.Auth != nil {
		n.users.Store(r.Auth.Enabled())
	}
	pending, compacting := n.state.Store.Backend.Pending(), n.state.Store.Compacting()
	n.mu.Unlock()
	took := time.Since(start)
	n.metrics.countApplied(r, took)
	for i := range r.Outcomes {
		if o := &r.Outcomes[i]; o.Err != nil {
			n.noteRefusal(b.Entries, o, took)
		}
	}
	if took > n.cfg.SlowApply {
		n.metrics.slowApplies.Inc()
		n.log.Warn("apply request took too long", zap.Duration("took", took), zap.Duration("expected-duration", n.cfg.SlowApply), zap.String("prefix", ""),
			zap.Int("entries", len(b.Entries)), zap.Uint64("index", r.Index))
	}
	if pending >= n.cfg.BackendOps {
		n.commits.hurry()
	}
	if compacting {
		n.keeper.wake()
	}
	if pending >= limits.CommitBacklog*n.cfg.BackendOps {
		n.commits.waitIdle() // the disk cannot follow: memory must not pay for it
	}
	return r
}

// noteRefusal counts an entry that had no effect and says so in the log. What it asked for has to be read again: it is
// rare, and no other outcome needs it.
func (n *Node) noteRefusal(entries []*raftpb.Entry, o *store.Outcome, took time.Duration) {
	at := slices.IndexFunc(entries, func(e *raftpb.Entry) bool { return e.GetIndex() == o.Index })
	req := &pb.InternalRaftRequest{}
	if at < 0 || entries[at].GetType() != raftpb.EntryNormal || pb.Unmarshal(entries[at].Data, req) != nil {
		return
	}
	op, asked := api.Asked(req)
	if f := n.metrics.applyFailures[op]; f != nil {
		f.Observe(took.Seconds())
	}
	n.log.Warn("failed to apply request", zap.Duration("took", took), zap.String("request", api.Describe(asked)), zap.Uint64("index", o.Index), zap.Error(o.Err))
}

// ours tells whether the proposal was probably made here: the id's first bytes are the member's.
func (n *Node) ours(id uint64) bool { return consensus.Ours(n.id, id) }

// commits is the commit lane's control: when to commit, and who waits for it.
type commits struct {
	now  chan struct{}      // commit without waiting for the interval
	ask  chan chan struct{} // closed after a commit of everything written before
	stop chan struct{}
	done chan struct{}
}

func newCommits() *commits {
	return &commits{now: make(chan struct{}, 1), ask: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
}

func (c *commits) hurry() {
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// waitIdle returns when all that was written before the call is committed, or the lane has ended.
func (c *commits) waitIdle() {
	reply := make(chan struct{})
	select {
	case c.ask <- reply:
		select {
		case <-reply:
		case <-c.done:
		}
	case <-c.done:
	}
}

// commitAll is the commit lane.
func (n *Node) commitAll() {
	c := n.commits
	defer close(c.done)
	ticker := time.NewTicker(n.cfg.BackendInterval)
	defer ticker.Stop()
	for {
		var asked chan struct{}
		select {
		case <-c.stop:
			return
		case <-ticker.C:
		case <-c.now:
		case asked = <-c.ask:
		}
		for {
			whole, err := n.commit()
			if err != nil {
				n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
				return
			}
			if whole || asked == nil {
				break
			}
			if !n.sleep(growPause) {
				return
			}
		}
		if asked != nil {
			close(asked)
		}
	}
}

// growPause is the wait between two attempts while readers keep the file from growing.
const growPause = 20 * time.Millisecond

// commit makes what is written so far durable; whole is false if the file has to grow first,
// which open views can delay. The store may be replaced meanwhile only under commitMu.
func (n *Node) commit() (whole bool, err error) {
	n.commitMu.Lock()
	defer n.commitMu.Unlock()
	n.mu.Lock()
	c, err := n.state.Begin()
	n.mu.Unlock()
	if c == nil || err != nil {
		return true, err
	}
	start := time.Now()
	runErr := c.Run()
	n.metrics.backendCommit.Observe(time.Since(start).Seconds())
	n.mu.Lock()
	n.begin(n.flight.commit, 0)
	durable, whole, err := n.state.End(c, runErr)
	n.measure()
	n.mu.Unlock()
	if err != nil {
		return false, err
	}
	n.inbox.put(member.Input{Kind: member.Backed, Backed: durable, Cause: n.flight.commit.Caused()})
	return whole, nil
}

// measure notes how much of its quota the database takes. The caller holds mu.
func (n *Node) measure() { n.inUse.Store(n.state.Store.Backend.Store().SizeInUse()) }

// flush makes everything applied so far durable.
func (n *Node) flush() { n.commits.waitIdle() }

// image is a consistent copy of the database with everything applied before the call.
func (n *Node) image() (backend.Snapshot, error) {
	n.flush()
	n.mu.RLock()
	defer n.mu.RUnlock()
	image, _, err := n.state.Image(0)
	return image, err
}

// imageFor is the same for a follower, and writes into the message for it where the copy stands.
func (n *Node) imageFor(m *raftpb.Message) (backend.Snapshot, error) {
	n.flush()
	t := n.aside()
	n.mu.RLock()
	defer n.mu.RUnlock()
	image, _, err := n.state.ImageFor(&t, m)
	if err == nil {
		driver.Sent(&t, m)
	}
	return image, err
}

// keeper deletes what compactions have made unreachable, step by step with pauses.
type keeper struct{ c chan struct{} }

func (k *keeper) wake() {
	select {
	case k.c <- struct{}{}:
	default:
	}
}

func (n *Node) keepHouse() {
	for {
		select {
		case <-n.stopping:
			return
		case <-n.keeper.c:
		}
		start, deleted := time.Now(), 0
		for more, first := true, true; more; first = false {
			if !first && !n.sleep(n.cfg.CompactionPause) {
				return
			}
			var rev int64
			step := time.Now()
			n.mu.Lock()
			was, before := n.state.Store.Compacting(), n.state.Store.Backend.Pending()
			more, _ = n.state.Housekeep(n.cfg.CompactionBatch) // no hook, no error
			if !more {
				rev = n.state.Store.KV.CompactRevision()
			}
			deleted += n.state.Store.Backend.Pending() - before
			n.mu.Unlock()
			n.metrics.compactionPause.Observe(float64(time.Since(step).Milliseconds()))
			if more || !was {
				continue
			}
			// A client that asked for a physical compaction is answered when it is on disk.
			n.flush()
			n.inbox.put(member.Input{Kind: member.Compacted, Revision: rev})
			n.log.Info("finished scheduled compaction", zap.Int64("compact-revision", rev), zap.Duration("took", time.Since(start)))
			n.metrics.compacted(time.Since(start), deleted-1) // the last is the mark that says it is finished
		}
	}
}

// sleep waits; false means that the node is stopping.
func (n *Node) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.stopping:
		return false
	}
}
