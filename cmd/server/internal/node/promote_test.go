package node

import (
	"errors"
	"testing"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// TestPromotionAnswers: what a leader, ours or etcd's, says of a promotion that was passed on to it.
func TestPromotionAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   error // nil = any, if the status is not 200
	}{
		{404, "membership: ID not found\n", api.ErrMemberNotFound},
		{412, "etcdserver: can only promote a learner member which is in sync with leader\n", api.ErrLearnerNotReady},
		{412, "membership: can only promote a learner member\n", api.ErrMemberNotLearner},
		{412, "else", nil}, {500, `{"message":"Internal Server Error"}`, nil}, {200, "{", nil},
	} {
		got, err := promotion(c.status, []byte(c.body))
		if got != nil || err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && final(api.AsError(err)) {
			t.Errorf("%d %s: %v %v", c.status, c.body, got, err)
		}
	}
	got, err := promotion(200, []byte(`[{"id":7,"peerURLs":["u"],"isLearner":true}]`))
	if r, ok := got.(*pb.MemberPromoteResponse); err != nil || !ok || len(r.Members) != 1 || r.Members[0].ID != 7 {
		t.Errorf("%v %v", got, err)
	}
}
