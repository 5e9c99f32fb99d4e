package check

import (
	"vitrine/core/model"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// written is one request in the log and what it did.
type written struct {
	request any
	index   uint64
	before  int64 // revision before it
	after   int64 // and after; equal if it changed nothing
	claimed bool  // by an operation of the history
}

// replayed is the log, executed by the model.
type replayed struct {
	known     bool
	writes    []written
	byBytes   map[string][]int  // requests by their bytes
	claims    map[int]uint64    // the index at which an answered operation is, by its number
	changes   []change          // by revision
	states    map[int64]*states // wanted ones, by revision
	start     *model.State      // before the log that is kept
	revision  int64
	compacted int64 // in the end
	at        *Fold // at the index asked for
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

// replay executes the log that is kept; at is the index where a copy of the fold
// is wanted.
func (h *History) replay(at uint64) *replayed {
	f := h.base.clone()
	l := &replayed{
		known: f.index+uint64(len(h.log)) > 0, start: h.base.state, revision: f.state.Revision(),
		byBytes: map[string][]int{}, claims: map[int]uint64{}, states: map[int64]*states{},
	}
	for i := range h.ops {
		if o := &h.ops[i]; o.outcome() == succeeded && serializable(o.request) {
			l.states[revisionOf(o.response)] = nil
		}
	}
	l.keep(f.state)
	for _, e := range h.log {
		if f.index == at {
			l.at = f.clone()
		}
		l.execute(f, e)
		l.keep(f.state)
	}
	if f.index == at {
		l.at = f
	}
	l.compacted = f.state.CompactRevision()
	return l
}

// execute folds one entry and notes what it did.
func (l *replayed) execute(f *Fold, e *raftpb.Entry) {
	before := f.state.Revision()
	f.apply(e)
	l.revision = f.state.Revision()
	r := &pb.InternalRaftRequest{}
	if len(e.GetData()) > 0 && r.UnmarshalVT(e.GetData()) == nil {
		if body := requestOf(r); body != nil {
			name := bytesOf(body)
			l.byBytes[name] = append(l.byBytes[name], len(l.writes))
			l.writes = append(l.writes, written{request: body, index: f.index, before: before, after: l.revision})
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
