package api

import (
	"vitrine/core/auth"
	"vitrine/core/lease"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/trace"
)

// A Call is one question to a member, by whichever way it came in. The body is the message of the API (*pb.PutRequest
// and so on) and belongs to the member from now on.
type Call struct {
	// ID is the driver's own and unique in one life of the member; the answer carries it. 0 is not allowed.
	ID uint64
	// Operation is what is asked. Ways in that serve one operation know it; 0 = it follows from the body.
	Operation Operation
	Body      any
	Identity  Identity
	// Deadline, if not 0, is when the client stops waiting; the member's own timeout (7 s by default) is never
	// exceeded.
	Deadline trace.Instant
	// RequireLeader is the client's `hasleader` metadata: no leader, no answer.
	RequireLeader bool
	Cause         uint64 // trace: the event that led to this call
}

// Identity is who asks, as far as it is known where the call comes in. The zero value is a client that shows nothing.
type Identity struct {
	// Own marks a question of the server itself (health, what other members ask): rules about what clients may ask of
	// this kind of member do not apply, and it may do all.
	Own bool
	// Token is what the client shows, "" if nothing. A simple token is the member's to look up. Of a signed one, which
	// the driver has read, Signed is what it says, or Forged tells that it says nothing.
	Token  string
	Signed auth.Identity
	Forged bool
	// CommonName is that of the client's certificate, if Certified. Without a token, it is the user.
	CommonName string
	Certified  bool
	// Forwarded marks a client's question that another member passes on: it is not passed on again.
	Forwarded bool
}

// operation is what a call asks, given or found.
func (c *Call) operation() Operation {
	if c.Operation != NoOperation {
		return c.Operation
	}
	return OperationOf(c.Body)
}

// A Reply answers a call. Err, if not nil, is an *Error.
type Reply struct {
	ID       uint64
	Response any // *pb.PutResponse and so on, complete with its header
	Err      error
	// Slow is the way that the request took, if it took longer than Config.SlowRequest.
	Slow *SlowRequest
}

// A ReadReady tells the driver that it may now answer a call from its store: every state whose applied index is at
// least Index is new enough. The driver evaluates Body there and completes the answer:
//
//	resp, err := store.Read(r.Body)
//	resp, err = r.Finish(resp, err)
//
// For StatusRequest, Partial holds what consensus knows; the driver adds what the store knows.
type ReadReady struct {
	ID        uint64
	Operation Operation
	Body      any
	Index     uint64
	Header    Header
	Partial   *pb.StatusResponse
	Who       auth.Identity // may read if Allowed says so: before it is read, and under the same lock

	lease  *pb.LeaseTimeToLiveResponse // without its keys
	leases []lease.Status
}

// Allowed tells why a call must not read from a store, nil if it may. The store may know of users of whom the member
// has not heard yet.
func (r *ReadReady) Allowed(s *store.Store) error {
	if !s.Auth.Enabled() {
		return nil
	}
	return s.Authorize(r.Who, r.Operation.Need(r.Body))
}

// Finish completes the answer to a read: it fills the header, or maps the error to what a client hears. The response is
// changed in place; it must be the caller's own.
func (r *ReadReady) Finish(resp any, err error) (any, error) {
	if err == nil {
		r.finishLease(resp)
	}
	return r.Operation.finish(resp, r.Header, err)
}

// Header is the identity that every response carries (1.1 of etcd's API: revision is what the read or write saw).
type Header struct {
	ClusterID, MemberID, RaftTerm uint64
	Revision                      int64 // fills in where the handler left 0; 0 itself leaves it
}

// Response is h as a message.
func (h Header) Response() *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: h.ClusterID, MemberId: h.MemberID, RaftTerm: h.RaftTerm, Revision: h.Revision}
}

// finish completes the answer to an operation.
func (o Operation) finish(resp any, h Header, err error) (any, error) {
	if err != nil {
		return nil, AsError(err)
	}
	if header := o.row().header; header != nil {
		slot := header(resp)
		if *slot == nil {
			*slot = &pb.ResponseHeader{}
		}
		(*slot).ClusterId, (*slot).MemberId, (*slot).RaftTerm = h.ClusterID, h.MemberID, h.RaftTerm
		if (*slot).Revision == 0 {
			(*slot).Revision = h.Revision
		}
	}
	return resp, nil
}
