package scene

import (
	"vitrine/core/picture"
)

// View is what one frame shows.
type View struct {
	State  *picture.State
	Now    float64 // simulated time to draw, ns; runs on between two events
	Wall   float64 // seconds of the visitor's clock, for motion that means nothing
	Tick   float64 // one raft tick, ns
	Client float64 // one-way latency between clients and members, ns

	Selected   uint64    // member, 0 = none
	Link       [2]uint64 // selected link
	Request    uint64    // selected request
	Followed   Follower  // its way while it is under way, or nil
	Hover      Target
	Stroke     []Point // a cut being drawn
	OneWay     bool    // it cuts only what passes from its left to its right
	Heat       Heat
	Extra      []picture.Message // drawn besides the state's
	Lit        map[uint64]bool   // events of a story; messages sent by them shine, others step back
	LitMembers []uint64          // where a story happens
	Leases     Shelf
	Reduced    bool // no motion that means nothing, and little of the other
}

// Follower knows which messages carry a request, or what it asks for.
type Follower interface {
	Carries(*picture.Message) bool
}

// Heat is the recent traffic of each direction, 0 to 1: at speeds at which no
// single message can be seen, links glow with it.
type Heat map[[2]uint64]float32

// Scene draws views. It keeps its buffers, and the little it must remember
// from frame to frame to move smoothly.
type Scene struct {
	Theme  Theme
	Atlas  *Atlas
	Layout Layout

	batch   Batch
	cut     map[[2]uint64]bool
	crossed [][2]uint64
	spots   []spot // where messages were drawn
	written []Caption
	digits  [24]byte
	roles   map[uint64]roleMemory
	scroll  float64 // first column of the log matrix, moves towards its aim
	glide   glide
	flash   map[uint64]flashMemory
	shelves shelves
	wall    float64 // of this frame, seconds
	passed  float64 // since the last one, at most a quarter of a second
}

type roleMemory struct {
	role  string
	since float64 // wall seconds
}

type flashMemory struct {
	commit uint64
	since  float64
}

// New makes a scene without an atlas; Draw needs one.
func New(theme Theme) *Scene {
	return &Scene{Theme: theme, cut: map[[2]uint64]bool{}, roles: map[uint64]roleMemory{}, flash: map[uint64]flashMemory{}}
}

// Resize lays the stage out anew: see Arrange.
func (s *Scene) Resize(w, h float64, members []uint64, clients int, bare bool, covered float64) {
	s.Layout, s.glide = Arrange(w, h, members, clients, bare, covered), glide{}
}

// Draw returns the triangles of a view. They are valid until the next call.
//
// What is drawn later covers what was drawn before; there is no depth. From the bottom: the floor; links, and the ways
// of requests along them; messages, which must never hide a member; the shelf of leases; members; clients and the
// names of what they ask; the words below the members, which nothing may make unreadable; the stroke of the pointer,
// which belongs to the visitor and covers all of the stage; and the log matrix, which has a floor of its own. Over asks
// in the opposite order, so that a pointer touches what can be seen.
//
// remember comes first: links, members and matrix draw what it has noted of this frame.
func (s *Scene) Draw(v *View) *Batch {
	white := s.Atlas.Sprites[SpriteWhite]
	s.batch.Reset(s.Atlas.Scale, [2]float32{white.X + white.W/2, white.Y + white.H/2})
	s.remember(v)
	s.written = s.written[:0]
	s.glides(v)
	s.ground()
	s.links(v)
	s.ways(v)
	s.messages(v)
	s.shelf(v)
	for i := range v.State.Members {
		s.member(v, &v.State.Members[i])
	}
	s.clients(v)
	s.pills(v)
	for i := range v.State.Members {
		s.caption(v, &v.State.Members[i])
	}
	s.stroke(v)
	s.matrix(v)
	return &s.batch
}

// remember notes what changed since the last frame: a role that is new is drawn with a halo for a moment, a commit
// index that rises with a flash. Both are timed by the wall and not by the world, whose time may stand or race.
func (s *Scene) remember(v *View) {
	s.passed, s.wall = clamp(v.Wall-s.wall, 0, 0.25), v.Wall
	clear(s.cut)
	for i := range v.State.Links {
		if l := &v.State.Links[i]; l.Cut {
			s.cut[[2]uint64{l.From, l.To}] = true
		}
	}
	for i := range v.State.Members {
		m := &v.State.Members[i]
		if s.roles[m.ID].role != m.Role {
			s.roles[m.ID] = roleMemory{m.Role, v.Wall}
		}
		if s.flash[m.ID].commit != m.Commit {
			s.flash[m.ID] = flashMemory{m.Commit, v.Wall}
		}
	}
}

// ground paints the two floors.
func (s *Scene) ground() {
	t, l := &s.Theme, &s.Layout
	s.batch.Fill(Rect{0, 0, l.W, l.H}, t.Ground)
	glow := s.Atlas.Sprites[SpriteGlow]
	if l.Count > 0 && glow.W > 0 {
		c := l.Stage.Center()
		size := l.Stage.W / (float64(glow.W) / s.Atlas.Scale)
		s.batch.Sprite(glow, Point{c.X, c.Y}, right, size*1.2, t.Raised.Alpha(0.9))
		s.batch.Fill(l.Matrix, t.Ground)
	}
	s.batch.Fill(Rect{0, l.Matrix.Y, l.W, 1}, t.Line)
}

// number writes n at the pen.
func (s *Scene) number(p *pen, font FontID, n uint64) {
	i := len(s.digits)
	for {
		i--
		s.digits[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			break
		}
	}
	p.bytes(font, s.digits[i:])
}

// numberWidth is the width of n in CSS pixels.
func (s *Scene) numberWidth(font FontID, n uint64) float64 {
	width := 0.0
	for {
		width += float64(s.Atlas.Fonts[font].Glyphs['0'+n%10-' '].Advance)
		if n /= 10; n == 0 {
			return width / s.Atlas.Scale
		}
	}
}

func (s *Scene) pen(at Point, c Color) *pen {
	return &pen{b: &s.batch, a: s.Atlas, at: at, color: c}
}

// centered writes text with its middle at p.
func (s *Scene) centered(p Point, font FontID, text string, c Color) {
	p.X -= s.Atlas.Width(font, text) / 2
	s.pen(p, c).text(font, text)
}
