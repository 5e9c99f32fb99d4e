// Package watch tells clients what changes: a hub of watchers that gets every change once and hands out the responses
// of every stream.
//
// What a watcher is promised: events ordered by revision, each once, none missing, those of one revision together
// (unless it asked for fragments), from the revision it asked for, across compactions (or it is told), reconnects and
// snapshots; and a progress notification never runs ahead of an event.
//
// How. A watcher is synced or behind. Publish gives a change to the synced watchers of its keys, found by key in a map
// and by range in a tree, at the cost of those it concerns. A watcher is behind when it asked for the past, or when its
// stream has no credit left: then it notes the first revision it still lacks and nothing is kept for it, so a slow
// stream costs no memory and stalls nobody. Those behind catch up from a ring of the newest changes or, further back,
// by Scans that the driver runs on the store and that all watchers which wait for the same revisions share; a watcher
// that reaches the newest revision is synced again. An event is encoded once, however many watchers get it.
//
//	h := watch.NewHub(watch.Config{}, tracer)
//	h.Reset(now, store.Revision(), store.CompactRevision())
//	h.Open(stream)
//	h.Request(now, stream, createRequest)
//	h.Publish(now, result.Changes, result.Revision, result.CompactRevision)
//	pushes, scans = h.Drain(pushes[:0], scans[:0])
//	... write the pushes, then h.Sent(stream, n); run the scans, then h.Scanned(now, scanResult) ...
//
// The hub is pure: no clock, no goroutine, no order that depends on a map. The same calls give the same pushes.
//
// Credit. Of one stream at most Config.StreamPushes responses, and about Config.StreamBytes, are on their way at any
// time. Answers to the client's own requests (created, canceled, progress) do not wait for credit, so a driver must
// stop reading the requests of a client that does not read its answers.
package watch
