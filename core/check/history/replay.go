package history

import (
	"reflect"
	"slices"

	"vitrine/core/check/fold"
	"vitrine/core/model"
	"vitrine/core/pb"

	"google.golang.org/protobuf/proto"
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
	claimed  bool // by an answered operation of the history
	agreed   bool // the answer of that operation is the model's
	name     string
	placed   *candidate // see witness
}

// bytes names the request, as bytesOf.
func (w *written) bytes() string {
	if w.name == "" {
		w.name = bytesOf(w.request)
	}
	return w.name
}

// replayed is the log that is kept, executed by the model, each entry once.
type replayed struct {
	known   bool
	start   *model.State // before the log that is kept
	front   *fold.Fold   // after it
	writes  []*written
	changes []change // by revision
	eras    []era    // that are over
	closed  int      // eras before those
	from    int64    // first revision of this era
}

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

// bytesOf names a request by its kind and content.
func bytesOf(request any) string {
	m, ok := request.(proto.Message)
	if !ok {
		return ""
	}
	var data []byte
	var err error
	if v, ok := m.(interface{ MarshalVT() ([]byte, error) }); ok {
		data, err = v.MarshalVT() // no request holds a map: the same bytes each time
	} else {
		data, err = proto.MarshalOptions{Deterministic: true}.Marshal(m)
	}
	if err != nil {
		return ""
	}
	return reflect.TypeOf(request).String() + string(data)
}

// sameRequest reports whether two requests ask for the same.
func sameRequest(a, b any) bool {
	switch a := a.(type) {
	case *pb.PutRequest:
		b, ok := b.(*pb.PutRequest)
		return ok && string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value) && a.Lease == b.Lease &&
			a.PrevKv == b.PrevKv && a.IgnoreValue == b.IgnoreValue && a.IgnoreLease == b.IgnoreLease
	case *pb.DeleteRangeRequest:
		b, ok := b.(*pb.DeleteRangeRequest)
		return ok && string(a.Key) == string(b.Key) && string(a.RangeEnd) == string(b.RangeEnd) && a.PrevKv == b.PrevKv
	}
	return bytesOf(a) == bytesOf(b)
}

// replayFrom has executed nothing after base.
func replayFrom(base *fold.Fold) *replayed {
	return &replayed{start: base.State(), front: base.Clone(), from: base.State().Revision()}
}

// advance executes what has come to the log since.
func (h *History) advance() *replayed {
	l := h.known
	for _, e := range h.log[l.front.Index()-h.base.Index():] {
		l.execute(e)
	}
	l.known = l.front.Index() > 0
	return l
}

// execute folds one entry and notes what it did.
func (l *replayed) execute(e fold.Entry) {
	f := l.front
	r := e.Request
	before, compacted, last := f.State().Revision(), f.State().CompactRevision(), (*model.State)(nil)
	if c := r.GetCompaction(); c != nil && c.Revision > compacted && c.Revision <= before {
		last = f.State().Clone()
	}
	response, err := f.Apply(e)
	revision := f.State().Revision()
	compacts := f.State().CompactRevision() > compacted
	if compacts {
		l.eras = append(l.eras, era{last: last, from: l.from, index: f.Index()})
		l.from = revision
	}
	if r == nil {
		return
	}
	if body := e.Body(); body != nil {
		l.writes = append(l.writes, &written{
			request: body, response: response, err: err, index: f.Index(), before: before, after: revision, era: l.era(), compacts: compacts,
		})
	}
	if revision > before {
		l.note(revision, before)
	}
}

// note adds the changes of the revision that has just been made.
func (l *replayed) note(revision, before int64) {
	s, first := l.front.State(), len(l.changes)
	s.Changes(revision, func(key string, sub int64, kv *pb.KeyValue) {
		for i := first; i < len(l.changes); i++ {
			l.changes[i].undone = l.changes[i].undone || l.changes[i].key == key
		}
		l.changes = append(l.changes, change{
			rev: revision, sub: sub, key: key, kv: kv, prev: s.Get([]byte(key), before),
			created: kv != nil && kv.CreateRevision == kv.ModRevision,
		})
	})
}

// era is the number of the era in which the log ends, from 1 on.
func (l *replayed) era() int { return l.closed + len(l.eras) + 1 }

// eraOf is a state that can answer all reads of an era, and the era's first and
// last revision.
func (l *replayed) eraOf(number int) (s *model.State, first, last int64) {
	if i := number - l.closed - 1; i < len(l.eras) {
		e := &l.eras[i]
		return e.last, e.from, e.last.Revision()
	}
	return l.front.State(), l.from, l.front.State().Revision()
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

// forget drops the log up to base.
func (l *replayed) forget(base *fold.Fold) {
	l.start = base.State()
	n := 0
	for n < len(l.writes) && l.writes[n].index <= base.Index() {
		n++
	}
	l.writes = slices.Clone(l.writes[n:])
	n = 0
	for n < len(l.changes) && l.changes[n].rev <= base.State().Revision() {
		n++
	}
	l.changes = slices.Clone(l.changes[n:])
	n = 0
	for n < len(l.eras) && l.eras[n].index <= base.Index() {
		n++
	}
	l.eras, l.closed = slices.Clone(l.eras[n:]), l.closed+n
}
