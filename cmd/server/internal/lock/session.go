// Package lock is etcd's Lock and Election services. Neither is more than a recipe over keys, leases and watches:
// whoever wants a lock puts a key of its own under the name, attached to its lease, and holds the lock when no other
// key under the name is older. Those who wait watch the key that is next in age to theirs, so that a release wakes
// one of them.
//
//	s := lock.New(door)
//	resp, err := s.Lock(ctx, who, &lockpb.LockRequest{Name: []byte("jobs"), Lease: id})
//
// Without a lease the server grants one of a minute and renews it for nobody, as etcd does. Errors are etcd's: those
// of its recipes have no code, and those of the requests that they make lose theirs.
package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/node"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// Door is what the recipes are made of.
type Door interface {
	Ask(ctx context.Context, c api.Call) (any, error)
	Watch(c api.Call) (node.WatchStream, error)
}

// Server serves both services.
type Server struct{ door Door }

// New serves them at a member.
func New(door Door) *Server { return &Server{door: door} }

var (
	errNoLeaderField  = unknown(`"leader" field must be provided`)
	errSessionExpired = unknown("mutex: session is expired")
	errLostWatcher    = unknown("lost watcher waiting for delete")
	errNotLeader      = unknown("election: not leader")
	errNoLeader       = unknown("election: no leader")
)

func unknown(text string) error { return status.Error(codes.Unknown, text) }

// sessionTTL is that of a lease that nobody has brought, in seconds.
const sessionTTL = 60

// session is who asks, and the lease that its keys are attached to.
type session struct {
	*Server
	who   api.Identity
	lease int64
}

// session grants a lease if there is none. Whether another exists is seen when a key is attached to it.
func (s *Server) session(ctx context.Context, who api.Identity, lease int64) (*session, error) {
	e := &session{Server: s, who: who, lease: lease}
	if lease != 0 {
		return e, nil
	}
	resp, err := ask[pb.LeaseGrantResponse](ctx, e, &pb.LeaseGrantRequest{TTL: sessionTTL})
	if err != nil {
		return nil, err
	}
	e.lease = resp.ID
	return e, nil
}

// key is the one of this session under a prefix.
func (e *session) key(prefix string) string { return fmt.Sprintf("%s%x", prefix, e.lease) }

// ask makes one request in the name of whoever asks.
func ask[T any](ctx context.Context, e *session, body any) (*T, error) {
	resp, err := e.door.Ask(ctx, api.Call{Body: body, Identity: e.who})
	if err != nil {
		var known *api.Error
		if errors.As(err, &known) {
			return nil, unknown(known.Text)
		}
		return nil, err
	}
	return resp.(*T), nil
}

// release takes a key back that is not wanted any more, though the caller may have gone.
func (e *session) release(ctx context.Context, body any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.RequestTimeout+2*time.Second)
	defer cancel()
	_, _ = e.door.Ask(ctx, api.Call{Body: body, Identity: e.who}) // else the lease takes it
}

// waitTurn returns when no key under the prefix is older than a revision.
func (e *session) waitTurn(ctx context.Context, prefix string, before int64) error {
	for {
		resp, err := ask[pb.RangeResponse](ctx, e, &pb.RangeRequest{Key: []byte(prefix), RangeEnd: end(prefix), Limit: 1,
			SortOrder: pb.RangeRequest_DESCEND, SortTarget: pb.RangeRequest_CREATE, MaxCreateRevision: before})
		if err != nil || len(resp.Kvs) == 0 {
			return err
		}
		gone := false
		err = e.see(ctx, &pb.WatchCreateRequest{Key: resp.Kvs[0].Key, StartRevision: resp.Header.Revision},
			func(_ *pb.ResponseHeader, events []*pb.Event) (bool, error) {
				for _, ev := range events {
					gone = gone || ev.Type == pb.Event_DELETE
				}
				return !gone, nil
			})
		switch {
		case err != nil:
			return err
		case !gone:
			return errLostWatcher
		}
	}
}

// end is where a prefix ends.
func end(prefix string) []byte {
	b := []byte(prefix)
	b[len(b)-1]++ // a slash
	return b
}

// see watches, and passes on events until on wants no more.
func (e *session) see(ctx context.Context, r *pb.WatchCreateRequest,
	on func(h *pb.ResponseHeader, events []*pb.Event) (more bool, err error)) error {
	stream, err := e.door.Watch(api.Call{Operation: api.Watch, Identity: e.who})
	if err != nil {
		return err
	}
	defer stream.Close()
	stream.Request(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}})
	var responses []*watch.Response
	for {
		var header *pb.ResponseHeader
		if responses, header, err = stream.Next(ctx, responses[:0]); err != nil {
			return err
		}
		for _, resp := range responses {
			if resp.Canceled {
				return canceled(resp)
			}
			if resp.Events != nil {
				h := &pb.ResponseHeader{ClusterId: header.ClusterId, MemberId: header.MemberId, RaftTerm: header.RaftTerm,
					Revision: resp.Rev}
				if more, err := on(h, resp.Events.Events); err != nil || !more {
					return err
				}
			}
			stream.Sent(1, resp.Events.SizeBytes())
		}
	}
}

// canceled is why a watcher ended that nobody has canceled.
func canceled(r *watch.Response) error {
	switch {
	case r.CompactRev != 0:
		return unknown(api.ErrCompacted.Text)
	case r.Reason != "":
		return unknown(r.Reason)
	}
	return errLostWatcher
}
