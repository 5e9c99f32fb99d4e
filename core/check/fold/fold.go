// Package fold says what a database must hold, by the log and not by the code
// under test: it folds committed entries into package model, and compares durable
// images of databases with the state that the model has at their applied index
// (I9).
//
// It keeps one state, at an index that no durable image has fallen behind, and the
// entries since then; a state in between is made when an image asks.
//
//	log := fold.New()
//	log.Entries(committed)         // whoever applies them first reports them
//	err := log.Image(image)        // of any member, at any applied index
//	log.Forget(lowest)             // no disk is behind this index any more
package fold

import (
	"slices"

	"vitrine/core/model"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// maxPending bounds the entries that a Fold holds back for images that lag.
const maxPending = 1 << 15

// Fold is the result of the log at any applied index that is not forgotten.
type Fold struct {
	// Decode, if set, reads a request where somebody has read it already.
	Decode func(data []byte) (*pb.InternalRaftRequest, error)

	state   *model.State
	index   uint64 // of state
	pending []Entry
	blind   bool // auth was used: permissions are not in the model
}

// New is the fold of an empty log.
func New() *Fold {
	s := model.New()
	s.MaxTxnOps = 0 // what is in the log was admitted
	return &Fold{state: s}
}

// Entries takes committed entries from whoever applies them first: all members
// may report all they apply, in their order. The fold keeps the entries.
func (f *Fold) Entries(entries []*raftpb.Entry) {
	for _, e := range entries {
		if e.GetIndex() == f.last()+1 {
			f.pending = append(f.pending, Read(e, f.Decode))
		}
	}
	if len(f.pending) > maxPending {
		f.Forget(f.index + maxPending/2)
	}
}

func (f *Fold) last() uint64 { return f.index + uint64(len(f.pending)) }

// Forget says that no image below index will be asked about any more.
func (f *Fold) Forget(index uint64) {
	n := 0
	for ; n < len(f.pending) && f.pending[n].Index <= index; n++ {
		_, _ = f.Apply(f.pending[n])
	}
	rest := copy(f.pending, f.pending[n:])
	clear(f.pending[rest:])
	f.pending = f.pending[:rest]
}

// Rebase is Forget by the work of another fold of the same log: what base has
// executed need not be executed again.
func (f *Fold) Rebase(base *Fold) {
	if base.index <= f.index || base.index > f.last() {
		return
	}
	pending, decode := f.pending[base.index-f.index:], f.Decode
	*f = *base.Clone()
	f.pending, f.Decode = slices.Clone(pending), decode
}

// Apply folds the entry that comes next into the state, and returns the answer of
// the model; neither response nor error if the model has nothing to do with it. A
// fold that is told of Entries applies them by itself.
func (f *Fold) Apply(e Entry) (response any, err error) {
	f.index = e.Index
	if e.Request == nil {
		return nil, nil
	}
	if e.Request.AuthEnable != nil {
		f.blind = true
	}
	if body := e.Body(); body != nil {
		return f.state.Apply(body) // a refusal changes nothing
	}
	return nil, nil
}

// State is the state after the entry at Index. Only Apply may change it.
func (f *Fold) State() *model.State { return f.state }

// Index is that of the last entry that was applied.
func (f *Fold) Index() uint64 { return f.index }

// At is the state after the entry at index, nil if that is forgotten or not
// known yet.
func (f *Fold) At(index uint64) *model.State {
	if index < f.index || index > f.last() {
		return nil
	}
	at := f.Clone()
	for _, e := range f.pending[:index-f.index] {
		_, _ = at.Apply(e)
	}
	return at.state
}

// Clone is a copy without what is pending.
func (f *Fold) Clone() *Fold {
	return &Fold{state: f.state.Clone(), index: f.index, blind: f.blind}
}
