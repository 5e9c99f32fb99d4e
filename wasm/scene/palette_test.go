package scene

import (
	"math"
	"testing"
)

// lab is a color in CIE L*a*b*, in which distances are those that eyes see: some
// two are just noticed, and twenty cannot be overlooked.
func lab(c Color) [3]float64 {
	lin := func(v float32) float64 {
		if v <= 0.04045 {
			return float64(v) / 12.92
		}
		return math.Pow((float64(v)+0.055)/1.055, 2.4)
	}
	r, g, b := lin(c.R), lin(c.G), lin(c.B)
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*r + 0.3576*g + 0.1805*b) / 0.9505)
	y := f(0.2126*r + 0.7152*g + 0.0722*b)
	z := f((0.0193*r + 0.1192*g + 0.9505*b) / 1.0890)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func difference(a, b Color) float64 {
	p, q := lab(a), lab(b)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

// A color means one thing.
func TestColorsAreApart(t *testing.T) {
	const least = 20
	for name, theme := range map[string]Theme{"dark": Dark, "light": Light} {
		for i, c := range theme.Terms {
			for what, other := range map[string]Color{"a fault": theme.Fault, "what is fine": theme.Good,
				"a broken rule": theme.Broken} {
				if d := difference(c, other); d < least {
					t.Errorf("%s: the hue of term %d is %.0f from the color of %s", name, i+1, d, what)
				}
			}
			for j := range i {
				if d := difference(c, theme.Terms[j]); d < least {
					t.Errorf("%s: the hues of terms %d and %d are %.0f apart", name, j+1, i+1, d)
				}
			}
		}
		if d := difference(theme.Fault, theme.Broken); d < least {
			t.Errorf("%s: a fault and a broken rule are %.0f apart", name, d)
		}
	}
}
