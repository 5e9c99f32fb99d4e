package lock

import (
	"context"

	"vitrine/cmd/server/internal/lockpb"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// Lock returns when the caller's lease holds the lock.
func (s *Server) Lock(ctx context.Context, who api.Identity, r *lockpb.LockRequest) (*lockpb.LockResponse, error) {
	e, err := s.session(ctx, who, r.Lease)
	if err != nil {
		return nil, err
	}
	prefix := string(r.Name) + "/"
	key := e.key(prefix)
	oldest := &pb.RangeRequest{Key: []byte(prefix), RangeEnd: end(prefix), Limit: 1, SortTarget: pb.RangeRequest_CREATE,
		SortOrder: pb.RangeRequest_ASCEND}
	resp, err := ask[pb.TxnResponse](ctx, e, &pb.TxnRequest{
		Compare: []*pb.Compare{created(key, 0)},
		Success: []*pb.RequestOp{put(key, nil, e.lease), get(oldest)},
		Failure: []*pb.RequestOp{get(&pb.RangeRequest{Key: []byte(key)}), get(oldest)},
	})
	if err != nil {
		return nil, err
	}
	mine := resp.Header.Revision
	if !resp.Succeeded {
		mine = resp.Responses[0].GetResponseRange().Kvs[0].CreateRevision
	}
	if owner := resp.Responses[1].GetResponseRange().Kvs; len(owner) == 0 || owner[0].CreateRevision == mine {
		return &lockpb.LockResponse{Header: resp.Header, Key: []byte(key)}, nil
	}
	err = e.waitTurn(ctx, prefix, mine-1)
	var still *pb.RangeResponse
	if err == nil {
		still, err = ask[pb.RangeResponse](ctx, e, &pb.RangeRequest{Key: []byte(key)})
	}
	if err != nil {
		e.release(ctx, &pb.DeleteRangeRequest{Key: []byte(key)})
		return nil, err
	}
	if len(still.Kvs) == 0 {
		return nil, errSessionExpired
	}
	return &lockpb.LockResponse{Header: still.Header, Key: []byte(key)}, nil
}

// Unlock gives a lock back: it deletes the key that Lock has returned.
func (s *Server) Unlock(ctx context.Context, who api.Identity, r *lockpb.UnlockRequest) (*lockpb.UnlockResponse,
	error) {
	resp, err := ask[pb.DeleteRangeResponse](ctx, &session{Server: s, who: who}, &pb.DeleteRangeRequest{Key: r.Key})
	if err != nil {
		return nil, err
	}
	return &lockpb.UnlockResponse{Header: resp.Header}, nil
}

// created compares the revision at which a key was created.
func created(key string, at int64) *pb.Compare {
	return &pb.Compare{Key: []byte(key), Target: pb.Compare_CREATE, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: at}}
}

func put(key string, value []byte, lease int64) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: value,
		Lease: lease}}}
}

func get(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}
