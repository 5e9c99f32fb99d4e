package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"vitrine/core/pb"
)

// old asks a member in version 2.
func (c *cluster) old(i int, method, path, form string, user ...string) (status int, body string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.clients[i]+path, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(user) == 2 {
		r.SetBasicAuth(user[0], user[1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSuffix(string(b), "\n")
}

// TestVersion2: whichever member is asked, the others have it; leases end nodes, also all that was in a directory.
func TestVersion2(t *testing.T) {
	c := newCluster(t, 3, "--enable-v2")
	if status, body := c.old(0, "PUT", "/v2/keys/d/f", "value=1"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	for i := range c.servers {
		if status, body := c.old(i, "GET", "/v2/keys/d/f?quorum=true", ""); status != 200 ||
			!strings.Contains(body, `"value":"1"`) {
			t.Errorf("at %d: %d %s", i, status, body)
		}
		if status, body := c.old(i, "GET", "/v2/keys/d/f?wait=true&waitIndex=2", ""); status != 200 ||
			!strings.HasPrefix(body, `{"action":"set","node":{"key":"/d/f","value":"1"`) {
			t.Errorf("waiting at %d: %d %s", i, status, body)
		}
		if status, body := c.old(i, "POST", "/v2/keys/q", "value=1"); status != 201 {
			t.Errorf("at %d: %d %s", i, status, body)
		}
		if status, body := c.old(i, "GET", "/v2/members", ""); status != 200 || strings.Count(body, `"id"`) != 3 {
			t.Errorf("at %d: %d %s", i, status, body)
		}
	}
	told := make(chan string, 1)
	go func() {
		_, body := c.old(1, "GET", "/v2/keys/t/e/f?wait=true&waitIndex=2", "")
		told <- body
	}()
	if status, body := c.old(2, "PUT", "/v2/keys/t", "dir=true&ttl=1"); status != 201 ||
		!strings.Contains(body, `"ttl":`) {
		t.Errorf("%d %s", status, body)
	}
	if body := c.get(0, "_vitrine/v2/keys/d/f/"); !strings.HasSuffix(body, "1") {
		t.Errorf("its key has %q", body)
	}
	until(t, "a directory has run out", func() bool {
		status, _ := c.old(0, "GET", "/v2/keys/t?quorum=true", "")
		return status == 404
	})
	if status, body := c.old(0, "PUT", "/v2/keys/t/e/f", "value=1"); status != 201 || strings.Contains(body, "prevNode") {
		t.Errorf("%d %s", status, body)
	}
	if body := <-told; !strings.HasPrefix(body, `{"action":"set","node":{"key":"/t/e/f"`) {
		t.Error(body)
	}
	leaders := 0
	for i := range c.servers {
		if status, body := c.old(i, "GET", "/v2/stats/leader", ""); status == 200 && strings.Count(body, "latency") == 2 {
			leaders++
		}
		if _, body := c.old(i, "GET", "/v2/stats/self", ""); !strings.Contains(body, `"name":"m`) {
			t.Error(body)
		}
	}
	if leaders != 1 {
		t.Errorf("%d members say that they lead", leaders)
	}
}

// TestVersion2SweepsUp: who waits in a directory that runs out hears of it, and nothing of it is left.
func TestVersion2SweepsUp(t *testing.T) {
	c := newCluster(t, 3, "--enable-v2")
	c.old(0, "PUT", "/v2/keys/t", "dir=true&ttl=1")
	if status, body := c.old(1, "PUT", "/v2/keys/t/e/f", "value=1"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	_, body := c.old(2, "GET", "/v2/keys/t/e/f?wait=true&waitIndex=4", "")
	if !strings.HasPrefix(body, `{"action":"expire","node":{"key":"/t","dir":true`) {
		t.Error(body)
	}
	until(t, "nothing is left", func() bool {
		resp, err := call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range", &pb.RangeRequest{
			Key: []byte("_vitrine/v2/keys/t/"), RangeEnd: []byte("_vitrine/v2/keys/t0"), CountOnly: true})
		return err == nil && resp.Count == 0
	})
}

// TestVersion2SwapsOnce: of those who compare and swap at once, at whichever member, one wins each time.
func TestVersion2SwapsOnce(t *testing.T) {
	c := newCluster(t, 3, "--enable-v2")
	if status, body := c.old(0, "PUT", "/v2/keys/n", "value=0"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	const clients, each = 6, 10
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for done := 0; done < each; {
				var now struct{ Node struct{ Value string } }
				status, body := c.old(i%3, "GET", "/v2/keys/n?quorum=true", "")
				if err := json.Unmarshal([]byte(body), &now); err != nil || status != 200 {
					t.Errorf("%d %s", status, body)
					return
				}
				n, err := strconv.Atoi(now.Node.Value)
				if err != nil {
					t.Error(err)
					return
				}
				status, body = c.old((i+1)%3, "PUT", "/v2/keys/n?prevValue="+now.Node.Value, fmt.Sprint("value=", n+1))
				switch status {
				case 200:
					done++
				case 412:
				default:
					t.Errorf("%d %s", status, body)
					return
				}
			}
		})
	}
	wg.Wait()
	if _, body := c.old(2, "GET", "/v2/keys/n?quorum=true", ""); !strings.Contains(body, `"value":"60"`) {
		t.Errorf("%d swaps ended at %s", clients*each, body)
	}
}

// TestVersion2IsOff where nobody asks for it, and ends with the server.
func TestVersion2IsOff(t *testing.T) {
	c := newCluster(t, 1)
	for _, path := range []string{"/v2/keys", "/v2/keys/a", "/v2/members", "/v2/stats/self"} {
		if status, _ := c.old(0, "GET", path, ""); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	c.stop(0)
	c.flags[0] = append(c.flags[0], "--enable-v2")
	c.restart(0)
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + c.clients[0] + "/v2/keys/a?wait=true")
		if close(begun); err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		ended <- err
	}()
	<-begun
	c.stop(0)
	<-ended
}

