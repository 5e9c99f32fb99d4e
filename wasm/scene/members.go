package scene

import (
	"math"
	"slices"

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
	}
	s.caption(v, m, at)
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
	case m.Learner:
		return s.batch.rounded(Rect{at.X - r + 4, at.Y - r + 4, 2*r - 8, 2*r - 8}, 6)
	}
	return s.batch.circle(at, r)
}

func (s *Scene) body(v *View, m *picture.Member, at Point) {
	t := &s.Theme
	c := t.Term(m.Term)
	width := 2.4
	if m.Role == picture.RoleLeader {
		width = 4
	}
	fill, edge := t.Ground.Mix(c, t.Tint*0.8), t.Ground.Mix(c, t.Tint*1.25)
	if m.Process != picture.Running {
		c, fill, edge = c.Mix(t.Ground, 0.55), t.Ground, t.Ground
	}
	shape := s.outline(m, at)
	s.batch.Convex(shape, fill, edge)
	if id, ok := pattern(m.Term); ok && m.Process == picture.Running {
		s.batch.Pattern(shape, at, s.Atlas.Sprites[id], c.Alpha(0.22))
	}
	if m.Role == picture.RolePreCandidate {
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

// inside writes the name and the term.
func (s *Scene) inside(m *picture.Member, at Point, name, c Color) {
	y := at.Y - 1
	if m.Role == picture.RoleCandidate || m.Role == picture.RolePreCandidate {
		y += 5
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
	s.batch.Disc(Point{x, y}, 10, t.Ground)
	s.batch.Ring(Point{x, y}, 10, 1.6, t.Fault)
	s.batch.Fill(Rect{x - 4, y - 4.5, 3, 9}, t.Fault)
	s.batch.Fill(Rect{x + 1, y - 4.5, 3, 9}, t.Fault)
}

// dead draws the outline of a member whose process is gone.
func (s *Scene) dead(m *picture.Member, at Point) {
	t, r := &s.Theme, s.Layout.Radius
	s.batch.Disc(at, r, t.Ground)
	s.batch.Dashed(s.batch.circle(at, r), true, 1.6, 3, 5, 0, t.Faint)
	for _, turn := range [2]float64{math.Pi / 4, -math.Pi / 4} {
		if m.Process == picture.Unknown {
			break // nobody tells that it is gone
		}
		sin, cos := math.Sincos(turn)
		d := Point{cos * r * 0.7, sin * r * 0.7}
		s.batch.Line(at.sub(d), at.add(d), 2, t.Fault.Alpha(0.6))
	}
	// The name stands in a gap of the cross.
	w := s.Atlas.Width(FontName, s.name(m))
	s.batch.Card(Rect{at.X - w/2 - 5, at.Y - 11, w + 10, 22}, 6, t.Ground, Color{}, 0)
	s.centered(Point{at.X, at.Y + 6}, FontName, s.name(m), t.Muted)
}

// arc runs down until a member would call an election.
func (s *Scene) arc(v *View, m *picture.Member, at Point) {
	if m.Role == picture.RoleLeader || m.Timeout == 0 || v.Tick == 0 || m.ElectionAt == 0 {
		return
	}
	left := clamp((float64(m.ElectionAt)-v.Now)/(float64(m.Timeout)*v.Tick), 0, 1)
	c := s.Theme.Term(m.Term)
	r := s.Layout.Radius + 7
	if m.Role != picture.RoleFollower {
		return
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
		s.batch.Disc(p, 3.4, t.Fault)
		s.batch.Ring(p, 7.5, 1.6, t.Fault)
	default:
		s.batch.Disc(p, 2.6, t.Text)
	}
	if span := float64(m.DiskUntil - m.DiskSince); span > 0 {
		f := clamp((v.Now-float64(m.DiskSince))/span, 0, 1)
		s.batch.Stroke(s.batch.arc(p, 7.5, -math.Pi/2, -math.Pi/2+2*math.Pi*f), false, 2, t.Text)
	}
}

// roleWord is how a member is called below its shape.
func roleWord(state *picture.State, m *picture.Member) (Word, bool) {
	switch m.Process {
	case picture.Crashed:
		return WordCrashed, true
	case picture.Killed:
		return WordKilled, true
	case picture.Stopped:
		return WordStopped, true
	case picture.Paused:
		return WordPaused, true
	case picture.Starting:
		return WordStarting, true
	case picture.Unknown:
		return WordUnknown, false
	}
	switch {
	case m.Role == picture.RoleLeader && m.ID != state.Leader:
		return WordStale, true
	case m.Role == picture.RoleLeader:
		return WordLeader, false
	case m.Role == picture.RoleCandidate:
		return WordCandidate, false
	case m.Role == picture.RolePreCandidate:
		return WordPreCandidate, false
	case m.Learner:
		return WordLearner, false
	}
	return WordFollower, false
}

// caption writes role and progress below a member.
func (s *Scene) caption(v *View, m *picture.Member, at Point) {
	t := &s.Theme
	y := at.Y + s.Layout.Radius + 24
	if s.Layout.Phone {
		y -= 2
	}
	word, fault := roleWord(v.State, m)
	c := t.Muted
	switch {
	case fault:
		c = t.Fault
	case word == WordLeader:
		c = t.Term(m.Term)
	case word != WordFollower:
		c = t.Text
	}
	votes := (word == WordCandidate || word == WordPreCandidate) && len(m.Votes) > 0
	named := !s.Layout.Phone || word != WordFollower // a circle says it, where there is little room
	width := 0.0
	if named {
		width += s.Atlas.WordWidth(word)
	}
	switch {
	case votes:
		width += 8 + s.votesWidth(v.State, m)
	case s.Layout.Phone:
		width += 6 + s.numberWidth(FontSmall, m.Commit) + s.Atlas.Width(FontSmall, "/") + s.numberWidth(FontSmall, m.Applied)
	}
	s.batch.Card(Rect{at.X - width/2 - 5, y - 12, width + 10, 16}, 5, t.Ground.Alpha(0.82), Color{}, 0)
	p := s.pen(Point{at.X - width/2, y}, c)
	if named {
		p.word(word)
	}
	switch {
	case votes:
		p.at.X += 8
		s.votes(p, v.State, m)
	case s.Layout.Phone: // committed/applied, without the words
		p.at.X += 6
		p.color = t.Text
		s.number(p, FontSmall, m.Commit)
		p.text(FontSmall, "/")
		s.number(p, FontSmall, m.Applied)
	}
	if !s.Layout.Phone {
		s.progress(m, Point{at.X, y + 16})
	}
}

func granted(m *picture.Member) (n uint64) {
	for _, vote := range m.Votes {
		if vote.Granted {
			n++
		}
	}
	return n
}

func (s *Scene) votesWidth(state *picture.State, m *picture.Member) float64 {
	return s.Atlas.WordWidth(WordVotes) + 4 + s.numberWidth(FontLabel, granted(m)) + s.Atlas.Width(FontLabel, "/") +
		s.numberWidth(FontLabel, uint64(len(state.Members)))
}

// votes writes how many have voted for a candidate.
func (s *Scene) votes(p *pen, state *picture.State, m *picture.Member) {
	p.word(WordVotes)
	p.at.X += 4
	s.number(p, FontLabel, granted(m))
	p.text(FontLabel, "/")
	s.number(p, FontLabel, uint64(len(state.Members)))
}

// progress writes "committed 7 · applied 7".
func (s *Scene) progress(m *picture.Member, at Point) {
	t := &s.Theme
	gap := s.Atlas.Width(FontSmall, " ")
	width := s.Atlas.WordWidth(WordCommitted) + s.Atlas.WordWidth(WordApplied) + s.numberWidth(FontSmall, m.Commit) +
		s.numberWidth(FontSmall, m.Applied) + 4*gap
	s.batch.Card(Rect{at.X - width/2 - 4, at.Y - 11, width + 8, 15}, 5, t.Ground.Alpha(0.82), Color{}, 0)
	p := s.pen(Point{at.X - width/2, at.Y}, t.Faint)
	part := func(w Word, n uint64) {
		p.color = t.Faint
		p.word(w)
		p.at.X += gap
		p.color = t.Text
		if !m.Alive {
			p.color = t.Muted
		}
		s.number(p, FontSmall, n)
	}
	part(WordCommitted, m.Commit)
	p.at.X += 2 * gap
	part(WordApplied, m.Applied)
}
