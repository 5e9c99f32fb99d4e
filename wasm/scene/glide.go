package scene

import "slices"

// glideFor is how long members take to their new places when one comes or goes, in seconds.
const glideFor = 0.4

// glide is a ring on its way from one arrangement to the next: where each member was, and where it will be.
type glide struct {
	from, to         []Point
	fromRadius       float64
	toRadius         float64
	caption, toStyle captionStyle
	routes           [len(Layout{}.Routes)][]Route // as they will be
	since            float64                       // wall seconds, 0 = it has not begun
}

// Rearrange is Resize for a stage that stays as it is while members come or go: those that stay glide to their new
// places, from where they are, and those that come do so from the middle.
func (s *Scene) Rearrange(w, h float64, members []uint64, clients int, bare bool, covered float64) {
	old := s.Layout
	s.Resize(w, h, members, clients, bare, covered)
	if old.Count == 0 || slices.Equal(old.IDs, members) {
		return
	}
	l, g := &s.Layout, &s.glide
	*g = glide{
		from: slices.Clone(l.Members), to: slices.Clone(l.Members), fromRadius: old.Radius, toRadius: l.Radius,
		caption: max(old.Caption, l.Caption), toStyle: l.Caption,
	}
	middle := Point{}
	for _, p := range l.Members {
		middle = middle.add(p.scale(1 / float64(l.Count)))
	}
	for i, id := range l.IDs {
		g.from[i] = middle
		if at := old.at(id); at >= 0 {
			g.from[i] = old.Members[at]
		}
	}
	for i, routes := range l.Routes {
		g.routes[i] = slices.Clone(routes)
	}
}

// Gliding tells whether members are on their way to new places.
func (s *Scene) Gliding() bool { return len(s.glide.to) > 0 }

// glides moves the members to where they are in this frame.
func (s *Scene) glides(v *View) {
	g, l := &s.glide, &s.Layout
	if !s.Gliding() {
		return
	}
	if g.since == 0 {
		g.since = v.Wall
	}
	f := clamp((v.Wall-g.since)/glideFor, 0, 1)
	if v.Reduced || f == 1 {
		copy(l.Members, g.to)
		l.Radius, l.Caption = g.toRadius, g.toStyle
		for i := range l.Routes {
			copy(l.Routes[i], g.routes[i])
		}
		*g = glide{}
		return
	}
	f = f * f * (3 - 2*f)
	l.Radius, l.Caption = g.fromRadius+(g.toRadius-g.fromRadius)*f, g.caption
	for k := range l.Members {
		l.Members[k] = lerp(g.from[k], g.to[k], f)
		away := l.Members[k].sub(g.to[k])
		for i := range l.Routes {
			if k < len(l.Routes[i]) {
				r := g.routes[i][k]
				r.arrive, r.to = r.arrive.add(away), r.to.add(away)
				l.Routes[i][k] = r
			}
		}
	}
}
