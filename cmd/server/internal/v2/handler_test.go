package v2

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"vitrine/core/api"
	"vitrine/core/pb"
)

func call(body any) api.Call { return api.Call{Body: body} }

// TestHeads: what the headers tell, of answers and of errors.
func TestHeads(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/f", "value=1")
	for path, want := range map[string]string{"/v2/keys/f": "c 2 9 0", "/v2/keys/g": "c 2  "} {
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		h := w.Header()
		got := strings.Join([]string{h.Get("X-Etcd-Cluster-Id"), h.Get("X-Etcd-Index"), h.Get("X-Raft-Index"),
			h.Get("X-Raft-Term")}, " ")
		if got != want || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// TestWithoutNode: who asks for no node gets none where something was written.
func TestWithoutNode(t *testing.T) {
	c := open(t)
	c.want("PUT", "/v2/keys/f?noValueOnSuccess=true", "value=1", 201, `{"action":"set"}`)
	c.want("PUT", "/v2/keys/f?noValueOnSuccess=true", "value=1", 200, `{"action":"set"}`)
	c.want("PUT", "/v2/keys/f?noValueOnSuccess=true&prevValue=1", "value=2", 200, `{"action":"compareAndSwap"}`)
	c.want("POST", "/v2/keys/q?noValueOnSuccess=true", "value=2", 201, `{"action":"create"}`)
	c.want("DELETE", "/v2/keys/f?noValueOnSuccess=true", "", 200,
		`{"action":"delete","node":{"key":"/f","modifiedIndex":6,"createdIndex":3},`+
			`"prevNode":{"key":"/f","value":"2","modifiedIndex":4,"createdIndex":3}}`)
}

// TestWhatIsTooLarge is refused before it is kept.
func TestWhatIsTooLarge(t *testing.T) {
	c := open(t)
	if status, body := c.ask("PUT", "/v2/keys/f", "value="+strings.Repeat("x", 4<<20)); status != 400 ||
		!strings.Contains(body, `"errorCode":210`) {
		t.Errorf("%d %.200s", status, body)
	}
	c.refuse = func(api.Call) error { return api.ErrRequestTooLarge }
	if status, body := c.ask("PUT", "/v2/keys/f", "value=1"); status != 400 || !strings.Contains(body, "too large") {
		t.Errorf("%d %s", status, body)
	}
	c.refuse = func(api.Call) error { return api.ErrNoLeader }
	c.want("PUT", "/v2/keys/f", "value=1", 500,
		`{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: no leader","index":0}`)
}

// TestUsers: who asks is who the password, the token or the certificate says; a login is used again, and renewed when
// it does not count any more.
func TestUsers(t *testing.T) {
	c := open(t)
	logins, valid := 0, "alice"
	var who []string
	c.refuse = func(call api.Call) error {
		switch r := call.Body.(type) {
		case *pb.AuthenticateRequest:
			if logins++; r.Password != "secret" {
				return api.ErrAuthFailed
			}
			return nil
		default:
			if who = append(who, call.Identity.Token); call.Identity.Token != valid {
				return api.ErrInvalidAuthToken
			}
			return nil
		}
	}
	basic := func(user, password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	denied := `{"errorCode":110,"message":"The request requires user authentication","cause":"Insufficient credentials",` +
		`"index":0}`
	for _, test := range []struct {
		header string
		status int
		logins int
	}{
		{basic("alice", "secret"), 201, 1}, {basic("alice", "secret"), 200, 1}, {basic("alice", "wrong"), 401, 2},
		{basic("bob", "secret"), 401, 3}, {basic("bob", "secret"), 401, 4}, {"Bearer alice", 200, 4}, {"carol", 401, 4},
		{"", 401, 4},
	} {
		status, body := c.ask("PUT", "/v2/keys/f", "value=1", "Authorization", test.header)
		if status != test.status || status == 401 && body != denied || logins != test.logins {
			t.Errorf("%q: %d %s after %d logins", test.header, status, body, logins)
		}
	}
	if status, body := c.ask("GET", "/v2/members", ""); status != 401 || body != `{"message":"Insufficient credentials"}` {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := c.ask("GET", "/v2/machines", "", "Authorization", basic("alice", "secret")); status != 200 ||
		logins != 4 {
		t.Errorf("%d after %d logins", status, logins)
	}
	for id := range c.h.users.known {
		for _, part := range []string{"secret", "alice"} {
			if strings.Contains(string(id[:]), part) {
				t.Error("a login can be read")
			}
		}
	}
}

// TestMembers: the list, changes and their refusals, word by word.
func TestMembers(t *testing.T) {
	c := open(t)
	c.want("GET", "/v2/members", "", 200,
		`{"members":[{"id":"1","name":"m","peerURLs":["http://p:1"],"clientURLs":["http://c:1","http://c:2"]}]}`)
	c.want("GET", "/v2/members/", "", 200,
		`{"members":[{"id":"1","name":"m","peerURLs":["http://p:1"],"clientURLs":["http://c:1","http://c:2"]}]}`)
	c.want("GET", "/v2/members/leader", "", 200,
		`{"id":"1","name":"m","peerURLs":["http://p:1"],"clientURLs":["http://c:1","http://c:2"]}`)
	c.want("GET", "/v2/members/x", "", 404, `{"message":"Not found"}`)
	c.want("GET", "/v2/machines", "", 200, "http://c:1, http://c:2")
	json := func(method, path, body string, status int, want string) {
		t.Helper()
		if s, b := c.ask(method, path, body, "Content-Type", "application/json; charset=utf-8"); s != status || b != want {
			t.Errorf("%s %s %s: %d %s", method, path, body, s, b)
		}
	}
	json("POST", "/v2/members", `{"peerURLs":["http://b:2","http://a:1"]}`, 201,
		`{"id":"a","name":"","peerURLs":["http://a:1","http://b:2"],"clientURLs":[]}`)
	json("POST", "/v2/members", `{"peerURLs":[]}`, 400, `{"message":"no valid URLs given"}`)
	json("POST", "/v2/members", `{`, 400, `{"message":"unexpected EOF"}`)
	json("PUT", "/v2/members/ff", `{"peerURLs":["http://b:2"]}`, 204, "")
	json("DELETE", "/v2/members/ff", "", 404, `{"message":"No such member: ff"}`)
	json("DELETE", "/v2/members/zz", "", 404, `{"message":"No such member: zz"}`)
	json("DELETE", "/v2/members", "", 405, "Method Not Allowed")
	c.want("POST", "/v2/members", "", 415,
		`{"message":"Bad Content-Type application/x-www-form-urlencoded, accept application/json"}`)
	for err, status := range map[error]int{api.ErrPeerURLExist: 409, api.ErrMemberExist: 409, api.ErrPermissionDenied: 401,
		errors.New("x"): 500} {
		c.refuse = func(api.Call) error { return err }
		if s, b := c.ask("POST", "/v2/members", `{"peerURLs":["http://b:2"]}`, "Content-Type", "application/json"); s !=
			status {
			t.Errorf("%v: %d %s", err, s, b)
		}
	}
}

// TestStats: of the store, of a member, and of a leader.
func TestStats(t *testing.T) {
	c := open(t)
	c.ask("PUT", "/v2/keys/f", "value=1")
	c.ask("GET", "/v2/keys/f", "")
	c.ask("GET", "/v2/keys/g", "")
	c.ask("PUT", "/v2/keys/f?prevExist=false", "value=1")
	c.ask("POST", "/v2/keys/q", "value=1")
	c.ask("PUT", "/v2/keys/f?prevExist=true", "value=1")
	c.ask("PUT", "/v2/keys/f?prevIndex=1", "value=1")
	c.ask("PUT", "/v2/keys/f?prevValue=1&prevExist=true", "value=1")
	c.ask("DELETE", "/v2/keys/f?prevValue=2", "")
	c.ask("DELETE", "/v2/keys/q", "")
	c.ask("DELETE", "/v2/keys/f", "")
	wait := c.wait("/v2/keys/f?wait=true")
	c.want("GET", "/v2/stats/store", "", 200, `{"getsSuccess":1,"getsFail":1,"setsSuccess":1,"setsFail":0,`+
		`"deleteSuccess":1,"deleteFail":1,"updateSuccess":1,"updateFail":0,"createSuccess":1,"createFail":1,`+
		`"compareAndSwapSuccess":1,"compareAndSwapFail":1,"compareAndDeleteSuccess":0,"compareAndDeleteFail":1,`+
		`"expireCount":0,"watchers":1}`)
	c.must("PUT", "/v2/keys/f", "")
	soon(t, wait)
	c.want("GET", "/v2/stats/self", "", 200, `{"name":"","id":"1","state":"StateFollower",`+
		`"startTime":"`+born.Format("2006-01-02T15:04:05Z07:00")+`","leaderInfo":{"leader":"1","uptime":"472222h13m19s",`+
		`"startTime":"1970-01-01T00:00:01Z"},"recvAppendRequestCnt":4,"sendAppendRequestCnt":3}`)
	c.want("GET", "/v2/stats/leader", "", 403, `{"message":"not current leader"}`)
	c.fake.mu.Lock()
	c.leading = true
	c.fake.mu.Unlock()
	c.want("GET", "/v2/stats/leader", "", 200, `{"leader":"1","followers":{"2":{"latency":{"current":1,"average":2,`+
		`"standardDeviation":5,"minimum":3,"maximum":4},"counts":{"fail":6,"success":5}},"3":{"latency":{"current":0,`+
		`"average":0,"standardDeviation":0,"minimum":9223372036854776000,"maximum":0},"counts":{"fail":0,"success":0}}}}`)
	c.want("POST", "/v2/stats/self", "", 405, "Method Not Allowed")
	c.want("GET", "/v2/stats/x", "", 404, "404 page not found")
}
