package disk

import (
	"time"

	"go.uber.org/zap"

	"vitrine/core/consensus"
)

// WriteGroup writes what waits for the log in one write and one sync. Only the log lane calls it.
func (d *Disk) WriteGroup(group []consensus.LogWrite) error {
	start := time.Now()
	d.pens.begin(d.pens.Log, group[len(group)-1].Cause)
	mustSync, err := d.journal.Append(group)
	d.metrics.WALWrite.Observe(time.Since(start).Seconds())
	d.metrics.WALBytes.Set(float64(d.journal.Bytes()))
	if err != nil {
		return err
	}
	if mustSync {
		start = time.Now()
		err = d.journal.Sync()
		took := time.Since(start)
		d.metrics.WALSync.Observe(took.Seconds())
		if took > slowSync {
			d.log.Warn("slow fdatasync", zap.Duration("took", took), zap.Duration("expected-duration", slowSync))
		}
		if err != nil {
			return err
		}
	}
	for i := range group {
		if m := group[i].Mark; m != nil {
			d.log.Info("saved snapshot to disk", zap.Uint64("snapshot-index", m.GetIndex()))
		}
	}
	return d.journal.Finish(group)
}

// slowSync is the fsync from which the log says so.
const slowSync = time.Second
