package scene

import (
	"vitrine/core/picture"
)

// links draws the lines between members: one calm line while both directions
// work, two lanes as soon as one of them is cut.
func (s *Scene) links(v *View) {
	s.crossed = s.Layout.Crossed(s.crossed[:0], v.Stroke)
	for i, a := range s.Layout.IDs {
		for _, b := range s.Layout.IDs[i+1:] {
			s.link(v, a, b)
		}
	}
}

func (s *Scene) link(v *View, a, b uint64) {
	t := &s.Theme
	line, width := t.Line, 1.4
	chosen := v.Link == [2]uint64{a, b}
	hover := v.Hover.Kind == TargetLink && v.Hover.A == a && v.Hover.B == b
	switch {
	case chosen:
		line, width = t.Accent, 2.2
	case hover:
		line, width = t.Strong, 2
	}
	for _, c := range s.crossed {
		if c == [2]uint64{a, b} || c == [2]uint64{b, a} {
			s.threaten(v, c)
			line = t.Strong
		}
	}
	if !s.cut[[2]uint64{a, b}] && !s.cut[[2]uint64{b, a}] {
		p, q := s.Layout.lane(a, b, 0)
		s.batch.Line(p, q, width, line)
		s.warm(v, a, b, 0)
		return
	}
	if chosen || hover {
		p, q := s.Layout.lane(a, b, 0)
		s.batch.Line(p, q, 12, line.Alpha(0.16))
	}
	s.direction(v, a, b, line)
	s.direction(v, b, a, line)
}

// threaten shows what a stroke will cut: a link, or one direction of it.
func (s *Scene) threaten(v *View, link [2]uint64) {
	p, q := s.Layout.lane(link[0], link[1], 0)
	if v.OneWay {
		p, q = s.Layout.lane(link[0], link[1], 5)
		s.batch.Sprite(s.Atlas.Sprites[SpriteApp], lerp(p, q, 0.5), q.sub(p).unit(), 0.7, s.Theme.Fault)
	}
	s.batch.Line(p, q, 2.4, s.Theme.Fault)
}

// direction draws one lane of a link that is cut at least one way.
func (s *Scene) direction(v *View, from, to uint64, line Color) {
	t := &s.Theme
	p, q := s.Layout.lane(from, to, 4)
	if !s.cut[[2]uint64{from, to}] {
		s.batch.Line(p, q, 1.4, line)
		s.warm(v, from, to, 4)
		s.arrow(lerp(p, q, 0.32), q.sub(p).unit(), t.Muted)
		return
	}
	mid := lerp(p, q, 0.5)
	if s.cut[[2]uint64{to, from}] { // both: the marks of the two lanes become one
		mid = lerp(s.Layout.Member(from), s.Layout.Member(to), 0.5)
	}
	s.batch.path = append(s.batch.path[:0], p, q)
	s.batch.Dashed(s.batch.path, false, 1.2, 3, 6, 0, t.Fault.Alpha(0.55))
	if !s.cut[[2]uint64{to, from}] || from < to {
		s.batch.Disc(mid, 8, t.Ground)
		s.batch.Sprite(s.Atlas.Sprites[SpriteCross], mid, right, 1.1, t.Fault)
	}
	if !s.cut[[2]uint64{to, from}] {
		s.arrow(lerp(p, q, 0.32), q.sub(p).unit(), t.Fault)
	}
}

// arrow is the head of one, at a point, in a direction.
func (s *Scene) arrow(at, way Point, c Color) {
	side := Point{-way.Y * 5.5, way.X * 5.5}
	back := Point{at.X - way.X*11, at.Y - way.Y*11}
	s.batch.path = append(s.batch.path[:0], at, back.add(side), back.sub(side))
	s.batch.Convex(s.batch.path, c, c)
}

// warm lets a lane glow with its recent traffic in the hue of its sender's term.
func (s *Scene) warm(v *View, a, b uint64, offset float64) {
	if v.Heat == nil {
		return
	}
	for _, dir := range [2][2]uint64{{a, b}, {b, a}} {
		h := float64(v.Heat[dir])
		if h < 0.02 || offset != 0 && dir != [2]uint64{a, b} {
			continue
		}
		if m := find(v.State, dir[0]); m != nil {
			p, q := s.Layout.lane(dir[0], dir[1], 2)
			s.batch.Line(p, q, 2.2, s.Theme.Term(m.Term).Alpha(0.5*h))
		}
	}
}

func find(state *picture.State, id uint64) *picture.Member {
	for i := range state.Members {
		if state.Members[i].ID == id {
			return &state.Members[i]
		}
	}
	return nil
}

// stroke draws the scissors' way while a cut is being drawn.
func (s *Scene) stroke(v *View) {
	if n := len(v.Stroke); n > 1 {
		s.batch.Dashed(v.Stroke, false, 2.2, 5, 5, 0, s.Theme.Fault)
		s.batch.Sprite(s.Atlas.Sprites[SpriteScissors], v.Stroke[n-1], right, 1, s.Theme.Fault)
	}
}
