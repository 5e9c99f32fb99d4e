//go:build !js

package bolt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"vitrine/core/backend"
)

// Options of a database file. The zero value is etcd's default.
type Options struct {
	// MmapSize is the address space to map, in bytes; 0 means 10 GiB. A file
	// that was larger than a quarter of it gets four times its size. Mapping
	// costs no memory, but growing beyond it needs a moment without readers
	// (see DB.Grow), so it should hold the largest file expected.
	MmapSize int64
	// NoSync leaves out every fsync. A crash of the machine then loses or
	// damages the file.
	NoSync bool
	// LockTimeout bounds the wait for another process's lock; 0 waits forever.
	LockTimeout time.Duration
}

const (
	defaultMmapSize = 10 << 30
	keyFillPercent  = 0.9
	fileMode        = 0o600
	growth          = 4 // mapping size by file size, when the file is opened
)

// DB is a backend.Store in a bbolt file.
type DB struct {
	db      *bbolt.DB
	path    string
	options Options
	names   [][]byte // by backend.Bucket
	size    atomic.Int64
	inUse   atomic.Int64
	readers atomic.Int64 // transactions that views and snapshots hold
}

var (
	_ backend.Store  = (*DB)(nil)
	_ backend.Grower = (*DB)(nil)
)

// Open opens or creates the file at path and its buckets, and locks it.
func Open(path string, o Options) (*DB, error) {
	if o.MmapSize == 0 {
		o.MmapSize = defaultMmapSize
	}
	d := &DB{path: path, options: o}
	for _, b := range backend.Buckets() {
		d.names = append(d.names, []byte(b.Name()))
	}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("bolt: open %s: %w", path, err)
	}
	return d, nil
}

func (d *DB) open() error {
	if info, err := os.Stat(d.path); err == nil {
		d.options.MmapSize = max(d.options.MmapSize, growth*info.Size())
	}
	db, err := bbolt.Open(d.path, fileMode, &bbolt.Options{
		Timeout:         d.options.LockTimeout,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: int(d.options.MmapSize),
		// bbolt maps anew when the file outgrows the mapping, and waits for all
		// read transactions first: the shared one would make it wait for ever.
		// With this bound it returns an error instead.
		MaxSize:    int(d.options.MmapSize) - 1,
		MmapFlags:  populate,
		NoSync:     d.options.NoSync,
		NoGrowSync: d.options.NoSync,
	})
	if err != nil {
		return err
	}
	d.db = db
	if err := d.createBuckets(); err != nil {
		db.Close()
		return err
	}
	return nil
}

// Grow implements backend.Grower: it closes the file and maps it anew with at
// least twice the room. It must not run beside View or Snapshot.
func (d *DB) Grow() error {
	if d.readers.Load() > 0 {
		return backend.ErrBusy
	}
	if err := d.db.Close(); err != nil {
		return err
	}
	d.options.MmapSize *= 2
	if err := d.open(); err != nil {
		return fmt.Errorf("bolt: open %s: %w", d.path, err)
	}
	return nil
}

