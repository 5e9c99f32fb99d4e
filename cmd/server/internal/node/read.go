package node

import (
	"time"

	"vitrine/core/api"
	"vitrine/core/driver"
	"vitrine/core/pb"
)

// read answers from the store, on the caller's goroutine.
func (n *Node) read(r *api.ReadReady) (any, error) {
	start := time.Now()
	resp, err := n.evaluate(r)
	n.metrics.countRead(resp, r.Operation, time.Since(start), err)
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
		return n.hashKV(req)
	case *pb.HashRequest:
		return n.hash()
	case *pb.SnapshotRequest:
		return &pb.SnapshotResponse{}, nil // leave to take one
	}
	if n.long(r.Body) {
		v, err := n.viewFor(r)
		if err != nil {
			return nil, err
		}
		defer v.Close()
		return driver.ReadView(v, r.Body)
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if err := n.state.Store.Authorize(r.Who, r.Need); err != nil {
		return nil, err
	}
	return n.state.Store.Read(r.Body)
}

// completeStatus adds what the store knows to what consensus knows.
func (n *Node) completeStatus(s *pb.StatusResponse) *pb.StatusResponse {
	n.mu.RLock()
	st := n.state.Store
	s.DbSize, s.DbSizeInUse = st.Backend.Store().Size(), st.Backend.Store().SizeInUse()
	s.StorageVersion = st.StorageVersion()
	n.mu.RUnlock()
	s.Version = n.cfg.Version
	s.DbSizeQuota = n.quota()
	return s
}
