package history

import (
	"slices"
	"sort"

	"vitrine/core/check/fold"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// written is one request in the log and what it did.
type written struct {
	request  any
	response any // by the model
	err      error
	index    uint64
	before   int64 // revision before it
	after    int64 // and after; equal if it wrote nothing
	era      int   // and after
	compacts bool
	own      bool       // by a member itself, and no client's
	claimed  bool       // by an answered operation of the history
	agreed   bool       // the answer of that operation is the model's
	name     name       // 0 = not looked up yet
	placed   *candidate // see witness
}

// replayed is what the log that is kept did: it follows a fold. The zero value
// has heard of nothing.
type replayed struct {
	start   int64        // revision before the log that is kept
	base    uint64       // and index
	front   *model.State // after it; only the fold may change it
	index   uint64       // of its last entry
	before  int64        // revision before the entry that is being executed
	last    *model.State // before it, if it is a compaction
	writes  []*written
	changes []change        // by revision
	noted   int             // changes so far, also those that are forgotten
	eras    []era           // that are over
	closed  int             // eras before those
	from    int64           // first revision of this era
	own     map[uint64]bool // proposals of members themselves that the log has not shown yet
	buffer  []byte          // for name
}

func newReplayed() *replayed {
	return &replayed{start: 1, from: 1, front: model.New(), own: map[uint64]bool{}}
}

// known tells whether there is a log at all.
func (l *replayed) known() bool { return l.index > 0 }

// rev is the last revision of the log.
func (l *replayed) rev() int64 { return l.front.Revision() }

// compacted is the compact revision at the end of the log, -1 if there is none.
func (l *replayed) compacted() int64 { return l.front.CompactRevision() }

// era is the time between two compactions. Its last state can answer what any
// state in it would have read.
type era struct {
	last  *model.State
	from  int64
	index uint64 // of the compaction that ended it
}

// change is one event that a watcher may see.
type change struct {
	rev     int64
	sub     int64
	key     string
	kv      *pb.KeyValue // nil = deleted
	prev    *pb.KeyValue // before this revision
	created bool
	undone  bool // by a later change of the key at the same revision
}

// name stands for the kind and content of a request that may write; 0 for what no operation of the history is.
type name uint64

// name names a request.
func (l *replayed) name(request any) name {
	var kind byte
	switch request.(type) {
	case *pb.PutRequest:
		kind = 'p'
	case *pb.DeleteRangeRequest:
		kind = 'd'
	case *pb.TxnRequest:
		kind = 't'
	case *pb.CompactionRequest:
		kind = 'c'
	case *pb.AlarmRequest:
		kind = 'a'
	default:
		return 0
	}
	m := request.(pb.Message)
	size := m.SizeVT()
	l.buffer = slices.Grow(l.buffer[:0], size+1)[:size+1]
	l.buffer[0] = kind
	if _, err := m.MarshalToSizedBufferVT(l.buffer[1:]); err != nil { // no request holds a map: the same bytes each time
		return 0
	}
	return name(trace.HashData(l.buffer))
}

// nameOf names a request of the log, and nameOfOp that of an operation; both are remembered.
func (l *replayed) nameOf(w *written) name     { return l.named(w.request, &w.name) }
func (l *replayed) nameOfOp(o *operation) name { return l.named(o.request, &o.name) }

func (l *replayed) named(request any, known *name) name {
	if *known == 0 {
		*known = l.name(request)
	}
	return *known
}

// shows reports whether w is what an operation asks for.
func (l *replayed) shows(w *written, o *operation) bool {
	switch a := o.request.(type) {
	case *pb.PutRequest:
		b, ok := w.request.(*pb.PutRequest)
		return ok && string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value) && a.Lease == b.Lease &&
			a.PrevKv == b.PrevKv && a.IgnoreValue == b.IgnoreValue && a.IgnoreLease == b.IgnoreLease
	case *pb.DeleteRangeRequest:
		b, ok := w.request.(*pb.DeleteRangeRequest)
		return ok && string(a.Key) == string(b.Key) && string(a.RangeEnd) == string(b.RangeEnd) && a.PrevKv == b.PrevKv
	case *pb.AlarmRequest:
		b, ok := w.request.(*pb.AlarmRequest)
		return ok && a.Action == b.Action && a.MemberID == b.MemberID && a.Alarm == b.Alarm
	}
	return l.nameOfOp(o) == l.nameOf(w)
}

