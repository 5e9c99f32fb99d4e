//go:build !js

package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"vitrine/core/backend"
	"vitrine/core/invariant"
)

// Options of a database file. The zero value is etcd's default.
type Options struct {
	// MmapSize is the address space to map, in bytes; 0 means 10 GiB. A file
	// that was larger than a quarter of it gets four times its size. Mapping
	// costs no memory, but growing beyond it needs a moment without readers
	// (see DB.Grow), so it should hold the largest file expected. Less than
	// 64 KiB is taken for 64 KiB, which a new file needs.
	MmapSize int64
	// NoSync leaves out every fsync. A crash of the machine then loses or
	// damages the file.
	NoSync bool
	// ArrayFreelist keeps free pages in an array and not in a map; Mlock keeps the file's pages in memory.
	ArrayFreelist, Mlock bool
	// ReadOnly opens a file that must exist, and never writes to it. Buckets that it lacks are empty.
	ReadOnly bool
	// Damaged is called, on any goroutine, when a read meets damage that was not there when the file was opened. The
	// error wraps ErrDamaged. A read has no way to return it, and nothing that it could return would be true: Damaged
	// should end the process. If it returns, or is nil, the read panics with the error.
	Damaged func(error)
}

const (
	defaultMmapSize = 10 << 30
	leastMmapSize   = 64 << 10
	keyFillPercent  = 0.9
	fileMode        = 0o600
	growth          = 4 // mapping size by file size, when the file is opened
)

