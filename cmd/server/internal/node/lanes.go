package node

import (
	"runtime"
	"time"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/consensus"
	"vitrine/core/member"
)

// writeLog is the log lane: it takes all writes that wait, appends them, syncs once,
// and reports the highest ticket. The first error is reported and ends the lane.
func (n *Node) writeLog() {
	var group []consensus.LogWrite
	for {
		// Whoever is about to write may do so first: what arrives together shares a write and a sync. Where nobody is,
		// this costs nothing.
		for range logYields {
			runtime.Gosched()
		}
		if group = n.logLane.take(group); group == nil {
			return
		}
		if err := n.disk.WriteGroup(group); err != nil {
			n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
			return
		}
		n.inbox.put(member.Input{Kind: member.LogDone, Ticket: group[len(group)-1].Ticket, Cause: n.flight.log.Caused()})
	}
}

// logYields is how often others may run between two groups of the log: with 100 clients on 2 processors, 2 % more puts.
const logYields = 4

// applyAll is the apply lane: the only goroutine that changes the store.
func (n *Node) applyAll() {
	var group []consensus.ApplyBatch
	for {
		if group = n.applyLane.take(group); group == nil {
			return
		}
		for i := range group {
			b := &group[i]
			in := member.Input{Kind: member.Applied, Ticket: b.Ticket, Cause: b.Cause}
			n.begin(n.flight.apply, b.Cause)
			if b.Snapshot != nil {
				in.Kind = member.SnapshotApplied
				var err error
				in.Result, err = n.disk.Install(b.Snapshot, n.appliedIndex.Load())
				n.received()
				if err != nil {
					n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
					return
				}
			} else {
				in.Result = n.disk.Apply(b, n.wantsPrev.Load(), n.member.Proposed)
			}
			n.inbox.put(in)
		}
	}
}

// sleep waits; false means that the node is stopping.
func (n *Node) sleep(d time.Duration) bool { return tasks.Sleep(d, n.stopping) }