// createBuckets writes nothing if all buckets are there.
func (d *DB) createBuckets() error {
	missing := false
	err := d.db.View(func(tx *bbolt.Tx) error {
		for _, name := range d.names {
			missing = missing || tx.Bucket(name) == nil
		}
		d.measure(tx)
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return d.update(func(tx *bbolt.Tx) error {
		for _, name := range d.names {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// update runs fn in a write transaction and notes the sizes it leaves behind.
func (d *DB) update(fn func(tx *bbolt.Tx) error) error {
	if err := d.db.Update(fn); err != nil {
		return err
	}
	return d.db.View(func(tx *bbolt.Tx) error {
		d.measure(tx)
		return nil
	})
}

func (d *DB) measure(tx *bbolt.Tx) {
	free := int64(d.db.Stats().FreePageN) * int64(d.db.Info().PageSize)
	d.size.Store(tx.Size())
	d.inUse.Store(tx.Size() - free)
}

// Commit implements backend.Store.
func (d *DB) Commit(ops []backend.Op) error {
	err := d.update(func(tx *bbolt.Tx) error {
		for len(ops) > 0 {
			id := ops[0].Bucket
			bucket := tx.Bucket(d.names[id])
			if id == backend.Key {
				bucket.FillPercent = keyFillPercent
			}
			for len(ops) > 0 && ops[0].Bucket == id {
				var err error
				if ops[0].Delete {
					err = bucket.Delete(ops[0].Key)
				} else {
					err = bucket.Put(ops[0].Key, ops[0].Value)
				}
				if err != nil {
					return fmt.Errorf("bolt: bucket %s: %w", id, err)
				}
				ops = ops[1:]
			}
		}
		return nil
	})
	if errors.Is(err, bbolterrors.ErrMaxSizeReached) {
		return fmt.Errorf("%w: %d bytes", backend.ErrFull, d.options.MmapSize)
	}
	return err
}

// Size implements backend.Store: the file's pages, free or not.
func (d *DB) Size() int64 { return d.size.Load() }

// SizeInUse implements backend.Store.
func (d *DB) SizeInUse() int64 { return d.inUse.Load() }

// OpenReads is how many read transactions are open.
func (d *DB) OpenReads() int64 { return d.readers.Load() }

// Path is the file's name.
func (d *DB) Path() string { return d.path }

// Close implements backend.Store. It waits for open views.
func (d *DB) Close() error { return d.db.Close() }

// View implements backend.Store.
func (d *DB) View() (backend.StoreView, error) {
	tx, err := d.db.Begin(false)
	if err != nil {
		return nil, err
	}
	d.readers.Add(1)
	s := &shared{db: d, tx: tx, buckets: make([]*bbolt.Bucket, len(d.names))}
	for i, name := range d.names {
		s.buckets[i] = tx.Bucket(name) // looked up once: the tx's own cache is not for concurrent use
	}
	s.refs.Store(1)
	return &view{shared: s}, nil
}

// Snapshot implements backend.Store.
func (d *DB) Snapshot() (backend.Snapshot, error) {
	v, err := d.View()
	if err != nil {
		return nil, err
	}
	return &snapshot{view: v.(*view)}, nil
}

// shared is one read transaction with its readers counted.
type shared struct {
	db      *DB
	tx      *bbolt.Tx
	buckets []*bbolt.Bucket
	refs    atomic.Int64
}

// view is one reader's handle on a shared transaction.
type view struct {
	*shared
	closed bool
}

func (v *view) Get(b backend.Bucket, key []byte) []byte { return v.buckets[b].Get(key) }

func (v *view) Range(b backend.Bucket, start, end []byte, fn func(k, v []byte) bool) {
	c := v.buckets[b].Cursor()
	for k, val := c.Seek(start); k != nil && (end == nil || string(k) < string(end)); k, val = c.Next() {
		if !fn(k, val) {
			return
		}
	}
}

func (v *view) Retain() backend.StoreView {
	v.refs.Add(1)
	return &view{shared: v.shared}
}

func (v *view) Snapshot() (backend.Snapshot, error) {
	return &snapshot{view: v.Retain().(*view)}, nil
}

func (v *view) Close() {
	if v.closed {
		return
	}
	v.closed = true
	if v.refs.Add(-1) == 0 {
		// Rollback of a read transaction fails only if it has ended already.
		if err := v.tx.Rollback(); err != nil {
			panic(fmt.Sprintf("bolt: end read transaction: %v", err))
		}
		v.db.readers.Add(-1)
	}
}

// snapshot streams the file as its transaction sees it.
type snapshot struct{ view *view }

func (s *snapshot) Size() int64 { return s.view.tx.Size() }

func (s *snapshot) WriteTo(w io.Writer) (int64, error) { return s.view.tx.WriteTo(w) }

func (s *snapshot) Close() error {
	s.view.Close()
	return nil
}