// DB is a backend.Store in a bbolt file.
type DB struct {
	db      *bbolt.DB
	path    string
	file    *os.File
	data    uintptr // where the file is mapped
	stuck   bool    // a commit is running, or has ended in a panic
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

// Open locks the file at path, checks it (see CheckFile) and opens it, or creates it with its buckets.
func Open(path string, o Options) (*DB, error) {
	if o.MmapSize == 0 {
		o.MmapSize = defaultMmapSize
	}
	o.MmapSize = max(o.MmapSize, leastMmapSize)
	d := &DB{path: path, options: o}
	for _, b := range backend.Buckets() {
		d.names = append(d.names, []byte(b.Name()))
	}
	if err := d.open(true); err != nil {
		return nil, err
	}
	return d, nil
}

// open checks the file first if it is not one of this process.
func (d *DB) open(check bool) (err error) {
	defer d.caught(&err)()
	f, size, err := d.lock()
	if err != nil {
		return err
	}
	if check && size > 0 {
		if err := CheckFile(f, d.path, size); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	d.options.MmapSize = max(d.options.MmapSize, growth*size)
	db, err := bbolt.Open(d.path, fileMode, &bbolt.Options{
		ReadOnly:        d.options.ReadOnly,
		Timeout:         1, // whoever wants to wait for a lock tries again
		NoFreelistSync:  true,
		FreelistType:    d.freelist(),
		Mlock:           d.options.Mlock,
		InitialMmapSize: int(d.options.MmapSize),
		// bbolt maps anew when the file outgrows the mapping, and waits for all
		// read transactions first: the shared one would make it wait for ever.
		// With this bound it returns an error instead.
		MaxSize:    int(d.options.MmapSize) - 1,
		MmapFlags:  populate,
		NoSync:     d.options.NoSync,
		NoGrowSync: d.options.NoSync,
		OpenFile:   openOnce(f),
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		err = ErrLocked
	}
	if err != nil {
		return fmt.Errorf("bolt: open %s: %w", d.path, err)
	}
	d.db, d.file, d.data = db, f, db.Info().Data
	if err := d.createBuckets(); err != nil {
		return errors.Join(fmt.Errorf("bolt: open %s: %w", d.path, err), db.Close())
	}
	return nil
}

func (d *DB) freelist() bbolt.FreelistType {
	if d.options.ArrayFreelist {
		return bbolt.FreelistArrayType
	}
	return bbolt.FreelistMapType
}

// ErrLocked is wrapped by the error of an Open that another process keeps from its lock.
var ErrLocked = errors.New("the file is locked by another process")

// lock opens the file and locks it before anybody reads it: a process that has it may just be writing.
func (d *DB) lock() (f *os.File, size int64, err error) {
	flag := os.O_RDWR | os.O_CREATE
	if d.options.ReadOnly {
		flag = os.O_RDONLY
	}
	if f, err = os.OpenFile(d.path, flag, fileMode); err != nil {
		return nil, 0, fmt.Errorf("bolt: %w", err)
	}
	err = lockFile(f, d.options.ReadOnly)
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil {
			return f, info.Size(), nil
		}
	}
	return nil, 0, errors.Join(fmt.Errorf("bolt: open %s: %w", d.path, err), f.Close())
}

// openOnce hands bbolt the file that is locked and checked; later it opens the file anew for each copy that it makes.
func openOnce(f *os.File) func(string, int, os.FileMode) (*os.File, error) {
	return func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if first := f; first != nil {
			f = nil
			return first, nil
		}
		return os.OpenFile(name, flag, mode)
	}
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
	return d.open(false)
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
	if err != nil || !missing || d.options.ReadOnly {
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

// update runs fn in a write transaction and notes the sizes it leaves behind. A panic leaves the transaction open: to
// end it bbolt would read all pages again, on goroutines where nothing guards them.
func (d *DB) update(fn func(tx *bbolt.Tx) error) (err error) {
	defer d.caught(&err)()
	d.stuck = true
	tx, err := d.db.Begin(true)
	if err == nil {
		if err = fn(tx); err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
	}
	d.stuck = false
	if err != nil {
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

// Phases are what commits took since the database was opened, by what bbolt did.
type Phases struct{ Rebalance, Spill, Write time.Duration }

// Phases of all commits so far.
func (d *DB) Phases() Phases {
	s := d.db.Stats().TxStats
	return Phases{s.GetRebalanceTime(), s.GetSpillTime(), s.GetWriteTime()}
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

// Renamed tells the database that its file has another name now. It must not run
// beside Grow.
func (d *DB) Renamed(path string) { d.path = path }

// Path is the file's name.
func (d *DB) Path() string { return d.path }

// Close implements backend.Store. It waits for open views. After a panic in a commit it lets the lock go and no more:
// the transaction is still open, and the process is about to end.
func (d *DB) Close() error {
	if d.stuck {
		return d.file.Close()
	}
	return d.db.Close()
}

// View implements backend.Store.
func (d *DB) View() (_ backend.StoreView, err error) {
	defer d.caught(&err)()
	tx, err := d.db.Begin(false)
	if err != nil {
		return nil, err
	}
	d.readers.Add(1)
	s := &shared{db: d, tx: tx, buckets: make([]*bbolt.Bucket, len(d.names)), cursors: make([]sync.Pool, len(d.names))}
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
	cursors []sync.Pool // of each bucket, to be used again: a new one takes four allocations a read
	refs    atomic.Int64
}

// view is one reader's handle on a shared transaction.
type view struct {
	*shared
	closed bool
}

func (v *view) Get(b backend.Bucket, key []byte) []byte {
	if v.buckets[b] == nil {
		return nil
	}
	r := v.reading()
	defer r.end()
	c, ok := v.cursors[b].Get().(*bbolt.Cursor)
	if !ok {
		c = v.buckets[b].Cursor()
	}
	k, value := c.Seek(key)
	v.cursors[b].Put(c)
	if !bytes.Equal(k, key) {
		return nil
	}
	touch(value)
	return value
}

func (v *view) Range(b backend.Bucket, start, end []byte, fn func(k, v []byte) bool) {
	if v.buckets[b] == nil {
		return
	}
	r := v.reading()
	defer r.end()
	c := v.buckets[b].Cursor()
	for k, value := c.Seek(start); k != nil && (end == nil || string(k) < string(end)); k, value = c.Next() {
		r.bbolt = false
		if !fn(k, value) {
			return
		}
		r.bbolt = true
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
		err := v.tx.Rollback()
		invariant.Assert(err == nil, "bolt: a read transaction has ended before its last reader")
		v.db.readers.Add(-1)
	}
}

// snapshot streams the file as its transaction sees it.
type snapshot struct{ view *view }

func (s *snapshot) Size() int64 { return s.view.tx.Size() }

// WriteTo reads the file itself, not the mapping.
func (s *snapshot) WriteTo(w io.Writer) (int64, error) { return s.view.tx.WriteTo(w) }

func (s *snapshot) Close() error {
	s.view.Close()
	return nil
}
