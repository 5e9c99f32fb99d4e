package node

import (
	"time"

	"go.uber.org/zap"

	"vitrine/core/consensus"
	"vitrine/core/member"
)

// writeLog is the log lane: it takes all writes that wait, appends them, syncs once,
// and reports the highest ticket. The first error is reported and ends the lane.
func (n *Node) writeLog() {
	var group []consensus.LogWrite
	for {
		if group = n.logLane.take(group); group == nil {
			return
		}
		if err := n.writeGroup(group); err != nil {
			n.inbox.put(member.Input{Kind: member.LogFailed, Err: err})
			return
		}
		n.inbox.put(member.Input{Kind: member.LogDone, Ticket: group[len(group)-1].Ticket, Cause: n.flight.log.Caused()})
	}
}

func (n *Node) writeGroup(group []consensus.LogWrite) error {
	start := time.Now()
	n.begin(n.flight.log, group[len(group)-1].Cause)
	mustSync, err := n.journal.Append(group)
	n.metrics.walWrite.Observe(time.Since(start).Seconds())
	if err != nil {
		return err
	}
	if mustSync {
		start = time.Now()
		err = n.journal.Sync()
		took := time.Since(start)
		n.metrics.walSync.Observe(took.Seconds())
		if took > slowSync {
			n.noteSlowSync(took)
		}
		if err != nil {
			return err
		}
	}
	for i := range group {
		if m := group[i].Mark; m != nil {
			n.log.Info("saved snapshot to disk", zap.Uint64("snapshot-index", m.GetIndex()))
		}
	}
	return n.journal.Finish(group)
}

// slowSync is the fsync from which the log says so.
const slowSync = time.Second
