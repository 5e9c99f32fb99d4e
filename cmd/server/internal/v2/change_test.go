package v2

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// TestDecidedAnew: what happens between a decision and its transaction is seen, whatever it is.
func TestDecidedAnew(t *testing.T) {
	for name, race := range map[string]struct {
		first              []string // requests before
		meanwhile          []string
		method, path, form string
		status             int
		body               string
	}{
		"a file becomes a directory": {
			first: []string{"PUT /f value=1"}, meanwhile: []string{"DELETE /f", "PUT /f/x value=2"},
			method: "PUT", path: "/f", form: "value=3", status: 403,
			body: `{"errorCode":102,"message":"Not a file","cause":"/f","index":4}`},
		"a directory on the way goes": {
			first: []string{"PUT /d/f value=1"}, meanwhile: []string{"DELETE /d?recursive=true"},
			method: "PUT", path: "/d/g", form: "value=3", status: 201,
			body: `{"action":"set","node":{"key":"/d/g","value":"3","modifiedIndex":4,"createdIndex":4}}`},
		"a directory on the way becomes a file": {
			first: []string{"PUT /d/f value=1"}, meanwhile: []string{"DELETE /d?recursive=true", "PUT /d value=2"},
			method: "PUT", path: "/d/g", form: "value=3", status: 400,
			body: `{"errorCode":104,"message":"Not a directory","cause":"/d","index":4}`},
		"a missing directory is made by another": {
			meanwhile: []string{"PUT /d/f value=2"}, method: "PUT", path: "/d/g", form: "value=3", status: 201,
			body: `{"action":"set","node":{"key":"/d/g","value":"3","modifiedIndex":3,"createdIndex":3}}`},
		"another creates first": {
			meanwhile: []string{"PUT /f value=1"}, method: "PUT", path: "/f?prevExist=false", form: "value=2", status: 412,
			body: `{"errorCode":105,"message":"Key already exists","cause":"/f","index":2}`},
		"another swaps first": {
			first: []string{"PUT /f value=1"}, meanwhile: []string{"PUT /f?prevValue=1 value=2"},
			method: "PUT", path: "/f?prevValue=1", form: "value=3", status: 412,
			body: `{"errorCode":101,"message":"Compare failed","cause":"[1 != 2]","index":3}`},
		"another removes first": {
			first: []string{"PUT /f value=1"}, meanwhile: []string{"DELETE /f"}, method: "DELETE", path: "/f", status: 404,
			body: `{"errorCode":100,"message":"Key not found","cause":"/f","index":3}`},
		"another sets first": {
			first: []string{"PUT /f value=1"}, meanwhile: []string{"PUT /f value=2"},
			method: "PUT", path: "/f", form: "value=3", status: 200,
			body: `{"action":"set","node":{"key":"/f","value":"3","modifiedIndex":4,"createdIndex":4},` +
				`"prevNode":{"key":"/f","value":"2","modifiedIndex":3,"createdIndex":3}}`},
		"an update is of what is there": {
			first: []string{"PUT /f value=1"}, meanwhile: []string{"PUT /f value=2"},
			method: "PUT", path: "/f?prevExist=true", form: "value=3", status: 200,
			body: `{"action":"update","node":{"key":"/f","value":"3","modifiedIndex":4,"createdIndex":3},` +
				`"prevNode":{"key":"/f","value":"2","modifiedIndex":3,"createdIndex":3}}`},
		"an empty directory gets an entry": {
			first: []string{"PUT /d dir=true"}, meanwhile: []string{"PUT /d/f value=2"},
			method: "DELETE", path: "/d?dir=true", status: 403,
			body: `{"errorCode":108,"message":"Directory not empty","cause":"/d","index":3}`},
		"another is next in order": {
			first: []string{"POST /q value=1"}, meanwhile: []string{"POST /q value=2"},
			method: "POST", path: "/q", form: "value=3", status: 201,
			body: `{"action":"create","node":{"key":"/q/00000000000000000004","value":"3","modifiedIndex":4,"createdIndex":4}}`},
		"what comes between elsewhere takes a number": {
			first: []string{"POST /q value=1"}, meanwhile: []string{"PUT /f value=2"},
			method: "POST", path: "/q", form: "value=3", status: 201,
			body: `{"action":"create","node":{"key":"/q/00000000000000000003","value":"3","modifiedIndex":4,"createdIndex":4}}`},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			do := func(requests []string) {
				for _, r := range requests {
					words := strings.SplitN(r+"  ", " ", 3)
					c.must(words[0], "/v2/keys"+words[1], strings.TrimSpace(words[2]))
				}
			}
			do(race.first)
			c.meanwhile(func() { do(race.meanwhile) })
			c.want(race.method, "/v2/keys"+race.path, race.form, race.status, race.body)
		})
	}
}

