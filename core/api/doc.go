// Package api is what a client may ask of a member, and by which way it gets an answer. It knows no transport: the
// native server calls it from gRPC, the simulator from its clients, the page from a button.
//
// A request is validated, may be refused (no leader, too large, too many), and then takes one of three ways:
//
//	write               propose to the log -> applied -> Reply
//	linearizable read   ask for the commit index, with all others that wait -> applied up to it -> ReadReady
//	serializable read   ReadReady at once
//
// A Reply is complete. A ReadReady is permission: the driver evaluates the request on its store, where it can do so
// without stopping the member.
//
// Errors are values with etcd's code and text (Error), because clients match on them to the letter.
package api