// TestVersion2Streams: one request hears of all that happens, as it does.
func TestVersion2Streams(t *testing.T) {
	c := newCluster(t, 1, "--enable-v2")
	resp, err := http.Get("http://" + c.clients[0] + "/v2/keys/d?wait=true&recursive=true&stream=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if index := resp.Header.Get("X-Etcd-Index"); index != "1" || resp.StatusCode != 200 {
		t.Errorf("%s at index %s", resp.Status, index)
	}
	for i, events := 0, json.NewDecoder(resp.Body); i < 3; i++ {
		c.old(0, "PUT", "/v2/keys/other", "value=1")
		c.old(0, "PUT", "/v2/keys/d/f", fmt.Sprint("value=", i))
		var event struct{ Node struct{ Key, Value string } }
		if err := events.Decode(&event); err != nil || event.Node.Key != "/d/f" || event.Node.Value != fmt.Sprint(i) {
			t.Errorf("%+v %v", event, err)
		}
	}
}

// TestVersion2AsksWhoItIs: users and permissions are those of version 3, over the keys that stand for nodes.
func TestVersion2AsksWhoItIs(t *testing.T) {
	c := newCluster(t, 3, "--enable-v2", "--bcrypt-cost=4")
	do := func(method string, body any) {
		t.Helper()
		switch r := body.(type) {
		case *pb.AuthUserAddRequest:
			resp, err := call[pb.AuthUserAddResponse](c, 0, method, r)
			must(t, resp, err)
		case *pb.AuthRoleAddRequest:
			resp, err := call[pb.AuthRoleAddResponse](c, 0, method, r)
			must(t, resp, err)
		case *pb.AuthUserGrantRoleRequest:
			resp, err := call[pb.AuthUserGrantRoleResponse](c, 0, method, r)
			must(t, resp, err)
		case *pb.AuthRoleGrantPermissionRequest:
			resp, err := call[pb.AuthRoleGrantPermissionResponse](c, 0, method, r)
			must(t, resp, err)
		case *pb.AuthEnableRequest:
			resp, err := call[pb.AuthEnableResponse](c, 0, method, r)
			must(t, resp, err)
		}
	}
	c.old(0, "PUT", "/v2/keys/hers/f", "value=1")
	c.old(0, "PUT", "/v2/keys/his/f", "value=1")
	const auth = "/etcdserverpb.Auth/"
	do(auth+"UserAdd", &pb.AuthUserAddRequest{Name: "root", Password: "r"})
	do(auth+"UserAdd", &pb.AuthUserAddRequest{Name: "alice", Password: "a"})
	do(auth+"RoleAdd", &pb.AuthRoleAddRequest{Name: "root"})
	do(auth+"RoleAdd", &pb.AuthRoleAddRequest{Name: "hers"})
	do(auth+"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	do(auth+"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "alice", Role: "hers"})
	do(auth+"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: "hers", Perm: &pb.Permission{
		PermType: pb.Permission_READWRITE, Key: []byte("_vitrine/v2/keys/hers/"),
		RangeEnd: []byte("_vitrine/v2/keys/hers0")}})
	do(auth+"AuthEnable", &pb.AuthEnableRequest{})
	until(t, "users everywhere", func() bool {
		for _, s := range c.servers {
			if !s.node.UsersOn() {
				return false
			}
		}
		return true
	})
	denied := `{"errorCode":110,"message":"The request requires user authentication","cause":"Insufficient credentials",` +
		`"index":0}`
	alice, root, wrong := []string{"alice", "a"}, []string{"root", "r"}, []string{"alice", "wrong"}
	for i := range c.servers {
		for _, r := range []struct {
			method, path, form string
			user               []string
			status             int
		}{
			{"GET", "/hers/f", "", nil, 401}, {"GET", "/hers/f?quorum=true", "", nil, 401}, {"PUT", "/x", "", nil, 401},
			{"GET", "/hers/f", "", wrong, 401}, {"GET", "/hers/f", "", alice, 200},
			{"GET", "/hers?recursive=true", "", alice, 200}, {"PUT", "/hers/d/g", "ttl=9", alice, 201},
			{"DELETE", "/hers/d?recursive=true", "", alice, 200},
			{"GET", "/hers?wait=true&recursive=true&waitIndex=2", "", alice, 200},
			{"GET", "/his/f", "", alice, 401}, {"GET", "/his?wait=true&recursive=true&waitIndex=2", "", alice, 401},
			{"PUT", "/his/f", "", alice, 401}, {"GET", "/", "", alice, 401},
			{"DELETE", "/his?recursive=true", "", alice, 401}, {"GET", "/?recursive=true", "", root, 200},
		} {
			status, body := c.old(i, r.method, "/v2/keys"+r.path, r.form, r.user...)
			if status != r.status || status == 401 && body != denied {
				t.Errorf("at %d %s %s as %q: %d %s", i, r.method, r.path, r.user, status, body)
			}
		}
		if status, body := c.old(i, "DELETE", "/v2/members/1", "", "alice", "a"); status != 401 {
			t.Errorf("at %d: %d %s", i, status, body)
		}
		if status, body := c.old(i, "DELETE", "/v2/members/1", "", "root", "r"); status != 404 {
			t.Errorf("at %d: %d %s", i, status, body)
		}
	}
}
