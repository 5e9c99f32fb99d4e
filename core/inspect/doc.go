// Package inspect looks into a member: what its store, its buffers, its log, its
// leases and its users are at this moment, read from the real thing and bounded,
// so that a page can show it as often as it likes.
//
//	list, err := inspect.KV(&subject, inspect.Query{Rev: 7, Limit: 50})
//	data, err := inspect.JSON(&subject, "wal", []byte(`{"limit": 30}`))
//
// Nothing here changes anything. Of a process that is not there, a subject has
// what its disk holds.
package inspect
