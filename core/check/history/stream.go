package history

import (
	"fmt"
	"strings"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"
)

// Stream holds one watch stream, as its client sees it, to what is promised of
// streams (I31), and to I22 where a revision comes in fragments: each create is
// answered once and in order, with the id that was asked for or a free one, and
// refused to whom the log permits less (I17); a cancel is answered once if there is
// something to cancel; and nothing comes for a watcher that is not there, before
// or after.
type Stream struct {
	creates []*pb.WatchCreateRequest // not answered yet
	live    map[int64]*pb.WatchCreateRequest
	cancels map[int64]bool // were asked for
	owed    map[int64]bool // of watchers that were there when the client asked
	open    int64          // the watcher whose fragments are not complete
	partial bool
	// What the member has had to decide about creates that are not answered yet, the oldest first: how the watcher is to
	// be refused to the user of the stream, "" = not at all. Nothing where nobody knows.
	decided []decision
}

type decision struct {
	create *pb.WatchCreateRequest
	denial model.Error
}

// NewStream is a stream on which nothing has been asked.
func NewStream() *Stream {
	return &Stream{live: map[int64]*pb.WatchCreateRequest{}, cancels: map[int64]bool{}, owed: map[int64]bool{}}
}

// allWatchers is the watch id of answers about no watcher or all of them.
const allWatchers = -1

// Asked records what the client sends. Call it in the order of sending.
func (s *Stream) Asked(r *pb.WatchRequest) {
	switch r := r.GetRequestUnion().(type) {
	case *pb.WatchRequest_CreateRequest:
		s.creates = append(s.creates, r.CreateRequest)
	case *pb.WatchRequest_CancelRequest:
		id := r.CancelRequest.GetWatchId()
		s.cancels[id] = true
		if s.live[id] != nil {
			s.owed[id] = true
		}
	}
}

// Decided records how a watcher is to be refused to who asks for it, "" = not at all, as its member gets the request.
func (s *Stream) Decided(create *pb.WatchCreateRequest, denial model.Error) {
	s.decided = append(s.decided, decision{create, denial})
}

// denial is how the watcher of a create is to be refused, and whether that is known.
func (s *Stream) denial(create *pb.WatchCreateRequest) (model.Error, bool) {
	if len(s.decided) == 0 || s.decided[0].create != create {
		return "", false
	}
	d := s.decided[0].denial
	s.decided = s.decided[1:]
	return d, true
}

// Received holds a response to what was asked. It returns nil, or a Violation
// without a time.
func (s *Stream) Received(r *pb.WatchResponse) error {
	switch {
	case s.partial && (r.WatchId != s.open || r.Created || r.Canceled):
		return torn(r, "came between the fragments of watcher %d", s.open)
	case r.Created:
		return s.created(r)
	case r.WatchId == allWatchers:
		if r.Canceled || len(r.Events) > 0 {
			return unasked(r, "is for no watcher")
		}
		return nil
	}
	create := s.live[r.WatchId]
	switch {
	case create == nil:
		return unasked(r, "is for a watcher that is not there")
	case r.Canceled:
		return s.canceled(r)
	case r.Fragment && !create.Fragment:
		return torn(r, "is a fragment, which nobody asked for")
	case r.Fragment && len(r.Events) == 0:
		return torn(r, "is a fragment of nothing")
	}
	s.open, s.partial = r.WatchId, r.Fragment
	return nil
}

// created takes the answer to the oldest create request.
func (s *Stream) created(r *pb.WatchResponse) error {
	if len(s.creates) == 0 {
		return unasked(r, "answers no request")
	}
	create := s.creates[0]
	s.creates = s.creates[1:]
	taken := create.WatchId != 0 && s.live[create.WatchId] != nil
	want, known := s.denial(create)
	denied := r.Canceled && isDenial(r.CancelReason)
	switch {
	case known && create.StartRevision >= 0 && denied != (want != ""),
		denied && want != "" && !strings.HasSuffix(r.CancelReason, string(want)):
		return streamError(invariant.Authorization, r, "says %q, by the log it should be %q", r.CancelReason, want)
	case r.Canceled && r.WatchId != allWatchers:
		return unasked(r, "refuses a watcher and gives it an id")
	case denied:
		return nil
	case r.Canceled:
		if !taken && create.StartRevision >= 0 && !emptyRange(create) {
			return unasked(r, "refuses a watcher that could have been: %s", r.CancelReason)
		}
		return nil
	case taken || s.live[r.WatchId] != nil:
		return unasked(r, "gives one id to two watchers")
	case r.WatchId < 0 || create.WatchId != 0 && create.WatchId != r.WatchId:
		return unasked(r, "is not the id %d that was asked for", create.WatchId)
	}
	s.live[r.WatchId] = create
	return nil
}

// isDenial tells whether a watcher was refused for who asks.
func isDenial(reason string) bool {
	for _, e := range [...]model.Error{
		model.ErrUserEmpty, model.ErrPermissionDenied, model.ErrOldAuthRevision, model.ErrInvalidToken,
	} {
		if strings.HasSuffix(reason, string(e)) {
			return true
		}
	}
	return false
}

func emptyRange(r *pb.WatchCreateRequest) bool {
	end := string(r.RangeEnd)
	return end != "" && end != "\x00" && end <= string(r.Key)
}

// canceled takes the end of a live watcher.
func (s *Stream) canceled(r *pb.WatchResponse) error {
	if r.CompactRevision == 0 && r.CancelReason == "" && !s.cancels[r.WatchId] {
		return unasked(r, "cancels a watcher for no reason")
	}
	delete(s.live, r.WatchId)
	delete(s.owed, r.WatchId)
	return nil
}

// Waits says for what the stream still owes an answer, "" if for nothing.
func (s *Stream) Waits() string {
	if len(s.creates) > 0 {
		return fmt.Sprintf("%d requests for watchers", len(s.creates))
	}
	if len(s.owed) > 0 {
		return fmt.Sprintf("%d requests to cancel", len(s.owed))
	}
	if s.partial {
		return "the rest of a revision"
	}
	return ""
}

func unasked(r *pb.WatchResponse, format string, args ...any) error {
	return streamError(invariant.WatchAnswered, r, format, args...)
}

func torn(r *pb.WatchResponse, format string, args ...any) error {
	return streamError(invariant.WatchAtomic, r, format, args...)
}

func streamError(number int, r *pb.WatchResponse, format string, args ...any) error {
	return check.Violation{Number: number,
		Text: fmt.Sprintf("a response with watch id %d (created %t, canceled %t, %d events) ", r.WatchId, r.Created,
			r.Canceled, len(r.Events)) +
			fmt.Sprintf(format, args...)}
}
