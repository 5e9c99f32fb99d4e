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

// HasSpace tells whether a PutRequest, TxnRequest or LeaseGrantRequest fits in the quota. Requests that add nothing
// always do. It asks for the bytes in use, not for the size of the file: what a compaction frees can be written again.
func (s *Store) HasSpace(req any) bool {
	cost, quota := Cost(req), s.Quota()
	return cost == 0 || quota == 0 || s.Backend.Store().SizeInUse()+int64(cost) < quota
}

// Cost is what a request may add to the backend, in bytes, 0 for requests that add nothing.
func Cost(req any) int {
	switch r := req.(type) {
	case *pb.PutRequest:
		return putCost(r)
	case *pb.TxnRequest:
		return txnCost(r)
	case *pb.LeaseGrantRequest:
		return costPerLease
	case *pb.InternalRaftRequest:
		switch {
		case r.Put != nil:
			return putCost(r.Put)
		case r.Txn != nil:
			return txnCost(r.Txn)
		case r.LeaseGrant != nil:
			return costPerLease
		}
	}
	return 0
}

func putCost(r *pb.PutRequest) int { return costPerPair + len(r.Key) + len(r.Value) }

// txnCost is that of the dearer branch.
func txnCost(r *pb.TxnRequest) int { return max(opsCost(r.Success), opsCost(r.Failure)) }

func opsCost(ops []*pb.RequestOp) int {
	cost := 0
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			cost += putCost(p)
		} else if t := op.GetRequestTxn(); t != nil {
			cost += txnCost(t)
		}
	}
	return cost
}
