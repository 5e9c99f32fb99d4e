package scene

import (
	"math"
	"slices"
)

// Vertex is one corner of a triangle: a place on the screen and in the atlas,
// both in device pixels, and a premultiplied color. Its memory layout is
// ebiten's, so that a batch goes to the screen without being copied.
type Vertex struct {
	DstX, DstY, SrcX, SrcY float32
	R, G, B, A             float32
	_                      [4]float32
}

// A call's bounds: indices of 16 bits, and as many of them as ebiten takes.
const (
	batchVertices = 1 << 16
	batchIndices  = 1 << 16 / 3 * 3
)

// Batch collects the triangles of one frame. Shapes are given in CSS pixels;
// edges are smoothed by a rim of one device pixel that fades out, which keeps
// everything in one draw call.
type Batch struct {
	Calls   []Call
	current int        // the call being filled
	scale   float64    // device pixels in a CSS pixel
	white   [2]float32 // a white spot of the atlas
	path    []Point    // scratch
	dash    []Point    // scratch
	normals []Point    // scratch
}

// Call is a list of triangles small enough for 16-bit indices.
type Call struct {
	Vertices []Vertex
	Indices  []uint16
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset(scale float64, white [2]float32) {
	b.scale, b.white, b.current = scale, white, 0
	for i := range b.Calls {
		b.Calls[i].Vertices = b.Calls[i].Vertices[:0]
		b.Calls[i].Indices = b.Calls[i].Indices[:0]
	}
	if len(b.Calls) == 0 {
		b.Calls = append(b.Calls, Call{make([]Vertex, 0, 1<<14), make([]uint16, 0, 1<<15)})
	}
}

// room returns the call that has space for n more vertices, with memory for
// them, so that vertex need not look. A shape asks once for all of its vertices:
// its indices count from the first of them and must not cross into another call.
func (b *Batch) room(n int) *Call {
	c := &b.Calls[b.current]
	if len(c.Vertices)+n > batchVertices || len(c.Indices)+6*n > batchIndices {
		if b.current++; b.current == len(b.Calls) {
			b.Calls = append(b.Calls, Call{make([]Vertex, 0, 1<<14), make([]uint16, 0, 1<<15)})
		}
		c = &b.Calls[b.current]
	}
	if cap(c.Vertices)-len(c.Vertices) < n {
		c.Vertices = slices.Grow(c.Vertices, n)
	}
	return c
}

// vertex appends one; room has made sure of its place. The fields that ebiten
// calls custom are zero from the beginning.
func (b *Batch) vertex(c *Call, p Point, col Color) {
	n := len(c.Vertices)
	c.Vertices = c.Vertices[:n+1]
	v := &c.Vertices[n]
	v.DstX, v.DstY = float32(p.X*b.scale), float32(p.Y*b.scale)
	v.SrcX, v.SrcY = b.white[0], b.white[1]
	v.R, v.G, v.B, v.A = col.R*col.A, col.G*col.A, col.B*col.A, col.A
}

// Fill paints a rectangle.
func (b *Batch) Fill(r Rect, c Color) { b.Gradient(r, c, c) }

// Gradient paints a rectangle from top to bottom.
func (b *Batch) Gradient(r Rect, top, bottom Color) {
	call := b.room(4)
	at := uint16(len(call.Vertices))
	b.vertex(call, Point{r.X, r.Y}, top)
	b.vertex(call, Point{r.X + r.W, r.Y}, top)
	b.vertex(call, Point{r.X, r.Y + r.H}, bottom)
	b.vertex(call, Point{r.X + r.W, r.Y + r.H}, bottom)
	call.Indices = append(call.Indices, at, at+1, at+2, at+1, at+2, at+3)
}

// fan fills a convex outline whose edge a line will cover.
func (b *Batch) fan(outline []Point, c Color) {
	call := b.room(len(outline))
	at := uint16(len(call.Vertices))
	for _, p := range outline {
		b.vertex(call, p, c)
	}
	for i := uint16(2); i < uint16(len(outline)); i++ {
		call.Indices = append(call.Indices, at, at+i-1, at+i)
	}
}

// fill4 fills a convex shape of four corners, in this order around it, with edges that are not smoothed.
func (b *Batch) fill4(p, q, r, s Point, c Color) {
	b.path = append(b.path[:0], p, q, r, s)
	b.fan(b.path, c)
}

// Convex fills a convex outline; the color may change from its middle to its edge. Each corner has two vertices, half a
// device pixel within the outline and half a pixel beyond, between which the color fades to nothing: the middle's fan
// reaches to the inner ones, a strip from there to the outer ones.
func (b *Batch) Convex(outline []Point, middle, edge Color) {
	n := len(outline)
	if n < 3 {
		return
	}
	var center Point
	for _, p := range outline {
		center = center.add(p)
	}
	center = center.scale(1 / float64(n))
	call := b.room(2*n + 1)
	at := uint16(len(call.Vertices))
	b.vertex(call, center, middle)
	half := 0.5 / b.scale
	for _, p := range outline {
		out := p.sub(center).unit().scale(half)
		b.vertex(call, p.sub(out), edge)
		b.vertex(call, p.add(out), edge.Alpha(0))
	}
	for i := range n {
		in, next := at+1+uint16(2*i), at+1+uint16(2*((i+1)%n))
		call.Indices = append(call.Indices, at, in, next, in, in+1, next, in+1, next, next+1)
	}
}

// Stroke draws a line along points, with mitred corners.
func (b *Batch) Stroke(points []Point, closed bool, width float64, c Color) {
	b.gradientStroke(points, closed, width, c, c)
}

// gradientStroke fades from one color at the first point to another at the last. Each point has four vertices across
// the line, in this order: outer rim, edge, edge, outer rim. Three strips of triangles join those of neighbours: a rim
// that fades out, the line, and a rim again.
func (b *Batch) gradientStroke(points []Point, closed bool, width float64, from, to Color) {
	n := len(points)
	if n < 2 || from.A <= 0 && to.A <= 0 {
		return
	}
	if width*b.scale <= 1.5 {
		b.hairline(points, closed, width, from, to)
		return
	}
	call := b.room(4 * n)
	at := uint16(len(call.Vertices))
	half, rim := width/2, 1/b.scale
	half -= rim / 2
	normals := b.normalsOf(points, closed)
	for i, p := range points {
		m := miter(normals, i, closed)
		c := from.Mix(to, float64(i)/float64(n-1))
		b.vertex(call, p.add(m.scale(half+rim)), c.Alpha(0))
		b.vertex(call, p.add(m.scale(half)), c)
		b.vertex(call, p.sub(m.scale(half)), c)
		b.vertex(call, p.sub(m.scale(half+rim)), c.Alpha(0))
	}
	ends := n - 1
	if closed {
		ends = n
	}
	for i := range ends {
		p, q := at+uint16(4*i), at+uint16(4*((i+1)%n))
		for j := uint16(0); j < 3; j++ {
			call.Indices = append(call.Indices, p+j, p+j+1, q+j, p+j+1, q+j, q+j+1)
		}
	}
}

// hairline draws a line of at most one and a half device pixels: full in its
// middle, nothing a width away on either side, which covers as much.
func (b *Batch) hairline(points []Point, closed bool, width float64, from, to Color) {
	n := len(points)
	if width*b.scale < 1 { // thinner than a pixel: fainter instead
		from, to = from.Alpha(width*b.scale), to.Alpha(width*b.scale)
		width = 1 / b.scale
	}
	call := b.room(4 * n)
	at := uint16(len(call.Vertices))
	normals := b.normalsOf(points, closed)
	for i, p := range points {
		m := miter(normals, i, closed).scale(width)
		c := from.Mix(to, float64(i)/float64(n-1))
		b.vertex(call, p.add(m), c.Alpha(0))
		b.vertex(call, p, c)
		b.vertex(call, p.sub(m), c.Alpha(0))
	}
	ends := n - 1
	if closed {
		ends = n
	}
	for i := range ends {
		p, q := at+uint16(3*i), at+uint16(3*((i+1)%n))
		call.Indices = append(call.Indices, p, p+1, q, p+1, q, q+1, p+1, p+2, q+1, p+2, q+1, q+2)
	}
}

// normalsOf returns the unit normal of each piece of a line; the last is that
// of the piece which closes it, or the one before again.
func (b *Batch) normalsOf(points []Point, closed bool) []Point {
	n := len(points)
	b.normals = b.normals[:0]
	for i := 1; i < n; i++ {
		b.normals = append(b.normals, points[i].sub(points[i-1]).unit().normal())
	}
	last := b.normals[n-2]
	if closed {
		last = points[0].sub(points[n-1]).unit().normal()
	}
	b.normals = append(b.normals, last)
	return b.normals
}

// miter is the offset at corner i for a line of half width one.
func miter(normals []Point, i int, closed bool) Point {
	after := normals[i]
	before := after
	switch {
	case i > 0:
		before = normals[i-1]
	case closed:
		before = normals[len(normals)-1]
	}
	sum := before.add(after)
	// The sum of two unit normals is twice the cosine of half their angle long.
	l2 := sum.X*sum.X + sum.Y*sum.Y
	if l2 < 0.5 { // a sharp corner: blunt it
		return after
	}
	return sum.scale(2 / l2)
}

// Line draws a straight line.
func (b *Batch) Line(from, to Point, width float64, c Color) {
	b.dash = append(b.dash[:0], from, to)
	b.Stroke(b.dash, false, width, c)
}

// Fade draws a straight line from nothing to c.
func (b *Batch) Fade(from, to Point, width float64, c Color) {
	b.dash = append(b.dash[:0], from, to)
	b.gradientStroke(b.dash, false, width, c.Alpha(0), c)
}

// Dashed draws along points in dashes; the offset moves them along the line.
func (b *Batch) Dashed(points []Point, closed bool, width, on, off, offset float64, c Color) {
	n := len(points)
	ends := n - 1
	if closed {
		ends = n
	}
	period := on + off
	at := math.Mod(offset, period) // place within the period
	if at < 0 {
		at += period
	}
	piece := b.dash[:0]
	flush := func() {
		if len(piece) > 1 {
			b.Stroke(piece, false, width, c)
		}
		piece = piece[:0]
	}
	for i := range ends {
		p, q := points[i], points[(i+1)%n]
		length := q.sub(p).len()
		for done := 0.0; done < length-1e-9; {
			left := on - at
			if at >= on {
				left = period - at
			}
			step := min(left, length-done)
			if at < on {
				if len(piece) == 0 {
					piece = append(piece, lerp(p, q, done/length))
				}
				piece = append(piece, lerp(p, q, (done+step)/length))
			}
			done, at = done+step, at+step
			if at >= on-1e-9 && len(piece) > 0 {
				flush()
			}
			if at >= period-1e-9 {
				at = 0
			}
		}
	}
	flush()
	b.dash = piece
}

// arc returns points on a circle from angle a to angle z (radians); the slice
// is reused by the next shape.
func (b *Batch) arc(center Point, radius, a, z float64) []Point {
	n := int(clamp(math.Ceil(math.Abs(z-a)*math.Sqrt(radius*b.scale)*0.9), 3, 72))
	b.path = b.path[:0]
	sin, cos := math.Sincos(a)
	turnSin, turnCos := math.Sincos((z - a) / float64(n))
	for i := 0; i <= n; i++ { // turn a little further each time: no sine for every point
		b.path = append(b.path, Point{center.X + radius*cos, center.Y + radius*sin})
		sin, cos = sin*turnCos+cos*turnSin, cos*turnCos-sin*turnSin
	}
	return b.path
}

// circle returns the closed outline of a circle.
func (b *Batch) circle(center Point, radius float64) []Point {
	p := b.arc(center, radius, 0, 2*math.Pi)
	return p[:len(p)-1]
}

// Disc fills a circle.
func (b *Batch) Disc(center Point, radius float64, c Color) {
	b.Convex(b.circle(center, radius), c, c)
}

// Ring draws a circle.
func (b *Batch) Ring(center Point, radius, width float64, c Color) {
	b.Stroke(b.circle(center, radius), true, width, c)
}

// polygon returns a regular polygon with its first corner at angle a.
func (b *Batch) polygon(center Point, radius float64, corners int, a float64) []Point {
	b.path = b.path[:0]
	for i := range corners {
		sin, cos := math.Sincos(a + 2*math.Pi*float64(i)/float64(corners))
		b.path = append(b.path, Point{center.X + radius*cos, center.Y + radius*sin})
	}
	return b.path
}

// corner holds the directions of a quarter turn to the right, from up, in four
// steps.
var corner = [5]Point{{0, -1}, {0.38268343, -0.92387953}, {0.70710678, -0.70710678}, {0.92387953, -0.38268343}, {1, 0}}

// rounded returns the outline of a rectangle with round corners.
func (b *Batch) rounded(r Rect, radius float64) []Point {
	radius = min(radius, r.W/2, r.H/2)
	b.path = b.path[:0]
	step := 2
	if radius > 5 {
		step = 1
	}
	middles := [4]Point{{r.X + r.W - radius, r.Y + radius}, {r.X + r.W - radius, r.Y + r.H - radius},
		{r.X + radius, r.Y + r.H - radius}, {r.X + radius, r.Y + radius}}
	for i, m := range middles {
		for j := 0; j < len(corner); j += step {
			d := corner[j]
			for range i { // a quarter turn further for each corner
				d = d.normal()
			}
			b.path = append(b.path, m.add(d.scale(radius)))
		}
	}
	return b.path
}

// Card fills and outlines a rectangle with round corners.
func (b *Batch) Card(r Rect, radius float64, fill, line Color, width float64) {
	outline := b.rounded(r, radius)
	switch {
	case fill.A <= 0:
	case line.A > 0:
		b.fan(outline, fill)
	default:
		b.Convex(outline, fill, fill)
	}
	if line.A > 0 {
		b.Stroke(outline, true, width, line)
	}
}

// Route draws the way of a request.
func (b *Batch) Route(r *Route, width float64, c Color) {
	const steps = 28
	b.path = b.path[:0]
	for i := 0; i <= steps; i++ {
		b.path = append(b.path, r.at(float64(i)/steps))
	}
	b.Stroke(b.path, false, width, c)
}

// Pattern fills a convex outline with the part of an image of the atlas that
// lies under it when the image's middle lies at center.
func (b *Batch) Pattern(outline []Point, center Point, s Sprite, c Color) {
	if s.W == 0 || len(outline) < 3 {
		return
	}
	call := b.room(len(outline))
	at := uint16(len(call.Vertices))
	for _, p := range outline {
		b.vertex(call, p, c)
		d := p.sub(center)
		v := &call.Vertices[len(call.Vertices)-1]
		v.SrcX = s.X + s.W/2 + float32(clamp(d.X*b.scale, -float64(s.W)/2, float64(s.W)/2))
		v.SrcY = s.Y + s.H/2 + float32(clamp(d.Y*b.scale, -float64(s.H)/2, float64(s.H)/2))
	}
	for i := uint16(2); i < uint16(len(outline)); i++ {
		call.Indices = append(call.Indices, at, at+i-1, at+i)
	}
}

// Sprite draws an image of the atlas around center, turned so that its right
// looks in the direction (a unit vector), and scaled.
func (b *Batch) Sprite(s Sprite, center, direction Point, size float64, c Color) {
	if c.A <= 0 || s.W == 0 {
		return
	}
	hw, hh := float64(s.W)/2/b.scale*size, float64(s.H)/2/b.scale*size
	ax, ay := direction.scale(hw), direction.normal().scale(hh)
	b.quad(s, center.sub(ax).sub(ay), center.add(ax).sub(ay), center.sub(ax).add(ay), center.add(ax).add(ay), c)
}

func (b *Batch) quad(s Sprite, nw, ne, sw, se Point, c Color) {
	call := b.room(4)
	at := uint16(len(call.Vertices))
	b.vertex(call, nw, c)
	b.vertex(call, ne, c)
	b.vertex(call, sw, c)
	b.vertex(call, se, c)
	v := call.Vertices[at:]
	v[0].SrcX, v[0].SrcY = s.X, s.Y
	v[1].SrcX, v[1].SrcY = s.X+s.W, s.Y
	v[2].SrcX, v[2].SrcY = s.X, s.Y+s.H
	v[3].SrcX, v[3].SrcY = s.X+s.W, s.Y+s.H
	call.Indices = append(call.Indices, at, at+1, at+2, at+1, at+2, at+3)
}
