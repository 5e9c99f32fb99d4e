package scene

import "math"

// Point is a place on the stage in CSS pixels, y down.
type Point struct{ X, Y float64 }

func (p Point) add(q Point) Point     { return Point{p.X + q.X, p.Y + q.Y} }
func (p Point) sub(q Point) Point     { return Point{p.X - q.X, p.Y - q.Y} }
func (p Point) scale(f float64) Point { return Point{p.X * f, p.Y * f} }

// quicker than Hypot, which guards against overflow
func (p Point) len() float64             { return math.Sqrt(p.X*p.X + p.Y*p.Y) }
func (p Point) normal() Point            { return Point{-p.Y, p.X} }
func lerp(a, b Point, f float64) Point   { return Point{a.X + (b.X-a.X)*f, a.Y + (b.Y-a.Y)*f} }
func clamp(v, low, high float64) float64 { return max(low, min(high, v)) }

func (p Point) unit() Point {
	if l := p.len(); l > 0 {
		return p.scale(1 / l)
	}
	return right
}

// right is the direction in which sprites are drawn in the atlas.
var right = Point{1, 0}

// Rect is an area of the stage in CSS pixels.
type Rect struct{ X, Y, W, H float64 }

// Contains tells whether p lies in r.
func (r Rect) Contains(p Point) bool {
	return p.X >= r.X && p.X < r.X+r.W && p.Y >= r.Y && p.Y < r.Y+r.H
}

// meets tells whether r and o have a point in common.
func (r Rect) meets(o Rect) bool {
	return r.X < o.X+o.W && o.X < r.X+r.W && r.Y < o.Y+o.H && o.Y < r.Y+r.H
}

// near is how far p is from r, 0 within it.
func (r Rect) near(p Point) float64 {
	return Point{max(r.X-p.X, 0, p.X-r.X-r.W), max(r.Y-p.Y, 0, p.Y-r.Y-r.H)}.len()
}

// Center of r.
func (r Rect) Center() Point { return Point{r.X + r.W/2, r.Y + r.H/2} }

// distance from p to the segment ab.
func distance(p, a, b Point) float64 {
	ab := b.sub(a)
	l2 := ab.X*ab.X + ab.Y*ab.Y
	if l2 == 0 {
		return p.sub(a).len()
	}
	ap := p.sub(a)
	f := clamp((ap.X*ab.X+ap.Y*ab.Y)/l2, 0, 1)
	return p.sub(lerp(a, b, f)).len()
}

// side is positive if r lies to the right of the way from p to q, on a screen.
func side(p, q, r Point) float64 { return (q.X-p.X)*(r.Y-p.Y) - (q.Y-p.Y)*(r.X-p.X) }

// crosses tells whether the segments ab and cd meet.
func crosses(a, b, c, d Point) bool {
	s1, s2 := side(a, b, c), side(a, b, d)
	s3, s4 := side(c, d, a), side(c, d, b)
	return (s1 > 0) != (s2 > 0) && (s3 > 0) != (s4 > 0) && !(s1 == 0 && s2 == 0)
}
