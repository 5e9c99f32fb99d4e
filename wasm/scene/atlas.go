package scene

import (
	"slices"
	"unicode"
)

// Sprite is an image in the atlas, in device pixels. For a glyph or a word,
// OffsetX and OffsetY lead from the pen on the baseline to the upper left
// corner, and Advance moves the pen.
type Sprite struct {
	X, Y, W, H       float32
	OffsetX, OffsetY float32
	Advance          float32
}

// Font is one size and weight of the printable ASCII characters.
type Font struct {
	Glyphs [95]Sprite // from ' ' to '~'
}

// FontID names a font of the atlas.
type FontID uint8

// The fonts of the stage.
const (
	FontName  FontID = iota // a member's name
	FontLabel               // term, role
	FontSmall               // figures, requests
	FontTiny                // log cells, indexes
	fontCount
)

// FontSpec tells the browser what to rasterise.
type FontSpec struct {
	Mono   bool
	Weight int
	Size   float64 // CSS pixels
}

// FontSpecs of all fonts, by FontID.
var FontSpecs = [fontCount]FontSpec{{false, 650, 18}, {false, 600, 12}, {true, 450, 11.5}, {true, 500, 10.5}}

// Sprites are drawn by the browser in white on nothing, at the size given in
// web/js/atlas.js, and colored by the vertices.
type SpriteID uint8

// The images of the stage: message shapes, their details, and marks.
const (
	SpriteWhite   SpriteID = iota // a solid spot
	SpriteApp                     // chevron: MsgApp
	SpriteAppLine                 // hollow chevron: MsgAppResp
	SpriteBead                    // an entry in a chevron
	SpriteDot                     // MsgHeartbeat
	SpriteRing                    // MsgHeartbeatResp
	SpriteBallot                  // MsgVote
	SpriteBallotLine
	SpritePreBallot // dashed: MsgPreVote
	SpriteCheck
	SpriteCross
	SpriteLozenge // MsgReadIndex
	SpriteLozengeLine
	SpriteEnvelope // MsgProp
	SpriteEnvelopeInk
	SpriteCrate // MsgSnap
	SpriteCrateInk
	SpriteBolt  // MsgTimeoutNow
	SpriteBaton // MsgTransferLeader
	SpriteCrown
	SpriteGlow     // soft light
	SpriteScissors // a cut
	SpriteDiagonal // patterns of terms
	SpriteDots
	SpriteGrid
	SpriteBars
	SpriteRings
	spriteCount
)

// SpriteNames are the names under which the browser delivers the sprites.
var SpriteNames = [spriteCount]string{
	"white", "app", "appLine", "bead", "dot", "ring", "ballot", "ballotLine", "preBallot", "check", "cross",
	"lozenge", "lozengeLine", "envelope", "envelopeInk", "crate", "crateInk", "bolt", "baton", "crown", "glow", "scissors",
	"diagonal", "dots", "grid", "bars", "rings",
}

// Word is a piece of text in the reader's language.
type Word uint8

// The words of the stage; all other prose is in the document.
const (
	WordTerm Word = iota
	WordFollower
	WordCandidate
	WordPreCandidate
	WordLeader
	WordLearner
	WordCrashed
	WordKilled
	WordStopped
	WordPaused
	WordStarting
	WordUnknown
	WordStale
	WordJoining
	WordRemoved
	WordCommitted
	WordApplied
	WordFsync
	WordYou
	WordRevision
	WordEnds
	WordBegins
	wordCount
)

// WordNames are keys of the message catalogue below "stage.".
var WordNames = [wordCount]string{
	"term", "follower", "candidate", "preCandidate", "leader", "learner", "crashed", "killed", "stopped", "paused",
	"starting", "unknown", "stale", "joining", "removed", "committed", "applied", "fsync", "you",
	"revision", "ends", "begins",
}

// WordFont is the font in which a word is rasterised.
func (w Word) Font() FontID {
	switch w {
	case WordCommitted, WordApplied, WordFsync, WordYou, WordEnds, WordBegins:
		return FontSmall
	}
	return FontLabel
}

// Atlas is the one texture of the stage. Besides the printable ASCII characters
// it holds those that were asked for: Wanted names the characters of drawn texts
// that it lacks. Until an atlas that has them is loaded, each shows as a dot.
type Atlas struct {
	Scale   float64 // device pixels in a CSS pixel
	Fonts   [fontCount]Font
	Sprites [spriteCount]Sprite
	Words   [wordCount]Sprite
	Runes   []rune            // the characters beyond ASCII that it holds
	more    map[rune][]Sprite // their glyphs, by FontID
	wanted  []rune
}

