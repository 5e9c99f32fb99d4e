// Package zip stands in for archive/zip when the page is linked.
//
// Who reaches that is ebiten, which can save all its images for whoever debugs it,
// at a key that an environment variable names. A page has no such variable, but the
// linker cannot know. Together with package zlib this leaves out the writers of
// archives and pictures and the compressor, a hundredth of the page. web/build overlays it.
package zip

import (
	"errors"
	"io"
)

// Writer writes nothing.
type Writer struct{}

// NewWriter returns a writer that has no place for a file.
func NewWriter(io.Writer) *Writer { return new(Writer) }

// Create refuses every file.
func (*Writer) Create(string) (io.Writer, error) { return nil, errors.ErrUnsupported }

// Close has nothing to write.
func (*Writer) Close() error { return nil }
