package history

import (
	"errors"
	"testing"

	"vitrine/core/check"
	"vitrine/core/invariant"
	"vitrine/core/model"
	"vitrine/core/pb"
)

func createOn(s *Stream, r *pb.WatchCreateRequest) {
	s.Asked(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}})
}

func cancelOn(s *Stream, id int64) {
	s.Asked(
		&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}})
}

func eventsFor(id int64, fragment bool) *pb.WatchResponse {
	return &pb.WatchResponse{WatchId: id, Fragment: fragment, Events: []*pb.Event{{Kv: &pb.KeyValue{Key: []byte("k")}}}}
}

// TestStreamOfAUser: a watcher is refused to whom the log permits less, and to nobody else.
func TestStreamOfAUser(t *testing.T) {
	made := &pb.WatchResponse{Created: true}
	denied := &pb.WatchResponse{WatchId: -1, Created: true, Canceled: true,
		CancelReason: "rpc error: code = PermissionDenied desc = etcdserver: permission denied"}
	late := &pb.WatchResponse{WatchId: -1, Created: true, Canceled: true, CancelReason: "etcdserver: mvcc: ..."}
	for name, c := range map[string]struct {
		number   int
		start    int64
		want     model.Error
		known    bool
		response *pb.WatchResponse
	}{
		"permitted":                 {0, 0, "", true, made},
		"denied":                    {0, 0, model.ErrPermissionDenied, true, denied},
		"denied, and nobody knows":  {0, 0, "", false, denied},
		"made, though denied":       {invariant.Authorization, 0, model.ErrPermissionDenied, true, made},
		"denied, though permitted":  {invariant.Authorization, 0, "", true, denied},
		"denied for another reason": {invariant.Authorization, 0, model.ErrUserEmpty, true, denied},
		"refused, as it always is":  {0, -1, model.ErrPermissionDenied, true, late},
	} {
		s, create := NewStream(), &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: c.start}
		createOn(s, create)
		if c.known {
			s.Decided(create, c.want)
		}
		var v check.Violation
		if errors.As(s.Received(c.response), &v); v.Number != c.number {
			t.Errorf("%s: I%d, want I%d: %s", name, v.Number, c.number, v.Text)
		}
	}
}

// TestStream plays responses to a stream with three watchers: 0, 5, which takes
// fragments, and a refused one that asked for 5 too.
func TestStream(t *testing.T) {
	made := func(id int64) *pb.WatchResponse { return &pb.WatchResponse{WatchId: id, Created: true} }
	refused := &pb.WatchResponse{WatchId: -1, Created: true, Canceled: true, CancelReason: "duplicate"}
	canceled := func(id int64) *pb.WatchResponse { return &pb.WatchResponse{WatchId: id, Canceled: true} }
	progress := &pb.WatchResponse{WatchId: -1}
	for _, c := range []struct {
		name      string
		number    int // 0 = all is well
		waits     string
		responses []*pb.WatchResponse
	}{
		{"as it should be", 0, "", []*pb.WatchResponse{made(0), made(5), refused, eventsFor(0, false), progress,
			eventsFor(5, true), eventsFor(5, false), canceled(0)}},
		{"canceled for a compaction", 0, "1 requests to cancel",
			[]*pb.WatchResponse{made(0), made(5), refused, {WatchId: 5, Canceled: true, CompactRevision: 9}}},
		{"an answer is missing", 0, "1 requests for watchers", []*pb.WatchResponse{made(0), made(5)}},
		{"the rest is missing", 0, "the rest of a revision", []*pb.WatchResponse{made(0), made(5), refused, canceled(0),
			eventsFor(5, true)}},
		{"another id", invariant.WatchAnswered, "", []*pb.WatchResponse{made(0), made(6)}},
		{"one id twice", invariant.WatchAnswered, "", []*pb.WatchResponse{made(0), made(5), made(5)}},
		{"refused for nothing", invariant.WatchAnswered, "", []*pb.WatchResponse{refused}},
		{"created once more", invariant.WatchAnswered, "", []*pb.WatchResponse{made(0), made(5), refused, made(7)}},
		{"events for nobody", invariant.WatchAnswered, "",
			[]*pb.WatchResponse{made(0), made(5), refused, eventsFor(3, false)}},
		{"events before the answer", invariant.WatchAnswered, "", []*pb.WatchResponse{eventsFor(0, false)}},
		{"events after the end", invariant.WatchAnswered, "", []*pb.WatchResponse{made(0), made(5), refused, canceled(0),
			eventsFor(0, false)}},
		{"canceled twice", invariant.WatchAnswered, "", []*pb.WatchResponse{made(0), made(5), refused, canceled(0),
			canceled(0)}},
		{"canceled for nothing", invariant.WatchAnswered, "", []*pb.WatchResponse{made(0), made(5), refused, canceled(5)}},
		{"a fragment for who wants none", invariant.WatchAtomic, "",
			[]*pb.WatchResponse{made(0), made(5), refused, eventsFor(0, true)}},
		{"something between fragments", invariant.WatchAtomic, "",
			[]*pb.WatchResponse{made(0), made(5), refused, eventsFor(5, true), eventsFor(0, false)}},
	} {
		s := NewStream()
		createOn(s, &pb.WatchCreateRequest{Key: []byte("k")})
		createOn(s, &pb.WatchCreateRequest{Key: []byte("k"), WatchId: 5, Fragment: true})
		createOn(s, &pb.WatchCreateRequest{Key: []byte("k"), WatchId: 5})
		asked, err := false, error(nil)
		for _, r := range c.responses {
			if err = s.Received(r); err != nil {
				break
			}
			if r.WatchId == 0 && r.Created {
				cancelOn(s, 0)
				asked = true
			}
		}
		var v check.Violation
		if errors.As(err, &v); v.Number != c.number || c.number == 0 && asked && s.Waits() != c.waits {
			t.Errorf("%s: %v, waits for %q", c.name, err, s.Waits())
		}
	}
}
