// Package auth says who may do what: users, their roles, the key ranges that roles permit, and the one decision on
// every request.
//
// State is the fold of the auth requests in the log, kept in the buckets auth, authUsers and authRoles exactly as etcd
// writes them. Every change raises the auth revision. A request carries the name of its asker and the auth revision at
// which the name was established; if the state has moved on when the request is applied, it is refused with
// ErrOldRevision and the client asks anew. So all members decide an entry alike, by the state at its place in the log:
// a permission that was taken away counts from that place on, also against requests that were under way.
//
//	state, err := auth.Load(backend)
//	err = state.Allowed(auth.Identity{User: "alice", Revision: 7}, auth.Need{Read: []auth.Range{{Key: key}}})
//	resp, effect, err := state.Apply(index, request, batch) // an auth request from the log
//
// # Ranges
//
// A user may do what the union of the ranges of all the user's roles covers: [a, c) and [c, e) together permit [b, d).
// Permissions to read and to write are separate unions. They are kept sorted and merged, so that a decision is one
// binary search. The role root permits everything, whether or not there is a record of it.
//
// # Who asks
//
// A token names a user. Simple tokens are made of a random prefix and the index before that of the entry that assigned
// them; each member keeps those that it has applied, in Tokens, in memory and for a time that every use renews. JSON
// web tokens are signed and verified by the driver. A verified certificate's common name is a user, too.
//
// What costs a lot of arithmetic (bcrypt, signatures) is never done here. It is Work, an output that the driver does
// elsewhere, and whose result comes back as an input. Passwords, hashes and tokens are in no trace and in no log line;
// errors name none of them.
//
// A State is copy-on-write: Clone costs nothing that grows with the number of users, and a clone that nobody changes
// may be read anywhere.
package auth
