package check

import (
	"fmt"

	"vitrine/core/invariant"
)

// SameStory compares the hashes of two runs of one seed (I29); nil if they are
// equal.
func SameStory(first, second uint64) *Violation {
	if first == second {
		return nil
	}
	return &Violation{Number: invariant.Deterministic, Text: fmt.Sprintf("the same seed gave hash %016x and then %016x",
		first, second)}
}
