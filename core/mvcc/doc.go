// Package mvcc is the multi-version key-value store: every write makes a new
// revision, every revision can be read until it is compacted.
//
// A Revision is {main, sub}: main counts the entries that changed something,
// sub the changes inside one. The key bucket of the backend maps a revision to
// the KeyValue that it wrote; an index in memory maps a key to its revisions.
// A read asks the index which revisions it needs and fetches those.
//
//	w := s.Begin(batch, false)
//	w.Put(&pb.PutRequest{Key: []byte("a"), Value: []byte("1")})
//	change := w.End() // the new revision is now current
//	b.Write(batch)    // and its data readable
//
//	s.Range(&pb.RangeRequest{Key: []byte("a")})
//
// # Generations
//
// A key lives in generations: a put opens one, further puts extend it, a
// delete ends it with a tombstone. Create revision and version belong to the
// generation. For a key put at 2 and 4, deleted at 5 and put at 9:
//
//	generation 1: created 2, {2,0} {4,0} {5,0} tombstone
//	generation 2: created 9, {9,0}
//
// # Compaction
//
// Compact(5) forgets what nobody at revision 5 or later can see: for each key
// all revisions before the newest one at or before 5. It only marks the start;
// CompactStep does the work in steps of bounded length, first over the index
// and then over the bucket, and picks up after a restart where it was.
//
// # Readers
//
// Range and Txn on the Store read the current state and may run beside each
// other, but not beside a writer. A View is a stable image for long reads on
// another goroutine: the index tree is cloned copy-on-write, and an entry of
// it is copied before its first change after a View was taken, which costs a
// plain write nothing as long as nobody takes Views.
//
// What a read returns is shared with the index, with other readers and with
// watchers: treat it as immutable.
package mvcc
