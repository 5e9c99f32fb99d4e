//go:build js

package bridge

import (
	"slices"
	"syscall/js"
	"time"

	"github.com/hajimehoshi/ebiten/v2"

	"vitrine/core/picture"
	"vitrine/wasm/player"
	"vitrine/wasm/scene"
	"vitrine/wasm/world"
)

// publishEvery is the pace of frames to the document.
const publishEvery = 80 * time.Millisecond

// maxScale bounds the resolution of the stage: more device pixels cost time
// and nobody sees them.
const maxScale = 2

// Game is the page as ebiten runs it.
type Game struct {
	host    js.Value
	player  *player.Player
	scene   *scene.Scene
	surface surface
	view    scene.View
	pointer pointer

	begin     time.Time
	last      time.Duration // of the last Update
	published time.Duration
	stale     bool          // the document waits for a frame
	restAt    time.Duration // no frames from then on, if time stands still
	resting   bool
	w, h      float64
	members   []uint64 // ids, as they are laid out
	clients   int
	scale     float64 // device pixels in a CSS pixel
	zoom      float64 // CSS pixels in a pixel of the scene
	covered   float64 // CSS pixels at the top that the document covers with more than the headline
	moved     bool    // that has changed
	broken    string  // why the world stopped, if it did
	stats     stats
}

// Run starts the page and returns when it ends.
func Run() error {
	g := &Game{host: js.Global().Get("vitrineHost"), begin: time.Now(), stale: true, zoom: 1}
	if err := g.open(); err != nil {
		g.host.Call("fail", err.Error())
		return err
	}
	g.restyle()
	ebiten.SetTPS(ebiten.SyncWithFPS)
	ebiten.SetScreenClearedEveryFrame(false)
	g.attach()
	return ebiten.RunGameWithOptions(g, &ebiten.RunGameOptions{InitUnfocused: true, ScreenTransparent: true})
}

// open makes the first world, as the address asks or as it was before the
// browser took the graphics away.
func (g *Game) open() error {
	want := g.host.Get("settings")
	p, err := player.New(world.Opener{}, player.Settings{
		Seed: uint64(want.Get("seed").Float()), Members: want.Get("members").Int(), Speed: want.Get("speed").Float(),
	})
	if err != nil {
		return err
	}
	g.player = p
	if memory := g.host.Get("memory"); memory.Type() == js.TypeString {
		if err := p.Restore([]byte(memory.String())); err != nil {
			g.host.Call("refused", err.Error())
		}
	}
	return nil
}

// restyle follows the theme, the language and the resolution of the document.
func (g *Game) restyle() {
	theme := scene.Dark
	if g.host.Call("theme").String() == "light" {
		theme = scene.Light
	}
	if g.scene == nil {
		g.scene = scene.New(theme)
	}
	g.scene.Theme = theme
	g.view.Reduced = g.host.Call("reduced").Bool()
	g.scale = min(maxScale, js.Global().Get("devicePixelRatio").Float())
	g.loadAtlas([]rune{'…'})
}

// loadAtlas makes the texture of the stage anew, with these characters beyond
// ASCII.
func (g *Game) loadAtlas(runes []rune) {
	rasterise := func(spec js.Value, scale float64) js.Value { return g.host.Call("rasterise", spec, scale) }
	text := func(key string) string { return g.host.Call("text", key).String() }
	atlas, pixels, w, h := rasterised(rasterise, text, runes, g.scale*g.zoom)
	g.scene.Atlas = atlas
	g.surface.setAtlas(pixels, w, h)
	g.wake()
}

// wake lets frames flow again.
func (g *Game) wake() {
	g.stale = true
	g.drawFor(settle)
}

// settle is how long the stage goes on drawing after a change while time stands
// still: what moved comes to rest.
const settle = 1500 * time.Millisecond

func (g *Game) drawFor(d time.Duration) {
	g.restAt = max(g.restAt, g.clock()+d)
	if g.resting {
		g.resting = false
		g.last = g.clock() // the rest was no time to catch up with
		g.host.Call("rest", false)
	}
}

func (g *Game) clock() time.Duration { return time.Since(g.begin) }

// Layout is replaced by LayoutF.
func (g *Game) Layout(w, h int) (int, int) { return w, h }

