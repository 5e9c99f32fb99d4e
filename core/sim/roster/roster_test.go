package roster

import (
	"slices"
	"testing"

	"vitrine/core/trace"
)

// TestRoster: the newest change counts, and one that was refused does not.
func TestRoster(t *testing.T) {
	r := Of(3)
	for _, c := range []struct {
		e             trace.Event
		fresh         uint64
		all, learners []uint64
	}{
		{trace.Event{Index: 5, Peer: 4, A: addLearner}, 4, []uint64{1, 2, 3, 4}, []uint64{4}},
		{trace.Event{Index: 5, Peer: 4, A: remove}, 0, []uint64{1, 2, 3, 4}, []uint64{4}},
		{trace.Event{Index: 6, Peer: 9, A: add, Text: "no"}, 0, []uint64{1, 2, 3, 4}, []uint64{4}},
		{trace.Event{Index: 7, Peer: 4, A: 4}, 4, []uint64{1, 2, 3, 4}, nil},
		{trace.Event{Index: 8, Peer: 2, A: remove}, 0, []uint64{1, 3, 4}, nil},
		{trace.Event{Index: 9, Peer: 1, A: update}, 0, []uint64{1, 3, 4}, nil},
	} {
		got := r.Changed(&c.e)
		if got != c.fresh || !slices.Equal(r.All(), c.all) || !slices.Equal(r.Learners(), c.learners) {
			t.Errorf("%+v: %d, %v, learners %v", c.e, got, r.All(), r.Learners())
		}
	}
	if r.Has(2) || !r.Has(4) || r.Learns(4) {
		t.Errorf("%+v", r)
	}
}

// TestConnections: another life is another connection.
func TestConnections(t *testing.T) {
	c := Connections{}
	for _, s := range []struct {
		life         uint32
		up           bool
		broken, made bool
	}{
		{1, false, false, false}, {1, true, false, true}, {1, true, false, false}, {2, true, true, true},
		{2, false, true, false},
	} {
		if broken, made := c.Update(7, s.life, s.up); broken != s.broken || made != s.made {
			t.Errorf("%+v: broken %t, made %t", s, broken, made)
		}
	}
}
