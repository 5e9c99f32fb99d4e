// Package invariant is the one way in which this program stops on purpose.
//
// An invariant is a sentence that no input, no fault and no order of events may
// make false. Errors of operation are values; a broken invariant is a panic,
// because the state that led to it cannot be trusted to go on, and before the
// panic an event tells the trace what happened and what caused it. Nothing else
// in the core panics on purpose.
//
//	if applied > committed {
//		invariant.Violated(t, invariant.Monotonic, "applied %d beyond committed %d", applied, committed)
//	}
//	invariant.Assert(len(b.ops) > 0, "backend: commit of an empty batch")
//
// Table has all invariants, with their numbers. core/check and the simulator
// watch the same sentences from outside; 0 stands for assumptions inside one
// package.
package invariant

import (
	"fmt"

	"vitrine/core/trace"
)

// Violation is the value of the panic.
type Violation struct {
	Number int
	Text   string
}

// Error implements error.
func (v *Violation) Error() string {
	if v.Number == 0 {
		return "invariant violated: " + v.Text
	}
	return fmt.Sprintf("invariant I%d violated: %s", v.Number, v.Text)
}

// Violated writes the event and panics with a *Violation. t may be nil.
func Violated(t *trace.Tracer, number int, format string, args ...any) {
	v := &Violation{Number: number, Text: fmt.Sprintf(format, args...)}
	t.Emit(trace.Event{Kind: trace.Violated, A: uint64(number), Text: v.Text})
	panic(v)
}

// Assert panics with a *Violation when cond is false. It is cheap and always
// on; text is a constant, so that a passing assertion builds nothing.
func Assert(cond bool, text string) {
	if !cond {
		fail(text)
	}
}

// fail is apart so that Assert is inlined.
//
//go:noinline
func fail(text string) { panic(&Violation{Text: text}) }
