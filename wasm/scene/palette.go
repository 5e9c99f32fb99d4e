package scene

import "math"

// Color is straight (not premultiplied) sRGB, each part from 0 to 1.
type Color struct{ R, G, B, A float32 }

// Hex makes an opaque color from 0xRRGGBB.
func Hex(v uint32) Color {
	return Color{float32(v>>16&255) / 255, float32(v>>8&255) / 255, float32(v&255) / 255, 1}
}

// Alpha is c with its opacity multiplied by a.
func (c Color) Alpha(a float64) Color {
	c.A *= float32(a)
	return c
}

// Mix is c with share f of d, opaque.
func (c Color) Mix(d Color, f float64) Color {
	g := float32(f)
	return Color{c.R + (d.R-c.R)*g, c.G + (d.G-c.G)*g, c.B + (d.B-c.B)*g, c.A + (d.A-c.A)*g}
}

// Contrast is the WCAG 2 contrast ratio of two opaque colors, 1 to 21.
func Contrast(a, b Color) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c Color) float64 {
	lin := func(v float32) float64 {
		if v <= 0.04045 {
			return float64(v) / 12.92
		}
		return math.Pow((float64(v)+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
}

// Theme is a set of colors for one kind of light in the room. The style sheet
// of the page uses the same values.
type Theme struct {
	Ground, Raised, Line, Strong Color    // surfaces and rules, from quiet to loud
	Text, Muted, Faint           Color    // words
	Accent, Good, Fault, Broken  Color    // what is chosen; fine; a fault someone made; a broken invariant
	Terms                        [6]Color // hue of term t is Terms[(t-1)%6]
	Tint                         float64  // how much hue fills a shape
}

// A color means one thing: no term has the color of a fault, of what is fine or of
// a broken rule, and text in each has a contrast of 4.5:1 on its ground (the tests
// compute both). Patterns and numbers tell terms apart for eyes that cannot.
var (
	Dark = Theme{
		Ground: Hex(0x0d1320), Raised: Hex(0x151e30), Line: Hex(0x26344d), Strong: Hex(0x4a5d80),
		Text: Hex(0xe9edf5), Muted: Hex(0x9dabc3), Faint: Hex(0x8493ad),
		Accent: Hex(0x8ab4ff), Good: Hex(0x3ecf9b), Fault: Hex(0xff9450), Broken: Hex(0xff6b6b),
		Terms: [6]Color{Hex(0x5cb8ee), Hex(0xe6c23a), Hex(0xa893ff), Hex(0xe58fc0), Hex(0xa6cf4e), Hex(0xcbaa8a)},
		Tint:  0.20,
	}
	Light = Theme{
		Ground: Hex(0xfbfcfe), Raised: Hex(0xf1f4f9), Line: Hex(0xd3dae6), Strong: Hex(0x8795ad),
		Text: Hex(0x172033), Muted: Hex(0x4d5b73), Faint: Hex(0x5f6d86),
		Accent: Hex(0x1f5fd0), Good: Hex(0x0b7a55), Fault: Hex(0xb4430c), Broken: Hex(0xc81e1e),
		Terms: [6]Color{Hex(0x0069a8), Hex(0x7d6200), Hex(0x5b45c9), Hex(0xa63d7c), Hex(0x3a6e10), Hex(0x6b5b66)},
		Tint:  0.13,
	}
)

// patterns of terms, in the order of their hues: the first is plain.
var patterns = [len(Theme{}.Terms)]SpriteID{SpriteWhite, SpriteDiagonal, SpriteDots, SpriteGrid, SpriteBars,
	SpriteRings}

// pattern tells terms apart for those who cannot tell their hues.
func pattern(term uint64) (id SpriteID, ok bool) {
	if term == 0 {
		return 0, false
	}
	id = patterns[(term-1)%uint64(len(patterns))]
	return id, id != SpriteWhite
}

// Term is the hue of a raft term; term 0 has none.
func (t *Theme) Term(term uint64) Color {
	if term == 0 {
		return t.Muted
	}
	return t.Terms[(term-1)%uint64(len(t.Terms))]
}
