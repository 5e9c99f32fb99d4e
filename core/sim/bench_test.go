package sim

import (
	"testing"
	"time"

	"vitrine/core/trace"
)

// BenchmarkSecond simulates one second a turn: 3 members, 50 operations a
// second, all checkers on.
func BenchmarkSecond(b *testing.B) {
	w, err := New(DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	w.RunUntil(trace.Instant(10*time.Second), 0)
	b.ReportAllocs()
	start := w.Events()
	for b.Loop() {
		if !w.RunUntil(w.Now()+trace.Instant(time.Second), 0) {
			b.Fatal(w.Violation())
		}
	}
	b.ReportMetric(float64(w.Events()-start)/float64(b.N), "events/op")
}

// BenchmarkState draws the picture of a busy world of five members.
func BenchmarkState(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Members, cfg.Network = 5, Teaching()
	w, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	w.RunUntil(trace.Instant(10*time.Second), 0)
	var s State
	b.ReportAllocs()
	for b.Loop() {
		w.StateInto(&s)
	}
	b.ReportMetric(float64(len(s.Messages)), "messages")
}
