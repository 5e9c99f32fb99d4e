package node

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// call is one request on its way through the member.
type call struct {
	request api.Call
	done    chan struct{} // one token when reply or ready is set
	reply   api.Reply
	ready   api.ReadReady
	isReady bool
}

// newCall takes a used call or makes one.
func (n *Node) newCall() *call {
	if c, ok := n.callPool.Get().(*call); ok {
		return c
	}
	return &call{done: make(chan struct{}, 1)}
}

// recycle gives a call back that the core loop is done with. One whose caller left early is not given back: the loop may
// still finish it.
func (n *Node) recycle(c *call) {
	c.request, c.reply, c.ready, c.isReady = api.Call{}, api.Reply{}, api.ReadReady{}, false
	n.callPool.Put(c)
}

// Gate is which calls this member takes, as it stands.
func (n *Node) Gate() api.Gate {
	return api.Gate{Learner: n.Learner(), Leader: n.Leader(), MaxTxnOps: n.cfg.MaxTxnOps}
}

// AskOwn performs a call that the server itself makes: to see whether it is well, or because another member asks. What
// clients may not ask of a learner, it may.
func (n *Node) AskOwn(ctx context.Context, body any) (any, error) {
	return n.Ask(ctx, api.Call{Body: body, Identity: api.Identity{Own: true}})
}

// Ask performs one call, counts it, and returns its response. An error is an *api.Error, or the context's.
func (n *Node) Ask(ctx context.Context, c api.Call) (any, error) {
	if c.Operation == api.NoOperation {
		c.Operation = api.OperationOf(c.Body)
	}
	route := c.Operation.Route(c.Body)
	writes := route.Writes()
	if c.Operation.Metric(writes) == "" {
		return n.perform(ctx, route, c)
	}
	start := time.Now()
	n.metrics.Began(writes)
	resp, err := n.perform(ctx, route, c)
	took := time.Since(start)
	n.metrics.Ended(c.Operation, writes, took, err)
	if took > n.cfg.Disk.SlowApply && !writes {
		n.noteSlowRead(c.Operation, c.Body, resp, took, err)
	}
	return resp, err
}

// perform sends a call on its way: past the member where nobody has to be asked, else into it.
func (n *Node) perform(ctx context.Context, route api.Route, c api.Call) (any, error) {
	switch route {
	case api.Serializable:
		ready, err := n.awaitRead(ctx, c)
		if err != nil {
			return nil, err
		}
		return n.read(ready)
	case api.Driver: // the only one is to defragment
		if _, err := n.awaitRead(ctx, c); err != nil {
			return nil, err
		}
		if err := n.disk.Defragment(); err != nil {
			return nil, err
		}
		return &pb.DefragmentResponse{}, nil
	}
	if n.overQuota(&c) && n.Gate().Led(&c) == nil {
		n.raiseSpaceAlarm(ctx)
		return nil, api.ErrNoSpace
	}
	a, err := n.submit(ctx, c)
	if err != nil {
		return nil, err
	}
	if !a.isReady {
		resp, err := a.reply.Response, a.reply.Err
		n.noteSlow(a.reply.Slow)
		n.recycle(a)
		return resp, err
	}
	ready := a.ready
	n.recycle(a)
	return n.read(&ready)
}

// readyNow is leave to read the store as it is, for a call that has not been asked who makes it: where authentication is
// on by then, the store refuses it.
func (n *Node) readyNow(c *api.Call) *api.ReadReady {
	return &api.ReadReady{Operation: c.Operation, Body: c.Body, Header: n.header(), Need: c.Operation.Need(c.Body)}
}

// overQuota tells whether a call would take the database over its quota. Such a call does not reach the log; what is
// under way already may still go over, and then the member raises the alarm when it applies it. Nobody waits for the store
// here: its size changes with commits alone.
func (n *Node) overQuota(c *api.Call) bool {
	cost, quota := c.Operation.Cost(c.Body), n.disk.Quota()
	return cost > 0 && quota > 0 && n.disk.InUse()+int64(cost) >= quota
}

// raiseSpaceAlarm returns when the cluster knows that this member has no space, if that can be done in time. Whoever asked
// for space is refused in either case.
func (n *Node) raiseSpaceAlarm(ctx context.Context) {
	if slices.ContainsFunc(n.Alarms(), func(a *pb.AlarmMember) bool { return a.MemberID == n.id && a.Alarm == pb.AlarmType_NOSPACE }) {
		return
	}
	alarm := &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: n.id, Alarm: pb.AlarmType_NOSPACE}
	if _, err := n.AskOwn(ctx, alarm); err != nil {
		n.log.Warn("cannot raise the alarm about space", zap.Error(err))
	}
}

// submit hands a call to the core loop and waits for a reply or for leave to read.
func (n *Node) submit(ctx context.Context, request api.Call) (*call, error) {
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
			return nil, api.ErrStopped
		}
		return nil, api.ErrTooManyRequests
	}
	select {
	case <-c.done:
		return c, nil
	case <-ctx.Done():
		n.inbox.put(member.Input{Kind: member.Cancel, ID: id})
		return nil, ctx.Err()
	}
}

// finish wakes the caller. Only the core loop calls it, once a call.
func (c *call) finish() { c.done <- struct{}{} }

// instant is a time of the wall on the member's clock.
func (n *Node) instant(t time.Time) trace.Instant { return trace.Instant(t.Sub(n.start)) }

// now is the member's clock: monotonic, from the node's start.
func (n *Node) now() trace.Instant { return trace.Instant(time.Since(n.start)) }
