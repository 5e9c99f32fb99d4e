package serving

import (
	"time"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// read answers from the store, on the caller's goroutine.
func (s *Server) read(r *api.ReadReady) (any, error) {
	start := time.Now()
	resp, err := s.evaluate(r)
	s.metrics.Read(resp, r.Operation, time.Since(start), err)
	resp, err = r.Finish(resp, err)
	s.Answered(r, resp, err)
	return resp, err
}

func (s *Server) evaluate(r *api.ReadReady) (any, error) {
	switch req := r.Body.(type) {
	case *pb.StatusRequest:
		return pb.Answer(s.completeStatus(r.Partial))
	case *pb.HashKVRequest:
		return pb.Answer(s.disk.HashKV(req))
	case *pb.HashRequest:
		return pb.Answer(s.disk.Hash())
	case *pb.SnapshotRequest:
		return &pb.SnapshotResponse{}, nil // leave to take one
	}
	return s.disk.Read(r)
}

// completeStatus adds what the store and the server know to what consensus knows.
func (s *Server) completeStatus(r *pb.StatusResponse) (*pb.StatusResponse, error) {
	r.Version = s.cfg.Version
	return r, s.disk.Status(r)
}
