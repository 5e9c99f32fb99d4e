package scene

import (
	"math"
	"slices"
	"strconv"
)

// Shelf is the leases that a member holds, an hourglass each, as they stand beside it.
type Shelf struct {
	Member   uint64  `json:"member"`   // 0 = there are none
	Counts   bool    `json:"counts"`   // it leads, and the sand runs
	Count    int     `json:"count"`    // of all leases
	Revision int64   `json:"revision"` // of its store
	Leases   []Lease `json:"leases"`   // those that run out first, by id
	IDs      []int64 `json:"-"`        // of all, unless there are very many
}

// Lease is one of them.
type Lease struct {
	ID       int64    `json:"id"`
	TTL      int64    `json:"ttl"`    // as granted, seconds
	Expiry   int64    `json:"expiry"` // simulated time, 0 = nobody counts
	Keys     []string `json:"keys"`   // the first of them
	KeyCount int      `json:"keyCount"`
}

// MostGlasses is how many hourglasses a shelf has room for; the others are a number.
const MostGlasses = 3

// Sizes of a shelf.
const (
	glassW, glassH = 15.0, 24.0
	shelfRow       = 31.0
	shelfMore      = 15.0 // the line that counts the others
	shelfPad       = 5.0
	shelfGap       = 10.0 // between a member and its shelf
	loneWidth      = 28.0 // of one without words
)

// shelfWidth is a glass and two lines of words beside it.
func (l *Layout) shelfWidth() float64 {
	if l.Phone || l.Radius < smallMember {
		return 68
	}
	return 96
}

// shelves is what a scene remembers of leases: where their shelf stands, and how full each glass was drawn.
type shelves struct {
	at       Rect // room for so many rows
	rows     int
	wanted   int
	near     uint64  // of the member
	places   float64 // sum over the layout for which that was found
	from     Point   // where the shelf stood before
	since    float64 // wall seconds since it left there
	last     Shelf
	now      float64 // simulated time of the last frame
	glasses  map[int64]*glass
	rects    []glassRect // drawn in the last frame
	gone     []goneLease
	shown    []Lease // scratch
	standing bool    // a shelf was drawn in the last frame
}

// glass is how an hourglass was drawn.
type glass struct {
	level  float64 // share of the sand that is above
	filled float64 // wall seconds when it was turned
	seen   bool
}

type glassRect struct {
	id   int64
	rect Rect
}

// goneLease is a lease that has ended a moment ago: its keys are struck through.
type goneLease struct {
	Lease
	revision int64
	since    float64 // wall seconds
}

// Times of the wall: how long what is gone stays to be read, how long a glass is filled, how long a shelf moves.
const (
	goneFor   = 1.6
	filledFor = 0.9
	movesFor  = 0.6
)

// shelf draws the leases beside the member that holds them: sand runs while it leads and counts their time. At a new
// leader, and when it is kept alive, a glass is filled again. When one has run out its keys are struck through, and the
// revision stands there in which all of them went.
func (s *Scene) shelf(v *View) {
	h := &s.shelves
	h.rects = h.rects[:0]
	s.leave(v)
	rows := len(v.Leases.Leases) + len(h.gone)
	if rows == 0 || s.Layout.at(v.Leases.Member) < 0 || s.Gliding() || !s.shelve(v, rows) {
		h.standing = false
		return
	}
	h.shown = h.shown[:0]
	for i := range h.gone {
		h.shown = append(h.shown, h.gone[i].Lease)
	}
	h.shown = append(h.shown, v.Leases.Leases...)
	rows = min(rows, h.rows)
	kept := h.shown[:rows]
	slices.SortFunc(kept, func(a, b Lease) int { return int(a.ID - b.ID) })
	more := v.Leases.Count + len(h.gone) - rows

	box, pad := h.at, shelfPad
	if box.W <= loneWidth {
		pad = 0
	}
	box.H = 2*pad + float64(rows)*shelfRow
	if more > 0 && box.H < h.at.H {
		box.H += shelfMore
	}
	box.Y += (h.at.H - box.H) / 2
	for i := range kept {
		r := Rect{box.X, box.Y + pad + float64(i)*shelfRow, box.W, shelfRow}
		h.rects = append(h.rects, glassRect{kept[i].ID, r}) // where it will be, for who touches it
	}
	f := clamp((v.Wall-h.since)/movesFor, 0, 1)
	if f = f * f * (3 - 2*f); f < 1 && h.from != (Point{}) && !v.Reduced {
		away := lerp(h.from.sub(h.at.Center()), Point{}, f)
		box.X, box.Y = box.X+away.X, box.Y+away.Y
	}
	s.tie(v, box)
	t := &s.Theme
	s.batch.Card(box, 7, t.Raised.Alpha(0.94), t.Line, 1)
	for i := range kept {
		s.hourglass(v, &kept[i], Rect{box.X, box.Y + pad + float64(i)*shelfRow, box.W, shelfRow})
	}
	if more > 0 && box.H > 2*pad+float64(rows)*shelfRow {
		s.centered(Point{box.X + box.W/2, box.Y + box.H - 6}, FontTiny, "+"+strconv.Itoa(more), t.Muted)
	}
	h.standing = true
}

