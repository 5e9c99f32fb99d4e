package scene

import (
	"math"

	"vitrine/core/picture"
)

// clients draws a card for each client: who it is and what it asked last.
func (s *Scene) clients(v *View) {
	for i := range v.State.Clients {
		if c := &v.State.Clients[i]; c.ID >= 0 && c.ID < len(s.Layout.Clients) && s.Layout.Clients[c.ID].W > 0 {
			s.card(v, c)
		}
	}
}

func (s *Scene) card(v *View, c *picture.Client) {
	t, r := &s.Theme, s.Layout.Clients[c.ID]
	r0 := s.latest(v.State, c)
	line := t.Line
	busy := r0 != nil && r0.Status == picture.StatusPending
	switch {
	case r0 != nil && r0.ID == v.Request && v.Request != 0:
		line = t.Accent
	case busy:
		line = t.Strong
	}
	s.batch.Card(r, 9, t.Raised, line, 1.3)
	base, pad, font := r.Y+r.H/2+4, 9.0, FontSmall
	if s.Layout.Phone {
		pad, font = 6, FontTiny
	}
	p := s.pen(Point{r.X + pad, base}, t.Muted)
	if c.ID == 0 {
		p.word(WordYou)
	} else {
		p.text(font, "C")
		s.number(p, font, uint64(c.ID))
	}
	if r0 == nil {
		return
	}
	p.at.X += pad - 3
	p.color = t.Text
	if !busy {
		p.color = t.Muted
	}
	mark := r.X + r.W - pad - 5
	head, cut, _ := s.Atlas.Fit(font, r0.Text, mark-6-p.at.X)
	p.fitted(font, head, cut)
	s.status(v, r0, Point{mark, r.Y + r.H/2})
}

// status is a small mark: a turning arc, a check, a cross, a question.
func (s *Scene) status(v *View, r *picture.Request, at Point) {
	t := &s.Theme
	switch r.Status {
	case picture.StatusOK:
		s.batch.Sprite(s.Atlas.Sprites[SpriteCheck], at, right, 0.85, t.Good)
	case picture.StatusError:
		s.batch.Sprite(s.Atlas.Sprites[SpriteCross], at, right, 0.85, t.Fault)
	case picture.StatusUnknown:
		s.centered(Point{at.X, at.Y + 4}, FontLabel, "?", t.Fault)
	default:
		turn := v.Wall * 5
		if v.Reduced {
			turn = 0
		}
		s.batch.Stroke(s.batch.arc(at, 4.5, turn, turn+4.2), false, 1.7, t.Accent)
	}
}

// latest is the request a client waits for, else its last one.
func (s *Scene) latest(st *picture.State, c *picture.Client) *picture.Request {
	for i := len(st.Requests) - 1; i >= 0; i-- {
		if r := &st.Requests[i]; r.Client == c.ID {
			return r
		}
	}
	return nil
}

// ways draws the lines of the requests that are under way.
func (s *Scene) ways(v *View) {
	for i := range v.State.Requests {
		r := &v.State.Requests[i]
		route := s.routeOf(r.Client, r.Member)
		if route == nil {
			continue
		}
		c, width := s.Theme.Accent, 1.4
		switch {
		case r.Status != picture.StatusPending:
			// The answer has just arrived: its line fades.
			age := (v.Now - float64(r.Done)) / math.Max(1, v.Client)
			if age < 0 || age >= 1 {
				continue
			}
			c = c.Alpha(0.4 * (1 - age))
		case r.ID == v.Request && v.Request != 0:
			c, width = c.Alpha(0.9), 2
		default:
			c = c.Alpha(0.35)
		}
		s.batch.Route(route, width, c)
	}
}

// pills draws requests and answers on their way. They lie over the members, so
// that none is hidden where it arrives.
func (s *Scene) pills(v *View) {
	for i := range v.State.Requests {
		r := &v.State.Requests[i]
		route := s.routeOf(r.Client, r.Member)
		if route == nil || r.Status != picture.StatusPending {
			continue
		}
		w, span := r.Wire, math.Max(1, v.Client)
		switch {
		case w.Answered > 0:
			s.pill(route.at(1-s.share(v, float64(w.Answered), span)), r.Op, true)
		case w.Arrived == 0:
			s.pill(route.at(s.share(v, float64(w.Sent), span)), r.Op, false)
		}
	}
	for i := range v.State.Watches {
		s.pushes(v, &v.State.Watches[i])
	}
}

// pushes draws the events of a watch on their way to its client.
func (s *Scene) pushes(v *View, w *picture.Watch) {
	route, span := s.routeOf(w.Client, w.Member), math.Max(1, v.Client)
	if route == nil {
		return
	}
	for _, at := range w.Pushes {
		if v.Now-float64(at) < span { // what waits longer is held up at a reader who is slow
			s.batch.Route(route, 1.4, s.Theme.Accent.Alpha(0.35))
			s.pill(route.at(1-s.share(v, float64(at), span)), "event", true)
		}
	}
}

// share of a flight of that span that has passed, in five steps for those who
// do not like motion.
func (s *Scene) share(v *View, begin, span float64) float64 {
	f := clamp((v.Now-begin)/span, 0, 1)
	if v.Reduced {
		f = (math.Floor(f*5) + 0.5) / 5
	}
	return f
}

func (s *Scene) routeOf(client int, member uint64) *Route {
	if client < 0 || client >= len(s.Layout.Clients) || s.Layout.Clients[client].W == 0 || s.Layout.at(member) < 0 {
		return nil
	}
	return &s.Layout.Routes[client][s.Layout.at(member)]
}

// pill is a request on the wire, with its operation's name; hollow = an answer.
func (s *Scene) pill(at Point, op string, answer bool) {
	t := &s.Theme
	w := s.Atlas.Width(FontTiny, op) + 12
	box := Rect{at.X - w/2, at.Y - 9, w, 18}
	if answer {
		s.batch.Card(box, 6, t.Ground, t.Accent, 1.5)
		s.centered(Point{at.X, at.Y + 3.6}, FontTiny, op, t.Accent)
		return
	}
	s.batch.Card(box, 6, t.Accent, Color{}, 0)
	s.centered(Point{at.X, at.Y + 3.6}, FontTiny, op, t.Ground)
}
