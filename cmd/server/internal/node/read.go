package node

import (
	"time"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// read answers from the store, on the caller's goroutine.
func (n *Node) read(r *api.ReadReady) (any, error) {
	start := time.Now()
	resp, err := n.evaluate(r)
	n.metrics.Read(resp, r.Operation, time.Since(start), err)
	resp, err = r.Finish(resp, err)
	n.answered(r, resp, err)
	return resp, err
}

func (n *Node) evaluate(r *api.ReadReady) (any, error) {
	if !n.tasks.Enter() {
		return nil, api.ErrStopped
	}
	defer n.tasks.Leave()
	switch req := r.Body.(type) {
	case *pb.StatusRequest:
		return n.completeStatus(r.Partial), nil
	case *pb.HashKVRequest:
		return n.disk.HashKV(req)
	case *pb.HashRequest:
		return n.disk.Hash()
	case *pb.SnapshotRequest:
		return &pb.SnapshotResponse{}, nil // leave to take one
	}
	return n.disk.Read(r)
}

// completeStatus adds what the store and the server know to what consensus knows.
func (n *Node) completeStatus(s *pb.StatusResponse) *pb.StatusResponse {
	n.disk.Status(s)
	s.Version = n.cfg.Version
	return s
}
