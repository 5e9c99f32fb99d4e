// Package lease is leases: promises to keep keys for so many seconds, renewed by whoever still wants them.
//
// There are two halves, because a lease's existence is replicated and its expiry is not.
//
// - Leases is the part of the state machine: which leases there are, with which TTL, and which keys hang on them. Only
//
//	  applied entries change it, so it is equal on all members. It is kept in the bucket lease as etcd keeps it; which
//	  keys belong to a lease is not kept, it is in the pairs.
//	- Lessor is the clock. Every member has one that knows all leases, and the leader's alone has times in it: a member
//	  that has applied everything of the terms before its own takes over with Promote, and gives it up with Demote. A
//
// lease that has run out is not gone by that: the leader proposes to revoke it, and it is gone when that is applied.
//
// What a client may rely on: a lease that was granted or renewed for T seconds, by a request that was sent at s, is
// revoked by nobody but a client before s+T. Three rules keep that. A leader renews only when it has proof that it led
// after the request had come (the caller's ReadIndex). A new leader counts from the moment at which it takes over,
// which is after all of that, and adds an election timeout. And a revocation for expiry is an entry of the term in
// which the lease had expired: a leader that has lost its term cannot get it committed.
//
// # Remaining time
//
// A new leader knows when a lease was granted no better than a new member, so it gives every lease its whole TTL again.
// With long TTLs and many elections nothing would ever expire. So the leader writes down, every few minutes, what is
// left of the leases that nobody renews (a checkpoint), and the next leader begins with that. A renewal takes the
// checkpoint back, in the log, before it is answered; one that may be on its way counts as one that is there.
//
// # Cost
//
// Grant, renewal and revocation move one entry of a heap. Nothing looks at all leases, but for taking over, which is
// done in pieces (Advance). Expirations are handed out no faster than they can be applied, and after an election they
// are spread, so that leases that expire together do not hold up everything else.
//
//	l := lease.NewLessor(lease.Config{}, leases.All())
//	l.Promote(now, term)
//	ttl, verdict := l.Renew(now, id)
//	for _, id := range l.Expired(nil, now, 100) {
//		propose(&pb.LeaseRevokeRequest{ID: id}, term)
//	}
package lease
