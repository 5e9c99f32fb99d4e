package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// TestPromote: what another member asks, whose client shows a token, and what it is told.
func TestPromote(t *testing.T) {
	var asked api.Call
	var fails error
	_, peers := ports(&fake{leader: 1, ask: func(c api.Call) (any, error) {
		if asked = c; fails != nil {
			return nil, fails
		}
		return &pb.MemberPromoteResponse{Members: []*pb.Member{{ID: 7, PeerURLs: []string{"u"}, Name: "n"}}}, nil
	}})
	const learners = "membership: can only promote a learner member"
	for _, c := range []struct {
		method, path string
		fails        error
		status       int
		body         string
	}{
		{http.MethodPost, "/members/promote/7", nil, 200, `[{"id":7,"peerURLs":["u"],"name":"n"}]`},
		{http.MethodGet, "/members/promote/7", nil, 405, "Method Not Allowed"},
		{http.MethodPost, "/members/promote/x", nil, 404, "member x not found in cluster"},
		{http.MethodPost, "/members/promote/7", api.ErrMemberNotFound, 404, "membership: ID not found"},
		{http.MethodPost, "/members/promote/7", api.ErrMemberNotLearner, 412, learners},
		{http.MethodPost, "/members/promote/7", api.ErrLearnerNotReady, 412, api.ErrLearnerNotReady.Text},
		{http.MethodPost, "/members/promote/7", errors.New("else"), 500, `{"message":"Internal Server Error"}`},
	} {
		fails = c.fails
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Authorization", "token")
		w := httptest.NewRecorder()
		peers.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.body {
			t.Errorf("%s %s, %v: %d %s", c.method, c.path, c.fails, w.Code, got)
		}
		if c.status == 200 && (!asked.Identity.Forwarded || asked.Identity.Own || asked.Identity.Token != "token" ||
			w.Header().Get("X-Etcd-Cluster-ID") != "c1") {
			t.Errorf("asks %+v, answers with %v", asked, w.Header())
		}
	}
}
