package api

import (
	"vitrine/core/api/overlap"
	"vitrine/core/pb"
)

// Validate tells why a message must be refused before anything else is done with it, or nil. maxTxnOps bounds the
// compares, the success and the failure operations of a txn, each.
func Validate(body any, maxTxnOps int) error {
	o := OperationOf(body)
	if o == NoOperation {
		return ErrUnknownMethod
	}
	if err := o.validate(body, maxTxnOps); err != nil {
		return err // not *Error(nil): an error that is nil must be nil
	}
	return nil
}

// validTxn looks for overlaps only when the number of operations is known to be small.
func validTxn(r *pb.TxnRequest, maxTxnOps int) *Error {
	if err := checkTxn(r, maxTxnOps); err != nil {
		return err
	}
	if overlap.Twice(r) {
		return ErrDuplicateKey
	}
	return nil
}

// checkStream is checkRange for RangeStream, which can neither sort nor filter.
func checkStream(r *pb.RangeRequest) *Error {
	if err := checkRange(r); err != nil {
		return err
	}
	byKey := r.SortTarget == pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_ASCEND
	if r.SortOrder != pb.RangeRequest_NONE && !byKey {
		return ErrStreamSortOrder
	}
	if r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0 {
		return ErrStreamFilters
	}
	return nil
}

func checkRange(r *pb.RangeRequest) *Error {
	switch {
	case len(r.GetKey()) == 0:
		return ErrEmptyKey
	case pb.RangeRequest_SortOrder_name[int32(r.SortOrder)] == "":
		return ErrInvalidSortOption
	case pb.RangeRequest_SortTarget_name[int32(r.SortTarget)] == "":
		return ErrInvalidSortOption
	}
	return nil
}

func checkPut(r *pb.PutRequest) *Error {
	switch {
	case len(r.GetKey()) == 0:
		return ErrEmptyKey
	case r.IgnoreValue && len(r.Value) != 0:
		return ErrValueProvided
	case r.IgnoreLease && r.Lease != 0:
		return ErrLeaseProvided
	}
	return nil
}

func checkDelete(r *pb.DeleteRangeRequest) *Error {
	if len(r.GetKey()) == 0 {
		return ErrEmptyKey
	}
	return nil
}

// checkTxn also bounds nesting: every level takes its widest part from what is left for the levels below.
func checkTxn(r *pb.TxnRequest, maxOps int) *Error {
	widest := max(len(r.GetCompare()), len(r.GetSuccess()), len(r.GetFailure()))
	if widest > maxOps {
		return ErrTooManyOps
	}
	for _, c := range r.GetCompare() {
		if len(c.GetKey()) == 0 {
			return ErrEmptyKey
		}
	}
	for _, ops := range [2][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if err := checkOp(op, maxOps-widest); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOp(op *pb.RequestOp, maxOps int) *Error {
	switch r := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(r.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(r.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDelete(r.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkTxn(r.RequestTxn, maxOps)
	}
	return ErrKeyNotFound
}
