package scene

import (
	"math"

	"vitrine/core/picture"
)

// matrix draws the logs: a row a member, a column an index. Hue is the
// entry's term, the edge its durability: dotted = in memory, dashed = in the
// file, solid = synced, filled = committed, underlined = applied.
func (s *Scene) matrix(v *View) {
	l, st := &s.Layout, v.State
	if l.Matrix.H == 0 {
		return
	}
	first := s.columns(v)
	area := l.Cells.Rect
	from := uint64(math.Max(1, math.Floor(first)))
	for index := from; index <= st.LogLast; index++ {
		x := area.X + (float64(index)-first)*l.Cells.DX
		if x+l.Cells.W > area.X+area.W+1 {
			break
		}
		alpha := clamp((x-area.X+l.Cells.DX)/l.Cells.DX, 0, 1)
		s.header(index, x, alpha)
		for i := range st.Members {
			row := l.at(st.Members[i].ID)
			if e := entry(&st.Members[i], index); e != nil && row >= 0 {
				s.cell(v, &st.Members[i], e, Rect{x, area.Y + float64(row)*l.Cells.DY, l.Cells.W, l.Cells.H}, alpha)
			}
		}
	}
	for i := range st.Members {
		if m := &st.Members[i]; l.at(m.ID) >= 0 && m.Last < from && st.LogLast > 0 {
			s.farBehind(st, m, l.at(m.ID))
		}
	}
	s.frontier(st, first)
	s.progress(v, first)
	// Columns leave below the labels.
	s.batch.Fill(Rect{0, area.Y - 18, area.X - 4, l.H - area.Y + 18}, s.Theme.Ground)
	for i := range st.Members {
		if row := l.at(st.Members[i].ID); row >= 0 {
			s.rowLabel(v, &st.Members[i], row)
		}
	}
}

// farBehind says in the row of a member whose log ends before the window where that is, and where the leader's begins
// if a snapshot must fill what is between them.
func (s *Scene) farBehind(st *picture.State, m *picture.Member, row int) {
	l, gap := &s.Layout, s.Atlas.Width(FontSmall, " ")
	p := s.pen(Point{l.Cells.Rect.X + 4, l.Cells.Rect.Y + float64(row)*l.Cells.DY + l.Cells.H/2 + 4}, s.Theme.Muted)
	part := func(w Word, n uint64) {
		p.word(w)
		p.at.X += gap
		s.number(p, FontSmall, n)
		p.at.X += 2 * gap
	}
	part(WordEnds, m.Last)
	for i := range st.Members {
		if first := st.Members[i].First; st.Members[i].ID == st.Leader && first > m.Last+1 {
			width := s.Atlas.WordWidth(WordBegins) + gap + s.numberWidth(FontSmall, first)
			if p.at.X+width < l.Cells.Rect.X+l.Cells.Rect.W {
				part(WordBegins, first)
			}
		}
	}
}

// columns moves the window so that the newest index is the last column.
func (s *Scene) columns(v *View) float64 {
	aim := float64(v.State.LogLast) - float64(s.Layout.Cells.Columns) + 1
	aim = math.Max(aim, 1)
	if v.Reduced || math.Abs(aim-s.scroll) > 12 {
		s.scroll = aim
	}
	s.scroll += (aim - s.scroll) * (1 - math.Exp(-9*s.passed))
	if math.Abs(aim-s.scroll) < 0.004 {
		s.scroll = aim
	}
	return s.scroll
}

func entry(m *picture.Member, index uint64) *picture.Entry {
	if n := len(m.Log); n > 0 && index >= m.Log[0].Index {
		if i := index - m.Log[0].Index; i < uint64(n) && m.Log[i].Index == index {
			return &m.Log[i]
		}
	}
	return nil
}

// rowLabel names the row, the leader's in its hue with its shape.
func (s *Scene) rowLabel(v *View, m *picture.Member, row int) {
	l, t := &s.Layout, &s.Theme
	y := l.Cells.Rect.Y + float64(row)*l.Cells.DY + l.Cells.H/2
	x, size := 14.0, 5.0
	if l.Phone {
		x, size = 8, 3.6
	}
	c := t.Term(m.Term)
	switch {
	case learns(m):
		if !m.Alive {
			c = t.Faint
		}
		s.batch.Stroke(s.batch.rounded(Rect{x - size, y - size, 2 * size, 2 * size}, 1.5), true, 1.6, c)
	case !m.Alive || unsettled(m):
		s.batch.Ring(Point{x, y}, size, 1.2, t.Faint)
	case m.Role == picture.RoleLeader:
		s.batch.Convex(s.batch.polygon(Point{x, y}, size+1.4, 6, math.Pi/6), c, c)
	case m.Role == picture.RoleFollower:
		s.batch.Ring(Point{x, y}, size, 1.6, c)
	default:
		s.batch.Stroke(s.batch.polygon(Point{x, y + 1}, size+1.4, 3, -math.Pi/2), true, 1.6, c)
	}
	name := t.Muted
	if v.Selected == m.ID || m.Role == picture.RoleLeader && m.Alive {
		name = t.Text
	}
	s.pen(Point{x + size + 6, y + 4}, name).text(FontLabel, s.name(m))
}

