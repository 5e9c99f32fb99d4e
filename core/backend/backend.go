package backend

import (
	"errors"
	"fmt"

	"vitrine/core/invariant"
	"vitrine/core/mutant"

	"go.etcd.io/raft/v3/raftpb"
)

// Backend is a write buffer in front of a Store. See the package comment for
// who may call what.
type Backend struct {
	store   Store
	base    StoreView // of the store, as of the last finished commit
	front   *buffer
	frozen  *buffer // what the commit in flight carries; nil if none is
	again   bool    // frozen waits for another attempt, none is in flight
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
	applied, err := ReadApplied(base)
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

// SetConfState says which configuration belongs to the position that New found.
// Whoever knows the members says it, before the first Write. It is not read
// from meta: there it is written for etcd, which never reads it at a start, and
// the tools that restore a snapshot leave the configuration of the old cluster.
func (b *Backend) SetConfState(cs *raftpb.ConfState) {
	b.applied.ConfState, b.durable.ConfState = cs, cs
}

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
	if mutant.On(mutant.AppliedFirst) && b.frozen != nil {
		b.frozen.applied = b.frozen.applied.merge(a)
	}
	invariant.Assert(a.Index == 0 || a.Term >= b.applied.Term, "backend: the term of what is applied falls")
	b.applied = b.applied.merge(a)
	b.front.applied = b.front.applied.merge(a)
	for _, op := range batch.ops {
		b.front.buckets[op.Bucket].set(entry{key: op.Key, value: op.Value, deleted: op.Delete})
	}
	b.front.ops += len(batch.ops)
}

// Pending is the number of changes that no commit has taken yet.
func (b *Backend) Pending() int { return b.front.ops }

// Buffered says whether something is written that no commit has taken yet.
func (b *Backend) Buffered() bool { return !b.front.empty() }

// Committing says whether a commit is in flight.
func (b *Backend) Committing() bool { return b.frozen != nil && !b.again }

// Commit carries a frozen buffer to the store.
type Commit struct {
	store  Store
	frozen *buffer
}

// maxReserve bounds the room that a new buffer reserves, in entries.
const maxReserve = 16 << 10

// BeginCommit freezes what is written so far. It returns nil if there is
// nothing to do, a commit is in flight, or an earlier one failed.
func (b *Backend) BeginCommit() *Commit {
	if b.again && b.err == nil {
		b.again = false
		return &Commit{store: b.store, frozen: b.frozen}
	}
	if b.frozen != nil || b.err != nil || b.front.empty() {
		return nil
	}
	invariant.Assert(b.durable.Index <= b.applied.Index, "backend: more is durable than is applied")
	b.frozen, b.front, b.image = b.front, &buffer{}, nil
	// The next buffer will be about as long.
	b.front.buckets[Key].run = make([]entry, 0, min(len(b.frozen.buckets[Key].run), maxReserve))
	return &Commit{store: b.store, frozen: b.frozen}
}

// Ops is the number of changes that the commit carries.
func (c *Commit) Ops() int { return c.frozen.ops }

// Applied is the position that will be durable when the commit is.
func (c *Commit) Applied() Applied { return c.frozen.applied }

// Run makes the frozen buffer durable. It may run on any goroutine.
func (c *Commit) Run() error { return c.store.Commit(c.frozen.list()) }

// EndCommit takes the result of Run back on the owner's side. An error is
// final: it is also returned by Err, and no further commit begins. The one
// exception is ErrFull: the store grows as soon as no View is open, and until
// that has succeeded the next BeginCommit carries the same changes again.
func (b *Backend) EndCommit(c *Commit, err error) {
	invariant.Assert(c.frozen == b.frozen && !b.again, "backend: the commit that ended is not the one in flight")
	if grower, ok := b.store.(Grower); ok && errors.Is(err, ErrFull) {
		b.grow(grower)
		return
	}
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
	invariant.Assert(c.frozen.applied.Index == 0 || c.frozen.applied.Index >= b.durable.Index,
		"backend: what is durable goes back")
	b.durable = b.durable.merge(c.frozen.applied)
	b.frozen = nil
}

func (b *Backend) grow(g Grower) {
	b.base.Close()
	b.base = nil
	invariant.Assert(b.frozen != nil, "backend: the store grows for nothing")
	err := g.Grow()
	if err == nil || errors.Is(err, ErrBusy) {
		b.base, err = b.store.View()
	}
	if err != nil {
		b.base = noView{}
		b.err = fmt.Errorf("backend: grow: %w", err)
		return
	}
	b.again = true
}

// Flush commits everything written so far and waits for it; no commit may be
// in flight. It returns ErrFull if an open View keeps the store from growing.
func (b *Backend) Flush() error {
	invariant.Assert(!b.Committing() || b.err != nil, "backend: flush beside a commit in flight")
	for range 2 { // a second time if the store had to grow
		if c := b.BeginCommit(); c != nil {
			b.EndCommit(c, c.Run())
		}
	}
	if b.again {
		return ErrFull
	}
	return b.err
}

// Snapshot is an image of what is durable, with its position. Flush first for
// an image of everything.
func (b *Backend) Snapshot() (Snapshot, Applied, error) {
	s, err := b.base.Snapshot()
	if mutant.On(mutant.SnapshotWithoutConfState) {
		return s, Applied{Index: b.durable.Index, Term: b.durable.Term}, err
	}
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