// LayoutF follows the size of the body and the resolution of the screen.
func (g *Game) LayoutF(w, h float64) (float64, float64) {
	clients := len(g.player.State.Clients)
	same := func(m picture.Member, id uint64) bool { return m.ID == id }
	stays := w == g.w && h == g.h && clients == g.clients && !g.moved
	if !stays || !slices.EqualFunc(g.player.State.Members, g.members, same) {
		g.w, g.h, g.clients, g.moved, g.members = w, h, clients, false, g.members[:0]
		for i := range g.player.State.Members {
			g.members = append(g.members, g.player.State.Members[i].ID)
		}
		if zoom := scene.Zoom(w, h); zoom != g.zoom {
			g.zoom = zoom
			g.loadAtlas(g.scene.Atlas.Runes)
		}
		arrange := g.scene.Resize
		if stays && g.player.State.Now > 0 { // the same world
			arrange = g.scene.Rearrange
		}
		arrange(w/g.zoom, h/g.zoom, g.members, clients, g.host.Call("compact").Bool(), g.covered/g.zoom)
		g.arranged()
	}
	return max(1, w*g.scale), max(1, h*g.scale)
}

// arranged tells the document that things have other places.
func (g *Game) arranged() {
	l := &g.scene.Layout
	g.host.Call("arranged", l.Matrix.Y*g.zoom, l.Matrix.H*g.zoom, g.zoom)
}

// Update lets the time pass that passed in front of the screen.
func (g *Game) Update() error {
	now := g.clock()
	passed := now - g.last
	g.last = now
	if g.broken == "" {
		played, restoring := g.player.Playing, g.player.Restoring()
		g.safely(func() { g.player.Advance(passed, g.clock) })
		// It stopped by itself, with a last word; or it has come to the moment that was wanted.
		g.stale = g.stale || played != g.player.Playing || restoring
	}
	if g.player.Playing || g.player.Restoring() {
		g.restAt = now + settle
	}
	if g.stale || g.player.Playing && now-g.published >= publishEvery {
		g.publish(now)
	}
	if now > g.restAt && !g.resting {
		g.resting = true
		g.host.Call("rest", true)
	}
	g.stats.update(g.clock() - now)
	return nil
}

// safely keeps the page alive if the world does not survive what it is asked.
func (g *Game) safely(f func()) {
	defer func() {
		if r := recover(); r != nil {
			g.broken = text(r)
			g.player.Playing = false
			g.host.Call("fail", g.broken)
		}
	}()
	f()
}

func text(r any) string {
	if err, ok := r.(error); ok {
		return err.Error()
	}
	if s, ok := r.(string); ok {
		return s
	}
	return "the simulated world stopped"
}

func (g *Game) publish(now time.Duration) {
	g.published, g.stale = now, false
	g.host.Call("publish", string(g.player.Frame()))
}

// Draw draws the stage.
func (g *Game) Draw(screen *ebiten.Image) {
	begin := g.clock()
	g.player.Fill(&g.view)
	g.view.Wall = begin.Seconds()
	g.view.Hover, g.view.Stroke, g.view.OneWay = g.pointer.hover, g.pointer.stroke, g.pointer.oneway
	gliding := g.scene.Gliding()
	batch := g.scene.Draw(&g.view)
	if gliding {
		g.nudge() // until all have come
		if !g.scene.Gliding() {
			g.arranged()
		}
	}
	if g.scene.Leaving() {
		g.nudge() // until it is gone
	}
	if runes, lacks := g.scene.Atlas.Wanted(); lacks {
		g.loadAtlas(runes)
		batch = g.scene.Draw(&g.view)
	}
	g.surface.present(screen, batch)
	g.stats.draw(g.clock() - begin)
}

// stats keeps the processor time of the last frames.
type stats struct {
	updates, draws, frames [240]time.Duration
	n                      int
	current                time.Duration
}

func (s *stats) update(d time.Duration) {
	s.updates[s.n%len(s.updates)] = d
	s.current = d
}

func (s *stats) draw(d time.Duration) {
	i := s.n % len(s.draws)
	s.draws[i], s.frames[i] = d, s.current+d
	s.n++
}

// share is the time in milliseconds that such a share of the frames stays below.
func (s *stats) share(all []time.Duration, share float64) float64 {
	n := min(s.n, len(all))
	if n == 0 {
		return 0
	}
	sorted := slices.Clone(all[:n])
	slices.Sort(sorted)
	return float64(sorted[min(n-1, int(share*float64(n)))].Microseconds()) / 1000
}
