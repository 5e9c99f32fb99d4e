package oracle

import (
	"testing"

	"vitrine/core/api"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/status"
)

// errorTable pairs etcd's errors with ours.
var errorTable = []struct {
	theirs error
	ours   *api.Error
}{
	{rpctypes.ErrGRPCEmptyKey, api.ErrEmptyKey},
	{rpctypes.ErrGRPCKeyNotFound, api.ErrKeyNotFound},
	{rpctypes.ErrGRPCValueProvided, api.ErrValueProvided},
	{rpctypes.ErrGRPCLeaseProvided, api.ErrLeaseProvided},
	{rpctypes.ErrGRPCTooManyOps, api.ErrTooManyOps},
	{rpctypes.ErrGRPCDuplicateKey, api.ErrDuplicateKey},
	{rpctypes.ErrGRPCInvalidClientAPIVersion, api.ErrInvalidClientAPIVersion},
	{rpctypes.ErrGRPCInvalidSortOption, api.ErrInvalidSortOption},
	{rpctypes.ErrGRPCCompacted, api.ErrCompacted},
	{rpctypes.ErrGRPCFutureRev, api.ErrFutureRev},
	{rpctypes.ErrGRPCNoSpace, api.ErrNoSpace},
	{rpctypes.ErrGRPCLeaseNotFound, api.ErrLeaseNotFound},
	{rpctypes.ErrGRPCLeaseExist, api.ErrLeaseExist},
	{rpctypes.ErrGRPCLeaseTTLTooLarge, api.ErrLeaseTTLTooLarge},
	{rpctypes.ErrGRPCWatchCanceled, api.ErrWatchCanceled},
	{rpctypes.ErrGRPCMemberExist, api.ErrMemberExist},
	{rpctypes.ErrGRPCPeerURLExist, api.ErrPeerURLExist},
	{rpctypes.ErrGRPCMemberNotEnoughStarted, api.ErrMemberNotEnoughStarted},
	{rpctypes.ErrGRPCMemberBadURLs, api.ErrMemberBadURLs},
	{rpctypes.ErrGRPCMemberNotFound, api.ErrMemberNotFound},
	{rpctypes.ErrGRPCMemberNotLearner, api.ErrMemberNotLearner},
	{rpctypes.ErrGRPCLearnerNotReady, api.ErrLearnerNotReady},
	{rpctypes.ErrGRPCTooManyLearners, api.ErrTooManyLearners},
	{rpctypes.ErrGRPCClusterIDMismatch, api.ErrClusterIDMismatch},
	{rpctypes.ErrGRPCRequestTooLarge, api.ErrRequestTooLarge},
	{rpctypes.ErrGRPCRequestTooManyRequests, api.ErrTooManyRequests},
	{rpctypes.ErrGRPCRootUserNotExist, api.ErrRootUserNotExist},
	{rpctypes.ErrGRPCRootRoleNotExist, api.ErrRootRoleNotExist},
	{rpctypes.ErrGRPCUserAlreadyExist, api.ErrUserAlreadyExist},
	{rpctypes.ErrGRPCUserEmpty, api.ErrUserEmpty},
	{rpctypes.ErrGRPCUserNotFound, api.ErrUserNotFound},
	{rpctypes.ErrGRPCRoleAlreadyExist, api.ErrRoleAlreadyExist},
	{rpctypes.ErrGRPCRoleNotFound, api.ErrRoleNotFound},
	{rpctypes.ErrGRPCRoleEmpty, api.ErrRoleEmpty},
	{rpctypes.ErrGRPCAuthFailed, api.ErrAuthFailed},
	{rpctypes.ErrGRPCPermissionNotGiven, api.ErrPermissionNotGiven},
	{rpctypes.ErrGRPCPermissionDenied, api.ErrPermissionDenied},
	{rpctypes.ErrGRPCRoleNotGranted, api.ErrRoleNotGranted},
	{rpctypes.ErrGRPCPermissionNotGranted, api.ErrPermissionNotGranted},
	{rpctypes.ErrGRPCAuthNotEnabled, api.ErrAuthNotEnabled},
	{rpctypes.ErrGRPCInvalidAuthToken, api.ErrInvalidAuthToken},
	{rpctypes.ErrGRPCInvalidAuthMgmt, api.ErrInvalidAuthMgmt},
	{rpctypes.ErrGRPCAuthOldRevision, api.ErrAuthOldRevision},
	{rpctypes.ErrGRPCNoLeader, api.ErrNoLeader},
	{rpctypes.ErrGRPCNotLeader, api.ErrNotLeader},
	{rpctypes.ErrGRPCLeaderChanged, api.ErrLeaderChanged},
	{rpctypes.ErrGRPCNotCapable, api.ErrNotCapable},
	{rpctypes.ErrGRPCStopped, api.ErrStopped},
	{rpctypes.ErrGRPCTimeout, api.ErrTimeout},
	{rpctypes.ErrGRPCTimeoutDueToLeaderFail, api.ErrTimeoutDueToLeaderFail},
	{rpctypes.ErrGRPCTimeoutDueToConnectionLost, api.ErrTimeoutDueToConnectionLost},
	{rpctypes.ErrGRPCTimeoutWaitAppliedIndex, api.ErrTimeoutWaitAppliedIndex},
	{rpctypes.ErrGRPCUnhealthy, api.ErrUnhealthy},
	{rpctypes.ErrGRPCCorrupt, api.ErrCorrupt},
	{rpctypes.ErrGRPCNotSupportedForLearner, api.ErrNotSupportedForLearner},
	{rpctypes.ErrGRPCBadLeaderTransferee, api.ErrBadLeaderTransferee},
	{rpctypes.ErrGRPCWrongDowngradeVersionFormat, api.ErrWrongDowngradeVersionFormat},
	{rpctypes.ErrGRPCInvalidDowngradeTargetVersion, api.ErrInvalidDowngradeTargetVersion},
	{rpctypes.ErrGRPCClusterVersionUnavailable, api.ErrClusterVersionUnavailable},
	{rpctypes.ErrGRPCDowngradeInProcess, api.ErrDowngradeInProcess},
	{rpctypes.ErrGRPCNoInflightDowngrade, api.ErrNoInflightDowngrade},
	{rpctypes.ErrGRPCCanceled, api.ErrCanceled},
	{rpctypes.ErrGRPCDeadlineExceeded, api.ErrDeadlineExceeded},
}

// TestErrorTable: codes and texts are interface. Of two errors a live etcd does not answer with the code of its own
// table but with Unknown, and so do we.
func TestErrorTable(t *testing.T) {
	unknown := map[*api.Error]bool{api.ErrTooManyRequests: true, api.ErrMemberNotEnoughStarted: true}
	for _, e := range errorTable {
		s := status.Convert(e.theirs)
		want := api.Code(s.Code())
		if unknown[e.ours] {
			want = api.Unknown
		}
		if e.ours.Text != s.Message() || e.ours.Code != want {
			t.Errorf("ours (%d, %q), theirs (%d, %q)", e.ours.Code, e.ours.Text, want, s.Message())
		}
	}
	if len(errorTable) != 63 {
		t.Errorf("%d errors, etcd has 63", len(errorTable))
	}
}
