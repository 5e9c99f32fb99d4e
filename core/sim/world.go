package sim

import (
	"fmt"

	"vitrine/core/trace"
)

// World is a cluster with everything around it. It is single-threaded, and two
// worlds must not run at the same time in one process (see the package
// comment). Close it when done.
type World struct {
	cfg       Config
	now       int64
	q         queue
	stream    *trace.Stream
	commands  []Timed
	violation *Violation
}

// New builds a world at time 0: members have started, nothing has happened
// yet. The sinks see every event.
func New(cfg Config, sinks ...trace.Sink) (*World, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &World{cfg: cfg, stream: trace.NewStream(sinks...)}, nil
}

// Close releases what the world holds.
func (w *World) Close() {}

// Config is the one the world was built with.
func (w *World) Config() Config { return w.cfg }

// Now is the simulated time.
func (w *World) Now() trace.Instant { return trace.Instant(w.now) }

// Do executes a command now and records it. For put, get, delete, txn, compact
// and watch it returns the id of the request, which State then follows. The
// command happens a nanosecond after everything that has happened so far.
func (w *World) Do(c Command) (request uint64, err error) {
	return 0, fmt.Errorf("sim: %s: not possible", c.Cmd)
}

// Schedule makes the world do a command at its time, before anything else that
// happens in that nanosecond.
func (w *World) Schedule(t Timed) error { return nil }

// Commands are all commands done so far, the drawn faults among them, with
// their times. They belong to the world.
func (w *World) Commands() []Timed { return w.commands }

// RunUntil processes events up to time t, at most maxEvents of them (0 = any
// number). It reports whether it came as far as t; then Now is t. It stops for
// good at a violation.
func (w *World) RunUntil(t trace.Instant, maxEvents int) (reached bool) {
	w.now = max(w.now, int64(t))
	return w.violation == nil
}

// StepEvent processes the next event, whenever it is; false if there is none
// or the world has stopped at a violation.
func (w *World) StepEvent() bool { return false }

// NextAt is the time of the next event.
func (w *World) NextAt() trace.Instant { return trace.Instant(w.now) }

// Hash is the running hash of all events.
func (w *World) Hash() uint64 { return w.stream.Hash() }

// HashText is Hash in 16 hex digits.
func (w *World) HashText() string { return fmt.Sprintf("%016x", w.stream.Hash()) }

// Leader is the running leader with the highest term, 0 if there is none.
func (w *World) Leader() uint64 { return 0 }

// Violation is the invariant that broke, nil while all hold.
func (w *World) Violation() *Violation { return w.violation }

// State is a fresh picture of the world.
func (w *World) State() *State {
	s := new(State)
	w.StateInto(s)
	return s
}

// StateInto draws the picture into s and reuses its slices.
func (w *World) StateInto(s *State) {
	s.Now, s.Seed, s.Hash = w.now, w.cfg.Seed, w.HashText()
}
