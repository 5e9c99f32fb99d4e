package node

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/member"
)

// core is the core loop: the only goroutine that touches the member.
func (n *Node) core() {
	var batch []item
	n.handOut() // what the member wants at boot
	for n.halted == nil {
		if batch = n.inbox.take(batch); batch == nil {
			break
		}
		for rest := batch; len(rest) > 0 && n.halted == nil; {
			k := min(len(rest), limits.StepsPerPoll)
			now := n.Now()
			for i := range rest[:k] {
				n.step(&rest[i])
				n.member.Step(now, rest[i].in)
			}
			rest = rest[k:]
			n.handOut()
		}
	}
	n.failPending()
}

// step keeps the driver's own books of what goes into the member.
func (n *Node) step(it *item) {
	switch it.in.Kind {
	case member.Request:
		n.calls[it.call.request.ID] = it.call
	case member.Cancel:
		delete(n.calls, it.in.ID)
	case member.WatchOpen:
		n.streams[it.in.Stream] = it.stream
	case member.WatchClose:
		delete(n.streams, it.in.Stream)
	case member.Tick:
		n.countWatchers()
		n.countLeases()
	case member.Receive:
		if it.in.Cause == 0 {
			it.in.Cause = n.delivered(it.in.Message)
		}
		if it.image {
			n.reception.mu.Lock()
			n.reception.Arrived(it.in.Message.GetSnapshot().GetMetadata().GetIndex())
			n.reception.mu.Unlock()
		}
	case member.Applied, member.SnapshotApplied:
		n.noteMembers(it.in.Result)
	}
}

// handOut polls the member and gives every wish to whoever carries it out.
func (n *Node) handOut() {
	out := &n.out
	n.member.Poll(out)
	n.judgeArrived(out)
	n.logLane.push(out.Log)
	n.send(out.Sends)
	n.applyLane.push(out.Applies)
	for i := range out.Replies {
		n.reply(&out.Replies[i])
	}
	for i := range out.Reads {
		n.releaseRead(&out.Reads[i])
	}
	for i := range out.Pushes {
		if s := n.streams[out.Pushes[i].Stream]; s != nil {
			s.push(out.Pushes[i].Response)
		}
	}
	for i := range out.Scans {
		scan := out.Scans[i]
		n.scans.Go(func() { n.scan(scan) })
	}
	for i := range out.Works {
		work := out.Works[i]
		n.tasks.Go(func() {
			done := n.do(work)
			n.inbox.put(member.Input{Kind: member.WorkDone, Done: &done})
		})
	}
	for i := range out.Forwards {
		f := out.Forwards[i]
		n.forwards.Go(func() { n.forward(f) })
	}
	for i := range out.Ends {
		if s := n.streams[out.Ends[i].Stream]; s != nil {
			delete(n.streams, out.Ends[i].Stream)
			s.end(out.Ends[i].Err)
		}
	}
	n.publishStatus()
	n.noteRefused(out.Refused)
	if out.Halt != nil {
		driver.Stopped(n.begin(n.flight.core, 0), out.Halt, driver.Position{}, 0)
		n.halted = out.Halt
		n.fail(out.Halt)
	}
}

func (n *Node) reply(r *api.Reply) {
	if c := n.calls[r.ID]; c != nil {
		delete(n.calls, r.ID)
		c.answer.Reply = *r
		c.finish()
	}
}

func (n *Node) releaseRead(r *api.ReadReady) {
	if c := n.calls[r.ID]; c != nil {
		delete(n.calls, r.ID)
		c.answer.Ready, c.answer.IsReady = *r, true
		c.finish()
	}
}

// failPending answers everything that still waits with an error when the loop ends.
func (n *Node) failPending() {
	n.inbox.close()
	for rest := n.inbox.take(nil); rest != nil; rest = n.inbox.take(nil) {
		for i := range rest {
			n.step(&rest[i])
		}
	}
	for id, c := range n.calls {
		delete(n.calls, id)
		c.answer.Reply = api.Reply{ID: id, Err: api.ErrStopped}
		c.finish()
	}
	for id, s := range n.streams {
		delete(n.streams, id)
		s.end(api.ErrStopped)
	}
}

// send gives messages to the transport, and those that need an image of the store to a goroutine of their own.
func (n *Node) send(sends []consensus.Send) {
	if n.transport == nil {
		return
	}
	for i := range sends {
		switch s := &sends[i]; {
		case s.NeedImage:
			n.startImage(s.Message)
			continue
		case s.Message.GetType() == raftpb.MsgHeartbeat:
			n.noteBeat(s.Message.GetTo())
		}
		driver.Sent(n.begin(n.flight.core, sends[i].Cause), sends[i].Message)
		n.transport.Send(sends[i].Message)
	}
}

// noteBeat looks whether this leader's heartbeats leave in time: if not, its machine is overloaded.
func (n *Node) noteBeat(to uint64) {
	now := time.Now()
	last, expected := n.beats[to], 2*n.cfg.TickInterval
	n.beats[to] = now
	if late := now.Sub(last) - expected; !last.IsZero() && late > 0 {
		n.metrics.LateBeats.Inc()
		n.log.Warn("leader failed to send out heartbeat on time; took too long, leader is overloaded likely from slow disk",
			zap.String("to", hexID(to)), zap.Duration("heartbeat-interval", n.cfg.TickInterval),
			zap.Duration("expected-duration", expected), zap.Duration("exceeded-duration", late))
	}
}
