package disk

import (
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/driver"
	"vitrine/core/member"
)

// Defragment rewrites the database without its free pages. Only commits wait for it:
// writes go on into the buffer in front, reads go on from the old file, and the exchange
// takes a moment.
func (d *Disk) Defragment() error {
	if !d.readers.Enter() {
		return api.ErrStopped
	}
	defer d.readers.Leave()
	start := time.Now()
	d.log.Info("starting defragment")
	d.metrics.Defragmenting.Inc()
	defer d.metrics.Defragmenting.Dec()
	if tell := d.cfg.Defragmenting; tell != nil {
		tell(true)
		defer tell(false)
	}
	d.Flush()
	d.commitMu.Lock()
	defer d.commitMu.Unlock()
	d.mu.RLock()
	copied, err := d.state.BeginDefrag()
	before := d.state.Store.Backend.Store().Size()
	d.mu.RUnlock()
	if err == nil {
		err = copied.Copy()
	}
	if err != nil {
		d.log.Warn("failed to defragment", zap.Error(err))
		return err
	}
	if err := d.exchange(copied); err != nil {
		return err
	}
	d.metrics.Defrag.Observe(time.Since(start).Seconds())
	d.mu.RLock()
	after := d.state.Store.Backend.Store().Size()
	d.mu.RUnlock()
	d.log.Info(
		"finished defragment",
		zap.Int64("bytes-before", before),
		zap.Int64("bytes-after", after),
		zap.Duration("took", time.Since(start)),
	)
	return nil
}

// exchange makes the copy the database. Some errors are the end of the member.
func (d *Disk) exchange(copied *driver.Defrag) error {
	final, err := copied.Rename()
	var old backend.Store
	if err == nil {
		final = true
		d.mu.Lock()
		if old, err = d.state.EndDefrag(copied); err == nil {
			d.measure()
		}
		d.mu.Unlock()
	}
	if err != nil {
		if final {
			d.report(member.Input{Kind: member.LogFailed, Err: err})
		}
		return err
	}
	d.retired.Go(func() { // waits for readers of the old file
		if err := old.Close(); err != nil {
			d.log.Warn("failed to close the old database", zap.Error(err))
		}
	})
	return nil
}

// DefragmentAtStart does so if it frees what the operator demands. The commit lane must run.
func (d *Disk) DefragmentAtStart() {
	least := d.cfg.DefragAtStart
	if least <= 0 {
		return
	}
	d.mu.RLock()
	db := d.state.Store.Backend.Store()
	size, inUse := db.Size(), db.SizeInUse()
	d.mu.RUnlock()
	if size-inUse < least {
		d.log.Info("Skipping defragmentation", zap.Int64("current-db-size-bytes", size),
			zap.Int64("current-db-size-in-use-bytes", inUse), zap.Int64("bootstrap-defrag-threshold-bytes", least))
		return
	}
	_ = d.Defragment() // it says what is wrong, and nothing is lost
}
