package check

import (
	"vitrine/core/model"
	"vitrine/core/pb"

	"google.golang.org/protobuf/proto"
)

// written is one request in the log and what it did.
type written struct {
	request any
	before  int64 // revision before it
	after   int64 // and after; equal if it changed nothing
	claimed bool  // by an operation of the history
}

// replayed is the log, executed by the model.
type replayed struct {
	known     bool
	writes    []written
	byBytes   map[string][]int  // requests by their bytes
	changes   []change          // by revision
	states    map[int64]*states // wanted ones, by revision
	revision  int64
	compacted int64 // in the end
}

// change is one event that a watcher may see.
type change struct {
	rev     int64
	sub     int64
	key     string
	kv      *pb.KeyValue // nil = deleted
	prev    *pb.KeyValue // before this revision
	created bool
}

// states are the states that have the same revision: the first and the last, as
// compactions may come between.
type states struct{ first, last *model.State }

// bytesOf names a request by its kind and content.
func bytesOf(request any) string {
	m, ok := request.(proto.Message)
	if !ok {
		return ""
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return ""
	}
	return string(m.ProtoReflect().Descriptor().Name()) + string(data)
}

// replay executes the log.
func (h *History) replay() *replayed {
	l := &replayed{known: len(h.log) > 0, byBytes: map[string][]int{}, states: map[int64]*states{}}
	for _, o := range h.ops {
		if o.outcome() == succeeded && serializable(o.request) {
			l.states[revisionOf(o.response)] = nil
		}
	}
	f := NewFold()
	l.keep(f.state)
	for _, e := range h.log {
		before := f.state.Revision()
		f.apply(e)
		l.revision = f.state.Revision()
		r := &pb.InternalRaftRequest{}
		if len(e.GetData()) > 0 && r.UnmarshalVT(e.GetData()) == nil {
			if body := requestOf(r); body != nil {
				name := bytesOf(body)
				l.byBytes[name] = append(l.byBytes[name], len(l.writes))
				l.writes = append(l.writes, written{request: body, before: before, after: l.revision})
			}
		}
		if l.revision > before {
			f.state.Changes(l.revision, func(key string, sub int64, kv *pb.KeyValue) {
				l.changes = append(l.changes, change{
					rev: l.revision, sub: sub, key: key, kv: kv, prev: f.state.Get([]byte(key), before),
					created: kv != nil && kv.CreateRevision == kv.ModRevision,
				})
			})
		}
		l.keep(f.state)
	}
	l.compacted = f.state.CompactRevision()
	return l
}

// keep remembers a state whose revision a serializable read has seen.
func (l *replayed) keep(s *model.State) {
	k, wanted := l.states[s.Revision()]
	if !wanted {
		return
	}
	if k == nil {
		k = &states{first: s.Clone()}
		l.states[s.Revision()] = k
	}
	k.last = s.Clone()
}
