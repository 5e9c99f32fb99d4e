package dice

import (
	"crypto/rand"
	"io"

	"vitrine/core/invariant"
)

// Global stands in for crypto/rand.Reader while a world runs: raft draws its
// election timeouts from there and offers no hook. It serves the member that is
// stepping; nobody else may draw from it.
type Global struct {
	from  io.Reader
	saved io.Reader
	depth int
}

// Use makes it serve a reader; nil = nobody may draw.
func (g *Global) Use(from io.Reader) { g.from = from }

// Read implements io.Reader.
func (g *Global) Read(p []byte) (int, error) {
	invariant.Assert(g.from != nil, "dice: somebody draws from crypto/rand outside a member's step")
	return g.from.Read(p)
}

// Enter installs it, and Leave puts back what was there; they nest. Each reports
// whether it was the outermost.
func (g *Global) Enter() (outermost bool) {
	if g.depth++; g.depth > 1 {
		return false
	}
	g.saved, rand.Reader = rand.Reader, g
	return true
}

// Leave is the end of Enter.
func (g *Global) Leave() (outermost bool) {
	if g.depth--; g.depth > 0 {
		return false
	}
	rand.Reader, g.saved = g.saved, nil
	return true
}
