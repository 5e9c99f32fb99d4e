package check

import (
	"fmt"

	"vitrine/core/trace"
)

// Violation says which invariant broke, where and how.
type Violation struct {
	Number int
	Seq    uint64 // the event that broke it; walk its causes back
	Cause  uint64 // what led to that event
	Now    trace.Instant
	Member uint64
	Text   string
}

// Error implements error.
func (v Violation) Error() string { return fmt.Sprintf("invariant I%d violated: %s", v.Number, v.Text) }

// Options of a Checker. The zero value is fine.
type Options struct {
	// Voters of the first configuration, for traces without ConfChanged events.
	Voters []uint64
	// MaxViolations bounds what is recorded; 0 = 16. Later ones are counted only.
	MaxViolations int
	// Window bounds the entries whose hashes are remembered; 0 = 65,536.
	Window int
}

// Report returns a callback for Checker.OnViolation that writes a Violated event.
func Report(s *trace.Stream) func(Violation) {
	return func(v Violation) {
		s.Emit(&trace.Event{Kind: trace.Violated, Cause: v.Seq, Now: v.Now, Member: v.Member, A: uint64(v.Number), Text: v.Text})
	}
}

// Checker holds the events of a trace to I1 to I8 and I10. It is a trace.Sink.
type Checker struct {
	// OnViolation, if set, is called for each violation, at once.
	OnViolation func(Violation)

	options    Options
	violations []Violation
	broken     [64]uint64 // violations by number
}

// New makes a checker that has seen nothing.
func New(o Options) *Checker {
	if o.MaxViolations == 0 {
		o.MaxViolations = 16
	}
	if o.Window == 0 {
		o.Window = 1 << 16
	}
	return &Checker{options: o}
}

// Emit implements trace.Sink.
func (c *Checker) Emit(e *trace.Event) {}

// Violations are the first violations, in order.
func (c *Checker) Violations() []Violation { return c.violations }

// Holds reports whether the invariant has held so far.
func (c *Checker) Holds(number int) bool { return c.broken[number&63] == 0 }

// Violate records a violation found elsewhere (an image, a history), so that all
// are in one place.
func (c *Checker) Violate(v Violation) {
	c.broken[v.Number&63]++
	if len(c.violations) < c.options.MaxViolations {
		c.violations = append(c.violations, v)
	}
	if c.OnViolation != nil {
		c.OnViolation(v)
	}
}

// Hash tells the checker what HashKV says at a member: hash over everything up
// to revision rev after a compaction at compactRev (I10).
func (c *Checker) Hash(now trace.Instant, member uint64, rev, compactRev int64, hash uint32) {}
