package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// TestLeaseQuestions: what another member asks about leases is answered, or refused with a status that tells it why.
func TestLeaseQuestions(t *testing.T) {
	f := &fake{}
	h := Peer(f, zap.NewNop(), http.NotFoundHandler())
	ask := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	f.ask = func(c api.Call) (any, error) {
		if !c.Identity.Forwarded || !c.Identity.Own {
			t.Errorf("asked as %+v", c.Identity)
		}
		if r, ok := c.Body.(*pb.LeaseTimeToLiveRequest); ok {
			return &pb.LeaseTimeToLiveResponse{Header: &pb.ResponseHeader{MemberId: 9}, ID: r.ID, TTL: 5, GrantedTTL: 6}, nil
		}
		return &pb.LeaseKeepAliveResponse{Header: &pb.ResponseHeader{MemberId: 9}, ID: c.Body.(*pb.LeaseKeepAliveRequest).ID,
			TTL: 60}, nil
	}
	for _, c := range []struct {
		method, path, body string
		code               int
		answer             string
	}{
		{"POST", "/leases", "\x08\x07", 200, "\x10\x07\x18\x3c"},
		{"POST", "/leases/internal", "\x0a\x02\x08\x07", 200, "\x0a\x08\x0a\x00\x10\x07\x18\x05\x20\x06"},
		{"POST", "/leases/internal", "", 200, "\x0a\x06\x0a\x00\x18\x05\x20\x06"},
		{"GET", "/leases", "", 405, "Method Not Allowed\n"},
		{"POST", "/leases", "\xff", 400, "error unmarshalling request\n"},
		{"POST", "/leases", strings.Repeat("x", limits.QuestionBytes+1), 413, "request body too large\n"},
	} {
		if code, answer := ask(c.method, c.path, c.body); code != c.code || answer != c.answer {
			t.Errorf("%s %s %.20q: %d %q, want %d %q", c.method, c.path, c.body, code, answer, c.code, c.answer)
		}
	}
	for _, c := range []struct {
		err         error
		renew, left int
	}{
		{api.ErrLeaseNotFound, 404, 404}, {api.ErrNotLeader, 400, 500}, {api.ErrTimeout, 408, 408},
		{errors.New("else"), 400, 500},
	} {
		f.ask = func(api.Call) (any, error) { return nil, c.err }
		if code, _ := ask("POST", "/leases", "\x08\x07"); code != c.renew {
			t.Errorf("a renewal with %v: %d", c.err, code)
		}
		if code, _ := ask("POST", "/leases/internal", "\x0a\x02\x08\x07"); code != c.left {
			t.Errorf("time to live with %v: %d", c.err, code)
		}
	}
}
