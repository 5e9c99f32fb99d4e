package api

import (
	"reflect"

	"vitrine/core/auth"
	"vitrine/core/pb"
)

// row is what is known of an operation, over messages of any type.
type row struct {
	name, method       string
	message, answer    reflect.Type
	shared             bool
	valid              func(body any, maxTxnOps int) *Error
	learner            func(body any) bool
	route              func(body any) Route
	complete           func(body any, next func() uint64)
	propose            func(into *pb.InternalRaftRequest, body any)
	asked              func(r *pb.InternalRaftRequest) any
	cost               func(body any) int
	header             func(response any) **pb.ResponseHeader
	noRevision         bool
	metric, readMetric string
	permission         func(body any) Permission
	need               func(body any) auth.Need
	describe           func(d *description, body any)
	counts             func(request, response any) (requests, results int64)
	applied, wrote     []string
}

// of is a row in terms of its messages: Q asks, A answers.
type of[Q, A any] struct {
	name   string // as etcd's traces have it
	method string // of gRPC, full
	// shared: the message belongs to another operation, too, which is the one that it stands for by itself.
	shared bool
	// valid tells why a message must be refused before anything else is done with it; nil = nothing can be wrong.
	valid func(q *Q, maxTxnOps int) *Error
	// learner tells whether a learner answers; nil = never.
	learner func(q *Q) bool
	route   func(q *Q) Route
	// complete fills in what must be the same on all members before it is proposed; next draws an id. Nil = nothing.
	complete func(q *Q, next func() uint64)
	// entry is the field of the log's entries that holds such messages; nil = they are not proposed.
	entry func(r *pb.InternalRaftRequest) **Q
	// cost is what the message may add to the database, in bytes; nil = nothing.
	cost func(q *Q) int
	// header is the field of the response that holds its header; nil = it has none.
	header func(a *A) **pb.ResponseHeader
	// noRevision: its header tells no revision.
	noRevision bool
	// metric and readMetric are etcd's labels for the durations of calls that write, and of those that only read.
	metric, readMetric string
	// permission is what a user needs for it, need which keys (PermitKeys).
	permission func(q *Q) Permission
	need       func(q *Q) auth.Need
	// describe puts the message into words, for logs.
	describe func(d *description, q *Q)
	// counts are the figures of etcd's line about a slow call; a may be nil.
	counts func(q *Q, a *A) (requests, results int64)
	// applied are the stations of an entry that was not refused, wrote those of one that has changed pairs.
	applied, wrote []string
}

// row is s without its types.
func (s of[Q, A]) row() row {
	r := row{
		name: s.name, method: s.method, message: reflect.TypeFor[*Q](), answer: reflect.TypeFor[*A](), shared: s.shared,
		noRevision: s.noRevision,
		metric:     s.metric, readMetric: s.readMetric, applied: s.applied, wrote: s.wrote,
		route:      func(body any) Route { return s.route(body.(*Q)) },
		permission: func(body any) Permission { return s.permission(body.(*Q)) },
	}
	if s.valid != nil {
		r.valid = func(body any, maxTxnOps int) *Error { return s.valid(body.(*Q), maxTxnOps) }
	}
	if s.learner != nil {
		r.learner = func(body any) bool {
			q, _ := body.(*Q) // nil of a stream that has not said yet what it wants
			return s.learner(q)
		}
	}
	if s.complete != nil {
		r.complete = func(body any, next func() uint64) { s.complete(body.(*Q), next) }
	}
	if s.entry != nil {
		r.propose = func(into *pb.InternalRaftRequest, body any) { *s.entry(into) = body.(*Q) }
		r.asked = func(e *pb.InternalRaftRequest) any {
			if q := *s.entry(e); q != nil {
				return q
			}
			return nil
		}
	}
	if s.cost != nil {
		r.cost = func(body any) int { return s.cost(body.(*Q)) }
	}
	if s.header != nil {
		r.header = func(response any) **pb.ResponseHeader { return s.header(response.(*A)) }
	}
	if s.need != nil {
		r.need = func(body any) auth.Need { return s.need(body.(*Q)) }
	}
	if s.describe != nil {
		r.describe = func(d *description, body any) { s.describe(d, body.(*Q)) }
	}
	if s.counts != nil {
		r.counts = func(request, response any) (int64, int64) {
			a, _ := response.(*A)
			return s.counts(request.(*Q), a)
		}
	}
	return r
}

// always and the like are columns that do not depend on the message.
func always[Q any](*Q) bool { return true }

func by[Q any](r Route) func(*Q) Route { return func(*Q) Route { return r } }

func needs[Q any](p Permission) func(*Q) Permission { return func(*Q) Permission { return p } }
