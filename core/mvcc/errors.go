package mvcc

import "errors"

// Errors of requests. On the wire each follows "etcdserver: ".
var (
	ErrCompacted     = errors.New("mvcc: required revision has been compacted")
	ErrFutureRev     = errors.New("mvcc: required revision is a future revision")
	ErrLeaseNotFound = errors.New("requested lease not found")
	ErrKeyNotFound   = errors.New("key not found")
)
