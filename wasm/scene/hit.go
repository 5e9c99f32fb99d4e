package scene

import (
	"math"
	"strconv"
	"strings"
)

// Target is what a pointer touches.
type Target struct {
	Kind TargetKind
	A, B uint64 // the member; a link's ends, A < B; the client; the message's, the lease's id; a cell's member and index
}

// TargetKind tells targets apart.
type TargetKind uint8

// Things to touch.
const (
	TargetNone TargetKind = iota
	TargetMember
	TargetLink
	TargetClient
	TargetMessage
	TargetCell
	TargetLease
)

// Over finds what is at p as it was drawn last: besides what Hit knows, a message
// on its way, or an entry of a log.
func (s *Scene) Over(p Point, finger bool) Target {
	// A member or a client covers messages (see Draw); a message covers its link, and lies beside the matrix.
	t := s.Layout.Hit(p, finger)
	if t.Kind == TargetMember || t.Kind == TargetClient {
		return t
	}
	for _, g := range s.shelves.rects {
		if g.rect.Contains(p) {
			return Target{TargetLease, uint64(g.id), 0}
		}
	}
	near := 12.0
	if finger {
		near = 18
	}
	for _, spot := range s.spots {
		if d := spot.at.sub(p).len(); d < near {
			near, t = d, Target{TargetMessage, spot.message, 0}
		}
	}
	if t.Kind != TargetNone {
		return t
	}
	return s.cellAt(p)
}

// cellAt finds the entry of the log matrix at p.
func (s *Scene) cellAt(p Point) Target {
	c := &s.Layout.Cells
	if s.Layout.Matrix.H == 0 || s.Layout.Count == 0 || !c.Rect.Contains(p) {
		return Target{}
	}
	column, row := (p.X-c.Rect.X)/c.DX, (p.Y-c.Rect.Y)/c.DY
	if column-math.Floor(column) > c.W/c.DX || row-math.Floor(row) > c.H/c.DY {
		return Target{}
	}
	return Target{TargetCell, s.Layout.IDs[min(int(row), s.Layout.Count-1)], uint64(math.Floor(column + s.scroll))}
}

// Hit finds what is at p: members first (on the stage, or the name of a log),
// then clients, then the nearest link.
// Fingers get a wider reach than mice.
func (l *Layout) Hit(p Point, finger bool) Target {
	reach, near := 6.0, 9.0
	if finger {
		reach, near = 12, 18
	}
	for i := range l.Count {
		if l.Members[i].sub(p).len() <= l.Radius+reach {
			return Target{TargetMember, l.IDs[i], 0}
		}
	}
	if c := &l.Cells; l.Count > 0 && l.Matrix.H > 0 && p.X < c.Rect.X-4 && p.Y >= c.Rect.Y && p.Y < c.Rect.Y+c.Rect.H {
		return Target{TargetMember, l.IDs[min(int((p.Y-c.Rect.Y)/c.DY), l.Count-1)], 0}
	}
	for i, r := range l.Clients {
		if r.W > 0 && r.Contains(p) {
			return Target{TargetClient, uint64(i), 0}
		}
	}
	best, found := near, Target{}
	for i := range l.Count {
		for j := i + 1; j < l.Count; j++ {
			a, b := l.lane(l.IDs[i], l.IDs[j], 0)
			if d := distance(p, a, b); d < best {
				best, found = d, Target{TargetLink, l.IDs[i], l.IDs[j]}
			}
		}
	}
	return found
}

// Crossed appends the links that a stroke of the pointer crosses, each once. The
// first end of a link is the one to the left of the stroke, as seen along it.
func (l *Layout) Crossed(links [][2]uint64, stroke []Point) [][2]uint64 {
	for i := range l.Count {
		for j := i + 1; j < l.Count; j++ {
			a, b := l.lane(l.IDs[i], l.IDs[j], 0)
			for k := 1; k < len(stroke); k++ {
				if !crosses(stroke[k-1], stroke[k], a, b) {
					continue
				}
				link := [2]uint64{l.IDs[i], l.IDs[j]}
				if side(stroke[k-1], stroke[k], a) > 0 { // y runs down
					link[0], link[1] = link[1], link[0]
				}
				links = append(links, link)
				break
			}
		}
	}
	return links
}

