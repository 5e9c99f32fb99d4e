package sim

import (
	"runtime/debug"
	"testing"
	"time"

	"vitrine/core/picture"
	"vitrine/core/sim/judge"
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
	p := picture.New(picture.Options{Lights: judge.Lights()})
	w, err := New(cfg, p)
	if err != nil {
		b.Fatal(err)
	}
	w.RunUntil(trace.Instant(10*time.Second), 0)
	var s picture.State
	b.ReportAllocs()
	for b.Loop() {
		p.Into(&s, w.Now())
	}
	b.ReportMetric(float64(len(s.Messages)), "messages")
}

// BenchmarkCheckers tells how much of a run its checkers cost: seeds with faults,
// with and without them. Of several tries the quickest counts, because what else
// the machine does only ever adds.
func BenchmarkCheckers(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // as cmd/sim
	const seeds, tries = 24, 5
	for b.Loop() {
		var with, without time.Duration
		for seed := range uint64(seeds) {
			on, off := time.Hour, time.Hour
			for range tries {
				on, off = min(on, oneRun(b, seed+1, false)), min(off, oneRun(b, seed+1, true))
			}
			with, without = with+on, without+off
		}
		b.ReportMetric(100*(1-float64(without)/float64(with)), "%-of-a-run")
	}
}

// oneRun is the time that a run of a minute takes.
func oneRun(b *testing.B, seed uint64, blind bool) time.Duration {
	cfg := DefaultConfig()
	cfg.Seed, cfg.Members, cfg.Faults, cfg.NoChecks = seed, 3+2*int(seed%2), true, blind
	start := time.Now()
	w, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if v := w.Run(time.Minute); v != nil {
		b.Fatal(v)
	}
	return time.Since(start)
}
