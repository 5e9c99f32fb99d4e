package scene

import "math"

// captionStyle is how much is written below a member.
type captionStyle uint8

// The captions, from much to little: where a ring has no room for one it takes
// the next.
const (
	captionWide  captionStyle = iota // the role; "committed 7  applied 7"
	captionTall                      // the role; "committed 7"; "applied 7"
	captionFlat                      // the role if it is not a follower's, and "7/7"
	captionShort                     // "7/7"; the role only where it is news
	captionNews                      // the role where it is news
	captionNone                      // nothing
	captionCount
)

// captions are the room that each takes, for indexes of five digits, and the
// smallest member that is drawn with it.
var captions = [captionCount]struct{ w, h, least float64 }{
	{216, 36, 30}, {114, 52, 27}, {136, 20, 24}, {88, 20, 14}, {64, 18, 13}, {0, 0, 12},
}

// Room around a member: the arc that runs down, and the crown of a leader.
const (
	arcRoom   = 9
	crownRoom = 30
	crownHalf = 19
)

// ring places the members on an ellipse inside r, the first at its top, and finds
// the largest members and the fullest captions with which nothing covers anything.
func (l *Layout) ring(r Rect) {
	if l.Count == 0 {
		return
	}
	largest := math.Round(clamp(math.Min(r.W*0.085, r.H*0.093), 27, 42))
	from := captionWide
	if l.Phone {
		from = captionFlat
	}
	for l.Caption = from; l.Caption < captionCount; l.Caption++ {
		for l.Radius = largest; l.Radius >= captions[l.Caption].least; l.Radius-- {
			for spacing := range spacings(l.Count) {
				if l.place(r, spacing); l.apart(r) {
					return
				}
			}
		}
	}
	// There is no room for all: the circles at least stand beside each other.
	l.Caption, l.Radius = captionNone, captions[captionNone].least
	best, widest := 0, -1.0
	for spacing := range spacings(l.Count) {
		l.place(r, spacing)
		if d := l.closest(); d > widest {
			best, widest = spacing, d
		}
	}
	l.place(r, best)
}

// closest is the least distance between two members.
func (l *Layout) closest() float64 {
	least := math.Inf(1)
	for i, a := range l.Members {
		for _, b := range l.Members[:i] {
			least = math.Min(least, a.sub(b).len())
		}
	}
	return least
}

// spacings is how many ways there are to share out an ellipse among n: by angle,
// by the length of its arc, and if n is even both turned by half a step.
func spacings(n int) int {
	if n%2 == 0 {
		return 4
	}
	return 2
}

// place puts the members on the largest ellipse in r for the present radius and caption.
func (l *Layout) place(r Rect, spacing int) {
	c := captions[l.Caption]
	if l.Count == 1 {
		l.Members[0] = Point{r.X + r.W/2, r.Y + (r.H+crownRoom-c.h)/2}
		return
	}
	top, bottom := r.Y+crownRoom+l.Radius, r.Y+r.H-c.h-arcRoom-l.Radius
	height, wide := math.Max(bottom-top, 8), 1.75
	if l.Phone || l.Count > 5 {
		wide = 3.5
	}
	ry, middle := height/2, (top+bottom)/2
	// A low stage is no reason to stand close.
	rx := math.Max(1, math.Min(r.W/2-math.Max(l.Radius+arcRoom+4, c.w/2), math.Max(ry*wide, 240)))
	l.angles = l.angles[:0]
	for i := range l.Count {
		l.angles = append(l.angles, -math.Pi/2+2*math.Pi*(float64(i)+float64(spacing/2)/2)/float64(l.Count))
	}
	for range 3 { // an arc depends on the height of its ellipse, and that on where the lowest member stands
		if spacing%2 == 1 {
			l.byArc(rx, ry, float64(spacing/2)/2)
		}
		low, high := 1.0, -1.0
		for _, a := range l.angles {
			low, high = math.Min(low, math.Sin(a)), math.Max(high, math.Sin(a))
		}
		if high-low < 1e-6 { // side by side
			break
		}
		ry = height / (high - low)
		middle = top - low*ry
	}
	for i, a := range l.angles {
		sin, cos := math.Sincos(a)
		l.Members[i] = Point{r.X + r.W/2 + rx*cos, middle + ry*sin}
	}
}

// byArc shares out the circumference of an ellipse: members at its flat sides come
// no closer to each other than at its ends.
func (l *Layout) byArc(rx, ry, turn float64) {
	const steps = 240
	var way [steps + 1]float64
	last := Point{0, -ry}
	for i := 1; i <= steps; i++ {
		sin, cos := math.Sincos(-math.Pi/2 + 2*math.Pi*float64(i)/steps)
		p := Point{rx * cos, ry * sin}
		way[i], last = way[i-1]+p.sub(last).len(), p
	}
	at := 0
	for i := range l.angles {
		want := way[steps] * (float64(i) + turn) / float64(l.Count)
		for at < steps-1 && way[at+1] <= want {
			at++
		}
		f := (want - way[at]) / math.Max(1e-9, way[at+1]-way[at])
		l.angles[i] = -math.Pi/2 + 2*math.Pi*(float64(at)+f)/steps
	}
}

// captionOf is the room of a member's caption.
func (l *Layout) captionOf(i int) Rect {
	c, at := captions[l.Caption], l.Members[i]
	return Rect{clamp(at.X-c.w/2, 2, math.Max(2, l.W-c.w-2)), at.Y + l.Radius + arcRoom + 1, c.w, c.h - 1}
}

// apart tells whether all members, crowns and captions have their room in r.
func (l *Layout) apart(r Rect) bool {
	for i, a := range l.Members {
		caption := l.captionOf(i)
		if a.Y-l.Radius-crownRoom < r.Y-1 || caption.Y+caption.H > r.Y+r.H+1 || caption.X < r.X-1 ||
			caption.X+caption.W > r.X+r.W+1 {
			return false
		}
		for j, b := range l.Members {
			if i == j {
				continue
			}
			crown := Rect{b.X - crownHalf, b.Y - l.Radius - crownRoom, 2 * crownHalf, crownRoom}
			if a.sub(b).len() < 2*(l.Radius+arcRoom)+1 || caption.near(b) < l.Radius+arcRoom || caption.meets(crown) ||
				caption.meets(l.captionOf(j)) {
				return false
			}
		}
	}
	return true
}
