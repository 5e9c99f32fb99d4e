// Package api is what a client may ask of a member, and by which way it gets an answer. It knows no transport: the
// native server calls it from gRPC, the simulator from its clients, the page from a button.
//
// Three nouns carry it:
//
//	Operation   a kind of call: a row of one table says all that is known of it (operations.go)
//	Gate        which calls a member takes, as it stands; every way in asks it
//	Book        the calls that a member has taken, each with how far it has come
//
// A Call that the gate admits takes the Route of its operation:
//
//	Propose        to the log -> applied -> Reply
//	ReadIndex      ask for the commit index, with all others that wait -> applied up to it -> ReadReady
//	Serializable   ReadReady at once; a driver may as well answer without asking
//	Local, Lead    the member answers, or its driver does: ReadReady or Reply
//	Driver         not by this way: the driver does it alone
//	Stream         not by this way: a watch has inputs of its own
//
// A Reply is complete. A ReadReady is permission: the driver evaluates the call on its store, where it can do so
// without stopping the member. What the member itself proposes (package duty) waits in the same book.
//
// To add an RPC: its row, its handler where the route ends (the store, Book.serve, or the driver), and its name in the
// list of the transport. Tests compare the table with what is served.
//
// Errors are values with etcd's code and text (Error), because clients match on them to the letter.
package api
