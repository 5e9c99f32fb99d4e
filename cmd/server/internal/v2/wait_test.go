package v2

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/pb"
)

// told is what a client is told that waits while something is done.
func told(c *client, path string, do func()) string {
	c.Helper()
	answer := c.wait(path)
	do()
	return soon(c.T, answer)
}

// TestWaits: who waits for a node hears of it, and of nothing else, in the words of the action.
func TestWaits(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/d/f", "value=1") // at 2
	for _, w := range []struct {
		path           string
		method, at, do string
		want           string
	}{
		{"/d/f?wait=true", "PUT", "/d/f", "value=2", `{"action":"set","node":{"key":"/d/f","value":"2","modifiedIndex":3,` +
			`"createdIndex":3},"prevNode":{"key":"/d/f","value":"1","modifiedIndex":2,"createdIndex":2}}`},
		{"/d?wait=true&recursive=true", "PUT", "/d/f?prevExist=true", "value=3",
			`{"action":"update","node":{"key":"/d/f","value":"3","modifiedIndex":4,"createdIndex":3},` +
				`"prevNode":{"key":"/d/f","value":"2","modifiedIndex":3,"createdIndex":3}}`},
		{"?wait=true&recursive=true", "PUT", "/d/f?prevValue=3", "value=4",
			`{"action":"compareAndSwap","node":{"key":"/d/f","value":"4","modifiedIndex":5,"createdIndex":3},` +
				`"prevNode":{"key":"/d/f","value":"3","modifiedIndex":4,"createdIndex":3}}`},
		{"/x?wait=true&recursive=true", "POST", "/x", "value=a",
			`{"action":"create","node":{"key":"/x/00000000000000000006","value":"a","modifiedIndex":6,"createdIndex":6}}`},
		{"/d/f?wait=true", "DELETE", "/d/f?prevValue=4", "",
			`{"action":"compareAndDelete","node":{"key":"/d/f","modifiedIndex":7,"createdIndex":3},` +
				`"prevNode":{"key":"/d/f","value":"4","modifiedIndex":5,"createdIndex":3}}`},
		{"/d?wait=true", "PUT", "/d?prevExist=true", "ttl=9",
			`{"action":"update","node":{"key":"/d","dir":true,"expiration":"2023-11-14T22:13:29Z","ttl":9,"modifiedIndex":8,` +
				`"createdIndex":2},"prevNode":{"key":"/d","dir":true,"modifiedIndex":2,"createdIndex":2}}`},
		{"/x/y/z?wait=true", "PUT", "/x/y/z", "value=b",
			`{"action":"set","node":{"key":"/x/y/z","value":"b","modifiedIndex":9,"createdIndex":9}}`},
		// A directory that goes takes along what is in it; who waits there hears of the directory.
		{"/x/y/z?wait=true", "DELETE", "/x?recursive=true", "",
			`{"action":"delete","node":{"key":"/x","dir":true,"modifiedIndex":10,"createdIndex":6},` +
				`"prevNode":{"key":"/x","dir":true,"modifiedIndex":6,"createdIndex":6}}`},
		{"?wait=true&recursive=true", "DELETE", "/d?dir=true", "",
			`{"action":"delete","node":{"key":"/d","dir":true,"modifiedIndex":11,"createdIndex":2},"prevNode":{"key":"/d",` +
				`"dir":true,"expiration":"2023-11-14T22:13:29Z","ttl":9,"modifiedIndex":8,"createdIndex":2}}`},
	} {
		got := told(c, "/v2/keys"+w.path, func() { c.must(w.method, "/v2/keys"+w.at, w.do) })
		if got != w.want {
			t.Errorf("%s while %s %s\n got %s\nwant %s", w.path, w.method, w.at, got, w.want)
		}
	}
}

