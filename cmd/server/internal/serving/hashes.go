package serving

import (
	"vitrine/cmd/server/internal/corruption"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// HashKV hashes this member's own keys, also before the member runs.
func (s *Server) HashKV(r *pb.HashKVRequest) (*pb.HashKVResponse, error) { return s.disk.HashKV(r) }

// Compactions are the sums that the last compactions have left, the oldest first.
func (s *Server) Compactions() (all []corruption.Hash) {
	s.disk.Look(func(st *store.Store) {
		for _, h := range st.KV.CompactHashes() {
			all = append(all, corruption.Hash{Sum: h.Sum, Revision: h.Rev, Compact: h.From})
		}
	})
	return all
}
