package proxy

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/upstream"
	"vitrine/core/api"
)

// handler answers the calls of one method.
type handler struct {
	kind  string // as metrics name it
	serve func(p *Proxy, c *call) error
}

// handlers are those of the methods that are not just passed on.
func handlers() map[string]handler {
	return map[string]handler{
		api.Range.Method():           unary((*Proxy).rangeOf),
		api.Put.Method():             unary((*Proxy).put),
		api.DeleteRange.Method():     unary((*Proxy).deleteRange),
		api.Txn.Method():             unary((*Proxy).txn),
		api.Compact.Method():         unary((*Proxy).compact),
		api.RangeStream.Method():     {"server_stream", (*Proxy).rangeStream},
		api.Watch.Method():           {"bidi_stream", (*Proxy).watch},
		api.LeaseRevoke.Method():     {"unary", (*Proxy).forget},
		api.AuthEnable.Method():      {"unary", (*Proxy).forget},
		api.LeaseTimeToLive.Method(): unary((*Proxy).timeToLive),
		api.LeaseKeepAlive.Method():  {"bidi_stream", (*Proxy).keepAlive},
		api.MemberList.Method():      unary((*Proxy).memberList),
		api.Snapshot.Method():        {"server_stream", (*Proxy).passStream},
		observe:                      {"server_stream", (*Proxy).passStream},
	}
}

// methods are all that members serve.
func methods() map[string]bool {
	all := map[string]bool{}
	for o := range api.Operation(api.Operations) {
		all[o.Method()] = true
	}
	for _, name := range []string{"Lock/Lock", "Lock/Unlock"} {
		all["/v3lockpb."+name] = true
	}
	for _, name := range []string{"Campaign", "Proclaim", "Leader", "Observe", "Resign"} {
		all["/v3electionpb.Election/"+name] = true
	}
	return all
}

const observe = "/v3electionpb.Election/Observe"

// harmless are methods that change nothing, so that they can be asked again where nobody answered.
func harmless(method string) bool {
	return slices.ContainsFunc([]api.Operation{api.MemberList, api.LeaseTimeToLive, api.LeaseLeases, api.Status, api.Hash,
		api.HashKV, api.AuthStatus, api.AuthUserGet, api.AuthUserList, api.AuthRoleGet, api.AuthRoleList},
		func(o api.Operation) bool { return o.Method() == method })
}

// call is one that a client makes.
type call struct {
	grpc.ServerStream
	method string
	caller upstream.Caller
	meter  *meter
	log    *zap.Logger // nil: calls leave no lines
}

// asked is the context of what a member is asked for the call.
func (c *call) asked() context.Context { return c.caller.Context(c.Context()) }

func (c *call) receive(m any) error {
	err := c.RecvMsg(m)
	if err != nil {
		return err
	}
	c.meter.received.Inc()
	c.note("request received", "grpc.request.content", m)
	return nil
}

func (c *call) send(m any) error {
	c.meter.sent.Inc()
	c.note("response sent", "grpc.response.content", m)
	return c.SendMsg(m)
}

// note leaves a line with what is understood of a message, or how long it is.
func (c *call) note(text, key string, m any) {
	if c.log == nil {
		return
	}
	if raw, ok := m.(*upstream.Raw); ok {
		c.log.Info(text, zap.Int(key+".bytes", len(raw.Bytes)))
		return
	}
	c.log.Info(text, zap.Any(key, m))
}

// end notes how the call has ended.
func (c *call) end(err error, begun time.Time) error {
	code := status.Code(err)
	c.meter.handled(code)
	if c.log != nil {
		c.log.Info("finished call", zap.Stringer("grpc.code", code), zap.Duration("grpc.took", time.Since(begun)),
			zap.Error(err))
	}
	return err
}

// unary serves a method whose messages are understood.
func unary[Q, A any](serve func(p *Proxy, c *call, request *Q) (*A, error)) handler {
	return handler{"unary", func(p *Proxy, c *call) error {
		request := new(Q)
		if err := c.receive(request); err != nil {
			return noRequest(err)
		}
		answer, err := serve(p, c, request)
		if err != nil {
			return err
		}
		return c.send(answer)
	}}
}

// noRequest is the end of a call that asks nothing.
func noRequest(err error) error {
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Internal, "the call has no request")
	}
	return err
}

// passOn asks a member what the client asks, whatever it is.
func (p *Proxy) passOn(c *call) error {
	var request, answer upstream.Raw
	if err := c.receive(&request); err != nil {
		return noRequest(err)
	}
	if err := p.cluster.Ask(c.asked(), c.method, &request, &answer, harmless(c.method)); err != nil {
		return err
	}
	return c.send(&answer)
}

// passStream passes on an answer in parts.
func (p *Proxy) passStream(c *call) error {
	var request upstream.Raw
	if err := c.receive(&request); err != nil {
		return noRequest(err)
	}
	ctx, cancel := context.WithCancel(c.asked())
	defer cancel()
	s, err := p.cluster.Stream(ctx, c.method)
	if err != nil {
		return err
	}
	if err := s.SendMsg(&request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	for {
		var part upstream.Raw
		switch err := s.RecvMsg(&part); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := c.send(&part); err != nil {
			return err
		}
	}
}

// forget passes on what changes more than it names: keys go with their lease, and who may read is asked from now on.
func (p *Proxy) forget(c *call) error {
	defer p.meters.keys(p.memory)
	p.memory.clear()
	defer p.memory.clear()
	return p.passOn(c)
}
