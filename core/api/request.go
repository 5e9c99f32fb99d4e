package api

import (
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// A Request is one question of a client, as the driver hands it in. The body is the message of the API
// (*pb.PutRequest and so on) and belongs to the member from now on.
type Request struct {
	// ID is the driver's own and unique in one life of the member; the answer carries it. 0 is not allowed.
	ID   uint64
	Body any
	// Deadline, if not 0, is when the client stops waiting; the member's own timeout (7 s by default) is never
	// exceeded.
	Deadline trace.Instant
	// RequireLeader is the client's `hasleader` metadata: no leader, no answer.
	RequireLeader bool
	// Own marks a question of the server itself (health, what other members ask): rules about what clients may ask of
	// this kind of member do not apply.
	Own   bool
	Cause uint64 // trace: the event that led to this request
}

// A Reply answers a request. Err, if not nil, is an *Error.
type Reply struct {
	ID       uint64
	Response any // *pb.PutResponse and so on, complete with its header
	Err      error
	// Slow is the way that the request took, if it took longer than Config.SlowRequest.
	Slow *SlowRequest
}

// A ReadReady tells the driver that it may now answer a request from its store: every state whose applied index is
// at least Index is new enough. The driver evaluates Body there and completes the answer:
//
//	resp, err := store.Read(r.Body)
//	err = api.Finish(resp, r.Header, err)
//
// For StatusRequest, Partial holds what consensus knows; the driver adds what the store knows.
type ReadReady struct {
	ID      uint64
	Body    any
	Index   uint64
	Header  Header
	Partial *pb.StatusResponse
}

// Header is the identity that every response carries (1.1 of etcd's API: revision is what the read or write saw).
type Header struct {
	ClusterID, MemberID, RaftTerm uint64
	Revision                      int64 // fills in where the handler left 0; 0 itself leaves it
}
