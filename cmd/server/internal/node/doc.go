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
//	  - The apply lane holds the store's write lock for one batch.
//	  - Each watch stream has a queue of its own that its client's goroutine empties.
//
// What survives it, and the locks of the store, are package disk's; who may ask what,
// and what is read for whom, is package serving's, which stands above it.
//
//	n, err := node.Open(node.Config{...})
//	n.Start()
//	<-n.Ready()
//	answer, err := n.Submit(ctx, api.Call{Body: &pb.PutRequest{...}})
//	n.Stop()
package node
