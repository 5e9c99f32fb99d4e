// Package history judges what clients asked and heard.
//
// A History takes the operations of clients and asks whether some order of them,
// one after the other, explains every answer (linearizability), and whether
// watches were ordered, unique, reliable, atomic, resumable and bookmarkable. With
// the log the order is known and only has to be held to the answers; without it a
// search must do (porcupine).
//
//	log := fold.New()
//	h := history.New(log)
//	op := h.Invoke(client, now, request)
//	h.Return(op, later, response, err)
//	log.Entries(committed)         // what members apply
//	err := h.Check()               // nil, or a check.Violation
//
// What comes is held to the log at once, as far as the log shows it then; Check
// does the rest and gives the verdict. For hours of it, Cut judges now and then
// and forgets what is long over. A Stream holds one watch stream to its protocol,
// response by response.
package history

import (
	"math"

	"vitrine/core/check/fold"
	"vitrine/core/model"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// History is what clients asked and heard, and what the log says about it.
type History struct {
	known   *replayed
	ops     []operation
	dropped int // operations before ops
	watches []*Watch
	marks   []mark
	since   trace.Instant // when what is kept of the log began
	lost    map[name]bool // requests without an answer that were forgotten
}

// mark says how far the log was known at some moment.
type mark struct {
	now   trace.Instant
	index uint64
	rev   int64
}

// operation is one request of a client and what became of it.
type operation struct {
	client    int
	call, ret trace.Instant
	request   any
	response  any
	err       error
	answered  bool
	gone      bool // checked and forgotten
	reads     bool // and cannot change anything
	local     bool // it may be answered from a member's own state

	place int64 // of its answer, see candidate
	name  name  // 0 = not looked up yet
	// What is known by the log, once it has been looked up.
	write     *written // the request in the log that it is
	explained int      // the era, from 1 on, in which the model gives this answer to a read
}

// New makes an empty history. What the log is told of from now on the history
// knows, too: then the fate of operations without an answer is known, and
// serializable reads and watches can be checked. Without a log (nil) a search must
// do.
func New(log *fold.Fold) *History {
	h := &History{known: newReplayed(), lost: map[name]bool{}}
	if log != nil {
		log.Follow(h.known)
	}
	return h
}

// Invoke records that client sends req: a *pb.RangeRequest, *pb.PutRequest,
// *pb.DeleteRangeRequest, *pb.TxnRequest, *pb.CompactionRequest or
// *pb.AlarmRequest, which the history keeps. It returns the number of the operation.
func (h *History) Invoke(client int, now trace.Instant, req any) (op int) {
	h.ops = append(h.ops, operation{client: client, call: now, request: req, reads: readOnly(req),
		local: serializable(req)})
	return h.dropped + len(h.ops) - 1
}

// Return records the answer to an operation, which the history keeps. An error
// that says that nothing was done (model.Refusal) is an answer; with any other
// (a timeout, a lost connection) the operation may have happened, may happen
// later, or never. An operation without Return is treated the same.
func (h *History) Return(op int, now trace.Instant, resp any, err error) {
	if op < h.dropped {
		return // unanswered for so long that it was counted as unknown
	}
	if o := &h.ops[op-h.dropped]; !o.gone {
		o.ret, o.response, o.err, o.answered = now, resp, err, true
		h.known.settle(o)
	}
}

// Own tells of a proposal that a member makes by itself: whatever it asks for, no client has.
func (h *History) Own(proposal uint64) { h.known.own[proposal] = true }

// Len is the number of operations that are kept.
func (h *History) Len() int { return len(h.ops) }

// Check asks whether some order of the operations, each at one moment between
// its call and its return, explains every answer, and whether every watch kept
// its promises. It returns nil, or a check.Violation of Linearizable, Serializable or
// one of the promises of watches.
func (h *History) Check() error { return h.check(h.known) }

func (h *History) check(l *replayed) error {
	if err := h.linearizable(l); err != nil {
		return err
	}
	if err := h.alarmsAnswered(l); err != nil {
		return err
	}
	for _, w := range h.watches {
		if w.broken != nil {
			return w.broken
		}
	}
	return nil
}

// outcome is what is known about an operation.
type outcome int

const (
	unknown   outcome = iota // it may have happened
	succeeded                // with a response
	refused                  // with an error of the model
	void                     // it certainly had no effect that anyone could see
)

// outcome classifies the operation.
func (o *operation) outcome() outcome {
	switch {
	case o.gone, o.alarm() != nil:
		return void // alarms: see alarmsAnswered
	case o.answered && o.err == nil:
		return succeeded
	case o.answered && model.Refusal(o.err):
		switch text := model.Error(o.err.Error()); text {
		case model.ErrNoSpace, model.ErrCorrupt, model.ErrTooLarge, model.ErrTooManyOps:
			return void // by quotas, flags and alarms, of which nobody keeps when they were up
		case model.ErrUserEmpty, model.ErrPermissionDenied, model.ErrOldAuthRevision, model.ErrUserNotFound,
			model.ErrInvalidToken:
			return void // see the judge, who knows who asked
		case model.ErrFutureRev, model.ErrCompacted:
			if o.local {
				return void // so it was at that member
			}
		}
		return refused
	case o.reads:
		return void // a read that failed did nothing
	}
	return unknown
}

// readOnly reports whether a request cannot change anything.
func readOnly(request any) bool {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return true
	case *pb.TxnRequest:
		return pb.ReadOnly(r)
	}
	return false
}

// serializable reports whether a read may answer from a member's own state.
func serializable(request any) bool {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return r.Serializable
	case *pb.TxnRequest:
		return pb.Serializable(r)
	}
	return false
}

// never is later than any moment.
const never = trace.Instant(math.MaxInt64)
