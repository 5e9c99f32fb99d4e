package scene

import (
	"math"
	"slices"
	"strconv"

	"vitrine/core/picture"
)

// nameRunes is how much of a name there is room for.
const nameRunes = 6

// name is how a member is called on the stage.
func (s *Scene) name(m *picture.Member) string {
	name := m.Name
	if len(name) > 1 && name[0] == 's' && name[1] >= '0' && name[1] <= '9' {
		name = "S" + name[1:]
	}
	if r := []rune(name); len(r) > nameRunes {
		name = string(r[:nameRunes-1]) + "…"
	}
	return name
}

// member draws one member: shape = role, hue = term, the arc around it = the
// time until it would call an election, the lamp = its disk.
func (s *Scene) member(v *View, m *picture.Member) {
	if s.Layout.at(m.ID) < 0 {
		return
	}
	at := s.Layout.Member(m.ID)
	s.halo(v, m, at)
	if !m.Alive {
		s.dead(m, at)
	} else {
		s.body(v, m, at)
		s.arc(v, m, at)
		s.lamp(v, m, at)
		s.receives(v, m, at)
	}
}

// receives shows how much of a snapshot a member has in a file: a crate at its edge, a share in figures and as a ring.
func (s *Scene) receives(v *View, m *picture.Member, at Point) {
	if m.Image == nil {
		return
	}
	t, r := &s.Theme, s.Layout.Radius
	p := Point{at.X - r*0.8, at.Y + r*0.8}
	c := t.Term(m.Term)
	if from := find(v.State, m.Image.From); from != nil {
		c = t.Term(from.Term)
	}
	share := 1.0
	if m.Image.Size > 0 {
		share = float64(m.Image.Got) / float64(m.Image.Size)
		percent := uint64(100 * share)
		width := s.numberWidth(FontLabel, percent) + s.Atlas.Width(FontLabel, "%")
		s.batch.Card(Rect{p.X - width - 22, p.Y - 12, width + 40, 24}, 12, t.Ground, c, 1.4)
		pen := s.pen(Point{p.X - width - 15, p.Y + 4.5}, t.Text)
		s.number(pen, FontLabel, percent)
		pen.text(FontLabel, "%")
	}
	s.batch.Disc(p, 13, t.Ground)
	s.batch.Sprite(s.Atlas.Sprites[SpriteCrate], p, right, 0.8, c)
	s.batch.Ring(p, 13, 1.2, t.Line)
	s.filled(p, 13, share, c)
}

// halo marks the leader by light and the selected member by a ring.
func (s *Scene) halo(v *View, m *picture.Member, at Point) {
	t, r := &s.Theme, s.Layout.Radius
	if m.Alive && m.Role == picture.RoleLeader {
		glow := s.Atlas.Sprites[SpriteGlow]
		size := 2 * (r + 44) / math.Max(1, float64(glow.W)/s.Atlas.Scale)
		s.batch.Sprite(glow, at, right, size, t.Term(m.Term).Alpha(0.22))
	}
	if slices.Contains(v.LitMembers, m.ID) {
		s.batch.Ring(at, r+21, 1.6, t.Accent.Alpha(0.55))
	}
	if v.Hover.Kind == TargetMember && v.Hover.A == m.ID && v.Selected != m.ID {
		s.batch.Ring(at, r+13, 1.4, t.Strong)
	}
	if v.Selected == m.ID {
		turn := 0.0
		if !v.Reduced {
			turn = -v.Wall * 6
		}
		s.batch.Dashed(s.batch.circle(at, r+14), true, 1.8, 5, 4.2, turn, t.Accent)
	}
	if since := v.Wall - s.roles[m.ID].since; since < 0.7 && m.Alive && !v.Reduced && s.roles[m.ID].since > 0.5 {
		f := since / 0.7
		s.batch.Ring(at, r+6+26*f, 2.4*(1-f), t.Term(m.Term).Alpha(0.8*(1-f)))
	}
}

