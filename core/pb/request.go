package pb

// ReadOnly tells whether a txn changes nothing whatever its compares say, so that
// it need not go through the log: only ranges, no txn inside.
func ReadOnly(r *TxnRequest) bool {
	return allRanges(r, func(*RangeRequest) bool { return true })
}

// Serializable tells whether a txn only reads, and every range of it may be
// answered without asking the leader.
func Serializable(r *TxnRequest) bool { return allRanges(r, (*RangeRequest).GetSerializable) }

// allRanges tells whether a txn holds nothing but ranges for which is holds.
func allRanges(r *TxnRequest, is func(*RangeRequest) bool) bool {
	for _, ops := range [2][]*RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if get := op.GetRequestRange(); get == nil || !is(get) {
				return false
			}
		}
	}
	return true
}

// HeaderRevision is the revision in the header of any response, 0 if there is none.
func HeaderRevision(response any) int64 {
	if r, ok := response.(interface{ GetHeader() *ResponseHeader }); ok {
		return r.GetHeader().GetRevision()
	}
	return 0
}

// Answer makes a response an any that is nil if there is an error.
//
//	return pb.Answer(store.Range(request))
func Answer[T any](response *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return response, nil
}
