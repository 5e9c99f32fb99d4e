// Package zlib stands in for compress/zlib when the page is linked.
//
// Who reaches that is ebiten, for the pictures that it can save of its images; the
// page has its pictures from the browser. Package zip says more. web/build overlays it.
package zlib

import (
	"errors"
	"io"
)

// What the levels of compression are in compress/zlib.
const (
	NoCompression      = 0
	BestSpeed          = 1
	BestCompression    = 9
	DefaultCompression = -1
)

// Writer compresses nothing.
type Writer struct{}

// NewWriterLevel refuses to compress.
func NewWriterLevel(io.Writer, int) (*Writer, error) { return nil, errors.ErrUnsupported }

// Reset has nothing to forget.
func (*Writer) Reset(io.Writer) {}

// Write refuses every byte.
func (*Writer) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close has nothing to write.
func (*Writer) Close() error { return nil }

// NewReader refuses to read.
func NewReader(io.Reader) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }
