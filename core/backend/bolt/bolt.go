//go:build !js

package bolt

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"vitrine/core/backend"
)

// Options of a database file. The zero value is etcd's default.
type Options struct {
	// MmapSize is the address space to map, in bytes; 0 means 10 GiB. Growing
	// beyond it needs a moment without readers, so it should hold the largest
	// file expected. It costs no memory.
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
)

// DB is a backend.Store in a bbolt file.
type DB struct {
	db    *bbolt.DB
	path  string
	names [][]byte // by backend.Bucket
	size  atomic.Int64
	inUse atomic.Int64
}

var _ backend.Store = (*DB)(nil)

// Open opens or creates the file at path and its buckets, and locks it.
func Open(path string, o Options) (*DB, error) {
	if o.MmapSize == 0 {
		o.MmapSize = defaultMmapSize
	}
	file, err := bbolt.Open(path, fileMode, &bbolt.Options{
		Timeout:         o.LockTimeout,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: int(o.MmapSize),
		MmapFlags:       populate,
		NoSync:          o.NoSync,
		NoGrowSync:      o.NoSync,
	})
	if err != nil {
		return nil, fmt.Errorf("bolt: open %s: %w", path, err)
	}
	d := &DB{db: file, path: path}
	for _, b := range backend.Buckets() {
		d.names = append(d.names, []byte(b.Name()))
	}
	if err := d.createBuckets(); err != nil {
		file.Close()
		return nil, fmt.Errorf("bolt: open %s: %w", path, err)
	}
	return d, nil
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
	return d.update(func(tx *bbolt.Tx) error {
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
}

// Size implements backend.Store: the file's pages, free or not.
func (d *DB) Size() int64 { return d.size.Load() }

// SizeInUse implements backend.Store.
func (d *DB) SizeInUse() int64 { return d.inUse.Load() }

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
	s := &shared{tx: tx, buckets: make([]*bbolt.Bucket, len(d.names))}
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
