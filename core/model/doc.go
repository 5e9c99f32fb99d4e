// Package model says what a right answer is: a small sequential specification of
// etcd's KV API, written to be read.
//
// A State is the data at one moment. Apply executes one request on it and gives
// the response that etcd would give, or its error:
//
//	s := model.New()
//	resp, err := s.Apply(&pb.PutRequest{Key: []byte("a"), Value: []byte("1")})
//	// resp.(*pb.PutResponse).Header.Revision == 2
//
// There are no members, no log, no disk and no concurrency here, and nothing is
// shared with core/mvcc: the two meet in tests only, where a random sequence of
// requests must get the same answers from both. The model is also the judge of
// client histories and the fold that durable images are compared with
// (core/check).
//
// A Clone costs almost nothing and shares what did not change, so a checker may
// try many orders of the same operations.
//
// In scope: Range with all options, Put, DeleteRange, Txn, Compact, alarms and what
// they refuse, and of leases what data depend on (that they exist; that revoking one deletes its
// keys in one revision). Response headers carry the revision only. Ties in a
// sorted Range come as etcd leaves them: as sort.Sort does, from key order.
package model
