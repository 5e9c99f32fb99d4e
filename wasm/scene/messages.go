package scene

import (
	"math"

	"vitrine/core/picture"
)

// laneOffset keeps the two directions of a link apart.
const laneOffset = 7

// spot is where a message was drawn.
type spot struct {
	at      Point
	message uint64 // its id
}

// messages draws everything that is on its way between members.
func (s *Scene) messages(v *View) {
	s.spots = s.spots[:0]
	for i := range v.State.Messages {
		s.message(v, &v.State.Messages[i])
	}
	for i := range v.Extra {
		s.message(v, &v.Extra[i])
	}
}

// message draws one: its shape is its type, its hue the sender's term, its
// beads its entries, and the tail behind it the way that it has come.
func (s *Scene) message(v *View, m *picture.Message) {
	if s.Layout.at(m.From) < 0 || s.Layout.at(m.To) < 0 {
		return
	}
	f := m.Way(v.Now)
	if v.Reduced {
		f = (math.Floor(f*5) + 0.5) / 5
	}
	p, q := s.Layout.lane(m.From, m.To, laneOffset)
	ahead := q.sub(p).unit()
	at, alpha := lerp(p, q, f), 1.0
	// A message must not pop up or vanish.
	const fade = 0.06
	alpha = clamp(min(f, 1-f)/fade+0.25, 0, 1)
	switch {
	case m.Lost == "hand":
		alpha = 0.6
		s.batch.Sprite(s.Atlas.Sprites[SpriteCross], at, right, 1.6, s.Theme.Fault)
	case m.Lost != "":
		at, alpha = s.lost(v, m, p, q, f)
	}
	term := m.Term
	if term == 0 { // a forwarded proposal or read carries none
		if from := find(v.State, m.From); from != nil {
			term = from.Term
		}
	}
	if v.Lit != nil {
		alpha = s.lit(v, m, at, alpha)
	}
	if v.Followed != nil && v.Followed.Carries(m) {
		s.batch.Disc(at, 17, s.Theme.Accent.Alpha(0.16*alpha))
		s.batch.Ring(at, 17, 1.6, s.Theme.Accent.Alpha(0.9*alpha))
	}
	if m.Held != 0 && m.Lost == "" {
		alpha = 1
		s.batch.Ring(at, 15, 2, s.Theme.Text.Alpha(0.9))
		s.batch.Ring(at, 19, 1, s.Theme.Text.Alpha(0.5))
	}
	s.spots = append(s.spots, spot{at, m.ID})
	s.glyph(m, at, ahead, f, s.Theme.Term(term).Alpha(alpha), p)
}

// lit makes a message of the story shine, and others step back.
func (s *Scene) lit(v *View, m *picture.Message, at Point, alpha float64) float64 {
	if !v.Lit[m.Seq] {
		return alpha * 0.45
	}
	glow := s.Atlas.Sprites[SpriteGlow]
	s.batch.Sprite(glow, at, right, 58/math.Max(1, float64(glow.W)/s.Atlas.Scale), s.Theme.Accent.Alpha(0.75*alpha))
	s.batch.Ring(at, 15, 1.6, s.Theme.Accent.Alpha(alpha))
	return alpha
}

// lost places a message that will not arrive: one that meets a cut stops at
// it, one that the network loses falls off its lane half way.
func (s *Scene) lost(v *View, m *picture.Message, p, q Point, f float64) (Point, float64) {
	const half = 0.46
	if f <= half {
		return lerp(p, q, f), clamp(f/0.06+0.25, 0, 1)
	}
	late := (f - half) / (1 - half)
	at := lerp(p, q, half)
	if m.Lost == "loss" && !v.Reduced {
		at = lerp(p, q, half+0.06*late)
		at.Y += 46 * late * late
	}
	s.batch.Sprite(s.Atlas.Sprites[SpriteCross], lerp(p, q, half), right, 1, s.Theme.Fault.Alpha(1-late))
	return at, 0.8 * (1 - late)
}

// glyph draws the shape of a message.
func (s *Scene) glyph(m *picture.Message, at, ahead Point, f float64, c Color, from Point) {
	sp, ink := &s.Atlas.Sprites, s.Theme.Ground.Alpha(float64(c.A))
	put := func(id SpriteID, c Color) { s.batch.Sprite(sp[id], at, ahead, 1, c) }
	flat := func(id SpriteID, c Color) { s.batch.Sprite(sp[id], at, right, 1, c) }
	verdict := func(turn Point) {
		id := SpriteCheck
		if m.Reject {
			id = SpriteCross
		}
		s.batch.Sprite(sp[id], at, turn, 0.78, c)
	}
	tail := func() {
		back := at.sub(from)
		length := min(back.len(), 46*f+8)
		u := back.unit()
		s.batch.Fade(at.sub(u.scale(length)), at.sub(u.scale(9)), 2, c.Alpha(0.5))
	}
	switch m.Type {
	case "MsgApp":
		tail()
		put(SpriteApp, c)
		s.beads(m, at, ahead, ink)
	case "MsgAppResp":
		tail()
		put(SpriteApp, ink)
		put(SpriteAppLine, c)
		verdict(ahead)
	case "MsgHeartbeat":
		put(SpriteDot, c.Alpha(0.75))
	case "MsgHeartbeatResp":
		put(SpriteRing, c.Alpha(0.75))
	case "MsgVote":
		tail()
		flat(SpriteBallot, c)
		s.batch.Sprite(sp[SpriteCheck], at, right, 0.78, ink)
	case "MsgPreVote":
		tail()
		flat(SpriteBallot, ink)
		flat(SpritePreBallot, c)
	case "MsgVoteResp", "MsgPreVoteResp":
		tail()
		flat(SpriteBallot, ink)
		flat(SpriteBallotLine, c)
		verdict(right)
	case "MsgReadIndex", "MsgReadIndexResp":
		tail()
		flat(SpriteLozenge, ink)
		if m.Type == "MsgReadIndex" {
			flat(SpriteLozenge, c)
		}
		flat(SpriteLozengeLine, c)
	case "MsgProp":
		tail()
		flat(SpriteEnvelope, c)
		flat(SpriteEnvelopeInk, ink)
	case "MsgSnap":
		tail()
		flat(SpriteCrate, c)
		flat(SpriteCrateInk, ink)
		s.filled(at, 15, f, c)
	case "MsgTimeoutNow":
		tail()
		flat(SpriteBolt, c)
	case "MsgTransferLeader":
		tail()
		put(SpriteBaton, c)
	default:
		put(SpriteDot, c)
	}
}

// filled draws a share of a ring.
func (s *Scene) filled(at Point, r, share float64, c Color) {
	s.batch.Stroke(s.batch.arc(at, r, -math.Pi/2, -math.Pi/2+2*math.Pi*share), false, 2, c)
}

// beads shows the entries that a MsgApp carries, at most four.
func (s *Scene) beads(m *picture.Message, at, ahead Point, ink Color) {
	n := min(m.Entries, 4)
	for i := range n {
		d := (float64(i)-float64(n-1)/2)*5 + 1
		s.batch.Sprite(s.Atlas.Sprites[SpriteBead], at.add(ahead.scale(d)), right, 1, ink)
	}
}
