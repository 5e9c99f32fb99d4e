package disk

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// ErrImageSize is a database from a peer that is too large.
var ErrImageSize = errors.New("the database is larger than a member of this cluster can have")

// DropImage removes a received database that nobody wants. It can be large, so that it takes a while.
func (d *Disk) DropImage(index uint64) error { return d.files.DropImage(index) }

// Save puts the database that comes with m into a file, and tells of its progress; total is how large it will be, 0 =
// nobody knows.
func (d *Disk) Save(pen func(cause uint64) *trace.Tracer, cause uint64, m *raftpb.Message, total int64,
	image io.Reader) (int64, error) {
	index := m.GetSnapshot().GetMetadata().GetIndex()
	r, err := d.files.Receive(index, d.receipts.Add(1), limits.ImageBytes(d.cfg.QuotaBytes))
	if err != nil {
		return 0, err
	}
	if pen(cause).On() {
		r.Told(pen, cause, m.GetFrom(), total)
	}
	if _, err := io.Copy(r, d.boundedImage(image)); err != nil {
		return r.Size(), errors.Join(err, r.Abort())
	}
	start := time.Now()
	err = r.Sync()
	d.metrics.ImageSync.Observe(time.Since(start).Seconds())
	if err == nil {
		err = r.Keep()
	}
	if err != nil {
		return r.Size(), err
	}
	d.metrics.ImageSave.Observe(time.Since(start).Seconds())
	d.log.Info("saved database snapshot to disk", zap.Int64("bytes", r.Size()), zap.Uint64("snapshot-index", index))
	return r.Size(), nil
}

// boundedImage ends an image with an error where it becomes too large, for a member or for the disk.
func (d *Disk) boundedImage(image io.Reader) io.Reader {
	return &boundedReader{
		r:     image,
		limit: limits.ImageBytes(d.cfg.QuotaBytes),
		free:  func() (int64, error) { return freeBytes(d.files.Layout.Snap) },
	}
}

type boundedReader struct {
	r           io.Reader
	size, limit int64
	looked      int64 // size as of the last look at the disk
	free        func() (int64, error)
}

// lookEvery is how many bytes may be written between two looks at the disk's space.
const lookEvery = limits.ImageReserveBytes / 4

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.size >= b.looked {
		b.looked = b.size + lookEvery
		switch free, err := b.free(); {
		case err != nil:
			return 0, err
		case free < limits.ImageReserveBytes:
			return 0, fmt.Errorf(
				"the database would leave %d bytes on the disk, the log needs %d: %w",
				free,
				int64(limits.ImageReserveBytes),
				syscall.ENOSPC,
			)
		}
	}
	n, err := b.r.Read(p)
	if b.size += int64(n); b.size > b.limit {
		return 0, fmt.Errorf("%w: the limit is %d bytes", ErrImageSize, b.limit)
	}
	return n, err
}

// freeBytes is the space that is left where dir is.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("cannot find the space on the disk of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// Install makes a received database the store: see driver.Disk.Adopt.
func (d *Disk) Install(s *raftpb.Snapshot, applied uint64) (*store.Result, error) {
	index := s.GetMetadata().GetIndex()
	d.log.Info(
		"applying snapshot",
		zap.Uint64("current-applied-index", applied),
		zap.Uint64("incoming-leader-snapshot-index", index),
		zap.Uint64("incoming-leader-snapshot-term", s.GetMetadata().GetTerm()),
	)
	d.metrics.Installing.Inc()
	defer d.metrics.Installing.Dec()
	d.commitMu.Lock() // no commit of the old backend is in flight from here on
	defer d.commitMu.Unlock()
	fresh, err := d.files.Adopt(index)
	if err != nil {
		return nil, fmt.Errorf("cannot install the snapshot at %d: %w", index, err)
	}
	d.log.Info("applySnapshot: opened snapshot backend")
	d.mu.Lock()
	old, err := d.state.Exchange(fresh)
	if err == nil {
		d.measure()
		d.users.Store(fresh.Auth.Enabled())
	}
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d.retired.Go(func() { // waits for readers of the old database
		if err := old.Backend.Close(); err != nil {
			d.log.Warn("failed to close old backend", zap.Error(err))
		}
	})
	r := driver.Installed(fresh)
	if err := d.files.DropImages(r.Index); err != nil {
		d.log.Warn("failed to remove a received database", zap.Error(err)) // the next start tries again
	}
	d.keeper.wake()
	d.log.Info(
		"applied snapshot",
		zap.Uint64("incoming-leader-snapshot-index", index),
		zap.Uint64("current-applied-index", r.Index),
		zap.Int64("revision", r.Revision),
	)
	return r, nil
}
