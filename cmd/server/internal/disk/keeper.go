package disk

import (
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/member"
)

// keeper deletes what compactions have made unreachable, step by step with pauses.
type keeper struct{ c chan struct{} }

func (k *keeper) wake() {
	select {
	case k.c <- struct{}{}:
	default:
	}
}

// Housekeep runs the keeper until the node stops.
func (d *Disk) Housekeep() {
	for {
		select {
		case <-d.cfg.Stopping:
			return
		case <-d.keeper.c:
		}
		start, deleted := time.Now(), 0
		for more, first := true, true; more; first = false {
			if !first && !d.sleep(d.cfg.CompactionPause) {
				return
			}
			var rev int64
			step := time.Now()
			d.mu.Lock()
			was, before := d.state.Store.Compacting(), d.state.Store.Backend.Pending()
			more, _ = d.state.Housekeep(d.cfg.CompactionBatch) // no hook, no error
			if !more {
				rev = d.state.Store.KV.CompactRevision()
			}
			deleted += d.state.Store.Backend.Pending() - before
			d.mu.Unlock()
			d.metrics.CompactionPause.Observe(float64(time.Since(step).Milliseconds()))
			if more || !was {
				continue
			}
			// A client that asked for a physical compaction is answered when it is on disk.
			d.Flush()
			d.report(member.Input{Kind: member.Compacted, Revision: rev})
			d.log.Info(
				"finished scheduled compaction",
				zap.Int64("compact-revision", rev),
				zap.Duration("took", time.Since(start)),
			)
			d.metrics.Compacted(time.Since(start), deleted-1) // the last is the mark that says it is finished
		}
	}
}

// sleep waits; false means that the member is stopping.
func (d *Disk) sleep(pause time.Duration) bool { return tasks.Sleep(pause, d.cfg.Stopping) }