// Leaving tells whether a lease that has ended is still to be seen for a moment.
func (s *Scene) Leaving() bool { return len(s.shelves.gone) > 0 }

// leave notes which leases are there no more. What another member does not have, or an earlier moment, has not ended.
func (s *Scene) leave(v *View) {
	h, l := &s.shelves, &v.Leases
	if h.glasses == nil {
		h.glasses = map[int64]*glass{}
	}
	if v.Now < h.now {
		h.gone = h.gone[:0]
		clear(h.glasses)
	} else if l.Counts && h.last.Member == l.Member {
		for _, old := range h.last.Leases {
			// One that is not among the first to run out is there all the same.
			known := l.Count <= len(l.IDs) || old.Expiry > 0 && float64(old.Expiry) <= v.Now
			if known && !slices.Contains(l.IDs, old.ID) {
				h.gone = append(h.gone, goneLease{old, l.Revision, v.Wall})
			}
		}
	}
	h.gone = slices.DeleteFunc(h.gone, func(g goneLease) bool {
		back := slices.ContainsFunc(l.Leases, func(o Lease) bool { return o.ID == g.ID })
		return back || v.Wall-g.since > goneFor || v.Wall < g.since
	})
	if len(h.gone) > MostGlasses {
		h.gone = h.gone[len(h.gone)-MostGlasses:]
	}
	kept := append(h.last.Leases[:0], l.Leases...)
	h.now, h.last = v.Now, *l
	h.last.Leases = kept
}

// tie joins a shelf to its member.
func (s *Scene) tie(v *View, box Rect) {
	at := s.Layout.Member(v.Leases.Member)
	end := Point{clamp(at.X, box.X+8, box.X+box.W-8), clamp(at.Y, box.Y+8, box.Y+box.H-8)}
	u := end.sub(at).unit()
	s.batch.Line(at.add(u.scale(s.Layout.Radius+arcRoom)), end, 1.2, s.Theme.Line)
}

// hourglass draws one lease in its row.
func (s *Scene) hourglass(v *View, l *Lease, row Rect) {
	t, h := &s.Theme, &s.shelves
	at := slices.IndexFunc(h.gone, func(g goneLease) bool { return g.ID == l.ID })
	ended := at >= 0
	g := s.pour(v, l, ended)
	ink, sand := t.Muted, t.Accent
	if !v.Leases.Counts || ended {
		ink, sand = t.Faint, t.Faint
	}
	if since := v.Wall - g.filled; since < filledFor && since >= 0 && !v.Reduced && g.seen {
		s.batch.Card(Rect{row.X + 2, row.Y, row.W - 4, row.H}, 6, t.Accent.Alpha(0.25*(1-since/filledFor)), Color{}, 0)
	}
	lone := row.W <= loneWidth
	middle := row.X + shelfPad + 2 + glassW/2
	if lone {
		middle = row.X + row.W/2
	}
	s.glass(Point{middle, row.Y + row.H/2}, g.level, v.Leases.Counts && !ended, ink, sand)
	if lone {
		return
	}
	x, room := row.X+shelfPad+glassW+9, row.W-2*shelfPad-glassW-8
	p := s.pen(Point{x, row.Y + 13}, t.Muted)
	if l.KeyCount == 0 {
		p.at.Y += 6.5 // the only line
	}
	switch {
	case ended && l.KeyCount > 0:
		p.word(WordRevision)
		p.at.X += 4
		s.number(p, FontLabel, uint64(h.gone[at].revision))
	case ended:
		p.text(FontLabel, "0 s")
	case l.Expiry > 0:
		p.color = t.Text
		p.text(FontLabel, span((float64(l.Expiry)-v.Now)/1e9))
	default:
		p.text(FontLabel, "-")
	}
	s.leased(l, Point{x, row.Y + 25.5}, room, ended)
}

