package api

import "errors"

// Code is a gRPC status code by its number, so that the core need not know gRPC.
type Code uint32

// The codes that the API uses.
const (
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

// An Error is an answer that is none. Code and Text are interface: clients match on them to the letter.
type Error struct {
	Code Code
	Text string
}

// Error is the text alone, as clients see it.
func (e *Error) Error() string { return e.Text }

// Status is the text of the error with its code, as gRPC's client library would show it. It stands in a watch response
// that refuses a watcher.
func (e *Error) Status() string {
	return "rpc error: code = " + codeNames[e.Code] + " desc = " + e.Text
}

var codeNames = map[Code]string{
	Canceled: "Canceled", Unknown: "Unknown", InvalidArgument: "InvalidArgument", DeadlineExceeded: "DeadlineExceeded",
	NotFound: "NotFound", PermissionDenied: "PermissionDenied", ResourceExhausted: "ResourceExhausted",
	FailedPrecondition: "FailedPrecondition", OutOfRange: "OutOfRange", Unimplemented: "Unimplemented",
	Unavailable: "Unavailable", DataLoss: "DataLoss", Unauthenticated: "Unauthenticated",
}

// The error table of etcd's API (api/v3rpc/rpctypes/error.go), and the few texts beyond it that its server sends.
// Variables only because Go has no constant pointers: nothing ever assigns to them.
var (
	ErrEmptyKey                = fail(InvalidArgument, "key is not provided")
	ErrKeyNotFound             = fail(InvalidArgument, "key not found")
	ErrValueProvided           = fail(InvalidArgument, "value is provided")
	ErrLeaseProvided           = fail(InvalidArgument, "lease is provided")
	ErrTooManyOps              = fail(InvalidArgument, "too many operations in txn request")
	ErrDuplicateKey            = fail(InvalidArgument, "duplicate key given in txn request")
	ErrInvalidClientAPIVersion = fail(InvalidArgument, "invalid client api version")
	ErrInvalidSortOption       = fail(InvalidArgument, "invalid sort option")
	ErrCompacted               = fail(OutOfRange, "mvcc: required revision has been compacted")
	ErrFutureRev               = fail(OutOfRange, "mvcc: required revision is a future revision")
	ErrNoSpace                 = fail(ResourceExhausted, "mvcc: database space exceeded")

	ErrLeaseNotFound    = fail(NotFound, "requested lease not found")
	ErrLeaseExist       = fail(FailedPrecondition, "lease already exists")
	ErrLeaseTTLTooLarge = fail(OutOfRange, "too large lease TTL")

	ErrWatchCanceled = fail(Canceled, "watch canceled")

	ErrMemberExist            = fail(FailedPrecondition, "member ID already exist")
	ErrPeerURLExist           = fail(FailedPrecondition, "Peer URLs already exists")
	ErrMemberNotEnoughStarted = fail(Unknown, "re-configuration failed due to not enough started members")
	ErrMemberBadURLs          = fail(InvalidArgument, "given member URLs are invalid")
	ErrMemberNotFound         = fail(NotFound, "member not found")
	ErrMemberNotLearner       = fail(FailedPrecondition, "can only promote a learner member")
	ErrLearnerNotReady        = fail(FailedPrecondition, "can only promote a learner member which is in sync with leader")
	ErrTooManyLearners        = fail(FailedPrecondition, "too many learner members in cluster")
	ErrClusterIDMismatch      = fail(FailedPrecondition, "cluster ID mismatch")

	ErrRequestTooLarge = fail(InvalidArgument, "request is too large")
	// The table says ResourceExhausted for this one and for ErrMemberNotEnoughStarted FailedPrecondition; a live etcd
	// answers Unknown for both, and so do we: clients know them by their texts, tools by what etcd does.
	ErrTooManyRequests = fail(Unknown, "too many requests")

	ErrRootUserNotExist     = fail(FailedPrecondition, "root user does not exist")
	ErrRootRoleNotExist     = fail(FailedPrecondition, "root user does not have root role")
	ErrUserAlreadyExist     = fail(FailedPrecondition, "user name already exists")
	ErrUserEmpty            = fail(InvalidArgument, "user name is empty")
	ErrUserNotFound         = fail(FailedPrecondition, "user name not found")
	ErrRoleAlreadyExist     = fail(FailedPrecondition, "role name already exists")
	ErrRoleNotFound         = fail(FailedPrecondition, "role name not found")
	ErrRoleEmpty            = fail(InvalidArgument, "role name is empty")
	ErrAuthFailed           = fail(InvalidArgument, "authentication failed, invalid user ID or password")
	ErrPermissionNotGiven   = fail(InvalidArgument, "permission not given")
	ErrPermissionDenied     = fail(PermissionDenied, "permission denied")
	ErrRoleNotGranted       = fail(FailedPrecondition, "role is not granted to the user")
	ErrPermissionNotGranted = fail(FailedPrecondition, "permission is not granted to the role")
	ErrAuthNotEnabled       = fail(FailedPrecondition, "authentication is not enabled")
	ErrInvalidAuthToken     = fail(Unauthenticated, "invalid auth token")
	ErrInvalidAuthMgmt      = fail(InvalidArgument, "invalid auth management")
	ErrAuthOldRevision      = fail(InvalidArgument, "revision of auth store is old")

	ErrNoLeader                   = fail(Unavailable, "no leader")
	ErrNotLeader                  = fail(FailedPrecondition, "not leader")
	ErrLeaderChanged              = fail(Unavailable, "leader changed")
	ErrNotCapable                 = fail(FailedPrecondition, "not capable")
	ErrStopped                    = fail(Unavailable, "server stopped")
	ErrTimeout                    = fail(Unavailable, "request timed out")
	ErrTimeoutDueToLeaderFail     = fail(Unavailable, "request timed out, possibly due to previous leader failure")
	ErrTimeoutDueToConnectionLost = fail(Unavailable, "request timed out, possibly due to connection lost")
	ErrTimeoutWaitAppliedIndex    = fail(Unavailable, "request timed out, waiting for the applied index took too long")
	ErrUnhealthy                  = fail(Unavailable, "unhealthy cluster")
	ErrCorrupt                    = fail(DataLoss, "corrupt cluster")
	ErrNotSupportedForLearner     = fail(FailedPrecondition, "rpc not supported for learner")
	ErrBadLeaderTransferee        = fail(FailedPrecondition, "bad leader transferee")

	ErrWrongDowngradeVersionFormat   = fail(InvalidArgument, "wrong downgrade target version format")
	ErrInvalidDowngradeTargetVersion = fail(InvalidArgument, "invalid downgrade target version")
	ErrClusterVersionUnavailable     = fail(FailedPrecondition, "cluster version not found during downgrade")
	ErrDowngradeInProcess            = fail(FailedPrecondition, "cluster has a downgrade job in progress")
	ErrNoInflightDowngrade           = fail(FailedPrecondition, "no inflight downgrade job")

	ErrCanceled         = fail(Canceled, "request canceled")
	ErrDeadlineExceeded = fail(DeadlineExceeded, "context deadline exceeded")

	// ErrContextDeadline ends what waited for a leader, or longer than its client: etcd passes its context's own error on.
	ErrContextDeadline = &Error{DeadlineExceeded, "context deadline exceeded"}

	// Not in the table: what etcd's server says with the code Unknown.
	ErrTimeoutLeaderTransfer = fail(Unknown, "request timed out, leader transfer took too long")
	ErrUnknownMethod         = fail(Unimplemented, "unknown method")

	// RangeStream's own refusals carry no prefix.
	ErrStreamSortOrder = &Error{Unimplemented, "RangeStream does not support custom sort orders"}
	ErrStreamFilters   = &Error{Unimplemented, "RangeStream does not support revision filters"}
)

func fail(code Code, text string) *Error { return &Error{code, "etcdserver: " + text} }

// AsError maps any error of the core to the one that a client gets. What is not known becomes Unknown with its own
// text, as in etcd.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	for _, m := range causes {
		if errors.Is(err, m.cause) {
			return m.err
		}
	}
	return &Error{Unknown, err.Error()}
}
