package scene

import (
	"math"

	"vitrine/core/picture"
)

// progress marks on each row how far the leader believes its member to be: a dot on the last entry that it is known to
// have (match), an arrow before the one that is sent next. Where all is level there is nothing to tell, unless the
// leader is looked at.
func (s *Scene) progress(v *View, first float64) {
	leader := find(v.State, v.State.Leader)
	if leader == nil || s.Layout.Phone {
		return
	}
	for i := range leader.Progress {
		p := &leader.Progress[i]
		row := s.Layout.at(p.ID)
		if row < 0 || v.Selected != leader.ID && level(p, leader) {
			continue
		}
		s.marks(p, row, first)
	}
}

// level: the peer has all that the leader has.
func level(p *picture.Progress, leader *picture.Member) bool {
	return p.Match == leader.Last && p.Next == p.Match+1
}

func (s *Scene) marks(p *picture.Progress, row int, first float64) {
	c, area := &s.Layout.Cells, s.Layout.Cells.Rect
	y := area.Y + float64(row)*c.DY
	inside := func(x float64) bool { return x >= area.X-1 && x <= area.X+area.W+c.DX }
	at := func(index uint64) float64 { return area.X + (float64(index)-first)*c.DX }
	if x := at(p.Match) + c.W - 1; p.Match > 0 && inside(x) {
		s.batch.Disc(Point{x, y + 1}, 4, s.Theme.Ground)
		s.batch.Disc(Point{x, y + 1}, 2.8, s.Theme.Text)
	}
	if x := at(p.Next) - (c.DX-c.W)/2; inside(x) {
		tip := s.batch.polygon(Point{x, y + c.H - 1}, 4.2, 3, -math.Pi/2)
		s.batch.Convex(tip, s.Theme.Text, s.Theme.Text)
	}
}
