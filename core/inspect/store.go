package inspect

import (
	"vitrine/core/backend"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// Layers is how a state becomes durable: a front buffer that is written to, the
// frozen one that a commit carries, and the database behind both.
type Layers struct {
	Index    uint64 `json:"index"` // applied
	Term     uint64 `json:"term"`
	Revision int64  `json:"revision"`
	Front    Layer  `json:"front"`
	Frozen   *Layer `json:"frozen,omitempty"`
	Commit   Commit `json:"commit"`
	// The database: applied index and revision in it, and its size.
	Durable    uint64 `json:"durable"`
	DurableRev int64  `json:"durableRev"`
	Bytes      int64  `json:"bytes"`
	InUse      int64  `json:"inUse"`
	// What a loss of power now would leave: the log up to this entry, to be applied
	// again from the database on.
	LogTo     uint64 `json:"logTo"`
	Last      uint64 `json:"last"` // the last entry in memory
	Committed uint64 `json:"committed"`
}

// Layer is one buffer.
type Layer struct {
	Ops     int      `json:"ops"`
	Index   uint64   `json:"index"`   // applied with it, 0 = none
	Changes []Change `json:"changes"` // the newest of each bucket
	More    int      `json:"more"`    // that are not shown
}

// Change is one change of a bucket.
type Change struct {
	Bucket string `json:"bucket"`
	Delete bool   `json:"delete,omitempty"`
	Key    string `json:"key"`
	What   string `json:"what,omitempty"`
	Bytes  int    `json:"bytes"`
}

// Store looks at the buffers in front of the database.
func Store(s *Subject, q Query) (*Layers, error) {
	b := s.Store.Backend
	front, frozen := b.Layers()
	l := &Layers{
		Index: b.Applied().Index, Term: b.Applied().Term, Revision: s.Store.KV.Revision(), Commit: s.Commit,
		Durable: b.Durable().Index, Bytes: b.Store().Size(), InUse: b.Store().SizeInUse(), LogTo: s.Log.Index,
		Last: s.Log.Index,
	}
	changes := front.Changes()
	l.Front = layerOf(front, changes, q)
	oldest, some := mvcc.Oldest(changes)
	if frozen != nil {
		carried := frozen.Changes()
		layer := layerOf(frozen, carried, q)
		l.Frozen = &layer
		if rev, ok := mvcc.Oldest(carried); ok {
			oldest, some = rev, true
		}
	}
	l.DurableRev = l.Revision
	if some {
		l.DurableRev = oldest - 1
	}
	if s.Member != nil {
		st := s.Member.Status()
		l.Last, l.Committed = st.Last, st.Commit
	}
	return l, nil
}

func layerOf(layer *backend.Layer, changes []backend.Op, q Query) Layer {
	l := Layer{Ops: layer.Ops, Index: layer.Applied.Index, Changes: []Change{}, More: max(0, len(changes)-q.limit())}
	for i := range changes {
		op := &changes[i]
		// The key bucket comes first and is the longest: of it the newest are shown.
		if i < l.More && op.Bucket == backend.Key || len(l.Changes) == q.limit() {
			continue
		}
		l.Changes = append(l.Changes, changeOf(op))
	}
	l.More = len(changes) - len(l.Changes)
	return l
}

func changeOf(op *backend.Op) Change {
	c := Change{Bucket: op.Bucket.Name(), Delete: op.Delete, Bytes: len(op.Key) + len(op.Value)}
	rev, dead, err := mvcc.ParseRevision(op.Key)
	if op.Bucket != backend.Key || err != nil {
		c.Key = clip(op.Key)
		return c
	}
	c.Key = revision(rev)
	kv := new(pb.KeyValue)
	if !op.Delete && kv.UnmarshalVT(op.Value) == nil {
		c.What = clip(kv.Key)
		if !dead {
			c.What += " = " + clip(kv.Value)
		}
	}
	if dead {
		c.Delete = true
	}
	return c
}
