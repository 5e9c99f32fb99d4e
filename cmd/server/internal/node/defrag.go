package node

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
	"vitrine/core/member"
	"vitrine/core/pb"
)

// defragment rewrites the database without its free pages. Only commits wait for it:
// writes go on into the buffer in front, reads go on from the old file, and the exchange
// takes a moment.
func (n *Node) defragment() (*pb.DefragmentResponse, error) {
	if !n.tasks.Enter() {
		return nil, api.ErrStopped
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
	db, ok := n.store.Backend.Store().(*bolt.DB)
	n.mu.RUnlock()
	if !ok {
		return nil, errors.New("node: this backend has no file")
	}
	before := db.Size()
	tmp := n.dirs.db() + ".tmp.defragment"
	if err := db.CompactTo(tmp); err != nil {
		n.log.Warn("failed to defragment", zap.Error(err))
		return nil, err
	}
	if err := n.exchange(tmp); err != nil {
		return nil, err
	}
	n.metrics.defrag.Observe(time.Since(start).Seconds())
	n.mu.RLock()
	after := n.store.Backend.Store().Size()
	n.mu.RUnlock()
	n.log.Info("finished defragment", zap.Int64("bytes-before", before), zap.Int64("bytes-after", after), zap.Duration("took", time.Since(start)))
	return &pb.DefragmentResponse{}, nil
}

// exchange makes the copy the database. From the rename on the old file has no name, so
// what would be committed to it would be lost: any error then is the end of the member.
func (n *Node) exchange(tmp string) error {
	if err := os.Rename(tmp, n.dirs.db()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	old, err := n.openCopy()
	if err != nil {
		err = fmt.Errorf("node: cannot go on with the defragmented database: %w", err)
		n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
		return err
	}
	n.retired.Go(func() { // waits for readers of the old file
		if err := old.Close(); err != nil {
			n.log.Warn("failed to close the old database", zap.Error(err))
		}
	})
	return nil
}

func (n *Node) openCopy() (old backend.Store, err error) {
	if err := syncDir(n.dirs.snap); err != nil {
		return nil, err
	}
	db, err := n.openDB()
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if old, err = n.store.Backend.Replace(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	n.measure()
	return old, nil
}
