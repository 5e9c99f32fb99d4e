package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/telemetry"
	versions "vitrine/cmd/server/internal/version"
	"vitrine/core/api"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// fake is a member in whatever state a test wants.
type fake struct {
	ask     func(c api.Call) (any, error)
	leader  uint64
	learner bool
	alarms  []*pb.AlarmMember
}

func (f *fake) Ask(ctx context.Context, c api.Call) (any, error) {
	if f.ask != nil {
		return f.ask(c)
	}
	return f.AskOwn(ctx, c.Body)
}
func (f *fake) AskOwn(_ context.Context, request any) (any, error) {
	if r, ok := request.(*pb.RangeRequest); ok && r.Serializable || f.leader != 0 {
		switch request.(type) {
		case *pb.HashKVRequest:
			return &pb.HashKVResponse{Header: &pb.ResponseHeader{Revision: 7}, Hash: 5}, nil
		}
		return &pb.RangeResponse{}, nil
	}
	return nil, api.ErrTimeout
}
func (f *fake) Identify(token string) api.Identity {
	return api.Identity{Token: token, Forged: token == ""}
}
func (f *fake) Alarms() []*pb.AlarmMember    { return f.alarms }
func (f *fake) Leader() uint64               { return f.leader }
func (f *fake) Learner() bool                { return f.learner }
func (f *fake) ClusterID() uint64            { return 0xc1 }
func (f *fake) Members() *membership.Members { return membership.New(1) }
func (f *fake) StorageVersion() string       { return "3.7.0" }
func (f *fake) Figures() telemetry.Figures   { return telemetry.Figures{ID: 1} }
func (f *fake) WriteRecording(w io.Writer, version, commit string) error {
	_, err := io.WriteString(w, version+" "+commit)
	return err
}

// ports are the handlers of the client port and the peer port.
func ports(f *fake) (client, peers http.Handler) {
	client = Client(Config{Node: f, Log: zap.NewNop(), Registry: Registry()})
	return client, Peer(f, zap.NewNop(), http.NotFoundHandler())
}

// A learner is well; only what asks whether it votes fails. A member without a leader is alive, and not ready.
func TestHealth(t *testing.T) {
	voter, learner, alone := &fake{leader: 1}, &fake{leader: 1, learner: true}, &fake{}
	corrupt := &fake{leader: 1, alarms: []*pb.AlarmMember{{MemberID: 1, Alarm: pb.AlarmType_CORRUPT}}}
	full := &fake{leader: 1, alarms: []*pb.AlarmMember{{MemberID: 1, Alarm: pb.AlarmType_NOSPACE}}}
	for _, c := range []struct {
		path string
		of   *fake
		code int
		body string
	}{
		{"/health", voter, 200, `"true"`}, {"/readyz", voter, 200, "ok\n"},
		{"/readyz?verbose", voter, 200, "[+]linearizable_read ok"},
		{"/health", learner, 200, `"true"`}, {"/livez", learner, 200, "ok\n"},
		{"/readyz/linearizable_read", learner, 200, "ok\n"},
		{"/readyz", learner, 503, "[-]non_learner failed: not supported for learner"},
		{"/readyz?exclude=non_learner", learner, 200, "ok\n"},
		{"/health", alone, 503, "RAFT NO LEADER"}, {"/health?serializable=true", alone, 200, `"true"`},
		{"/livez", alone, 200, "ok\n"},
		{"/readyz", alone, 503, "[-]linearizable_read failed: etcdserver: request timed out"},
		{"/readyz?exclude=linearizable_read", alone, 200, "ok\n"},
		{"/health", corrupt, 503, "ALARM CORRUPT"}, {"/health?exclude=CORRUPT", corrupt, 200, `"true"`},
		{"/readyz/data_corruption", corrupt, 503, "alarm activated: CORRUPT"},
		{"/health", full, 503, "ALARM NOSPACE"}, {"/readyz", full, 200, "ok\n"}, {"/health/", voter, 404, ""},
		{"/readyz/nonsense", voter, 404, ""},
	} {
		client, _ := ports(c.of)
		if w := get(client, c.path); w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s of %+v: %d %q, want %d with %q", c.path, c.of, w.Code, w.Body, c.code, c.body)
		}
	}
	_, peers := ports(learner)
	if w := get(peers, "/downgrade/enabled"); w.Code != 200 || w.Body.String() != "false" {
		t.Errorf("what a member asks a learner: %d %q", w.Code, w.Body)
	}
}

// FuzzHTTP: whatever a stranger sends, both ports answer in a few words with a code that they know, and health says
// what its code says.
func FuzzHTTP(f *testing.F) {
	for _, target := range []string{
		"/health", "/health?exclude=NOSPACE&serializable=true", "/readyz?exclude=a&exclude=linearizable_read&verbose",
		"/livez/serializable_read?%zz;",
		"/version", "/metrics", "/debug/vars", "/members", "/members/hashkv", "/downgrade/enabled", "/raft", "//health",
		"/%2e%2e/health", "/ui/../version",
	} {
		f.Add("GET", target, []byte(`{"revision":6}`), uint8(1))
	}
	f.Add("POST", "/members/hashkv", []byte("{"), uint8(7))
	f.Add("OPTIONS", "/health", []byte{0xff}, uint8(2))
	f.Fuzz(func(t *testing.T, method, target string, body []byte, state uint8) {
		u, err := url.ParseRequestURI(target)
		if err != nil || strings.HasPrefix(u.Path, "/metrics") { // its size is that of the registry
			return
		}
		member := &fake{leader: uint64(state & 1), learner: state&2 != 0}
		if state&4 != 0 {
			member.alarms = []*pb.AlarmMember{{MemberID: 1, Alarm: pb.AlarmType(state >> 3)}}
		}
		client, peers := ports(member)
		for _, h := range []http.Handler{client, peers} {
			r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(string(body)))
			r.Method, r.URL, r.RequestURI = method, u, target
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			switch w.Code {
			case 200, 301, 307, 400, 404, 405, 500, 503:
			default:
				t.Errorf("%s %s: code %d", method, target, w.Code)
			}
			if w.Body.Len() > 4<<10+4*len(target) && !strings.HasPrefix(u.Path, "/debug/") {
				t.Errorf("%s %s: an answer of %d bytes", method, target, w.Body.Len())
			}
			var said healthAnswer
			if json.Unmarshal(w.Body.Bytes(), &said) == nil && said.Health != "" && (said.Health == "true") != (w.Code == 200) {
				t.Errorf("%s %s: %d says %+v", method, target, w.Code, said)
			}
		}
	})
}

// TestFlight: the recording is served where the operator has asked for one, on both ports.
func TestFlight(t *testing.T) {
	for _, on := range []bool{false, true} {
		cfg := Config{Node: &fake{}, Log: zap.NewNop(), Registry: Registry(), Flight: on}
		for name, h := range map[string]http.Handler{"client": Client(cfg), "metrics": Metrics(cfg)} {
			w := get(h, "/debug/flight")
			if !on {
				if w.Code != http.StatusNotFound {
					t.Errorf("%s port: %d without a recording", name, w.Code)
				}
				continue
			}
			if w.Code != http.StatusOK || w.Body.String() != versions.Etcd+" unknown" ||
				w.Header().Get("Content-Disposition") != `attachment; filename="1.recording"` {
				t.Errorf("%s port: %d %q %v", name, w.Code, w.Body, w.Header())
			}
			cfg.Registry = Registry()
		}
	}
}
