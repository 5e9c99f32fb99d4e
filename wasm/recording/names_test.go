package recording

import (
	"testing"

	"vitrine/core/trace"
)

// A proposal names a member only if it changes the members: what else stands in its fields is no id.
func TestAProposalNamesWhomItChanges(t *testing.T) {
	named := func(e trace.Event) (ids []uint64) {
		names(&e, func(id *uint64) { ids = append(ids, *id) })
		return ids
	}
	if ids := named(trace.Event{Kind: trace.RequestProposed, Member: 7, Peer: 9, C: 4}); len(ids) != 2 || ids[1] != 9 {
		t.Errorf("of a change: %v", ids)
	}
	if ids := named(trace.Event{Kind: trace.RequestProposed, Member: 7, Peer: 9}); len(ids) != 1 {
		t.Errorf("of a put: %v", ids)
	}
}
