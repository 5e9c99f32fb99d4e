package scene

import (
	"math"
	"slices"
)

// Layout says where everything stands, in CSS pixels of the canvas.
type Layout struct {
	W, H    float64
	Bare    bool     // the document lays nothing over the canvas but a headline
	Phone   bool     // there is little room
	Stage   Rect     // members and messages
	Matrix  Rect     // the log, below the stage
	IDs     []uint64 // of the members, in the order in which they stand
	Members []Point
	Count   int
	Radius  float64    // of a member
	Clients [8]Rect    // cards of the clients; the visitor's comes first
	Routes  [8][]Route // of each client, by member
	Cells   struct {
		Rect         // where the cells are
		W, H, DX, DY float64
		Columns      int
	}
}

// Heights of the bands that the document lays over the canvas: the headline
// above the members, the buttons below them, the legend above the log.
const (
	headlineHeight = 62
	bareHeadline   = 52
	toolbarHeight  = 50
	legendHeight   = 30
)

// Arrange computes the layout of a canvas of w by h CSS pixels. A bare one
// belongs to a document that keeps its buttons elsewhere.
func Arrange(w, h float64, members []uint64, clients int, bare bool) Layout {
	l := Layout{
		W: w, H: h, Bare: bare, Phone: bare && w < 600, IDs: slices.Clone(members), Members: make([]Point, len(members)),
		Count: len(members),
	}
	l.matrix()
	l.Stage = Rect{0, 0, w, l.Matrix.Y}
	inner := Rect{0, headlineHeight, w, l.Stage.H - headlineHeight - toolbarHeight}
	if bare {
		inner = Rect{0, bareHeadline, w, l.Stage.H - bareHeadline - 4}
	}
	l.cards(inner, clients)
	if !l.Phone {
		left := l.Clients[0].X + l.Clients[0].W + 14
		inner.X, inner.W = left, inner.W-left-14
	} else {
		inner.Y, inner.H = inner.Y+30, inner.H-30
	}
	l.ring(inner)
	for i := range min(clients, len(l.Clients)) {
		for _, id := range l.IDs {
			l.Routes[i] = append(l.Routes[i], l.route(i, id))
		}
	}
	return l
}

// matrix places the log at the bottom.
func (l *Layout) matrix() {
	cell, gap, label := 21.0, 6.0, 70.0
	l.Cells.W, l.Cells.DX = 57, 63
	if l.Phone {
		cell, gap, label = 15, 3, 54
		l.Cells.W, l.Cells.DX = 30, 34
	}
	if l.H < 620 && !l.Phone {
		cell, gap = 17, 4
	}
	l.Cells.H, l.Cells.DY = cell, cell+gap
	if l.Phone && l.H < 330 { // a phone that lies has room for the members only
		l.Matrix = Rect{0, l.H, l.W, 0}
		return
	}
	rows := float64(max(l.Count, 1))
	height := legendHeight + 18 + rows*l.Cells.DY + 8
	if l.Bare {
		height -= legendHeight - 3
	}
	l.Matrix = Rect{0, l.H - height, l.W, height}
	l.Cells.Rect = Rect{label, l.H - 8 - rows*l.Cells.DY, l.W - label - 14, rows * l.Cells.DY}
	l.Cells.Columns = max(1, int((l.Cells.Rect.W+l.Cells.DX-l.Cells.W)/l.Cells.DX))
}

// cards places the clients: at the left edge, or in a row on a phone.
func (l *Layout) cards(inner Rect, clients int) {
	n := min(clients, len(l.Clients))
	for i := range n {
		if l.Phone {
			w := min(86, (inner.W-20)/float64(n)-6)
			l.Clients[i] = Rect{10 + float64(i)*(w+6), inner.Y, w, 24}
			continue
		}
		step := min(74, inner.H/float64(n))
		top := inner.Y + (inner.H-step*float64(n-1))/2
		l.Clients[i] = Rect{16, top + step*float64(i) - 17, 118, 34}
	}
}

// ring places the members on an ellipse inside r, the first at its top.
func (l *Layout) ring(r Rect) {
	if l.Count == 0 {
		return
	}
	l.Radius = clamp(math.Min(r.W*0.085, r.H*0.093), 27, 42)
	crown, caption, side, wide := 28.0, 42.0, l.Radius+34, 1.75 // room above, below and beside a member
	if l.Phone {
		crown, caption, side, wide = 26, 26, l.Radius+18, 3.5
	}
	top, bottom := r.Y+crown+l.Radius, r.Y+r.H-caption-l.Radius
	center := Point{r.X + r.W/2, (top + bottom) / 2}
	ry := math.Max(20, (bottom-top)/2)
	rx := math.Min(r.W/2-side, math.Max(ry*wide, 240)) // a low stage is no reason to stand close
	lowest := -1.0
	for i := range l.Count {
		lowest = math.Max(lowest, math.Sin(l.angle(i)))
	}
	// An odd ring does not reach its lowest point; use that room.
	ry = (bottom - top) / (1 + lowest)
	center.Y = top + ry
	for i := range l.Count {
		sin, cos := math.Sincos(l.angle(i))
		l.Members[i] = Point{center.X + rx*cos, center.Y + ry*sin}
	}
	if l.Count == 1 {
		l.Members[0] = r.Center()
	}
}

func (l *Layout) angle(i int) float64 {
	return -math.Pi/2 + 2*math.Pi*float64(i)/float64(l.Count)
}

// at is the place of a member in the order in which they stand, -1 if it is not
// there.
func (l *Layout) at(id uint64) int { return slices.Index(l.IDs, id) }

// Member is where the member with this id stands.
func (l *Layout) Member(id uint64) Point {
	if i := l.at(id); i >= 0 {
		return l.Members[i]
	}
	return Point{}
}

// lane is a link's line from one member to another, drawn a little to the
// right of its direction, so that both directions never overlap.
func (l *Layout) lane(from, to uint64, offset float64) (a, b Point) {
	p, q := l.Member(from), l.Member(to)
	u := q.sub(p).unit()
	side := u.normal().scale(offset)
	return p.add(u.scale(l.Radius + 4)).add(side), q.sub(u.scale(l.Radius + 4)).add(side)
}

// client is the place where a client's requests leave and arrive.
func (l *Layout) client(id int) Point {
	if id < 0 || id >= len(l.Clients) || l.Clients[id].W == 0 {
		return Point{0, l.Stage.H / 2}
	}
	r := l.Clients[id]
	if l.Phone {
		return Point{r.X + r.W/2, r.Y + r.H}
	}
	return Point{r.X + r.W, r.Y + r.H/2}
}
