package backend

import "vitrine/core/invariant"

// Op is one change of one key. Key and Value must not be changed afterwards.
type Op struct {
	Bucket Bucket
	Delete bool
	Key    []byte
	Value  []byte
}

// Batch is what one raft entry changes: data and the entry's position. It is
// reused from entry to entry; the bytes handed to Put and Delete are not.
type Batch struct {
	applied Applied
	ops     []Op
}

// NewBatch returns an empty batch that leaves the applied position alone.
func NewBatch() *Batch { return &Batch{} }

// Reset empties the batch and sets the position it will carry. An Index of 0
// leaves the saved position as it is (housekeeping that no entry asked for).
func (b *Batch) Reset(a Applied) {
	b.applied = a
	clear(b.ops)
	b.ops = b.ops[:0]
}

// Put sets key to value. Both now belong to the backend.
func (b *Batch) Put(bucket Bucket, key, value []byte) {
	checkKey(bucket, key)
	b.ops = append(b.ops, Op{Bucket: bucket, Key: key, Value: value})
}

// Delete removes key, if it exists. The key now belongs to the backend.
func (b *Batch) Delete(bucket Bucket, key []byte) {
	checkKey(bucket, key)
	b.ops = append(b.ops, Op{Bucket: bucket, Delete: true, Key: key})
}

// Len is the number of changes, the position not counted.
func (b *Batch) Len() int { return len(b.ops) }

// Ops lists the changes in the order in which they were made; read only.
func (b *Batch) Ops() []Op { return b.ops }

// Applied is the position that the batch carries.
func (b *Batch) Applied() Applied { return b.applied }

func checkKey(bucket Bucket, key []byte) {
	invariant.Assert(bucket < buckets, "backend: unknown bucket")
	invariant.Assert(len(key) > 0, "backend: empty key")
	if bucket == Meta {
		invariant.Assert(!reserved(key), "backend: the applied position is written by Batch.Reset only")
	}
}