// header writes the index above its column.
func (s *Scene) header(index uint64, x, alpha float64) {
	l := &s.Layout
	w := s.numberWidth(FontTiny, index)
	s.number(s.pen(Point{x + l.Cells.W/2 - w/2, l.Cells.Rect.Y - 7}, s.Theme.Faint.Alpha(alpha)), FontTiny, index)
}

// cell draws one entry of one log.
func (s *Scene) cell(v *View, m *picture.Member, e *picture.Entry, r Rect, alpha float64) {
	t := &s.Theme
	c := t.Term(e.Term)
	if !m.Alive {
		alpha *= 0.5
	}
	inner := Rect{r.X + 0.75, r.Y + 0.75, r.W - 1.5, r.H - 1.5}
	fill := t.Tint * 0.35
	if e.Committed {
		fill = t.Tint * 1.7
		// A newly committed entry lights up for a moment.
		if since := v.Wall - s.flash[m.ID].since; e.Index == m.Commit && since < 0.5 && !v.Reduced {
			fill += 0.35 * (1 - since/0.5)
		}
	}
	outline := s.batch.rounded(inner, 4)
	s.batch.fan(outline, t.Ground.Mix(c, fill).Alpha(alpha))
	if id, ok := pattern(e.Term); ok {
		strength := 0.12
		if e.Committed {
			strength = 0.22
		}
		s.batch.Pattern(outline, inner.Center(), s.Atlas.Sprites[id], c.Alpha(strength*alpha))
	}
	switch line := c.Alpha(alpha); {
	case e.Committed:
		s.batch.Stroke(outline, true, 1.8, line)
	case e.Synced:
		s.batch.Stroke(outline, true, 1.2, line)
	case e.Written:
		s.batch.Dashed(outline, true, 1.3, 4.5, 3, 0, line)
	default:
		s.batch.Dashed(outline, true, 1.5, 1.5, 2.6, 0, line)
	}
	if e.Applied {
		s.batch.Fill(Rect{r.X + 5, r.Y + r.H - 3.8, r.W - 10, 1.6}, c.Alpha(alpha))
	}
	s.cellText(e, r, alpha)
}

// cellText writes the term, small, and what the entry does.
func (s *Scene) cellText(e *picture.Entry, r Rect, alpha float64) {
	t := &s.Theme
	base := r.Y + r.H/2 + 2.6
	if s.Layout.Phone {
		w := s.numberWidth(FontTiny, e.Term)
		s.number(s.pen(Point{r.X + r.W/2 - w/2, base}, t.Text.Alpha(alpha)), FontTiny, e.Term)
		return
	}
	p := s.pen(Point{r.X + 5, base}, t.Term(e.Term).Alpha(alpha))
	s.number(p, FontTiny, e.Term)
	left, right := p.at.X+3, r.X+r.W-4
	head, cut, w := s.Atlas.Fit(FontTiny, e.Text, right-left)
	s.pen(Point{left + (right-left-w)/2, base}, t.Text.Alpha(alpha)).fitted(FontTiny, head, cut)
}

// frontier is the line behind the last committed column.
func (s *Scene) frontier(st *picture.State, first float64) {
	l := &s.Layout
	x := l.Cells.Rect.X + (float64(st.Commit)+1-first)*l.Cells.DX - (l.Cells.DX-l.Cells.W)/2
	if st.Commit == 0 || x < l.Cells.Rect.X || x > l.Cells.Rect.X+l.Cells.Rect.W+4 {
		return
	}
	s.batch.path = append(s.batch.path[:0], Point{x, l.Cells.Rect.Y - 14}, Point{x, l.Cells.Rect.Y + l.Cells.Rect.H})
	s.batch.Dashed(s.batch.path, false, 1.3, 3, 4, 0, s.Theme.Text.Alpha(0.6))
}
