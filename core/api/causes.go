package api

import (
	"vitrine/core/consensus"
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
	{mvcc.ErrKeyNotFound, ErrKeyNotFound},
	{store.ErrNoSpace, ErrNoSpace},
	{store.ErrCorrupt, ErrCorrupt},
	{membership.ErrIDRemoved, ErrMemberNotFound},
	{membership.ErrIDNotFound, ErrMemberNotFound},
	{membership.ErrIDExists, ErrMemberExist},
	{membership.ErrPeerURLExists, ErrPeerURLExist},
	{membership.ErrMemberNotLearner, ErrMemberNotLearner},
	{membership.ErrTooManyLearners, ErrTooManyLearners},
	{consensus.ErrNoLeader, ErrNoLeader},
	{consensus.ErrLeaderChanged, ErrLeaderChanged},
}