// TestNamesInOrder: a name that somebody has taken is passed over, and nothing is overwritten.
func TestNamesInOrder(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/q/00000000000000000003", "value=mine")
	if got := c.must("POST", "/v2/keys/q", "value=1"); !strings.Contains(got, `"key":"/q/00000000000000000004"`) {
		t.Error(got)
	}
	if got := c.must("GET", "/v2/keys/q/00000000000000000003", ""); !strings.Contains(got, `"value":"mine"`) {
		t.Error(got)
	}
	if got := c.must("POST", "/v2/keys", "dir=true"); got !=
		`{"action":"create","node":{"key":"/00000000000000000004","dir":true,"modifiedIndex":4,"createdIndex":4}}` {
		t.Error(got)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { c.ask("POST", "/v2/keys/many", "value=x") })
	}
	wg.Wait()
	if n := strings.Count(c.must("GET", "/v2/keys/many", ""), `"key":"/many/`); n != 20 {
		t.Errorf("%d of 20 names", n)
	}
}

// TestWhatALeaseLeavesBehind is out of sight, and out of the way of who writes there: the directory is another one.
func TestWhatALeaseLeavesBehind(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/d", "dir=true&ttl=9")
	c.must("PUT", "/v2/keys/d/e/f", "value=old")
	c.must("PUT", "/v2/keys/d/g", "value=old")
	c.expire(t) // 5
	c.want("GET", "/v2/keys/d/e?quorum=true", "", 404,
		`{"errorCode":100,"message":"Key not found","cause":"/d","index":5}`)
	c.must("PUT", "/v2/keys/d", "dir=true") // 6
	c.want("GET", "/v2/keys/d?recursive=true", "", 200,
		`{"action":"get","node":{"key":"/d","dir":true,"modifiedIndex":6,"createdIndex":6}}`)
	c.want("GET", "/v2/keys/d/e/f", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/d/e","index":6}`)
	c.want("PUT", "/v2/keys/d/g?prevExist=true", "value=1", 404,
		`{"errorCode":100,"message":"Key not found","cause":"/d/g","index":7}`) // taken away: 7
	c.want("DELETE", "/v2/keys/d?dir=true", "", 200, `{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":8,`+
		`"createdIndex":6},"prevNode":{"key":"/d","dir":true,"modifiedIndex":6,"createdIndex":6}}`)
	if got := c.must("PUT", "/v2/keys/d/e/f", "value=new"); strings.Contains(got, "prevNode") {
		t.Error(got)
	}
	if got := c.must("GET", "/v2/keys/d?recursive=true", ""); !strings.Contains(got, `"value":"new"`) {
		t.Error(got)
	}
	if resp, err := c.Ask(t.Context(), call(&pb.RangeRequest{Key: []byte(keyOf("/d/g"))})); err != nil ||
		len(resp.(*pb.RangeResponse).Kvs) > 0 {
		t.Errorf("%v %v", resp, err)
	}
}

// TestLeasesGoWithTheirNodes: none is left that nothing hangs on, and none that is not of version 2 is touched.
func TestLeasesGoWithTheirNodes(t *testing.T) {
	c := open(t)
	left := func() (n int) {
		c.fake.mu.Lock()
		defer c.fake.mu.Unlock()
		return len(c.leases)
	}
	settled := func(want int) {
		t.Helper()
		for range 10_000 {
			if left() == want {
				return
			}
			c.must("GET", "/v2/keys", "")
		}
		t.Errorf("%d leases are left, want %d", left(), want)
	}
	c.must("PUT", "/v2/keys/f", "value=1&ttl=9")
	settled(1)
	c.must("PUT", "/v2/keys/f", "refresh=true&ttl=9")
	settled(1)
	c.ask("PUT", "/v2/keys/f?prevValue=x", "value=1&ttl=9") // refused before a lease is asked for
	settled(1)
	c.meanwhile(func() { c.must("PUT", "/v2/keys/f", "value=2") })
	c.ask("PUT", "/v2/keys/f?prevValue=1", "value=3&ttl=9") // refused when there is one
	settled(0)
	c.must("PUT", "/v2/keys/f", "value=1&ttl=9")
	c.must("DELETE", "/v2/keys/f", "")
	settled(0)
	if _, err := c.Ask(t.Context(), call(&pb.LeaseGrantRequest{ID: 7, TTL: 9})); err != nil {
		t.Fatal(err)
	}
	r := record{action: set, value: "x"}
	foreign := &pb.PutRequest{Key: []byte(keyOf("/f")), Value: r.encode(), Lease: 7}
	if _, err := c.Ask(t.Context(), call(foreign)); err != nil {
		t.Fatal(err)
	}
	c.must("DELETE", "/v2/keys/f", "")
	settled(1)
}

// TestLists: pages of any size, with what must be passed over between them.
func TestLists(t *testing.T) {
	c := open(t)
	for i := range 120 {
		c.must("PUT", fmt.Sprintf("/v2/keys/d/e%03d/f", i), "value="+strings.Repeat("x", 500))
		c.must("PUT", fmt.Sprintf("/v2/keys/d/e%03d/_h/f", i), "value=1")
		if i%7 == 0 {
			c.must("PUT", fmt.Sprintf("/v2/keys/d/e%03d.x", i), "value=1")
			c.must("PUT", fmt.Sprintf("/v2/keys/d/_%03d/f", i), "value=1")
		}
	}
	c.must("DELETE", "/v2/keys/d/e003?recursive=true", "")
	if n := strings.Count(c.must("GET", "/v2/keys/d", ""), `"key":"/d/e`); n != 119+18 {
		t.Errorf("%d entries", n)
	}
	all := c.must("GET", "/v2/keys/d?recursive=true", "")
	if n := strings.Count(all, `"key":"/d/e`); n != 2*119+18 || strings.Contains(all, "_") {
		t.Errorf("%d nodes", n)
	}
	if a, b := strings.Index(all, `"/d/e007"`), strings.Index(all, `"/d/e007.x"`); a < 0 || b < a {
		t.Error("not in the order of names")
	}
}

// TestForeignKeys: what is no record is named, and does not end the server.
func TestForeignKeys(t *testing.T) {
	c := open(t)
	for _, key := range []string{keyOf("/x"), Prefix + "/y", Prefix + "//z/", Prefix, keyOf("/") + "a//b/", keyOf("/")} {
		if _, err := c.Ask(t.Context(), call(&pb.PutRequest{Key: []byte(key), Value: []byte("x")})); err != nil {
			t.Fatal(err)
		}
	}
	wrong := `{"errorCode":300,"message":"Raft Internal Error",` +
		`"cause":"the key \"_vitrine/v2/keys/x/\": it is no record","index":0}`
	c.want("GET", "/v2/keys/x", "", 500, wrong)
	c.want("GET", "/v2/keys/", "", 500, wrong)
	c.want("PUT", "/v2/keys/x", "value=1", 500, wrong)
	c.want("GET", "/v2/keys/x?wait=true&waitIndex=1", "", 200, "")
	c.want("PUT", "/v2/keys"+strings.Repeat("/a", limits.V2Depth), "value=1", 201,
		`{"action":"set","node":{"key":"`+strings.Repeat("/a", limits.V2Depth)+`","value":"1","modifiedIndex":8,`+
			`"createdIndex":8}}`)
	c.want("PUT", "/v2/keys"+strings.Repeat("/a", limits.V2Depth+1), "value=1", 400,
		`{"errorCode":210,"message":"Invalid POST form","cause":"the path has more than 63 parts","index":0}`)
}

// TestRoomIsMade: where there is no room for a note there is none, and the node goes all the same.
func TestRoomIsMade(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/f", "value=1")
	c.refuse = func(call api.Call) error {
		if r, ok := call.Body.(*pb.TxnRequest); ok && slices.ContainsFunc(r.Success, func(o *pb.RequestOp) bool {
			return o.GetRequestPut() != nil
		}) {
			return api.ErrNoSpace
		}
		return nil
	}
	c.want("PUT", "/v2/keys/f", "value=2", 500, `{"errorCode":300,"message":"Raft Internal Error",`+
		`"cause":"etcdserver: mvcc: database space exceeded","index":0}`)
	c.want("DELETE", "/v2/keys/f?prevValue=1", "", 200, `{"action":"compareAndDelete",`+
		`"node":{"key":"/f","modifiedIndex":3,"createdIndex":2},`+
		`"prevNode":{"key":"/f","value":"1","modifiedIndex":2,"createdIndex":2}}`)
	c.want("GET", "/v2/keys/f?wait=true&waitIndex=3", "", 200, `{"action":"delete",`+
		`"node":{"key":"/f","modifiedIndex":3,"createdIndex":2},`+
		`"prevNode":{"key":"/f","value":"1","modifiedIndex":2,"createdIndex":2}}`)
}

// FuzzPaths: every path has a key of its own, which says what its path is, and is within the ranges of the directories
// above it.
func FuzzPaths(f *testing.F) {
	for _, p := range []string{"", "/", "/a", "a//b/", "/a/../b", "/_a/.b", "/\x00/\xff"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p := clean(raw)
		if p == root {
			return
		}
		if back, ok := pathOf([]byte(keyOf(p))); !ok || back != p {
			t.Fatalf("%q has the key %q, which has the path %q %v", p, keyOf(p), back, ok)
		}
		dir, name := split(p)
		if join(dir, name) != p || !within(dir, p) {
			t.Fatalf("%q is %q in %q", p, name, dir)
		}
		if _, ok := pathOf([]byte(noteOf(dir))); ok {
			t.Fatalf("the note of %q is a node", dir)
		}
		for _, d := range append(above(p), root) {
			if key := keyOf(p); key <= keyOf(d) || key >= string(end(keyOf(d))) {
				t.Fatalf("%q is not in the range of %q", p, d)
			}
		}
	})
}

// FuzzRecords: what is read is written the same way, and nothing else is read.
func FuzzRecords(f *testing.F) {
	for _, r := range []record{{}, {dir: true, action: create, created: 5}, {action: set, refresh: true, expires: 1e18,
		value: "x"}} {
		f.Add(r.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(r.encode()); err != nil || again != r {
			t.Errorf("%x: %+v, then %+v %v", b, r, again, err)
		}
	})
}