// RectOf knows besides what Layout.RectOf does where a message was drawn last,
// "message/17" by its id, and an entry of a log, "entry/1-20" by member and index.
func (s *Scene) RectOf(id string) (Rect, bool) {
	kind, rest, _ := strings.Cut(id, "/")
	switch kind {
	case "message":
		n, err := strconv.ParseUint(rest, 10, 64)
		for _, spot := range s.spots {
			if err == nil && spot.message == n {
				return Rect{spot.at.X - 8, spot.at.Y - 8, 16, 16}, true
			}
		}
		return Rect{}, false
	case "entry":
		member, index, _ := strings.Cut(rest, "-")
		m, errM := strconv.ParseUint(member, 10, 64)
		n, errN := strconv.ParseUint(index, 10, 64)
		return s.cellRect(m, n, errM == nil && errN == nil)
	case "lease":
		n, err := strconv.ParseInt(rest, 10, 64)
		for _, g := range s.shelves.rects {
			if err == nil && g.id == n {
				return g.rect, true
			}
		}
		return Rect{}, false
	}
	return s.Layout.RectOf(id)
}

// Shelves are the hourglasses of the last frame, for the same test as Written: the area of each.
func (s *Scene) Shelves() (all []Rect) {
	for _, g := range s.shelves.rects {
		all = append(all, g.rect)
	}
	return all
}

// cellRect is the place of an entry in the log matrix, if it is in sight.
func (s *Scene) cellRect(member, index uint64, valid bool) (Rect, bool) {
	c := &s.Layout.Cells
	row := s.Layout.at(member)
	r := Rect{c.Rect.X + (float64(index)-s.scroll)*c.DX, c.Rect.Y + float64(row)*c.DY, c.W, c.H}
	return r, valid && row >= 0 && s.Layout.Matrix.H > 0 && r.X >= c.Rect.X-1 && r.X+r.W <= c.Rect.X+c.Rect.W+1
}

// RectOf gives the area of "member/1", "link/1-2" (a small square on the
// middle of the link that nothing else covers), "client/0", "stage" or "matrix".
func (l *Layout) RectOf(id string) (Rect, bool) {
	kind, rest, _ := strings.Cut(id, "/")
	switch kind {
	case "stage":
		return l.Stage, true
	case "matrix":
		return l.Matrix, true
	case "member":
		n, err := strconv.ParseUint(rest, 10, 64)
		if err != nil || l.at(n) < 0 {
			return Rect{}, false
		}
		c := l.Member(n)
		return Rect{c.X - l.Radius, c.Y - l.Radius, 2 * l.Radius, 2 * l.Radius}, true
	case "client":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n >= len(l.Clients) || l.Clients[n].W == 0 {
			return Rect{}, false
		}
		return l.Clients[n], true
	case "link":
		from, to, _ := strings.Cut(rest, "-")
		a, errA := strconv.ParseUint(from, 10, 64)
		b, errB := strconv.ParseUint(to, 10, 64)
		if errA != nil || errB != nil || a == b || l.at(a) < 0 || l.at(b) < 0 {
			return Rect{}, false
		}
		c := l.handle(min(a, b), max(a, b))
		return Rect{c.X - 4, c.Y - 4, 8, 8}, true
	}
	return Rect{}, false
}

// handle is the point of a link, as near to its middle as can be, at which a
// pointer touches this link and no other.
func (l *Layout) handle(a, b uint64) Point {
	from, to := l.lane(a, b, 0)
	want := Target{TargetLink, a, b}
	for _, f := range [...]float64{0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.2, 0.8, 0.12, 0.88} {
		if p := lerp(from, to, f); l.Hit(p, false) == want {
			return p
		}
	}
	return lerp(from, to, 0.5)
}
