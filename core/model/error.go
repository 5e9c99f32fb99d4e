package model

// Error is an answer that refuses; its text is the one that etcd's clients see.
type Error string

// Error implements error.
func (e Error) Error() string { return string(e) }

// All refusals of the model.
const (
	ErrEmptyKey      Error = "etcdserver: key is not provided"
	ErrKeyNotFound   Error = "etcdserver: key not found"
	ErrValueProvided Error = "etcdserver: value is provided"
	ErrLeaseProvided Error = "etcdserver: lease is provided"
	ErrTooManyOps    Error = "etcdserver: too many operations in txn request"
	ErrDuplicateKey  Error = "etcdserver: duplicate key given in txn request"
	ErrInvalidSort   Error = "etcdserver: invalid sort option"
	ErrCompacted     Error = "etcdserver: mvcc: required revision has been compacted"
	ErrFutureRev     Error = "etcdserver: mvcc: required revision is a future revision"
	ErrNoSpace       Error = "etcdserver: mvcc: database space exceeded"
	ErrCorrupt       Error = "etcdserver: corrupt cluster"
	ErrLeaseNotFound Error = "etcdserver: requested lease not found"
	ErrLeaseExist    Error = "etcdserver: lease already exists"
	ErrLeaseTTL      Error = "etcdserver: too large lease TTL"
	ErrTooLarge      Error = "etcdserver: request is too large"

	ErrUserEmpty            Error = "etcdserver: user name is empty"
	ErrUserNotFound         Error = "etcdserver: user name not found"
	ErrUserExists           Error = "etcdserver: user name already exists"
	ErrRoleEmpty            Error = "etcdserver: role name is empty"
	ErrRoleNotFound         Error = "etcdserver: role name not found"
	ErrRoleExists           Error = "etcdserver: role name already exists"
	ErrRoleNotGranted       Error = "etcdserver: role is not granted to the user"
	ErrNoPermission         Error = "etcdserver: permission not given"
	ErrPermissionNotGranted Error = "etcdserver: permission is not granted to the role"
	ErrPermissionDenied     Error = "etcdserver: permission denied"
	ErrOldAuthRevision      Error = "etcdserver: revision of auth store is old"
	ErrInvalidToken         Error = "etcdserver: invalid auth token"
	ErrNoRootUser           Error = "etcdserver: root user does not exist"
	ErrNoRootRole           Error = "etcdserver: root user does not have root role"
	ErrAuthManagement       Error = "etcdserver: invalid auth management"
)

// Denial reports whether err refuses somebody for who he is, whatever its Go type.
func Denial(err error) bool {
	switch Error(err.Error()) {
	case ErrUserEmpty, ErrPermissionDenied, ErrOldAuthRevision, ErrUserNotFound, ErrInvalidToken:
		return true
	}
	return false
}

// Refusal reports whether err is one of the answers that say for certain that a
// request had no effect, whatever its Go type: the text is what counts.
func Refusal(err error) bool {
	if Denial(err) {
		return true
	}
	switch Error(err.Error()) {
	case ErrEmptyKey, ErrKeyNotFound, ErrValueProvided, ErrLeaseProvided, ErrTooManyOps, ErrDuplicateKey, ErrInvalidSort,
		ErrCompacted, ErrFutureRev, ErrNoSpace, ErrCorrupt, ErrLeaseNotFound, ErrLeaseExist, ErrLeaseTTL, ErrTooLarge:
		return true
	}
	return false
}
