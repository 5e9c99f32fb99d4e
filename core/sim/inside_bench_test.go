package sim

import (
	"testing"
	"time"

	"vitrine/core/inspect"
	"vitrine/core/trace"
)

// BenchmarkInspect is what a page pays some times a second for the tab that it shows.
func BenchmarkInspect(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Seed = 7
	w, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	w.RunUntil(trace.Instant(60*time.Second), 0)
	for _, tab := range []string{"kv", "wal", "store", "leases", "users"} {
		b.Run(tab, func(b *testing.B) {
			for b.Loop() {
				s, err := w.Inside(1)
				if err == nil {
					_, err = inspect.JSON(s, tab, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
