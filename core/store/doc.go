// Package store is the replicated state machine of a member: the one place where a committed entry becomes state.
//
// Members that apply the same entries must hold the same bytes, whatever happened to them in between. So Apply is one
// switch and one pass, asks nothing but the entry and its own state, and writes each entry as one backend batch that
// carries data, applied index, term and configuration together: there is no moment at which one is saved without the
// other. An entry at or below the applied index has been applied, and is skipped.
//
//	s, err := store.Open(backend, store.Config{}, tracer)
//	result := s.Apply(store.ApplyContext{}, entries)
//	for _, o := range result.Outcomes { ... answer the client that waits for o.ID ... }
//
// Apply, Housekeep and Open are the writer's; Read, Scan and HashKV may run concurrently with each other while nobody
// writes (the driver holds the lock, the core has none).
package store
