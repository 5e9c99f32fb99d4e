package history

import (
	"fmt"
	"slices"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"
)

// alarm is the request of an operation on alarms, nil if it is none.
func (o *operation) alarm() *pb.AlarmRequest {
	r, _ := o.request.(*pb.AlarmRequest)
	return r
}

// alarmsAnswered holds answers about alarms to the log. Their header says at which
// revision they were given, not at which they were found, so that they have no
// place among the revisions: each is what the model says to an entry of its own.
func (h *History) alarmsAnswered(l *replayed) error {
	if !l.known() {
		return nil
	}
	for i := range h.ops {
		o := &h.ops[i]
		if o.gone || o.alarm() == nil || !o.answered || o.err != nil || o.write != nil || o.call < h.since {
			continue
		}
		at := slices.IndexFunc(l.writes, func(w *written) bool {
			return !w.claimed && w.response != nil && l.shows(w, o) && sameBody(o.response, w.response)
		})
		if at < 0 {
			return check.Violation{Number: invariant.Linearizable, Now: o.ret, Text: fmt.Sprintf(
				"the log does not give the answer to operation %d: %s -> %d alarms", h.dropped+i, words(o.request),
				len(o.response.(*pb.AlarmResponse).Alarms))}
		}
		l.writes[at].claimed, o.write = true, l.writes[at]
	}
	return nil
}

// keptOut reports whether an alarm is said to have refused the operation.
func (o *operation) keptOut() bool {
	return o.answered && o.err != nil && (o.err.Error() == string(model.ErrNoSpace) ||
		o.err.Error() == string(model.ErrCorrupt))
}