// leased writes the keys of a lease, struck through when they are gone.
func (s *Scene) leased(l *Lease, at Point, room float64, ended bool) {
	if l.KeyCount == 0 || len(l.Keys) == 0 {
		return
	}
	t, rest := &s.Theme, ""
	if l.KeyCount > 1 {
		rest = " +" + strconv.Itoa(l.KeyCount-1)
	}
	head, cut, width := s.Atlas.Fit(FontTiny, l.Keys[0], room-s.Atlas.Width(FontTiny, rest))
	p := s.pen(at, t.Muted)
	p.fitted(FontTiny, head, cut)
	p.text(FontTiny, rest)
	if ended {
		width += s.Atlas.Width(FontTiny, rest)
		s.batch.Line(Point{at.X - 1, at.Y - 3.5}, Point{at.X + width + 1, at.Y - 3.5}, 1.4, t.Text)
	}
}

// pour moves the sand of a glass to where it should be: down at once, up in a moment that one can see. While nobody
// counts it stays.
func (s *Scene) pour(v *View, l *Lease, ended bool) *glass {
	g := s.shelves.glasses[l.ID]
	if g == nil {
		g = &glass{level: 1}
		s.shelves.glasses[l.ID] = g
	}
	want := g.level
	switch {
	case ended:
		want = 0
	case l.Expiry > 0:
		want = clamp((float64(l.Expiry)-v.Now)/(1e9*math.Max(1, float64(l.TTL))), 0, 1)
	}
	switch {
	case want > g.level+0.04 && g.seen:
		if v.Wall-g.filled > filledFor {
			g.filled = v.Wall
		}
		g.level = math.Min(want, g.level+2.2*s.passed)
		if v.Reduced {
			g.level = want
		}
	case want > g.level && v.Wall-g.filled < filledFor:
		g.level = math.Min(want, g.level+2.2*s.passed)
	default:
		g.level = want
	}
	g.seen = true
	return g
}

// glass draws an hourglass whose upper half holds that share of the sand.
func (s *Scene) glass(at Point, level float64, runs bool, ink, sand Color) {
	w, h := glassW/2, glassH/2
	neck := 1.2
	// The sand above: a funnel with a level surface.
	if level > 0.01 {
		half := neck + (w-2.5-neck)*level
		s.batch.fill4(Point{at.X - half, at.Y - (h-2)*level}, Point{at.X + half, at.Y - (h-2)*level},
			Point{at.X + neck*0.6, at.Y}, Point{at.X - neck*0.6, at.Y}, sand)
	}
	// And below: a heap that grows.
	if heap := 1 - level; heap > 0.01 {
		top := neck + (w-4-neck)*(1-heap)
		s.batch.fill4(Point{at.X - top, at.Y + h - 2 - (h-4)*heap}, Point{at.X + top, at.Y + h - 2 - (h-4)*heap},
			Point{at.X + w - 3, at.Y + h - 2}, Point{at.X - w + 3, at.Y + h - 2}, sand)
	}
	if runs && level > 0 {
		s.batch.Line(Point{at.X, at.Y}, Point{at.X, at.Y + h - 2}, 1, sand)
	}
	s.batch.Line(Point{at.X - w, at.Y - h}, Point{at.X + w, at.Y - h}, 1.8, ink)
	s.batch.Line(Point{at.X - w, at.Y + h}, Point{at.X + w, at.Y + h}, 1.8, ink)
	for _, side := range [2]float64{-1, 1} {
		x := at.X + side*(w-1.5)
		s.batch.path = append(s.batch.path[:0], Point{x, at.Y - h}, Point{x, at.Y - h + 3}, Point{at.X + side*neck, at.Y},
			Point{x, at.Y + h - 3}, Point{x, at.Y + h})
		s.batch.Stroke(s.batch.path, false, 1.2, ink)
	}
}

// span is a time to live in its largest unit.
func span(seconds float64) string {
	n, unit := math.Max(0, math.Ceil(seconds)), " s"
	switch {
	case n >= 48*3600:
		n, unit = math.Floor(n/86400), " d"
	case n >= 100*60:
		n, unit = math.Floor(n/3600), " h"
	case n >= 100:
		n, unit = math.Floor(n/60), " min"
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + unit
}
