//go:build js

package bridge

import (
	"math"
	"syscall/js"

	"vitrine/wasm/scene"
)

// rasterised has the browser rasterise an atlas by calling rasterise (web/js/atlas.js)
// with the fonts, words and sprites of the scene; text gives a word in the
// reader's language, runes are characters beyond ASCII. The pixels are premultiplied RGBA.
func rasterised(rasterise func(spec js.Value, scale float64) js.Value, text func(key string) string, runes []rune,
	scale float64) (a *scene.Atlas, pixels []byte, w, h int) {
	spec := map[string]any{}
	var fonts, words, sprites []any
	for _, f := range scene.FontSpecs {
		fonts = append(fonts, map[string]any{"mono": f.Mono, "weight": f.Weight, "size": f.Size})
	}
	for i, name := range scene.WordNames {
		words = append(words, map[string]any{"text": text("stage." + name), "font": int(scene.Word(i).Font())})
	}
	for _, name := range scene.SpriteNames {
		sprites = append(sprites, name)
	}
	spec["fonts"], spec["words"], spec["sprites"], spec["more"] = fonts, words, sprites, string(runes)
	got := rasterise(js.ValueOf(spec), scale)

	metrics := got.Get("metrics")
	raw := make([]byte, metrics.Get("byteLength").Int())
	js.CopyBytesToGo(raw, js.Global().Get("Uint8Array").New(metrics.Get("buffer")))
	next := func() (s scene.Sprite) {
		for _, field := range [...]*float32{&s.X, &s.Y, &s.W, &s.H, &s.OffsetX, &s.OffsetY, &s.Advance} {
			*field = math.Float32frombits(uint32(raw[0]) | uint32(raw[1])<<8 | uint32(raw[2])<<16 | uint32(raw[3])<<24)
			raw = raw[4:]
		}
		return s
	}
	a = &scene.Atlas{Scale: scale}
	for i := range a.Fonts {
		for j := range a.Fonts[i].Glyphs {
			a.Fonts[i].Glyphs[j] = next()
		}
	}
	for i := range a.Words {
		a.Words[i] = next()
	}
	for i := range a.Sprites {
		a.Sprites[i] = next()
	}
	a.Hold(runes, next)
	w, h = got.Get("width").Int(), got.Get("height").Int()
	pixels = make([]byte, 4*w*h)
	js.CopyBytesToGo(pixels, js.Global().Get("Uint8Array").New(got.Get("pixels").Get("buffer")))
	return a, pixels, w, h
}
