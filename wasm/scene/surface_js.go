//go:build js

package scene

import (
	goimage "image"
	"unsafe"

	"github.com/hajimehoshi/ebiten/v2"
)

// Surface hands batches to ebiten.
type Surface struct {
	image   *ebiten.Image
	options ebiten.DrawTrianglesOptions
}

// A batch goes to ebiten as it is: both vertices must have one layout.
var _ [unsafe.Sizeof(Vertex{})]byte = [unsafe.Sizeof(ebiten.Vertex{})]byte{}

// SetAtlas replaces the texture; pixels are premultiplied RGBA.
func (s *Surface) SetAtlas(pixels []byte, w, h int) {
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

// Present draws a batch, in one call unless it is huge.
func (s *Surface) Present(screen *ebiten.Image, b *Batch) {
	for i := range b.Calls {
		c := &b.Calls[i]
		if len(c.Indices) == 0 {
			break
		}
		vertices := unsafe.Slice((*ebiten.Vertex)(unsafe.Pointer(&c.Vertices[0])), len(c.Vertices))
		screen.DrawTriangles(vertices, c.Indices, s.image, &s.options)
	}
}