// outline is the shape of a role.
func (s *Scene) outline(m *picture.Member, at Point) []Point {
	r := s.Layout.Radius
	switch {
	case m.Role == picture.RoleLeader:
		return s.batch.polygon(at, r+8, 6, math.Pi/6)
	case m.Role == picture.RoleCandidate || m.Role == picture.RolePreCandidate:
		return s.batch.polygon(Point{at.X, at.Y + 5}, r+12, 3, -math.Pi/2)
	}
	return s.place(m, at)
}

// place is the shape of a member that stands for no election: a learner is a square.
func (s *Scene) place(m *picture.Member, at Point) []Point {
	r := s.Layout.Radius
	if learns(m) {
		return s.batch.rounded(Rect{at.X - r + 2, at.Y - r + 2, 2*r - 4, 2*r - 4}, 6)
	}
	return s.batch.circle(at, r)
}

// learns tells whether a member is a learner of its cluster, by its own word where nobody else tells.
func learns(m *picture.Member) bool {
	return m.Standing == picture.StandingLearner || m.Standing == "" && m.Learner
}

// unsettled: it has yet to become what it was added as, or does not know that it was removed.
func unsettled(m *picture.Member) bool { return m.Joining || m.Standing == picture.StandingRemoved }

func (s *Scene) body(v *View, m *picture.Member, at Point) {
	t := &s.Theme
	c := t.Term(m.Term)
	width := 2.4
	if m.Role == picture.RoleLeader {
		width = 4
	}
	fill, edge := t.Ground.Mix(c, t.Tint*0.8), t.Ground.Mix(c, t.Tint*1.25)
	if m.Process != picture.Running || unsettled(m) {
		c, fill, edge = c.Mix(t.Ground, 0.45), t.Ground, t.Ground
	}
	shape := s.outline(m, at)
	s.batch.Convex(shape, fill, edge)
	if id, ok := pattern(m.Term); ok && m.Process == picture.Running && !unsettled(m) {
		s.batch.Pattern(shape, at, s.Atlas.Sprites[id], c.Alpha(0.22))
	}
	if m.Role == picture.RolePreCandidate || unsettled(m) {
		s.batch.Dashed(shape, true, width, 6, 4, 0, c)
	} else {
		s.batch.Stroke(shape, true, width, c)
	}
	if m.Role == picture.RoleLeader {
		s.batch.Sprite(s.Atlas.Sprites[SpriteCrown], Point{at.X, at.Y - s.Layout.Radius - 18}, right, 1.15, c)
	}
	s.inside(m, at, t.Text, c)
	if m.Process == picture.Paused {
		s.bars(at)
	}
}

// smallMember is the radius below which a member has no room for words.
const smallMember = 25

// inside writes the name and the term.
func (s *Scene) inside(m *picture.Member, at Point, name, c Color) {
	y := at.Y - 1
	if m.Role == picture.RoleCandidate || m.Role == picture.RolePreCandidate {
		y += 5
	}
	if s.Layout.Radius < smallMember {
		s.centered(Point{at.X, y}, FontLabel, s.name(m), name)
		s.number(s.pen(Point{at.X - s.numberWidth(FontTiny, m.Term)/2, y + 11}, c), FontTiny, m.Term)
		return
	}
	s.centered(Point{at.X, y}, FontName, s.name(m), name)
	width := s.Atlas.WordWidth(WordTerm) + 3 + s.numberWidth(FontLabel, m.Term)
	p := s.pen(Point{at.X - width/2, y + 16}, c)
	p.word(WordTerm)
	p.at.X += 3
	s.number(p, FontLabel, m.Term)
}

// bars are the sign of a paused process.
func (s *Scene) bars(at Point) {
	t, r := &s.Theme, s.Layout.Radius
	x, y := at.X-r*0.78, at.Y-r*0.78
	s.batch.Disc(Point{x, y}, 15, t.Ground)
	s.batch.Ring(Point{x, y}, 15, 2.4, t.Fault)
	s.batch.Fill(Rect{x - 6, y - 7, 4.5, 14}, t.Fault)
	s.batch.Fill(Rect{x + 1.5, y - 7, 4.5, 14}, t.Fault)
}

