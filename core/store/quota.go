package store

import (
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// What requests are taken to cost, in bytes; etcd's figures.
const (
	costPerPair  = 256
	costPerLease = 64
)

// Quota is the size that the backend may reach, 0 = no limit.
func (s *Store) Quota() int64 {
	switch {
	case s.cfg.QuotaBytes < 0:
		return 0
	case s.cfg.QuotaBytes == 0:
		return limits.QuotaBackendBytes
	}
	return s.cfg.QuotaBytes
}

// HasSpace tells whether a request fits in the quota. Requests that add nothing always do. As etcd does, it asks for
// the size of the file: what a compaction frees is there again when the database has been defragmented.
func (s *Store) HasSpace(req *pb.InternalRaftRequest) bool {
	cost, quota := cost(req), s.Quota()
	return cost == 0 || quota == 0 || s.Backend.Store().Size()+int64(cost) < quota
}

// cost is what an entry may add to the backend, in bytes, 0 if nothing.
func cost(r *pb.InternalRaftRequest) int {
	switch {
	case r.Put != nil:
		return PutCost(r.Put)
	case r.Txn != nil:
		return TxnCost(r.Txn)
	case r.LeaseGrant != nil:
		return GrantCost(r.LeaseGrant)
	}
	return 0
}

// GrantCost is what a lease may add to the backend, in bytes.
func GrantCost(*pb.LeaseGrantRequest) int { return costPerLease }

// PutCost is what a put may add to the backend, in bytes.
func PutCost(r *pb.PutRequest) int { return costPerPair + len(r.Key) + len(r.Value) }

// TxnCost is what the dearer branch of a txn may add.
func TxnCost(r *pb.TxnRequest) int { return max(opsCost(r.Success), opsCost(r.Failure)) }

func opsCost(ops []*pb.RequestOp) int {
	cost := 0
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			cost += PutCost(p)
		} else if t := op.GetRequestTxn(); t != nil {
			cost += TxnCost(t)
		}
	}
	return cost
}
