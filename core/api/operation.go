package api

import (
	"reflect"

	"vitrine/core/pb"
)

// Operation is the kind of a call, as a number for events and metrics. Numbers are stable. What is known of an
// operation is a row of one table (operations.go).
type Operation uint8

// The operations that members answer.
const (
	NoOperation Operation = 0
	Range       Operation = 1
	Put         Operation = 2
	DeleteRange Operation = 3
	Txn         Operation = 4
	Compact     Operation = 5
	Watch       Operation = 6
	RangeStream Operation = 7
	Status      Operation = 20
	HashKV      Operation = 21
	Hash        Operation = 22
	Alarm       Operation = 23
	MoveLeader  Operation = 24
	Snapshot    Operation = 25
	Defragment  Operation = 26
	Downgrade   Operation = 27

	MemberList    Operation = 30
	MemberAdd     Operation = 31
	MemberRemove  Operation = 32
	MemberUpdate  Operation = 33
	MemberPromote Operation = 34

	AuthEnable               Operation = 40
	AuthDisable              Operation = 41
	AuthStatus               Operation = 42
	Authenticate             Operation = 43
	AuthUserAdd              Operation = 44
	AuthUserGet              Operation = 45
	AuthUserList             Operation = 46
	AuthUserDelete           Operation = 47
	AuthUserChangePassword   Operation = 48
	AuthUserGrantRole        Operation = 49
	AuthUserRevokeRole       Operation = 50
	AuthRoleAdd              Operation = 51
	AuthRoleGet              Operation = 52
	AuthRoleList             Operation = 53
	AuthRoleDelete           Operation = 54
	AuthRoleGrantPermission  Operation = 55
	AuthRoleRevokePermission Operation = 56
	LeaseGrant               Operation = 60
	LeaseRevoke              Operation = 61
	LeaseKeepAlive           Operation = 62
	LeaseTimeToLive          Operation = 63
	LeaseLeases              Operation = 64

	// Operations is one more than the highest.
	Operations = len(operations)
)

// A Route is the way of an operation through a member.
type Route uint8

// The routes.
const (
	NoRoute      Route = iota
	Propose            // into the log; answered when it is applied
	Hashed             // the same, when the password in it is hashed
	Login              // the same, when the password is found to be the user's
	ReadIndex          // from a store that is as new as the commit index of the leader
	Serializable       // from this member's store as it is; its driver may answer without asking the member
	Local              // about this member: it answers at once, or lets its driver do so
	Leader             // by the leader, who must have led after it was asked; other members pass it on
	Lead               // a change of leader: answered when there is another one
	Configure          // a change of the members, into the log; answered when it is applied
	Promotion          // the same, by the leader, who knows how far a learner is; other members pass it on
	Downgrading        // by ReadIndex, then perhaps into the log
	Driver             // by the driver, of which the member hears nothing
	Stream             // inputs and outputs of its own (member.WatchOpen and so on)
)

// Writes tells whether a call on this route ends in the log.
func (r Route) Writes() bool {
	return r == Propose || r == Hashed || r == Login || r == Configure || r == Promotion
}

// row is what is known of o; that of an unknown operation is empty.
func (o Operation) row() *row {
	if int(o) < len(operations) {
		return &operations[o]
	}
	return &operations[NoOperation]
}

// String is the name of the operation, as etcd's traces have it where they have one.
func (o Operation) String() string {
	if name := o.row().name; name != "" {
		return name
	}
	return "unknown"
}

// Method is the full name of the operation's RPC, "/etcdserverpb.KV/Put".
func (o Operation) Method() string { return o.row().method }

// Messages are the types of what its RPC is asked and of what it answers, each a pointer to a message.
func (o Operation) Messages() (asked, answered reflect.Type) { return o.row().message, o.row().answer }

// Route is the way that a call with this body takes.
func (o Operation) Route(body any) Route {
	if route := o.row().route; route != nil {
		return route(body)
	}
	return NoRoute
}

// Cost is what the body may add to the database, in bytes, 0 if nothing.
func (o Operation) Cost(body any) int {
	if cost := o.row().cost; cost != nil {
		return cost(body)
	}
	return 0
}

// Metric is etcd's label for the durations of an operation that writes, or of one that only reads; "" = none are kept.
func (o Operation) Metric(writes bool) string {
	if writes {
		return o.row().metric
	}
	return o.row().readMetric
}

// Counts are how many requests and how many results etcd's line about a slow call tells of; ok is false where it
// tells of none. The response may be nil.
func (o Operation) Counts(request, response any) (requests, results int64, ok bool) {
	if counts := o.row().counts; counts != nil {
		requests, results = counts(request, response)
		return requests, results, true
	}
	return 0, 0, false
}

func (o Operation) learnerToo(body any) bool {
	too := o.row().learner
	return too != nil && too(body)
}

func (o Operation) validate(body any, maxTxnOps int) *Error {
	if valid := o.row().valid; valid != nil {
		return valid(body, maxTxnOps)
	}
	return nil
}

// OperationOf tells what kind of call a message makes; NoOperation if members answer none of its kind. A range may be
// streamed, too, which its message does not say.
func OperationOf(body any) Operation { return byType[reflect.TypeOf(body)] }

// Asked finds the operation that an entry of the log came from, and its message; NoOperation if no client asks for
// such.
func Asked(r *pb.InternalRaftRequest) (Operation, any) {
	for o := range operations {
		if asked := operations[o].asked; asked != nil {
			if body := asked(r); body != nil {
				return Operation(o), body
			}
		}
	}
	return NoOperation, nil
}

// byType finds an operation by the type of its message.
var byType = func() map[reflect.Type]Operation {
	index := map[reflect.Type]Operation{}
	for o := range operations {
		if t := operations[o].message; t != nil && !operations[o].shared {
			index[t] = Operation(o)
		}
	}
	return index
}()
