package mutant

import "vitrine/core/invariant"

// ofUsers are the mutants of users, what they show, and leases.
var ofUsers = []Info{
	{
		ID: AuthCacheCold, Name: "auth-cache-cold", Source: "etcd #14571", Seeds: 50, Needs: UsersCrash,
		Story:    "after a restart a member has forgotten what users may, and refuses entries that others apply",
		Convicts: []int{invariant.RevisionOrder, invariant.Authorization},
	},
	{
		ID: AuthRevisionUnsaved, Name: "auth-revision-unsaved", Source: "etcd #11651", Seeds: 20, Needs: UsersCrash,
		Story:    "the auth revision is not in the database, so that a restarted member decides by an older one",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Authorization},
	},
	{
		ID: AuthOldRevisionTaken, Name: "auth-old-revision-taken", Source: "mutation of auth", Seeds: 50, Needs: Users,
		Story:    "a request is applied for somebody who was named before users changed",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: RangeEndUnasked, Name: "range-end-unasked", Source: "etcd GHSA-xg4h-6gfc-h4m8", Seeds: 50, Needs: Users,
		Story:    "who may touch the first key of a range may touch all of it",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: CompareUnasked, Name: "compare-unasked", Source: "mutation of auth", Seeds: 100, Needs: Users,
		Story:    "a transaction may compare what its user may not read",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: PreviousUnasked, Name: "previous-unasked", Source: "mutation of auth", Seeds: 50, Needs: Users,
		Story:    "who may write a key is shown its previous value",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: ReadUnasked, Name: "read-unasked", Source: "mutation of store", Seeds: 20, Needs: Users,
		Story:    "reads are let through without a look at who reads",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: WatchUnasked, Name: "watch-unasked", Source: "mutation of api", Seeds: 100, Needs: Users,
		Story:    "a watcher is made without a look at who asks for it",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: RoleLingers, Name: "role-lingers", Source: "mutation of auth", Seeds: 100, Needs: Users,
		Story:    "a role that was taken from a user goes on to permit",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: RevokeUnfenced, Name: "revoke-unfenced", Source: "etcd #15247", Seeds: 300,
		Story:    "a leader that has lost its term counts on, and what it wants to end is passed on to its successor",
		Convicts: []int{invariant.LeaseFence, invariant.LeaseRemaining},
	},
	{
		ID: RevokeUnordered, Name: "revoke-unordered", Source: "etcd #11689", Seeds: 50,
		Story:    "the keys of a lease are deleted in another order than that of keys",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.WatchReliable},
	},
	{
		ID: LeaseKept, Name: "lease-kept", Source: "mutation of lease", Seeds: 50,
		Story:    "a key that is put without a lease, or is deleted, still hangs on the one that it had",
		Convicts: []int{invariant.AtomicApply, invariant.RevisionOrder, invariant.Linearizable, invariant.NoPanic},
	},
	{
		ID: LeaseCutShort, Name: "lease-cut-short", Source: "mutation of lease", Seeds: 50,
		Story:    "a lease runs a second less than it was granted for",
		Convicts: []int{invariant.LeaseFence, invariant.LeaseRemaining},
	},
	{
		ID: LeaseImmortal, Name: "lease-immortal", Source: "mutation of lease", Seeds: 50,
		Story:    "no lease ever runs out",
		Convicts: []int{invariant.LeaseRemaining, invariant.Liveness},
	},
	{
		ID: TokenKept, Name: "token-kept", Source: "mutation of auth", Seeds: 50, Needs: Logins,
		Story:    "a token outlives a change of the password, and its user",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: TokenOutlivesAuth, Name: "token-outlives-auth", Source: "mutation of auth", Seeds: 50, Needs: Logins,
		Story:    "a token of before authentication was off is good when it is on again",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: TokenUnexpired, Name: "token-unexpired", Source: "mutation of auth", Seeds: 50, Needs: Logins,
		Story:    "a token that nobody has used for its time is good all the same",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: TokenEarlyRefused, Name: "token-early-refused", Source: "mutation of api", Seeds: 50, Needs: Logins,
		Story:    "a member that has not applied the entry of a token refuses it instead of waiting for the entry",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: LoginUnrepeated, Name: "login-unrepeated", Source: "mutation of api", Seeds: 100, Needs: Logins,
		Story:    "a password that is changed while a member compares it lets in all the same",
		Convicts: []int{invariant.Authorization},
	},
	{
		ID: WatchTokenKept, Name: "watch-token-kept", Source: "found by use", Seeds: 100, Needs: Signatures,
		Story:    "a signed token that was good when a stream began makes watchers on it when it has run out",
		Convicts: []int{invariant.Authorization},
	},
}
