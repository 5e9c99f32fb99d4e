package backend

import (
	"fmt"

	"vitrine/core/invariant"
)

// Backend is a write buffer in front of a Store. See the package comment for
// who may call what.
type Backend struct {
	store   Store
	base    StoreView // of the store, as of the last finished commit
	front   *buffer
	frozen  *buffer // what the commit in flight carries; nil if none is
	image   *buffer // of front, for views; nil when front has changed since
	applied Applied // of everything written
	durable Applied // of base
	err     error   // the commit that failed
}

// New reads the saved position of s and puts an empty buffer in front of it.
func New(s Store) (*Backend, error) {
	base, err := s.View()
	if err != nil {
		return nil, fmt.Errorf("backend: open view: %w", err)
	}
	applied, err := readApplied(base)
	if err != nil {
		base.Close()
		return nil, err
	}
	return &Backend{store: s, base: base, front: &buffer{}, applied: applied, durable: applied}, nil
}

// Store is the durable half, for its sizes.
func (b *Backend) Store() Store { return b.store }

// Applied is the position of what is written, durable or not.
func (b *Backend) Applied() Applied { return b.applied }

// Durable is the position that a crash would leave at least.
func (b *Backend) Durable() Applied { return b.durable }

// Err is the error of the commit that failed, if one did. From then on nothing
// becomes durable any more and the process has to stop.
func (b *Backend) Err() error { return b.err }

// Write applies a batch atomically. It is visible at once and durable after a
// later commit. The bytes in the batch now belong to the backend, the Batch
// itself may be reused.
func (b *Backend) Write(batch *Batch) {
	a := batch.applied
	invariant.Assert(a.Index == 0 || a.Index >= b.applied.Index, "backend: the applied index went back")
	if len(batch.ops) == 0 && a == (Applied{}) {
		return
	}
	b.image = nil
	b.applied = b.applied.merge(a)
	b.front.applied = b.front.applied.merge(a)
	for _, op := range batch.ops {
		b.front.buckets[op.Bucket].set(entry{key: op.Key, value: op.Value, deleted: op.Delete})
	}
	b.front.ops += len(batch.ops)
}

// Pending is the number of changes that no commit has taken yet.
func (b *Backend) Pending() int { return b.front.ops }

// Committing says whether a commit is in flight.
func (b *Backend) Committing() bool { return b.frozen != nil }

// Commit carries a frozen buffer to the store.
type Commit struct {
	store  Store
	frozen *buffer
}

// BeginCommit freezes what is written so far. It returns nil if there is
// nothing to do, a commit is in flight, or an earlier one failed.
func (b *Backend) BeginCommit() *Commit {
	if b.frozen != nil || b.err != nil || b.front.empty() {
		return nil
	}
	b.frozen, b.front, b.image = b.front, &buffer{}, nil
	return &Commit{store: b.store, frozen: b.frozen}
}

// Ops is the number of changes that the commit carries.
func (c *Commit) Ops() int { return c.frozen.ops }

// Applied is the position that will be durable when the commit is.
func (c *Commit) Applied() Applied { return c.frozen.applied }

// Run makes the frozen buffer durable. It may run on any goroutine.
func (c *Commit) Run() error { return c.store.Commit(c.frozen.list()) }

// EndCommit takes the result of Run back on the owner's side. An error is
// final: it is also returned by Err, and no further commit begins.
func (b *Backend) EndCommit(c *Commit, err error) {
	invariant.Assert(c.frozen == b.frozen, "backend: the commit that ended is not the one in flight")
	if err != nil {
		b.err = fmt.Errorf("backend: commit: %w", err)
		return
	}
	base, err := b.store.View()
	if err != nil {
		b.err = fmt.Errorf("backend: open view: %w", err)
		return
	}
	b.base.Close()
	b.base = base
	b.durable = b.durable.merge(c.frozen.applied)
	b.frozen = nil
}

// Flush commits everything written so far and waits for it; no commit may be
// in flight.
func (b *Backend) Flush() error {
	invariant.Assert(b.frozen == nil || b.err != nil, "backend: flush beside a commit in flight")
	if c := b.BeginCommit(); c != nil {
		b.EndCommit(c, c.Run())
	}
	return b.err
}

// Snapshot is an image of what is durable, with its position. Flush first for
// an image of everything.
func (b *Backend) Snapshot() (Snapshot, Applied, error) {
	s, err := b.base.Snapshot()
	return s, b.durable, err
}

// Close releases the base view and closes the store. What is not committed is
// lost, as in a crash.
func (b *Backend) Close() error {
	b.base.Close()
	return b.store.Close()
}

func (b *Backend) current() layers {
	return layers{front: b.front, frozen: b.frozen, base: b.base}
}

// Get returns the value of key in the current state, nil if there is none.
func (b *Backend) Get(bucket Bucket, key []byte) []byte {
	l := b.current()
	return l.get(bucket, key)
}

// Range calls fn for the pairs in [start, end) of the current state in key
// order, for at most limit pairs if limit > 0, until fn returns false. A nil
// end means to the end of the bucket.
func (b *Backend) Range(bucket Bucket, start, end []byte, limit int, fn func(k, v []byte) bool) {
	l := b.current()
	l.scan(bucket, start, end, limit, fn)
}

// View is a stable image of everything written at the time it was opened. It
// stays the same while the owner writes and commits on, and must be closed.
type View interface {
	Get(b Bucket, key []byte) []byte
	Range(b Bucket, start, end []byte, limit int, fn func(k, v []byte) bool)
	Close()
}

type view struct{ layers }

// View opens a View. Opening is the owner's call; using and closing is not.
func (b *Backend) View() View {
	if b.image == nil {
		b.image = b.front.image()
	}
	return &view{layers{front: b.image, frozen: b.frozen, base: b.base.Retain()}}
}

func (v *view) Get(b Bucket, key []byte) []byte { return v.get(b, key) }

func (v *view) Range(b Bucket, start, end []byte, limit int, fn func(k, v []byte) bool) {
	v.scan(b, start, end, limit, fn)
}

func (v *view) Close() {
	if v.base != nil {
		v.base.Close()
		v.base = nil
	}
}
