//go:build js

package bridge

import (
	goimage "image"
	"unsafe"

	"github.com/hajimehoshi/ebiten/v2"

	"vitrine/wasm/scene"
)

// surface hands batches to ebiten.
type surface struct {
	image   *ebiten.Image
	options ebiten.DrawTrianglesOptions
}

// A batch goes to ebiten as it is: both vertices must have one layout.
var _ [unsafe.Sizeof(scene.Vertex{})]byte = [unsafe.Sizeof(ebiten.Vertex{})]byte{}

// setAtlas replaces the texture; pixels are premultiplied RGBA.
func (s *surface) setAtlas(pixels []byte, w, h int) {
	if s.image != nil {
		s.image.Deallocate()
	}
	s.image = ebiten.NewImageWithOptions(goimage.Rect(0, 0, w, h), &ebiten.NewImageOptions{Unmanaged: true})
	s.image.WritePixels(pixels)
	s.options = ebiten.DrawTrianglesOptions{
		ColorScaleMode: ebiten.ColorScaleModePremultipliedAlpha, Filter: ebiten.FilterLinear,
		DisableMipmaps: true, // the atlas has the size of the screen, and to look for a level costs more than all else
	}
}

// present draws a batch, in one call unless it is huge.
func (s *surface) present(screen *ebiten.Image, b *scene.Batch) {
	for i := range b.Calls {
		c := &b.Calls[i]
		if len(c.Indices) == 0 {
			break
		}
		vertices := unsafe.Slice((*ebiten.Vertex)(unsafe.Pointer(&c.Vertices[0])), len(c.Vertices))
		screen.DrawTriangles(vertices, c.Indices, s.image, &s.options)
	}
}
