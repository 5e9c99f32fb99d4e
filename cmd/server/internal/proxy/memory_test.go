package proxy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"vitrine/core/api"
	"vitrine/core/pb"
)

func ranged(key, end string) *pb.RangeRequest {
	r := &pb.RangeRequest{Key: []byte(key)}
	if end != "" {
		r.RangeEnd = []byte(end)
	}
	return r
}

// remembering is a store of six keys, the time of each one's last write, and what is remembered of it.
type remembering struct {
	*testing.T
	*rand.Rand
	memory  *memory
	written map[string]int64
	clock   int64
	open    []asking
	hits    int
}

// asking is a question on its way, with the answer that it got.
type asking struct {
	q      *question
	answer int64
}

// newest is when one of the keys was written last.
func (m *remembering) newest(r *pb.RangeRequest) (at int64) {
	for key, w := range m.written {
		if within([]byte(key), r.Key, r.RangeEnd) {
			at = max(at, w)
		}
	}
	return at
}

func (m *remembering) random() *pb.RangeRequest {
	key := func() string { return fmt.Sprint(m.IntN(6)) }
	switch m.IntN(3) {
	case 0:
		return ranged(key(), "")
	case 1:
		return ranged(key(), key())
	}
	return ranged(key(), "\x00")
}

// write forgets before and after, as the proxy does.
func (m *remembering) write() {
	r := m.random()
	m.memory.invalidate(r.Key, r.RangeEnd)
	m.clock++
	for i := range 6 {
		if k := fmt.Sprint(i); within([]byte(k), r.Key, r.RangeEnd) {
			m.written[k] = m.clock
		}
	}
	m.memory.invalidate(r.Key, r.RangeEnd)
}

func (m *remembering) answer() {
	if len(m.open) == 0 {
		return
	}
	i := m.IntN(len(m.open))
	a := m.open[i]
	m.open = append(m.open[:i], m.open[i+1:]...)
	answer := &pb.RangeResponse{Count: a.answer}
	if m.IntN(5) == 0 {
		answer = nil // the member did not answer
	}
	m.memory.answer(a.q, answer)
}

func (m *remembering) get() {
	m.Helper()
	r := m.random()
	a, err := m.memory.get(r)
	if err != nil {
		m.Fatal(err)
	}
	if a == nil {
		return
	}
	m.hits++
	if a.Count != m.newest(r) {
		m.Fatalf("[%q, %q) is remembered as of %d, and was written at %d", r.Key, r.RangeEnd, a.Count, m.newest(r))
	}
}

// TestMemoryIsAsNewAsTheWrites compares what is remembered of a store with the store, whoever writes when: before a
// question, while it is asked, and after.
func TestMemoryIsAsNewAsTheWrites(t *testing.T) {
	m := &remembering{T: t, Rand: rand.New(rand.NewPCG(1, 2)), memory: newMemory(), written: map[string]int64{}}
	for range 50_000 {
		switch n := m.IntN(30); {
		case n == 0:
			m.write()
		case n < 9:
			r := m.random()
			m.open = append(m.open, asking{m.memory.ask(r), m.newest(r)})
		case n < 18:
			m.answer()
		default:
			m.get()
		}
	}
	if m.hits < 1000 {
		t.Errorf("only %d answers from memory", m.hits)
	}
	m.memory.clear()
	for _, a := range m.open {
		m.memory.answer(a.q, &pb.RangeResponse{})
	}
	if left := m.memory; left.len() != 0 || len(left.points) != 0 || len(left.ranges) != 0 || left.bytes != 0 {
		t.Errorf("after all was forgotten: %d answers, %d points, %d ranges, %d bytes", left.len(), len(left.points),
			len(left.ranges), left.bytes)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	for i := range 3 * memoryAnswers {
		r := ranged(fmt.Sprint(i), "")
		m.answer(m.ask(r), &pb.RangeResponse{})
	}
	if m.len() != memoryAnswers || len(m.points) != memoryAnswers {
		t.Errorf("%d answers, %d points", m.len(), len(m.points))
	}
	large := &pb.RangeResponse{Kvs: []*pb.KeyValue{{Value: make([]byte, memoryBytes/10)}}}
	for i := range 30 {
		r := ranged(fmt.Sprint(i), "a")
		m.answer(m.ask(r), large)
	}
	if m.bytes > memoryBytes || m.len() > 10 {
		t.Errorf("%d bytes in %d answers", m.bytes, m.len())
	}
}

// What has a revision outlives writes, and ends with a compaction.
func TestMemoryOfThePast(t *testing.T) {
	m := newMemory()
	r := ranged("a", "")
	r.Revision = 5
	m.answer(m.ask(r), &pb.RangeResponse{Count: 1})
	m.invalidate([]byte("a"), nil)
	r.Serializable = true // linearizable or not: the past is the same
	if a, err := m.get(r); err != nil || a.GetCount() != 1 {
		t.Errorf("%v, %v", a, err)
	}
	m.compact(5)
	if a, err := m.get(r); err != nil || a.GetCount() != 1 {
		t.Errorf("at the compacted revision: %v, %v", a, err)
	}
	m.compact(6)
	if _, err := m.get(r); !errors.Is(err, api.ErrCompacted) {
		t.Errorf("below the compacted revision: %v", err)
	}
	if m.len() != 0 {
		t.Errorf("%d answers", m.len())
	}
}
