package disk

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// Apply applies a batch of entries under the write lock, which raft bounds to a megabyte. Only the apply lane calls it.
// With previous pairs where somebody wants them; ours tells which proposals were probably made here.
func (d *Disk) Apply(b *consensus.ApplyBatch, withPrev bool, ours func(id uint64) bool) *store.Result {
	start := time.Now()
	d.mu.Lock()
	r := d.state.Store.Apply(store.ApplyContext{WithPrev: withPrev, Proposer: ours}, b.Entries)
	if r.Auth != nil {
		d.users.Store(r.Auth.Enabled())
	}
	pending, compacting := d.state.Store.Backend.Pending(), d.state.Store.Compacting()
	d.mu.Unlock()
	took := time.Since(start)
	d.metrics.Applied(r, took)
	for i := range r.Outcomes {
		if o := &r.Outcomes[i]; o.Err != nil {
			d.noteRefusal(b.Entries, o, took)
		}
	}
	if took > d.cfg.SlowApply {
		d.metrics.SlowApplies.Inc()
		d.log.Warn(
			"apply request took too long",
			zap.Duration("took", took),
			zap.Duration("expected-duration", d.cfg.SlowApply),
			zap.String("prefix", ""),
			zap.Int("entries", len(b.Entries)),
			zap.Uint64("index", r.Index),
		)
	}
	if pending >= d.cfg.BackendOps {
		d.commits.hurry()
	}
	if compacting {
		d.keeper.wake()
	}
	if pending >= limits.CommitBacklog*d.cfg.BackendOps {
		d.commits.waitIdle() // the disk cannot follow: memory must not pay for it
	}
	return r
}

// noteRefusal counts an entry that had no effect and says so in the log. What it asked for has to be read again: it is
// rare, and no other outcome needs it.
func (d *Disk) noteRefusal(entries []*raftpb.Entry, o *store.Outcome, took time.Duration) {
	at := slices.IndexFunc(entries, func(e *raftpb.Entry) bool { return e.GetIndex() == o.Index })
	req := &pb.InternalRaftRequest{}
	if at < 0 || entries[at].GetType() != raftpb.EntryNormal || pb.Unmarshal(entries[at].Data, req) != nil {
		return
	}
	op, asked := api.Asked(req)
	d.metrics.Refused(op, took)
	d.log.Warn(
		"failed to apply request",
		zap.Duration("took", took),
		zap.String("request", api.Describe(asked)),
		zap.Uint64("index", o.Index),
		zap.Error(o.Err),
	)
}