// dead draws the outline of a member whose process is gone.
func (s *Scene) dead(m *picture.Member, at Point) {
	t, r := &s.Theme, s.Layout.Radius
	s.batch.Convex(s.place(m, at), t.Ground, t.Ground)
	s.batch.Dashed(s.place(m, at), true, 1.6, 3, 5, 0, t.Faint)
	for _, turn := range [2]float64{math.Pi / 4, -math.Pi / 4} {
		if m.Process == picture.Unknown || m.Process == picture.Starting {
			break // nobody tells that it is gone
		}
		sin, cos := math.Sincos(turn)
		d := Point{cos * r * 0.7, sin * r * 0.7}
		s.batch.Line(at.sub(d), at.add(d), 2, t.Fault.Alpha(0.6))
	}
	// The name stands in a gap of the cross.
	font := FontName
	if r < smallMember {
		font = FontLabel
	}
	w := s.Atlas.Width(font, s.name(m))
	s.batch.Card(Rect{at.X - w/2 - 5, at.Y - 11, w + 10, 22}, 6, t.Ground, Color{}, 0)
	s.centered(Point{at.X, at.Y + 6}, font, s.name(m), t.Muted)
}

// arc runs down until a member would call an election, as only one that votes does.
func (s *Scene) arc(v *View, m *picture.Member, at Point) {
	if m.Role == picture.RoleLeader || !votes(m) || m.Timeout == 0 || v.Tick == 0 || m.ElectionAt == 0 {
		return
	}
	left := clamp((float64(m.ElectionAt)-v.Now)/(float64(m.Timeout)*v.Tick), 0, 1)
	c := s.Theme.Term(m.Term)
	r := s.Layout.Radius + 7
	if m.Role != picture.RoleFollower { // around the corners of a triangle
		at.Y, r = at.Y+5, r+10
	}
	s.batch.Ring(at, r, 2, s.Theme.Line.Alpha(0.7))
	if left > 0.005 {
		s.batch.Stroke(s.batch.arc(at, r, -math.Pi/2, -math.Pi/2+2*math.Pi*left), false, 3, c.Alpha(0.75))
	}
}

// lamp shows the disk: a steady point at rest, a ring that fills while it
// works, in the color of a fault when it hangs.
func (s *Scene) lamp(v *View, m *picture.Member, at Point) {
	t, r := &s.Theme, s.Layout.Radius
	p := Point{at.X + r*0.8, at.Y + r*0.8}
	s.batch.Disc(p, 7.5, t.Ground)
	s.batch.Ring(p, 7.5, 1.2, t.Line)
	switch m.Disk {
	case "idle", "":
		s.batch.Disc(p, 2.6, t.Good.Alpha(0.8))
		return
	case "stalled":
		s.hung(v, m, p)
		return
	default:
		s.batch.Disc(p, 2.6, t.Text)
	}
	if span := float64(m.DiskUntil - m.DiskSince); span > 0 {
		f := clamp((v.Now-float64(m.DiskSince))/span, 0, 1)
		s.batch.Stroke(s.batch.arc(p, 7.5, -math.Pi/2, -math.Pi/2+2*math.Pi*f), false, 2, t.Text)
	}
}

// hung shows a disk that does nothing: how long it still will, as a time and as a ring that empties.
func (s *Scene) hung(v *View, m *picture.Member, p Point) {
	t := &s.Theme
	left := max(0, float64(m.DiskUntil)-v.Now)
	words := strconv.FormatFloat(math.Ceil(left/1e8)/10, 'f', 1, 64) + " s"
	width := s.Atlas.Width(FontLabel, words)
	s.batch.Card(Rect{p.X - 12, p.Y - 12, width + 34, 24}, 12, t.Ground, t.Fault, 2)
	s.batch.Disc(p, 4, t.Fault)
	s.batch.Stroke(s.batch.arc(p, 7.5, -math.Pi/2, -math.Pi/2+2*math.Pi*clamp(left/2e9, 0, 1)), false, 2.4, t.Fault)
	s.pen(Point{p.X + 14, p.Y + 4.5}, t.Fault).text(FontLabel, words)
}
