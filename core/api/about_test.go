package api

import (
	"testing"

	"vitrine/core/pb"
)

// TestAbout: the event of a call's arrival names the member that it is to change.
func TestAbout(t *testing.T) {
	for _, c := range []struct {
		body any
		want uint64
	}{
		{&pb.MemberPromoteRequest{ID: 4}, 4}, {&pb.MemberRemoveRequest{ID: 5}, 5}, {&pb.MemberUpdateRequest{ID: 6}, 6},
		{&pb.MemberAddRequest{}, 0}, {&pb.PutRequest{Lease: 8}, 0},
	} {
		if got := about(c.body); got != c.want {
			t.Errorf("%T is about %d, want %d", c.body, got, c.want)
		}
	}
}
