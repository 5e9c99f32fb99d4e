package node

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// call is one request on its way through the member.
type call struct {
	request api.Request
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
	c.request, c.reply, c.ready, c.isReady = api.Request{}, api.Reply{}, api.ReadReady{}, false
	n.callPool.Put(c)
}

// Ask performs one request of a client and returns its response. An error is an *api.Error, or the context's.
func (n *Node) Ask(ctx context.Context, body any, requireLeader bool) (any, error) {
	return n.measured(ctx, api.Request{Body: body, RequireLeader: requireLeader})
}

// AskOwn performs a request that the server itself makes: to see whether it is well, or because another member asks.
// What clients may not ask of a learner, it may.
func (n *Node) AskOwn(ctx context.Context, body any) (any, error) {
	return n.measured(ctx, api.Request{Body: body, Own: true})
}

// measured performs a request and counts it.
func (n *Node) measured(ctx context.Context, r api.Request) (any, error) {
	body, kind := r.Body, kindOf(r.Body)
	if kind == kinds {
		return n.ask(ctx, r)
	}
	start := time.Now()
	n.metrics.began(kind)
	resp, err := n.ask(ctx, r)
	took := time.Since(start)
	n.metrics.ended(kind, took, err)
	if took > n.cfg.SlowApply && reads(kind) {
		n.noteSlowRead(kind, body, resp, took, err)
	}
	return resp, err
}

func (n *Node) ask(ctx context.Context, request api.Request) (any, error) {
	body, requireLeader := request.Body, request.RequireLeader
	if r, ok := body.(*pb.RangeRequest); ok && r.GetSerializable() && (!requireLeader || n.Leader() != 0) {
		// Nobody has to be asked for a serializable range.
		if err := api.Validate(r, n.cfg.MaxTxnOps); err != nil {
			return nil, err
		}
		return n.read(&api.ReadReady{Body: r, Header: n.header()})
	}
	if _, ok := body.(*pb.DefragmentRequest); ok {
		if err := n.defragment(); err != nil {
			return nil, err
		}
		return &pb.DefragmentResponse{}, nil
	}
	if n.overQuota(body) && (!requireLeader || n.Leader() != 0) {
		n.raiseSpaceAlarm(ctx)
		return nil, api.ErrNoSpace
	}
	c, err := n.submit(ctx, request)
	if err != nil {
		return nil, err
	}
	if !c.isReady {
		resp, err := c.reply.Response, c.reply.Err
		n.noteSlow(c.reply.Slow)
		n.recycle(c)
		return resp, err
	}
	ready := c.ready
	n.recycle(c)
	return n.read(&ready)
}

// overQuota tells whether a request would take the database over its quota. Such a request does not reach the log; what is
// under way already may still go over, and then the member raises the alarm when it applies it. Nobody waits for the store
// here: its size changes with commits alone.
func (n *Node) overQuota(body any) bool {
	cost, quota := store.Cost(body), n.quota()
	return cost > 0 && quota > 0 && n.inUse.Load()+int64(cost) >= quota
}

// raiseSpaceAlarm returns when the cluster knows that this member has no space, if that can be done in time. Whoever asked
// for space is refused in either case.
func (n *Node) raiseSpaceAlarm(ctx context.Context) {
	if slices.ContainsFunc(n.Alarms(), func(a *pb.AlarmMember) bool { return a.MemberID == n.id && a.Alarm == pb.AlarmType_NOSPACE }) {
		return
	}
	alarm := &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: n.id, Alarm: pb.AlarmType_NOSPACE}
	if _, err := n.ask(ctx, api.Request{Body: alarm, Own: true}); err != nil {
		n.log.Warn("cannot raise the alarm about space", zap.Error(err))
	}
}

// submit hands a request to the core loop and waits for a reply or for leave to read.
func (n *Node) submit(ctx context.Context, request api.Request) (*call, error) {
	c := n.newCall()
	c.request = request
	c.request.ID = n.nextCall.Add(1)
	if deadline, ok := ctx.Deadline(); ok {
		c.request.Deadline = n.instant(deadline)
	}
	id := c.request.ID
	if !n.inbox.offer(item{in: member.Input{Kind: member.Request, Request: &c.request}, call: c}) {
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
