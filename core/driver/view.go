package driver

import (
	"fmt"

	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/store"
)

// ShortRange is how many keys a range may touch before it is read on a view,
// beside the writers.
const ShortRange = 1000

// Long tells whether a read may take longer than a writer should wait: it touches
// more than n keys.
func Long(s *store.Store, req any, n int) bool {
	switch r := req.(type) {
	case *pb.RangeRequest:
		return s.KV.Exceeds(r.Key, r.RangeEnd, n)
	case *pb.TxnRequest:
		for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
			for _, op := range ops {
				if q := op.GetRequestRange(); q != nil && Long(s, q, n) {
					return true
				}
			}
		}
	}
	return false
}

// ReadView answers a read from a view, as Store.Read does from the present state.
func ReadView(v *mvcc.View, req any) (any, error) {
	switch r := req.(type) {
	case *pb.RangeRequest:
		return pb.Answer(v.Range(r))
	case *pb.TxnRequest:
		return pb.Answer(v.Txn(r))
	}
	return nil, fmt.Errorf("%w: read of %T", store.ErrUnknownRequest, req)
}
