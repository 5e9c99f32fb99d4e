package serving

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// AskOwn performs a call that the server itself makes: to see whether it is well, or because another member asks. What
// clients may not ask of a learner, it may.
func (s *Server) AskOwn(ctx context.Context, body any) (any, error) {
	return s.Ask(ctx, api.Call{Body: body, Identity: api.Identity{Own: true}})
}

// Ask performs one call, counts it, and returns its response. An error is an *api.Error, or the context's.
func (s *Server) Ask(ctx context.Context, c api.Call) (any, error) {
	if c.Operation == api.NoOperation {
		c.Operation = api.OperationOf(c.Body)
	}
	route := c.Operation.Route(c.Body)
	writes := route.Writes()
	if c.Operation.Metric(writes) == "" {
		return s.perform(ctx, route, c)
	}
	start := time.Now()
	s.metrics.Began(writes)
	resp, err := s.perform(ctx, route, c)
	took := time.Since(start)
	s.metrics.Ended(c.Operation, writes, took, err)
	if took > s.cfg.Disk.SlowApply && !writes {
		s.noteSlowRead(c.Operation, c.Body, resp, took, err)
	}
	return resp, err
}

// perform sends a call on its way: past the member where nobody has to be asked, else into it.
func (s *Server) perform(ctx context.Context, route api.Route, c api.Call) (any, error) {
	switch route {
	case api.Serializable:
		ready, err := s.awaitRead(ctx, c)
		if err != nil {
			return nil, err
		}
		return s.read(&ready)
	case api.Driver: // the only one is to defragment
		if _, err := s.awaitRead(ctx, c); err != nil {
			return nil, err
		}
		if err := s.disk.Defragment(); err != nil {
			return nil, err
		}
		return &pb.DefragmentResponse{}, nil
	}
	if s.overQuota(&c) && s.Gate().Led(&c) == nil {
		s.raiseSpaceAlarm(ctx)
		return nil, api.ErrNoSpace
	}
	a, err := s.Submit(ctx, c)
	if err != nil {
		return nil, err
	}
	if route == api.Promotion && s.Leader() == s.ID() {
		s.metrics.Promoted(a.Reply.Err)
	}
	if !a.IsReady {
		s.noteSlow(a.Reply.Slow)
		return a.Reply.Response, a.Reply.Err
	}
	ready := a.Ready
	return s.read(&ready)
}

// readyNow is leave to read the store as it is, for a call that has not been asked who makes it: where authentication
// is on by then, the store refuses it.
func (s *Server) readyNow(c *api.Call) api.ReadReady {
	return api.ReadReady{Operation: c.Operation, Body: c.Body, Header: s.Header()}
}

// overQuota tells whether a call would take the database over its quota. Such a call does not reach the log; what is
// under way already may still go over, and then the member raises the alarm when it applies it. Nobody waits for the
// store here: its size changes with commits alone.
func (s *Server) overQuota(c *api.Call) bool {
	cost, quota := c.Operation.Cost(c.Body), s.disk.Quota()
	return cost > 0 && quota > 0 && s.disk.Size()+int64(cost) >= quota
}

// raiseSpaceAlarm returns when the cluster knows that this member has no space, if that can be done in time. Whoever
// asked for space is refused in either case.
func (s *Server) raiseSpaceAlarm(ctx context.Context) {
	up := func(a *pb.AlarmMember) bool { return a.MemberID == s.ID() && a.Alarm == pb.AlarmType_NOSPACE }
	if slices.ContainsFunc(s.Alarms(), up) {
		return
	}
	alarm := &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: s.ID(), Alarm: pb.AlarmType_NOSPACE}
	if _, err := s.AskOwn(ctx, alarm); err != nil {
		s.log.Warn("cannot raise the alarm about space", zap.Error(err))
	}
}
