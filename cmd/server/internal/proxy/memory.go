package proxy

import (
	"bytes"
	"container/list"
	"sync"

	"vitrine/core/api"
	"vitrine/core/pb"
)

const (
	// memoryAnswers and memoryBytes bound what is remembered.
	memoryAnswers = 2048
	memoryBytes   = 64 << 20
)

// memory has answers to ranges. What has a revision stays true until it is compacted; the rest until somebody writes
// there.
type memory struct {
	mu        sync.Mutex
	answers   map[string]*list.Element // of *question, by its id
	use       *list.List               // the newest in front
	bytes     int
	compacted int64

	// Questions at no revision, answered or not, by where they ask: those of one key, and others.
	points map[string]map[*question]struct{}
	ranges map[*question]struct{}
}

// question is a range that was asked of a member.
type question struct {
	id        string
	key, end  []byte
	current   bool // it has no revision
	forgotten bool // somebody has written there since
	answer    *pb.RangeResponse
	size      int
}

func newMemory() *memory {
	return &memory{answers: map[string]*list.Element{}, use: list.New(), points: map[string]map[*question]struct{}{},
		ranges: map[*question]struct{}{}}
}

// idOf is the same for all requests that may have the same answer.
func idOf(r *pb.RangeRequest) string {
	was := r.Serializable
	r.Serializable = true
	defer func() { r.Serializable = was }()
	b, err := r.MarshalVT()
	if err != nil {
		return ""
	}
	return string(b)
}

// get finds the answer to a request; nil: there is none. Nobody changes it.
func (m *memory) get(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	id := idOf(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.answers[id]
	if r.Revision > 0 && r.Revision < m.compacted {
		if e != nil {
			m.forget(e.Value.(*question))
		}
		return nil, api.ErrCompacted
	}
	if e == nil {
		return nil, nil
	}
	m.use.MoveToFront(e)
	return e.Value.(*question).answer, nil
}

// ask begins a question. It has to be answered.
func (m *memory) ask(r *pb.RangeRequest) *question {
	q := &question{id: idOf(r), key: r.Key, end: r.RangeEnd, current: r.Revision == 0}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !q.current:
	case len(q.end) > 0:
		m.ranges[q] = struct{}{}
	default:
		if m.points[string(q.key)] == nil {
			m.points[string(q.key)] = map[*question]struct{}{}
		}
		m.points[string(q.key)][q] = struct{}{}
	}
	return q
}

// answer remembers an answer, unless there is none, or somebody has written since it was asked for.
func (m *memory) answer(q *question, a *pb.RangeResponse) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a != nil {
		q.size = a.SizeVT() + len(q.id)
	}
	if a == nil || q.forgotten || q.size > memoryBytes {
		m.forget(q)
		return
	}
	if e := m.answers[q.id]; e != nil {
		m.forget(e.Value.(*question))
	}
	q.answer = a
	m.answers[q.id] = m.use.PushFront(q)
	m.bytes += q.size
	for len(m.answers) > memoryAnswers || m.bytes > memoryBytes {
		m.forget(m.use.Back().Value.(*question))
	}
}

// forget forgets a question and its answer.
func (m *memory) forget(q *question) {
	q.forgotten = true
	delete(m.ranges, q)
	if same := m.points[string(q.key)]; same != nil {
		if delete(same, q); len(same) == 0 {
			delete(m.points, string(q.key))
		}
	}
	if e := m.answers[q.id]; e != nil && e.Value == q {
		m.use.Remove(e)
		delete(m.answers, q.id)
		m.bytes -= q.size
	}
}

// invalidate forgets what a write to these keys may change.
func (m *memory) invalidate(key, end []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for q := range m.ranges {
		if meet(key, end, q.key, q.end) {
			m.forget(q)
		}
	}
	if len(end) == 0 {
		for q := range m.points[string(key)] {
			m.forget(q)
		}
		return
	}
	for point, same := range m.points {
		if !within([]byte(point), key, end) {
			continue
		}
		for q := range same {
			m.forget(q)
		}
	}
}

// within tells whether a key is in a range.
func within(k, key, end []byte) bool {
	switch {
	case len(end) == 0:
		return bytes.Equal(k, key)
	case len(end) == 1 && end[0] == 0:
		return bytes.Compare(k, key) >= 0
	}
	return bytes.Compare(k, key) >= 0 && bytes.Compare(k, end) < 0
}

// meet tells whether two ranges have a key in common: then one of them begins in the other.
func meet(key, end, otherKey, otherEnd []byte) bool {
	return within(key, otherKey, otherEnd) || within(otherKey, key, end)
}

// compact notes that the past was cut off: what is asked of it gets the answer that a member would give.
func (m *memory) compact(rev int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compacted = max(m.compacted, rev)
}

// clear forgets everything.
func (m *memory) clear() {
	m.invalidate([]byte{0}, []byte{0})
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.use.Len() > 0 {
		m.forget(m.use.Back().Value.(*question))
	}
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.answers)
}