// Before implements fold.Follower: of what a compaction removes a copy stays.
func (l *replayed) Before(e fold.Entry, s *model.State) {
	l.before, l.last = s.Revision(), nil
	if c := e.Request.GetCompaction(); c != nil && c.Revision > s.CompactRevision() && c.Revision <= l.before {
		l.last = s.Clone()
	}
}

// After implements fold.Follower: it notes what the entry did.
func (l *replayed) After(e fold.Entry, s *model.State, response any, err error) {
	l.front, l.index = s, e.Index
	body, revision := e.Body(), s.Revision()
	if body == nil {
		return
	}
	compacts := l.last != nil && err == nil
	if compacts {
		l.eras = append(l.eras, era{last: l.last, from: l.from, index: e.Index})
		l.from = revision
	}
	l.writes = append(l.writes, &written{
		request: body, response: response, err: err, index: e.Index, before: l.before, after: revision, era: l.era(),
		compacts: compacts, own: l.own[e.Proposal()],
	})
	delete(l.own, e.Proposal())
	if revision > l.before {
		l.note(revision)
	}
}

// note adds the changes of the revision that has just been made.
func (l *replayed) note(revision int64) {
	s, first := l.front, len(l.changes)
	s.Changes(revision, func(key string, sub int64, kv *pb.KeyValue) {
		for i := first; i < len(l.changes); i++ {
			l.changes[i].undone = l.changes[i].undone || l.changes[i].key == key
		}
		l.noted++
		l.changes = append(l.changes, change{
			rev: revision, sub: sub, key: key, kv: kv, prev: s.Get([]byte(key), l.before),
			created: kv != nil && kv.CreateRevision == kv.ModRevision,
		})
	})
}

// firstAt is the number of the first change at a revision or later, of all that the log has ever shown.
func (l *replayed) firstAt(rev int64) int {
	return l.forgotten() + sort.Search(len(l.changes), func(i int) bool { return l.changes[i].rev >= rev })
}

// forgotten is how many changes are not kept.
func (l *replayed) forgotten() int { return l.noted - len(l.changes) }

// era is the number of the era in which the log ends, from 1 on.
func (l *replayed) era() int { return l.closed + len(l.eras) + 1 }

// eraOf is a state that can answer all reads of an era, and the era's first and
// last revision.
func (l *replayed) eraOf(number int) (s *model.State, first, last int64) {
	if i := number - l.closed - 1; i < len(l.eras) {
		e := &l.eras[i]
		return e.last, e.from, e.last.Revision()
	}
	return l.front, l.from, l.front.Revision()
}

// explains tells whether a state of the log at revision rev gives the answer to
// a read. There is one in each era that the revision saw.
func (l *replayed) explains(o *operation, rev int64) bool {
	for number := l.closed + 1; number <= l.era(); number++ {
		if _, first, last := l.eraOf(number); first <= rev && rev <= last && l.explainsIn(o, rev, number) {
			return true
		}
	}
	return false
}

// explainsIn is explains for one era.
func (l *replayed) explainsIn(o *operation, rev int64, number int) bool {
	if o.explained == number {
		return true
	}
	s, _, _ := l.eraOf(number)
	response, err := s.ReadAt(rev, o.request)
	if err != nil || !sameResponse(response, o.response) {
		return false
	}
	o.explained = number
	return true
}

// after are the writes that left the state at a revision.
func (l *replayed) after(rev int64) []*written {
	i, _ := slices.BinarySearchFunc(l.writes, rev, func(w *written, rev int64) int { return int(w.after - rev) })
	n := i
	for n < len(l.writes) && l.writes[n].after == rev {
		n++
	}
	return l.writes[i:n]
}

// forget drops the log up to a mark.
func (l *replayed) forget(at mark) {
	l.start, l.base = at.rev, at.index
	n := 0
	for n < len(l.writes) && l.writes[n].index <= at.index {
		n++
	}
	l.writes = slices.Clone(l.writes[n:])
	n = 0
	for n < len(l.changes) && l.changes[n].rev <= at.rev {
		n++
	}
	l.changes = slices.Clone(l.changes[n:])
	n = 0
	for n < len(l.eras) && l.eras[n].index <= at.index {
		n++
	}
	l.eras, l.closed = slices.Clone(l.eras[n:]), l.closed+n
}
