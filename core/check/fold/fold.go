// Package fold says what a database must hold, by the log and not by the code
// under test: it folds committed entries into package model, and compares durable
// images of databases with the state that the model had at their applied index
// (I9).
//
//	log := fold.New()
//	log.Entries(committed)         // whoever applies them first reports them
//	err := log.Image(image)        // of any member, at any applied index
//	log.Forget(lowest)             // no disk is behind this index any more
//
// Each entry is executed once. An image may lag, and its state is not executed
// again: between two compactions a store only grows, so the state at an index is
// the part of a later one up to the revision that the index led to. What does not
// grow (the compact revision, leases, alarms) is kept by eras, in which it does
// not change.
//
// Whoever wants to know what each entry did follows the fold; check/history does.
package fold

import (
	"cmp"
	"slices"

	"vitrine/core/model"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
)

// maxPoints bounds the indexes at which images can be compared.
const maxPoints = 1 << 15

// Fold is the result of the log at any applied index that is not forgotten.
type Fold struct {
	// Decode, if set, reads a request where somebody has read it already.
	Decode func(data []byte) (*pb.InternalRaftRequest, error)

	state     *model.State // after the last entry
	followers []Follower
	first     uint64  // index of points[0]
	points    []point // where each index led to
	eras      []era   // the last one is open
	buffer    pb.KeyValue
	rosters   []roster        // the first is that of first, or before
	records   map[string]node // of members, as they were read
	ledger    ledger
}

// Follower hears of each entry as it is executed, with the state of the model,
// which only the fold may change.
type Follower interface {
	Before(e Entry, s *model.State)
	After(e Entry, s *model.State, response any, err error)
}

// point is where an entry led to.
type point struct {
	term   uint64
	rev    int64
	denied model.Error // why whoever asked for it must not, "" if he may
}

// era is a part of the log in which entries did nothing but write pairs.
type era struct {
	from      uint64 // index of the entry that began it
	compacted int64
	leases    []int64
	alarms    []*pb.AlarmMember
	users     model.Users
	changes   []change // that a compaction has left, by revision; the next era may append behind them
}

// change is what a revision made of a key.
type change struct {
	place
	key string
	kv  *pb.KeyValue // nil = deleted
}

// place is a revision: where the key bucket keeps a change.
type place struct{ main, sub int64 }

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.main, o.main), cmp.Compare(p.sub, o.sub))
}

// New is the fold of an empty log.
func New() *Fold {
	s := model.New()
	s.MaxTxnOps = 0 // what is in the log was admitted
	return &Fold{state: s, points: []point{{rev: s.Revision()}},
		eras: []era{{compacted: s.CompactRevision(), users: s.Users()}}, rosters: make([]roster, 1),
		records: map[string]node{}, ledger: newLedger()}
}

// Follow adds one who hears of each entry from now on.
func (f *Fold) Follow(by Follower) { f.followers = append(f.followers, by) }

// Index is that of the last entry that was executed.
func (f *Fold) Index() uint64 { return f.first + uint64(len(f.points)) - 1 }

// State is the state after the last entry. It must not be changed.
func (f *Fold) State() *model.State { return f.state }

// Entries takes committed entries from whoever applies them first: all members
// may report all they apply, in their order. The fold keeps what the entries hold.
func (f *Fold) Entries(entries []*raftpb.Entry) {
	for _, e := range entries {
		if e.GetIndex() == f.Index()+1 {
			f.execute(read(e, f.Decode))
		}
	}
	if len(f.points) > maxPoints {
		f.Forget(f.Index() - maxPoints/2)
	}
}

// execute does what the next entry asks for.
func (f *Fold) execute(e Entry) {
	for _, by := range f.followers {
		by.Before(e, f.state)
	}
	var response any
	var err error
	body, rev, users := e.Body(), f.state.Revision(), f.state.Users()
	if body != nil {
		h := e.Request.GetHeader()
		response, err = f.state.ApplyAs(h.GetUsername(), h.GetAuthRevision(), body) // a refusal changes nothing
	}
	if !e.writes() {
		f.begin(e)
	}
	f.changeMembers(e)
	f.ledger.take(e, users, f.state.Users(), err)
	if now := f.state.Revision(); now > rev {
		last := &f.eras[len(f.eras)-1]
		f.state.Changes(now, func(key string, sub int64, kv *pb.KeyValue) {
			last.changes = append(last.changes, change{place{now, sub}, key, kv})
		})
	}
	at := point{term: e.Term, rev: f.state.Revision()}
	if err != nil && model.Denial(err) {
		at.denied = model.Error(err.Error())
	}
	f.points = append(f.points, at)
	for _, by := range f.followers {
		by.After(e, f.state, response, err)
	}
}

// begin opens an era with an entry that may have changed more than pairs.
func (f *Fold) begin(e Entry) {
	last := f.eras[len(f.eras)-1]
	next := era{
		from: e.Index, compacted: f.state.CompactRevision(), leases: f.state.Leases(), alarms: f.state.Alarms(),
		changes: last.changes, users: f.state.Users(),
	}
	if next.compacted != last.compacted {
		next.changes = left(f.state)
	}
	f.eras = append(f.eras, next)
}

// left are the changes that a state still has, by revision.
func left(s *model.State) (changes []change) {
	s.History(func(key string, rev, sub int64, kv *pb.KeyValue) bool {
		changes = append(changes, change{place{rev, sub}, key, kv})
		return true
	})
	slices.SortFunc(changes, func(a, b change) int { return a.compare(b.place) })
	return changes
}

// Forget says that no image below index will be asked about any more.
func (f *Fold) Forget(index uint64) {
	index = min(index, f.Index())
	if index <= f.first {
		return
	}
	f.points = slices.Delete(f.points, 0, int(index-f.first))
	f.first = index
	f.forgetMembers(index)
	f.ledger.forget(index)
	n := 0
	for n+1 < len(f.eras) && f.eras[n+1].from <= index {
		n++
	}
	f.eras = slices.Delete(f.eras, 0, n)
}

// Denied tells why the entry at an index must have been refused for who asked, "" if it must not; ok is false where
// that is not known.
func (f *Fold) Denied(index uint64) (why model.Error, ok bool) {
	if index <= f.first || index > f.Index() {
		return "", false
	}
	return f.points[index-f.first].denied, true
}

// Users is who may do what at an index; ok is false where that is not known.
func (f *Fold) Users(index uint64) (u model.Users, ok bool) {
	if index < f.first || index > f.Index() {
		return u, false
	}
	return f.at(index).users, true
}

// UsersOf is who may do what at an auth revision; ok is false where that is not known.
func (f *Fold) UsersOf(revision uint64) (u model.Users, ok bool) {
	for i := len(f.eras) - 1; i >= 0 && f.eras[i].users.Revision() >= revision; i-- {
		if u = f.eras[i].users; u.Revision() == revision {
			return u, true
		}
	}
	return u, false
}

// at is the era of an index that is not forgotten, with the changes up to it.
func (f *Fold) at(index uint64) era {
	n := len(f.eras) - 1
	for f.eras[n].from > index {
		n--
	}
	e, rev := f.eras[n], f.points[index-f.first].rev
	end, _ := slices.BinarySearchFunc(e.changes, rev+1, func(c change, rev int64) int { return cmp.Compare(c.main, rev) })
	e.changes = e.changes[:end]
	return e
}
