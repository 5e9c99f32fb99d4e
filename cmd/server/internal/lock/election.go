package lock

import (
	"bytes"
	"context"

	"vitrine/cmd/server/internal/lockpb"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// Campaign returns when the caller's lease leads.
func (s *Server) Campaign(ctx context.Context, who api.Identity, r *lockpb.CampaignRequest) (*lockpb.CampaignResponse,
	error) {
	e, err := s.session(ctx, who, r.Lease)
	if err != nil {
		return nil, err
	}
	prefix := string(r.Name) + "/"
	key := e.key(prefix)
	resp, err := ask[pb.TxnResponse](ctx, e, &pb.TxnRequest{
		Compare: []*pb.Compare{created(key, 0)},
		Success: []*pb.RequestOp{put(key, r.Value, e.lease)},
		Failure: []*pb.RequestOp{get(&pb.RangeRequest{Key: []byte(key)})},
	})
	if err != nil {
		return nil, err
	}
	leader := &lockpb.LeaderKey{Name: r.Name, Key: []byte(key), Rev: resp.Header.Revision, Lease: e.lease}
	if !resp.Succeeded {
		kv := resp.Responses[0].GetResponseRange().Kvs[0]
		leader.Rev = kv.CreateRevision
		if !bytes.Equal(kv.Value, r.Value) {
			if _, err := e.proclaim(ctx, leader, r.Value); err != nil {
				e.release(ctx, resignation(leader))
				return nil, err
			}
		}
	}
	if err := e.waitTurn(ctx, prefix, leader.Rev-1); err != nil {
		if ctx.Err() != nil {
			e.release(ctx, resignation(leader))
		}
		return nil, err
	}
	return &lockpb.CampaignResponse{Header: resp.Header, Leader: leader}, nil
}

// Proclaim gives the leader's key another value.
func (s *Server) Proclaim(ctx context.Context, who api.Identity, r *lockpb.ProclaimRequest) (*lockpb.ProclaimResponse,
	error) {
	if r.Leader == nil {
		return nil, errNoLeaderField
	}
	e, err := s.session(ctx, who, r.Leader.Lease)
	if err != nil {
		return nil, err
	}
	h, err := e.proclaim(ctx, &lockpb.LeaderKey{Key: r.Leader.Key, Rev: r.Leader.Rev, Lease: e.lease}, r.Value)
	if err != nil {
		return nil, err
	}
	return &lockpb.ProclaimResponse{Header: h}, nil
}

func (e *session) proclaim(ctx context.Context, l *lockpb.LeaderKey, value []byte) (*pb.ResponseHeader, error) {
	resp, err := ask[pb.TxnResponse](ctx, e, &pb.TxnRequest{Compare: []*pb.Compare{created(string(l.Key), l.Rev)},
		Success: []*pb.RequestOp{put(string(l.Key), value, l.Lease)}})
	switch {
	case err != nil:
		return nil, err
	case !resp.Succeeded:
		return nil, errNotLeader
	}
	return resp.Header, nil
}

// Resign gives leadership back.
func (s *Server) Resign(ctx context.Context, who api.Identity, r *lockpb.ResignRequest) (*lockpb.ResignResponse,
	error) {
	if r.Leader == nil {
		return nil, errNoLeaderField
	}
	e, err := s.session(ctx, who, r.Leader.Lease)
	if err != nil {
		return nil, err
	}
	resp, err := ask[pb.TxnResponse](ctx, e, resignation(r.Leader))
	if err != nil {
		return nil, err
	}
	return &lockpb.ResignResponse{Header: resp.Header}, nil
}

func resignation(l *lockpb.LeaderKey) *pb.TxnRequest {
	return &pb.TxnRequest{Compare: []*pb.Compare{created(string(l.Key), l.Rev)}, Success: []*pb.RequestOp{
		{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: l.Key}}}}}
}

// first asks for the leader's key: the oldest under the name.
func (e *session) first(ctx context.Context, name []byte) (*pb.RangeResponse, error) {
	prefix := string(name) + "/"
	return ask[pb.RangeResponse](ctx, e, &pb.RangeRequest{Key: []byte(prefix), RangeEnd: end(prefix), Limit: 1,
		SortTarget: pb.RangeRequest_CREATE, SortOrder: pb.RangeRequest_ASCEND})
}

// Leader tells who leads now.
func (s *Server) Leader(ctx context.Context, who api.Identity, r *lockpb.LeaderRequest) (*lockpb.LeaderResponse,
	error) {
	resp, err := (&session{Server: s, who: who}).first(ctx, r.Name)
	switch {
	case err != nil:
		return nil, err
	case len(resp.Kvs) == 0:
		return nil, errNoLeader
	}
	return &lockpb.LeaderResponse{Header: resp.Header, Kv: resp.Kvs[0]}, nil
}

// Observe sends what the leaders say, in order, until the caller goes or something is lost.
func (s *Server) Observe(ctx context.Context, who api.Identity, r *lockpb.LeaderRequest,
	send func(*lockpb.LeaderResponse) error) error {
	e := &session{Server: s, who: who}
	for {
		said, err := e.nextLeader(ctx, r.Name)
		if err != nil || said == nil {
			return ctx.Err() // as etcd: the stream just ends
		}
		if err := send(said); err != nil {
			return err
		}
		var failed error
		gone := false
		err = e.see(ctx, &pb.WatchCreateRequest{Key: said.Kv.Key, StartRevision: said.Header.Revision + 1},
			func(h *pb.ResponseHeader, events []*pb.Event) (bool, error) {
				for _, ev := range events {
					if gone = ev.Type == pb.Event_DELETE; gone {
						return false, nil
					}
					if failed = send(&lockpb.LeaderResponse{Header: h, Kv: ev.Kv}); failed != nil {
						return false, failed
					}
				}
				return true, nil
			})
		switch {
		case failed != nil:
			return failed
		case err != nil || !gone:
			return ctx.Err()
		}
	}
}

// nextLeader waits until somebody leads.
func (e *session) nextLeader(ctx context.Context, name []byte) (*lockpb.LeaderResponse, error) {
	resp, err := e.first(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(resp.Kvs) > 0 {
		return &lockpb.LeaderResponse{Header: resp.Header, Kv: resp.Kvs[0]}, nil
	}
	prefix := string(name) + "/"
	var said *lockpb.LeaderResponse
	err = e.see(ctx,
		&pb.WatchCreateRequest{Key: []byte(prefix), RangeEnd: end(prefix), StartRevision: resp.Header.Revision},
		func(h *pb.ResponseHeader, events []*pb.Event) (bool, error) {
			for _, ev := range events {
				if ev.Type == pb.Event_PUT {
					h.Revision = ev.Kv.ModRevision // of several it is not the last one's
					said = &lockpb.LeaderResponse{Header: h, Kv: ev.Kv}
					return false, nil
				}
			}
			return true, nil
		})
	return said, err
}
