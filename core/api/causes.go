package api

import (
	"vitrine/core/auth"
	"vitrine/core/consensus"
	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/mvcc"
	"vitrine/core/store"
)

// causes maps what the packages below say to what a client hears.
var causes = []struct {
	cause error
	err   *Error
}{
	{mvcc.ErrCompacted, ErrCompacted},
	{mvcc.ErrFutureRev, ErrFutureRev},
	{mvcc.ErrLeaseNotFound, ErrLeaseNotFound},
	{lease.ErrNotFound, ErrLeaseNotFound},
	{lease.ErrExists, ErrLeaseExist},
	{lease.ErrTTLTooLarge, ErrLeaseTTLTooLarge},
	{mvcc.ErrKeyNotFound, ErrKeyNotFound},
	{store.ErrNoSpace, ErrNoSpace},
	{store.ErrCorrupt, ErrCorrupt},
	{membership.ErrIDRemoved, ErrMemberNotFound},
	{membership.ErrIDNotFound, ErrMemberNotFound},
	{membership.ErrIDExists, ErrMemberExist},
	{membership.ErrPeerURLExists, ErrPeerURLExist},
	{membership.ErrMemberNotLearner, ErrMemberNotLearner},
	{membership.ErrTooManyLearners, ErrTooManyLearners},
	{membership.ErrNoVersion, ErrClusterVersionUnavailable},
	{membership.ErrBadTarget, ErrInvalidDowngradeTargetVersion},
	{membership.ErrDowngrading, ErrDowngradeInProcess},
	{membership.ErrNoVoter, ErrMemberNotEnoughStarted}, // etcd asks that before, if it asks
	{auth.ErrRootUserNotExist, ErrRootUserNotExist},
	{auth.ErrRootRoleNotExist, ErrRootRoleNotExist},
	{auth.ErrUserAlreadyExist, ErrUserAlreadyExist},
	{auth.ErrUserEmpty, ErrUserEmpty},
	{auth.ErrUserNotFound, ErrUserNotFound},
	{auth.ErrRoleAlreadyExist, ErrRoleAlreadyExist},
	{auth.ErrRoleNotFound, ErrRoleNotFound},
	{auth.ErrRoleEmpty, ErrRoleEmpty},
	{auth.ErrFailed, ErrAuthFailed},
	{auth.ErrPermissionNotGiven, ErrPermissionNotGiven},
	{auth.ErrPermissionDenied, ErrPermissionDenied},
	{auth.ErrRoleNotGranted, ErrRoleNotGranted},
	{auth.ErrPermissionNotGranted, ErrPermissionNotGranted},
	{auth.ErrNotEnabled, ErrAuthNotEnabled},
	{auth.ErrInvalidToken, ErrInvalidAuthToken},
	{auth.ErrInvalidManagement, ErrInvalidAuthMgmt},
	{auth.ErrOldRevision, ErrAuthOldRevision},
	{consensus.ErrNoLeader, ErrNoLeader},
	{consensus.ErrLeaderChanged, ErrLeaderChanged},
}
