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
	Room    Rect     // what the document leaves of it
	Matrix  Rect     // the log, below the stage
	IDs     []uint64 // of the members, in the order in which they stand
	Members []Point
	Count   int
	Radius  float64      // of a member
	Caption captionStyle // what is written below one
	Clients [8]Rect      // cards of the clients; the visitor's comes first
	Routes  [8][]Route   // of each client, by member
	Cells   struct {
		Rect         // where the cells are
		W, H, DX, DY float64
		Columns      int
	}
	angles []float64 // scratch
}

// Heights of the bands that the document lays over the canvas: the headline
// above the members, the buttons below them, the legend above the log.
const (
	headlineHeight = 62
	bareHeadline   = 52
	toolbarHeight  = 50
	legendHeight   = 30
	lowStage       = 190 // a stage lower than this has a headline of one line
	lowHeadline    = 30
)

// Zoom is how much larger the stage is drawn where there is much room: a scene
// looks alike in a window of twice the size, and is read from further away.
func Zoom(w, h float64) float64 {
	return clamp(math.Floor(10*math.Min(w/1000, h/900))/10, 1, 2.2)
}

// Arrange computes the layout of a canvas of w by h pixels. A bare one belongs to a
// document that keeps its buttons elsewhere. The document covers so much at the top,
// if that is more than the headline.
func Arrange(w, h float64, members []uint64, clients int, bare bool, covered float64) Layout {
	l := Layout{
		W: w, H: h, Bare: bare, Phone: bare && (w < 600 || h < 300), IDs: slices.Clone(members),
		Members: make([]Point, len(members)), Count: len(members),
	}
	l.matrix()
	l.Stage = Rect{0, 0, w, l.Matrix.Y}
	above, below := math.Max(headlineHeight, covered), float64(toolbarHeight)
	if bare {
		above, below = math.Max(bareHeadline, covered), 4
	}
	if l.Stage.H < lowStage {
		above = math.Max(lowHeadline, covered)
	}
	inner := Rect{0, above, w, math.Max(0, l.Stage.H-above-below)}
	l.Room = inner
	l.cards(inner, clients)
	if !l.Phone {
		left := l.Clients[0].X + l.Clients[0].W + 14
		inner.X, inner.W = left, inner.W-left-14
	} else if l.Clients[0].W > 0 {
		inner.Y, inner.H = inner.Y+28, inner.H-28
	}
	l.ring(inner)
	for i := range min(clients, len(l.Clients)) {
		for _, id := range l.IDs {
			l.Routes[i] = append(l.Routes[i], l.route(i, id))
		}
	}
	return l
}

// matrix places the log at the bottom, if the members have room above it.
func (l *Layout) matrix() {
	cell, gap, label := 21.0, 6.0, 70.0
	l.Cells.W, l.Cells.DX = 57, 63
	switch {
	case l.H < 620 && l.Count > 5:
		cell, gap = 14, 2
	case l.H < 620 || l.Count > 5:
		cell, gap = 17, 4
	}
	if l.Phone {
		cell, gap, label = 15, 3, 54
		l.Cells.W, l.Cells.DX = 30, 34
		if l.Count > 5 {
			cell, gap = 12, 2
		}
	}
	l.Cells.H, l.Cells.DY = cell, cell+gap
	rows := float64(max(l.Count, 1))
	height := legendHeight + 18 + rows*l.Cells.DY + 8
	if l.Bare {
		height -= legendHeight - 3
	}
	least := float64(lowStage)
	if l.Phone {
		least += 40 // the clients stand above the members
	}
	if l.H-height < least {
		l.Matrix = Rect{0, l.H, l.W, 0}
		return
	}
	l.Matrix = Rect{0, l.H - height, l.W, height}
	l.Cells.Rect = Rect{label, l.H - 8 - rows*l.Cells.DY, l.W - label - 14, rows * l.Cells.DY}
	l.Cells.Columns = max(1, int((l.Cells.Rect.W+l.Cells.DX-l.Cells.W)/l.Cells.DX))
}

// cards places the clients: at the left edge, or in a row on a phone.
func (l *Layout) cards(inner Rect, clients int) {
	n := min(clients, len(l.Clients))
	if l.H < lowStage {
		n = 0 // the members come first
	}
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
