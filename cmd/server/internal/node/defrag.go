package node

import (
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/driver"
	"vitrine/core/member"
)

// defragment rewrites the database without its free pages. Only commits wait for it:
// writes go on into the buffer in front, reads go on from the old file, and the exchange
// takes a moment.
func (n *Node) defragment() error {
	if !n.tasks.Enter() {
		return api.ErrStopped
	}
	defer n.tasks.Leave()
	start := time.Now()
	n.log.Info("starting defragment")
	n.metrics.defragmenting.Inc()
	defer n.metrics.defragmenting.Dec()
	n.flush()
	n.commitMu.Lock()
	defer n.commitMu.Unlock()
	n.mu.RLock()
	d, err := n.state.BeginDefrag()
	before := n.state.Store.Backend.Store().Size()
	n.mu.RUnlock()
	if err == nil {
		err = d.Copy()
	}
	if err != nil {
		n.log.Warn("failed to defragment", zap.Error(err))
		return err
	}
	if err := n.exchange(d); err != nil {
		return err
	}
	n.metrics.defrag.Observe(time.Since(start).Seconds())
	n.mu.RLock()
	after := n.state.Store.Backend.Store().Size()
	n.mu.RUnlock()
	n.log.Info("finished defragment", zap.Int64("bytes-before", before), zap.Int64("bytes-after", after), zap.Duration("took", time.Since(start)))
	return nil
}

// exchange makes the copy the database. Some errors are the end of the member.
func (n *Node) exchange(d *driver.Defrag) error {
	final, err := d.Rename()
	var old backend.Store
	if err == nil {
		final = true
		n.mu.Lock()
		if old, err = n.state.EndDefrag(d); err == nil {
			n.measure()
		}
		n.mu.Unlock()
	}
	if err != nil {
		if final {
			n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
		}
		return err
	}
	n.retired.Go(func() { // waits for readers of the old file
		if err := old.Close(); err != nil {
			n.log.Warn("failed to close the old database", zap.Error(err))
		}
	})
	return nil
}
