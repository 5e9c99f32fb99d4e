package node

import (
	"context"
	"time"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/trace"
)

// call is one request on its way through the member.
type call struct {
	request api.Call
	done    chan struct{} // one token when answer is set
	answer  Answer
}

// newCall takes a used call or makes one.
func (n *Node) newCall() *call {
	if c, ok := n.callPool.Get().(*call); ok {
		return c
	}
	return &call{done: make(chan struct{}, 1)}
}

// recycle gives a call back that the core loop is done with. One whose caller left early is not given back: the loop
// may still finish it.
func (n *Node) recycle(c *call) {
	c.request, c.answer = api.Call{}, Answer{}
	n.callPool.Put(c)
}

// Gate is which calls this member takes, as it stands.
func (n *Node) Gate() api.Gate {
	return api.Gate{Learner: n.Learner(), Leader: n.Leader(), MaxTxnOps: n.cfg.MaxTxnOps}
}

// An Answer ends the wait for a call: a reply, or leave to read.
type Answer struct {
	Reply   api.Reply
	Ready   api.ReadReady
	IsReady bool
}

// Submit hands a call to the core loop and waits for the answer.
func (n *Node) Submit(ctx context.Context, request api.Call) (a Answer, err error) {
	c := n.newCall()
	c.request = request
	c.request.ID = n.nextCall.Add(1)
	if deadline, ok := ctx.Deadline(); ok {
		c.request.Deadline = n.instant(deadline)
	}
	id := c.request.ID
	if !n.inbox.offer(item{in: member.Input{Kind: member.Request, Call: &c.request}, call: c}) {
		n.recycle(c)
		if n.inbox.isClosed() {
			return a, api.ErrStopped
		}
		return a, api.ErrTooManyRequests
	}
	select {
	case <-c.done:
		a = c.answer
		n.recycle(c)
		return a, nil
	case <-ctx.Done():
		n.inbox.put(member.Input{Kind: member.Cancel, ID: id})
		return a, ctx.Err()
	}
}

// finish wakes the caller. Only the core loop calls it, once a call.
func (c *call) finish() { c.done <- struct{}{} }

// instant is a time of the wall on the member's clock.
func (n *Node) instant(t time.Time) trace.Instant { return trace.Instant(t.Sub(n.start)) }

// Now is the member's clock: monotonic, from the node's start.
func (n *Node) Now() trace.Instant { return trace.Instant(time.Since(n.start)) }
