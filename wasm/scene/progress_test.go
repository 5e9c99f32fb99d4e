package scene

import (
	"testing"

	"vitrine/core/picture"
)

// TestProgressIsMarkedWhereItTells: a peer that lags has its marks; where all is level there are none, unless the
// leader is looked at.
func TestProgressIsMarkedWhereItTells(t *testing.T) {
	s := New(Dark)
	s.Resize(900, 600, []uint64{1, 2, 3}, 0, false, 0)
	draw := func(match, next, selected uint64) int {
		st := &picture.State{Leader: 1, LogFirst: 1, LogLast: 9, Members: []picture.Member{
			{ID: 1, Alive: true, Role: picture.RoleLeader, Last: 9, Progress: []picture.Progress{
				{ID: 2, Match: match, Next: next}, {ID: 3, Match: 9, Next: 10},
			}}, {ID: 2, Alive: true}, {ID: 3, Alive: true},
		}}
		s.batch.Reset(1, [2]float32{})
		s.progress(&View{State: st, Selected: selected}, 1)
		n := 0
		for i := range s.batch.Calls {
			n += len(s.batch.Calls[i].Vertices)
		}
		return n
	}
	if n := draw(9, 10, 0); n != 0 {
		t.Errorf("%d corners where all is level", n)
	}
	one, all := draw(5, 6, 0), draw(9, 10, 1)
	if one == 0 || all != 2*one {
		t.Errorf("%d corners for a peer that lags, %d for both where the leader is looked at", one, all)
	}
	if n := draw(5, 6, 2); n != one {
		t.Errorf("%d corners where another is looked at, not %d", n, one)
	}
}

// TestARowOfAFarLogSaysWhereItEnds: a log that ends before the window leaves no row without a word.
func TestARowOfAFarLogSaysWhereItEnds(t *testing.T) {
	draw := func(last, first uint64) int {
		st := &picture.State{Leader: 1, LogFirst: 90, LogLast: 113, Members: []picture.Member{
			{ID: 1, Alive: true, Role: picture.RoleLeader, First: first, Last: 113}, {ID: 2, Last: last}, {ID: 3, Last: 113},
		}}
		s, b := drawn(t, 900, 600, st, Dark)
		check(t, b)
		s.batch.Reset(1, [2]float32{})
		s.matrix(&View{State: st})
		n := 0
		for i := range s.batch.Calls {
			n += len(s.batch.Calls[i].Vertices)
		}
		return n
	}
	level, behind, lost := draw(113, 1), draw(17, 1), draw(17, 60)
	if behind <= level || lost <= behind {
		t.Errorf("%d corners where all is level, %d with a log that ends far behind, %d where the leader's begins after that",
			level, behind, lost)
	}
}
