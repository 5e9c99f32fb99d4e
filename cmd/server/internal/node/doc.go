// Package node is the native driver of a member: goroutines around a serial core.
//
// The member (core/member) is a state machine that does no I/O. Everything here
// exists to carry out what it wants, in parallel where that is safe:
//
//		clients ──Ask──▶ inbox ──▶ core loop ──▶ log lane     one write, one fdatasync a group
//		peers ─Receive─▶   ▲         │    │  └─▶ apply lane   store.Apply under a short lock
//		ticker ────────▶   │         │    └────▶ transport    peer messages, snapshots
//		                   │         └─────────▶ callers      replies; leave to read
//		                   └── LogDone, Applied, Backed, Scanned ...
//
//	  - The core loop takes everything that has arrived, steps it, polls once and
//	    hands out. Requests that arrive together share a write to the log.
//	  - The log lane reports the highest ticket that is durable. Its first error stops
//	    the member for good: nothing is acknowledged after it.
//	  - The apply lane owns the store's write lock, and holds it for one batch.
//	  - The commit lane makes the backend's write buffer durable every 100 ms or 10,000
//	    operations, off everybody's way.
//	  - Reads run on the caller's goroutine: short ones under the read lock, long ones on
//	    a view, so that no range delays a write.
//	  - Each watch stream has a queue of its own that its client's goroutine empties.
//
// A node is also what lies around the member on disk: it makes or finds the data
// directory (etcd's, to the byte), recovers from it, and installs snapshots in an
// order that survives a crash at any point.
//
//	n, err := node.Open(node.Config{...})
//	n.Start()
//	<-n.Ready()
//	resp, err := n.Ask(ctx, &pb.PutRequest{...}, false)
//	n.Stop()
package node
