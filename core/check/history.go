package check

import "vitrine/core/trace"

// operation is one request of a client and what became of it.
type operation struct {
	client    int
	call, ret trace.Instant
	request   any
	response  any
	err       error
	answered  bool
}

// History is what clients asked and heard.
type History struct {
	ops []operation
}

// NewHistory makes an empty history.
func NewHistory() *History { return &History{} }

// Invoke records that client sends req: a *pb.RangeRequest, *pb.PutRequest,
// *pb.DeleteRangeRequest, *pb.TxnRequest or *pb.CompactionRequest, which the
// history keeps. It returns the number of the operation.
func (h *History) Invoke(client int, now trace.Instant, req any) (op int) {
	h.ops = append(h.ops, operation{client: client, call: now, request: req})
	return len(h.ops) - 1
}

// Return records the answer to an operation, which the history keeps. An error
// that says that nothing was done (etcd's refusals) is an answer; with any other
// (a timeout, a lost connection) the operation may have happened, may happen
// later, or never. An operation without Return is treated the same.
func (h *History) Return(op int, now trace.Instant, resp any, err error) {
	o := &h.ops[op]
	o.ret, o.response, o.err, o.answered = now, resp, err, true
}

// Len is the number of operations.
func (h *History) Len() int { return len(h.ops) }
