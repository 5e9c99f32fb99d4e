package scene

import "math"

// shelve finds a place for so many rows beside their member, on which they cover no member, no caption and no client.
// The shelf stays there until members or the stage move, or it needs more rows. It reports whether there is a place.
func (s *Scene) shelve(v *View, rows int) bool {
	h, l := &s.shelves, &s.Layout
	member := v.Leases.Member
	if sum := l.sum(); h.near != member || h.places != sum || rows > h.wanted {
		h.from = Point{}
		if h.standing && h.places == sum {
			h.from, h.since = h.at.Center(), v.Wall
		}
		h.near, h.places, h.wanted = member, sum, rows
		h.at, h.rows = l.shelfPlace(member, rows)
	}
	return h.rows > 0
}

// sum changes whenever something has another place.
func (l *Layout) sum() (sum float64) {
	for i, p := range l.Members {
		sum += float64(2*i+1) * (p.X + 1.7*p.Y)
	}
	return sum + 3.1*l.W + 5.3*l.H + 7.7*l.Room.Y + 11.3*l.Radius + 13.7*float64(l.Caption)
}

// nearby is how far a shelf may stand from its member; what is further away would not be taken for its own.
const nearby = 130

// shelfPlace finds the room for as many rows as possible, as near to a member as possible. Where there is none for
// words, a glass stands alone.
func (l *Layout) shelfPlace(member uint64, wanted int) (at Rect, rows int) {
	most := MostGlasses
	if l.Phone {
		most--
	}
	least := math.Inf(1)
	for n := min(wanted, most); n > 0; n-- {
		r, cost := l.beside(member, l.shelfWidth(), 2*shelfPad+float64(n)*shelfRow+shelfMore, nearby)
		// Fewer rows, if it is messages that would fly behind more of them.
		if cost += 40 * float64(wanted-n); cost < least {
			at, rows, least = r, n, cost
		}
	}
	for _, more := range [...]float64{shelfMore, 0} {
		if rows == 0 {
			if r, cost := l.beside(member, loneWidth, shelfRow+more, 2*nearby); !math.IsInf(cost, 1) {
				at, rows = r, 1
			}
		}
	}
	return at, rows
}

// beside finds the best place for a box of that size around a member, looking further and further away. What is no
// place costs infinitely much.
func (l *Layout) beside(member uint64, w, h, farthest float64) (best Rect, least float64) {
	const directions = 32
	at := l.Member(member)
	least = math.Inf(1)
	middle := l.Room.Center()
	out := at.sub(middle).unit()
	for away := 0.0; away < farthest && away < least; away += 6 {
		for i := range directions {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / directions)
			d := Point{cos, sin}
			// So that the box is that far from the member's edge in this direction.
			reach := math.Min(w/2/math.Max(1e-9, math.Abs(d.X)), h/2/math.Max(1e-9, math.Abs(d.Y)))
			c := at.add(d.scale(l.Radius + arcRoom + shelfGap + reach + away))
			r := Rect{math.Round(c.X - w/2), math.Round(c.Y - h/2), w, h}
			if !l.vacant(r, member) {
				continue
			}
			// Beside a member rather than above or below it, outside the ring rather than where messages fly.
			cost := away + 30*float64(l.links(r)) + 24*(1-(d.X*out.X+d.Y*out.Y)) + 10*math.Abs(d.Y)
			if cost < least {
				best, least = r, cost
			}
		}
	}
	return best, least
}

// vacant tells whether nothing stands in r that must be seen, the crown of its member among it.
func (l *Layout) vacant(r Rect, member uint64) bool {
	room := l.Room
	if r.X < room.X+4 || r.Y < room.Y || r.X+r.W > room.X+room.W-4 || r.Y+r.H > room.Y+room.H {
		return false
	}
	for i, p := range l.Members {
		crown := Rect{p.X - crownHalf, p.Y - l.Radius - crownRoom, 2 * crownHalf, crownRoom}
		if r.near(p) < l.Radius+arcRoom+4 || l.IDs[i] == member && r.meets(crown) || r.meets(l.captionOf(i)) {
			return false
		}
	}
	for _, c := range l.Clients {
		if c.W > 0 && r.meets(Rect{c.X - 4, c.Y - 4, c.W + 8, c.H + 8}) {
			return false
		}
	}
	return true
}

// links is how many links pass through r.
func (l *Layout) links(r Rect) (n int) {
	nw, ne, sw, se := Point{r.X, r.Y}, Point{r.X + r.W, r.Y}, Point{r.X, r.Y + r.H}, Point{r.X + r.W, r.Y + r.H}
	for i, a := range l.Members {
		for _, b := range l.Members[:i] {
			if crosses(a, b, nw, se) || crosses(a, b, ne, sw) {
				n++
			}
		}
	}
	return n
}