// Hold gives it characters beyond ASCII; next gives the glyphs of the first one, a font each, and so on.
func (a *Atlas) Hold(runes []rune, next func() Sprite) {
	a.Runes, a.more = runes, make(map[rune][]Sprite, len(runes))
	for _, r := range runes {
		glyphs := make([]Sprite, fontCount)
		for i := range glyphs {
			glyphs[i] = next()
		}
		a.more[r] = glyphs
	}
}

// maxRunes bounds the characters beyond ASCII, so that no text fills the
// texture. It is more than a stage of any size can show at once.
const maxRunes = 1200

// ellipsis marks a text that is cut.
const ellipsis = '…'

// glyph of a character.
func (a *Atlas) glyph(font FontID, r rune) *Sprite {
	f := &a.Fonts[font]
	if r >= ' ' && r <= '~' {
		return &f.Glyphs[r-' ']
	}
	if g := a.more[r]; g != nil {
		return &g[font]
	}
	if unicode.IsGraphic(r) && len(a.wanted)+len(a.Runes) < maxRunes && !slices.Contains(a.wanted, r) {
		a.wanted = append(a.wanted, r)
	}
	return &f.Glyphs['.'-' ']
}

// Wanted returns the characters that an atlas for the texts drawn so far must
// hold, and true if this one lacks some of them.
func (a *Atlas) Wanted() (runes []rune, lacks bool) {
	if len(a.wanted) == 0 {
		return a.Runes, false
	}
	return slices.Concat(a.Runes, a.wanted), true
}

// Width of a text in CSS pixels.
func (a *Atlas) Width(font FontID, text string) float64 {
	var w float32
	for _, r := range text {
		w += a.glyph(font, r).Advance
	}
	return float64(w) / a.Scale
}

// Fit returns as much of a text as fits into width CSS pixels, whether that is
// less than all of it, and how wide it is. A text that is cut gets an ellipsis,
// whose width is counted (see pen.fitted), so that its beginning is not taken for
// the whole. The time it takes grows with what fits, not with the text.
func (a *Atlas) Fit(font FontID, text string, width float64) (head string, cut bool, w float64) {
	limit := float32(width * a.Scale)
	mark := a.glyph(font, ellipsis).Advance
	var all, kept float32
	end := -1 // of what can be kept with a mark behind it
	for i, r := range text {
		if all+mark <= limit {
			end, kept = i, all+mark
		}
		if all += a.glyph(font, r).Advance; all > limit {
			return text[:max(end, 0)], end >= 0, float64(kept) / a.Scale
		}
	}
	return text, false, float64(all) / a.Scale
}

// WordWidth is the width of a word in CSS pixels.
func (a *Atlas) WordWidth(w Word) float64 { return float64(a.Words[w].Advance) / a.Scale }

// pen writes runs of text and words from left to right on one baseline.
type pen struct {
	b     *Batch
	a     *Atlas
	at    Point
	color Color
}

func (p *pen) sprite(s *Sprite) {
	if s.W > 0 {
		k := 1 / p.b.scale
		// A glyph on whole device pixels stays as sharp as it was rasterised.
		x := float64(int((p.at.X)*p.b.scale+0.5)+int(s.OffsetX)) * k
		y := float64(int((p.at.Y)*p.b.scale+0.5)+int(s.OffsetY)) * k
		w, h := float64(s.W)*k, float64(s.H)*k
		p.b.quad(*s, Point{x, y}, Point{x + w, y}, Point{x, y + h}, Point{x + w, y + h}, p.color)
	}
	p.at.X += float64(s.Advance) / p.a.Scale
}

func (p *pen) text(font FontID, text string) {
	for _, r := range text {
		p.sprite(p.a.glyph(font, r))
	}
}

// fitted writes what Fit has returned.
func (p *pen) fitted(font FontID, head string, cut bool) {
	p.text(font, head)
	if cut {
		p.sprite(p.a.glyph(font, ellipsis))
	}
}

func (p *pen) bytes(font FontID, text []byte) {
	for _, c := range text {
		p.sprite(p.a.glyph(font, rune(c)))
	}
}

func (p *pen) word(w Word) { p.sprite(&p.a.Words[w]) }
