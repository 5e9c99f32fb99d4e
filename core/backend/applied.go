package backend

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"vitrine/core/invariant"

	"go.etcd.io/raft/v3/raftpb"
)

// Applied is a position in the raft log: the last entry whose effects the data
// contains. ConfState is the voters and learners as of that entry; in a Batch,
// nil leaves the saved one as it is. It is shared, so it must not be changed.
type Applied struct {
	Index, Term uint64
	ConfState   *raftpb.ConfState
}

// Keys of the meta bucket that only a Batch's position writes.
const (
	metaIndex     = "consistent_index" // big-endian uint64
	metaTerm      = "term"             // big-endian uint64
	metaConfState = "confState"        // JSON of raftpb.ConfState
)

func reserved(key []byte) bool {
	return string(key) == metaIndex || string(key) == metaTerm || string(key) == metaConfState
}

// merge is the position after a batch that carried next.
func (a Applied) merge(next Applied) Applied {
	if next.Index != 0 {
		a.Index = next.Index
	}
	if next.Term != 0 {
		a.Term = next.Term
	}
	if next.ConfState != nil {
		a.ConfState = next.ConfState
	}
	return a
}

// overlay lists the meta pairs that the position stands for, in key order. An
// index or term of 0 means that none was ever applied and is not written.
func (a Applied) overlay() []entry {
	all := make([]entry, 0, 3)
	if a.ConfState != nil {
		all = append(all, entry{key: []byte(metaConfState), value: encodeConfState(a.ConfState)})
	}
	if a.Index != 0 {
		all = append(all, entry{key: []byte(metaIndex), value: binary.BigEndian.AppendUint64(nil, a.Index)})
		if a.Term != 0 {
			all = append(all, entry{key: []byte(metaTerm), value: binary.BigEndian.AppendUint64(nil, a.Term)})
		}
	}
	return all
}

// encodeConfState writes what etcd writes: encoding/json over the Go struct,
// so field order and the presence of auto_leave follow that struct.
func encodeConfState(cs *raftpb.ConfState) []byte {
	data, err := json.Marshal(cs)
	invariant.Assert(err == nil, "backend: a conf state cannot be encoded") // it is numbers and a bool
	return data
}

// readApplied reads the position from the meta bucket of a store, without its
// configuration: see SetConfState.
func ReadApplied(v StoreView) (Applied, error) {
	var a Applied
	for _, field := range []struct {
		key string
		to  *uint64
	}{{metaIndex, &a.Index}, {metaTerm, &a.Term}} {
		raw := v.Get(Meta, []byte(field.key))
		if raw == nil {
			continue
		}
		if len(raw) != 8 {
			return Applied{}, fmt.Errorf("backend: meta key %q holds %d bytes, want 8", field.key, len(raw))
		}
		*field.to = binary.BigEndian.Uint64(raw)
	}
	return a, nil
}
