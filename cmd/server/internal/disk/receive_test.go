package disk

import (
	"errors"
	"io"
	"math"
	"syscall"
	"testing"

	"vitrine/core/limits"
)

func TestImagesAreBoundedInBytes(t *testing.T) {
	space := int64(math.MaxInt64)
	free := func() (int64, error) { return space, nil }
	zeros := func() io.Reader { return io.LimitReader(zero{}, 1<<40) }
	n, err := io.Copy(io.Discard, &boundedReader{r: zeros(), limit: 1 << 20, free: free})
	if !errors.Is(err, ErrImageSize) || n > 1<<20+1<<16 {
		t.Errorf("%d bytes, %v", n, err)
	}
	space = 2 * limits.ImageReserveBytes
	filling := writerFunc(func(p []byte) { space -= int64(len(p)) })
	n, err = io.Copy(filling, &boundedReader{r: zeros(), limit: math.MaxInt64, free: free})
	if !errors.Is(err, syscall.ENOSPC) || space < limits.ImageReserveBytes/2 {
		t.Errorf("%d bytes, %d are left: %v", n, space, err)
	}
	if got, err := freeBytes(t.TempDir()); err != nil || got <= 0 {
		t.Errorf("%d bytes are free (%v)", got, err)
	}
	for quota, want := range map[int64]int64{
		0: 16 << 30, -1: math.MaxInt64, 2 << 30: 16 << 30, 100 << 30: 200 << 30, math.MaxInt64: math.MaxInt64 - 1,
	} {
		if got := limits.ImageBytes(quota); got != want {
			t.Errorf("quota %d: limit %d, want %d", quota, got, want)
		}
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
