package audit

import (
	"cmp"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
)

// Keys are what is hashed: a store, or a view of one.
type Keys interface {
	HashKV(revision int64) (hash uint32, compactRev, currentRev int64, err error)
}

// Ask answers a question about some keys.
func Ask(k Keys, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	hash, compacted, current, err := k.HashKV(r.Revision)
	if err != nil {
		return nil, err
	}
	return &pb.HashKVResponse{Header: &pb.ResponseHeader{Revision: current}, Hash: hash, CompactRevision: compacted,
		HashRevision: cmp.Or(r.Revision, current)}, nil
}

// HashOf reads the hash from an answer.
func HashOf(r *pb.HashKVResponse) Hash {
	return Hash{Sum: r.Hash, Revision: r.HashRevision, Compact: r.CompactRevision, Newest: r.Header.GetRevision()}
}

// Kept are the sums that the last compactions have left, the oldest first, without those that a member which has yet to
// compact would answer with another sum.
func Kept(kv *mvcc.Store) (all []Hash) {
	for _, h := range kv.CompactHashes() {
		if !h.Tombs {
			all = append(all, Hash{Sum: h.Sum, Revision: h.Rev, Compact: h.From})
		}
	}
	return all
}

// Question is what the others are asked; 0 = the newest revision.
func Question(revision int64) *pb.HashKVRequest { return &pb.HashKVRequest{Revision: revision} }