// TestWaitsFromThePast: history is told from an index on, the first that matters.
func TestWaitsFromThePast(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/a/f", "value=1") // 2
	c.must("PUT", "/v2/keys/b", "value=1")
	c.must("PUT", "/v2/keys/a/f", "value=2")
	c.must("DELETE", "/v2/keys/a?recursive=true", "") // 5
	first := `{"action":"set","node":{"key":"/a/f","value":"1","modifiedIndex":2,"createdIndex":2}}`
	second := `{"action":"set","node":{"key":"/a/f","value":"2","modifiedIndex":4,"createdIndex":4},` +
		`"prevNode":{"key":"/a/f","value":"1","modifiedIndex":2,"createdIndex":2}}`
	gone := `{"action":"delete","node":{"key":"/a","dir":true,"modifiedIndex":5,"createdIndex":2},` +
		`"prevNode":{"key":"/a","dir":true,"modifiedIndex":2,"createdIndex":2}}`
	c.want("GET", "/v2/keys/a/f?wait=true&waitIndex=2", "", 200, first)
	c.want("GET", "/v2/keys/a?wait=true&waitIndex=1&recursive=true", "", 200, first)
	c.want("GET", "/v2/keys/a/f?wait=true&waitIndex=3", "", 200, second)
	c.want("GET", "/v2/keys/a/f?wait=true&waitIndex=5", "", 200, gone)
	c.want("GET", "/v2/keys/a?wait=true&waitIndex=3", "", 200, gone)
	future := told(c, "/v2/keys/b?wait=true&waitIndex=7", func() {
		c.must("PUT", "/v2/keys/b", "value=6")
		c.must("PUT", "/v2/keys/b", "value=7")
	})
	if !strings.Contains(future, `"value":"7","modifiedIndex":7`) {
		t.Errorf("from a future index on: %s", future)
	}
	if _, err := c.Ask(t.Context(), call(&pb.CompactionRequest{Revision: 6})); err != nil {
		t.Fatal(err)
	}
	c.want("GET", "/v2/keys/a/f?wait=true&waitIndex=2", "", 400, `{"errorCode":401,"message":`+
		`"The event in requested index is outdated and cleared","cause":"the requested history has been cleared [7/2]",`+
		`"index":7}`)
}

// TestTimeRunsOut: of a file, and of a directory with what is in it; a refresh is told to nobody.
func TestTimeRunsOut(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/f", "value=1&ttl=9") // 2
	got := told(c, "/v2/keys/f?wait=true", func() {
		c.must("PUT", "/v2/keys/f", "ttl=9&refresh=true") // 3, and a lease that is released
		c.expire(t)
	})
	want := `{"action":"expire","node":{"key":"/f","modifiedIndex":4,"createdIndex":3},` +
		`"prevNode":{"key":"/f","value":"1","expiration":"2023-11-14T22:13:29Z","ttl":9,"modifiedIndex":3,"createdIndex":3}}`
	if got != want {
		t.Errorf("a file runs out\n got %s\nwant %s", got, want)
	}

	c.must("PUT", "/v2/keys/d", "dir=true&ttl=9")
	c.must("PUT", "/v2/keys/d/e/f", "value=1") // 6
	file := c.wait("/v2/keys/d/e/f?wait=true")
	c.expire(t) // 7
	c.want("GET", "/v2/keys/d/e/f", "", 404, `{"errorCode":100,"message":"Key not found","cause":"/d","index":7}`)
	c.want("GET", "/v2/keys?recursive=true", "", 200, `{"action":"get","node":{"dir":true}}`)
	if err := c.h.keys.sweepUp(t.Context(), "/d"); err != nil { // 8: this member does not lead, so that it is told
		t.Fatal(err)
	}
	if got, want := soon(t, file), `{"action":"expire","node":{"key":"/d","dir":true,"modifiedIndex":8}}`; got != want {
		t.Errorf("a file in a directory that runs out: %s", got)
	}
	c.must("PUT", "/v2/keys/end", "value=1")
	c.want("GET", "/v2/keys?wait=true&recursive=true&waitIndex=7", "", 200,
		`{"action":"expire","node":{"key":"/d","dir":true,"modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/d",`+
			`"dir":true,"expiration":"2023-11-14T22:13:29Z","ttl":9,"modifiedIndex":5,"createdIndex":5}}`)
	c.want("GET", "/v2/keys?wait=true&recursive=true&waitIndex=8", "", 200,
		`{"action":"set","node":{"key":"/end","value":"1","modifiedIndex":9,"createdIndex":9}}`)
}

