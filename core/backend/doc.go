// Package backend keeps a member's state in ordered buckets of keys and values
// and makes it durable together with the raft index that produced it.
//
// A Batch is everything one raft entry changed: data and the entry's index and
// term. There is no other way to save either, so the index on disk can never
// run ahead of, or lag behind, the data it stands for.
//
//	batch := backend.NewBatch()
//	batch.Reset(backend.Applied{Index: 7, Term: 2})
//	batch.Put(backend.Key, key, value)
//	b.Write(batch)             // visible at once, in memory
//	if c := b.BeginCommit(); c != nil {
//		b.EndCommit(c, c.Run()) // durable; Run may happen on another goroutine
//	}
//
// # Three layers
//
// A Backend is a write buffer in front of a Store, and every read merges what
// it finds, newest first:
//
//	front   the batches written since the last BeginCommit
//	frozen  what the commit in flight is carrying to the Store; immutable
//	base    a read view of the Store as of the last finished commit
//
// The base is renewed by EndCommit and nowhere else, and frozen is dropped in
// the same moment. So while a commit runs it does not matter whether the Store
// has taken it yet: readers see it in frozen.
//
// A buffer holds, for each bucket, an append-only run of ascending keys (the
// key bucket is written in revision order, so nearly all of it lands there)
// and a tree for everything out of order. Handing a stable image of the run to
// a View costs a slice header; the tree is cloned copy-on-write, and only if
// something was written to it since the last View.
//
// # Who may call what
//
// There are no locks. The owner serialises Write, BeginCommit, EndCommit and
// View. Get and Range on the current state are safe for any number of readers
// as long as the owner does none of these. Commit.Run touches only the frozen
// buffer and the Store and may run beside everything else. A View may be used
// and closed anywhere, at any time, by one goroutine at a time.
//
// Keys and values that a read returns belong to the backend: they must not be
// changed, and are valid until the View is closed or, for reads on the current
// state, until the owner's next call. Copy what is to be kept.
//
// # Stores
//
// Mem (this package) keeps immutable images, so a crash image costs a pointer;
// the bolt package keeps etcd's own database file. One metamorphic test runs
// the same operations against both and against a plain map.
package backend
