package check_test

import (
	"fmt"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/trace"
)

// A checker listens to the stream and speaks up at the event that breaks a rule.
func ExampleChecker() {
	checker := check.New(check.Options{})
	stream := trace.NewStream(checker)
	checker.OnViolation = check.Report(stream) // the violation becomes an event, too
	for _, e := range []trace.Event{
		{Kind: trace.RoleChanged, Member: 1, Term: 2, A: 2},
		{Kind: trace.RoleChanged, Member: 3, Term: 2, A: 2},
	} {
		stream.Emit(&e)
	}
	fmt.Println(checker.Violations()[0], checker.Holds(invariant.ElectionSafety), stream.Seq())
	// Output: invariant I1 violated: members 1 and 3 are both leader of term 2 false 3
}
