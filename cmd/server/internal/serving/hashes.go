package serving

import (
	"vitrine/core/audit"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// HashKV hashes this member's own keys, also before the member runs.
func (s *Server) HashKV(r *pb.HashKVRequest) (*pb.HashKVResponse, error) { return s.disk.HashKV(r) }

// Compactions are the sums that the last compactions have left, the oldest first.
func (s *Server) Compactions() (all []audit.Hash) {
	s.disk.Look(func(st *store.Store) { all = audit.Kept(st.KV) })
	return all
}

// Lives tells whether this member has any pair.
func (s *Server) Lives() (lives bool) {
	s.disk.Look(func(st *store.Store) { lives = audit.Lives(st.KV) })
	return lives
}
