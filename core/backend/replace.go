package backend

import (
	"fmt"

	"vitrine/core/invariant"
)

// Replace puts another Store behind the buffer, one that holds exactly what the
// present one has committed (a compacted copy). No commit may be in flight. The
// old Store is returned for the caller to close once the views on it are gone.
func (b *Backend) Replace(s Store) (old Store, err error) {
	invariant.Assert(!b.Committing(), "backend: the store is replaced beside a commit in flight")
	if b.err != nil {
		return nil, b.err
	}
	base, err := s.View()
	if err != nil {
		return nil, fmt.Errorf("backend: open view: %w", err)
	}
	at, err := ReadApplied(base)
	if err != nil {
		base.Close()
		return nil, err
	}
	if at.Index != b.durable.Index {
		base.Close()
		return nil, fmt.Errorf("backend: the copy stands at %d, the store at %d", at.Index, b.durable.Index)
	}
	old = b.store
	b.base.Close()
	b.store, b.base = s, base
	return old, nil
}