// TestWhatIsHiddenIsNotTold, but to who names it, and of the past.
func TestWhatIsHiddenIsNotTold(t *testing.T) {
	c := open(t)
	open := c.wait("/v2/keys/d?wait=true&recursive=true")
	named := c.wait("/v2/keys/d/_h?wait=true&recursive=true")
	c.must("PUT", "/v2/keys/d/_h/f", "value=1")
	c.must("DELETE", "/v2/keys/d/_h?recursive=true", "")
	c.must("PUT", "/v2/keys/d/f", "value=2")
	if got := soon(t, open); !strings.Contains(got, `"key":"/d/f"`) {
		t.Errorf("from above: %s", got)
	}
	if got := soon(t, named); !strings.Contains(got, `"key":"/d/_h/f"`) {
		t.Errorf("by name: %s", got)
	}
	for index, want := range map[string]string{"2": `{"action":"set","node":{"key":"/d/_h/f"`,
		"3": `{"action":"delete","node":{"key":"/d/_h"`} {
		if got := c.must("GET", "/v2/keys/d?wait=true&recursive=true&waitIndex="+index, ""); !strings.HasPrefix(got, want) {
			t.Errorf("of the past: %s", got)
		}
	}
}

// TestOthersRemove: a client of version 3 that deletes a key leaves no note, and is not taken for time.
func TestOthersRemove(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/f", "value=1")
	got := told(c, "/v2/keys/f?wait=true", func() {
		if _, err := c.Ask(t.Context(), call(&pb.DeleteRangeRequest{Key: []byte(keyOf("/f"))})); err != nil {
			t.Error(err)
		}
	})
	if !strings.HasPrefix(got, `{"action":"delete","node":{"key":"/f","modifiedIndex":3`) {
		t.Error(got)
	}
}

// TestLoginsEndWaits: a login that ends while somebody waits ends the answer, whose headers have left already.
func TestLoginsEndWaits(t *testing.T) {
	c := open(t)
	c.refuse = func(api.Call) error { return nil }
	status, body := c.ask("GET", "/v2/keys", "", "Authorization", "Basic YTpi") // so that the login is an old one
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	c.refuseWatch = api.ErrInvalidAuthToken
	status, body = c.ask("GET", "/v2/keys?wait=true", "", "Authorization", "Basic YTpi")
	if status != 200 || body != "" || c.refused != 1 {
		t.Errorf("%d %s after %d attempts", status, body, c.refused)
	}
}

// TestLeadersSweep what has been in a directory that ran out, and tell who waits there; others leave it to them.
func TestLeadersSweep(t *testing.T) {
	c := open(t)
	c.must("PUT", "/v2/keys/d", "dir=true&ttl=9")
	c.must("PUT", "/v2/keys/d/f", "value=1") // 3
	c.fake.mu.Lock()
	c.leading = true
	c.fake.mu.Unlock()
	got := told(c, "/v2/keys/d/f?wait=true", func() { c.expire(t) })
	if got != `{"action":"expire","node":{"key":"/d","dir":true,"modifiedIndex":5}}` {
		t.Error(got)
	}
	if _, stats := c.ask("GET", "/v2/stats/store", ""); !strings.Contains(stats, `"expireCount":1`) {
		t.Error(stats)
	}
	c.must("PUT", "/v2/keys/e", "dir=true&ttl=9")
	c.must("DELETE", "/v2/keys/e?dir=true", "") // 7: there is nothing to sweep, and nobody does
	c.must("PUT", "/v2/keys/g", "value=1&ttl=9")
	c.expire(t)
	c.want("GET", "/v2/keys", "", 200, `{"action":"get","node":{"dir":true}}`)
	if rev := c.revision(); rev != 9 {
		t.Errorf("revision %d", rev)
	}
}

// TestWaitsEnd with the client, and with the handler, and there are so many.
func TestWaitsEnd(t *testing.T) {
	c := open(t)
	ctx, gone := context.WithCancel(t.Context())
	done := make(chan string)
	go func() {
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v2/keys/f?wait=true", nil))
		done <- fmt.Sprint(w.Code, w.Header().Get("X-Etcd-Index"), w.Body)
	}()
	for c.waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	gone()
	if got := soon(t, done); got != "2001" {
		t.Errorf("a client that has gone is told %q", got)
	}
	if n := c.waiting(); n != 0 {
		t.Errorf("%d still wait", n)
	}
	c.h.waits.Store(10_000)
	c.want("GET", "/v2/keys/f?wait=true", "", 500,
		`{"errorCode":300,"message":"Raft Internal Error","cause":"too many requests wait","index":0}`)
	c.h.waits.Store(0)
	left := c.wait("/v2/keys/f?wait=true")
	c.h.Close()
	if got := soon(t, left); got != "" {
		t.Errorf("who waits when the handler closes is told %q", got)
	}
}
