package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// post sends JSON to a path, and returns all of the answer that can be compared.
func post(m *member, path, body string, header ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	method := http.MethodPost
	if strings.HasPrefix(path, "GET ") {
		method, path = http.MethodGet, path[4:]
	}
	req, err := http.NewRequestWithContext(ctx, method, m.client+path, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	var names []string
	for name, values := range resp.Header {
		if name != "Date" && name != "Content-Length" {
			names = append(names, fmt.Sprint(name, values))
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%s %v %s %v", resp.Status, names, plainJSON(string(b)), err)
}

// What differs between two runs of one server: ids, sizes, hashes, and where there are spaces.
var (
	idOf = regexp.MustCompile(`"(cluster_id|member_id|ID|leader|memberID|dbSize|dbSizeInUse|hash|raftIndex|` +
		`raftAppliedIndex|raft_term|raftTerm|remaining_bytes|token|blob|TTL)":\s*("[^"]*"|\d+)`)
	spaced = regexp.MustCompile(`\s+`)
)

// plainJSON writes each line in one form.
func plainJSON(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		var b bytes.Buffer
		if json.Compact(&b, []byte(line)) == nil {
			line = b.String()
		}
		line = idOf.ReplaceAllStringFunc(line, func(m string) string {
			name, value, _ := strings.Cut(m, ":")
			if value == `"-1"` || value == `"0"` {
				return m
			}
			return name + ":X"
		})
		// protobuf writes its errors with a space that is sometimes another one, so that nobody compares them
		lines[i] = spaced.ReplaceAllString(strings.ReplaceAll(line, "\u00a0", " "), " ")
	}
	return strings.Join(lines, "\n")
}

// gatewayCalls are bodies for every path that has one answer.
func gatewayCalls() [][2]string {
	var calls [][2]string
	add := func(path string, bodies ...string) {
		for _, b := range bodies {
			calls = append(calls, [2]string{"/v3/" + path, b})
		}
	}
	add("kv/put", `{"key":"YQ==","value":"MQ=="}`, `{"key":"YQ==","value":"Mg==","prev_kv":true}`, `{}`, ``,
		`{"key":"!"}`, `{"key":1}`, `{"key":"YQ==","lease":"77"}`, `{"key":"YQ==","lease":77.5}`,
		`{"key":"Yg==","value":"Mg==","unknown":{"x":[1,2]}}`, `{`, `[]`, `null`, `"x"`, `{"key":"YQ=="}{"key":"Yg=="}`,
		`{"key":"YQ==","ignoreValue":true,"value":"MQ=="}`, `{"key":"YQ==","ignore_value":true}`,
		`{"key":"YQ","value":"_-8"}`, `{"key":"YQ==","key":"Yg=="}`)
	add("kv/range", `{"key":"YQ=="}`, `{"key":"YQ==","range_end":"AA=="}`, `{"key":"YQ==","rangeEnd":"eg==","limit":"1"}`,
		`{}`, `{"key":"YQ==","sort_order":"DESCEND","sort_target":1}`, `{"key":"YQ==","sort_order":"SIDEWAYS"}`,
		`{"key":"YQ==","sort_order":9}`, `{"key":"YQ==","revision":"999"}`, `{"key":"YQ==","revision":"x"}`,
		`{"key":"YQ==","count_only":true}`, `{"key":"YQ==","keys_only":true}`, `{"key":"bm8="}`,
		`{"key":"YQ==","serializable":"yes"}`, `{"key":"YQ==","limit":99999999999999999999}`)
	add("kv/txn", `{"compare":[{"key":"YQ==","target":"VALUE","result":"EQUAL","value":"Mg=="}],`+
		`"success":[{"request_put":{"key":"dA==","value":"eA=="}},{"requestRange":{"key":"dA=="}}],`+
		`"failure":[{"request_range":{"key":"YQ=="}}]}`,
		`{"compare":[{"key":"YQ==","target":"MOD","mod_revision":"1"}],"failure":[{"request_delete_range":{"key":"dA==",`+
			`"prev_kv":true}},{"request_txn":{"success":[{"request_range":{"key":"YQ=="}}]}}]}`,
		`{}`, `{"success":[{}]}`, `{"success":[{"request_put":{"key":"dA=="}},{"request_put":{"key":"dA=="}}]}`,
		`{"compare":[{"key":"YQ==","target":"COLOR"}]}`,
		`{"success":[{"request_put":{"key":"dA=="},"request_range":{"key":"YQ=="}}]}`)
	add("kv/deleterange", `{"key":"dA==","prev_kv":true}`, `{"key":"bm8="}`, `{}`)
	add("kv/compaction", `{"revision":"2","physical":true}`, `{"revision":"2"}`, `{"revision":"999"}`, `{}`)
	add("lease/grant", `{"TTL":"100","ID":"7"}`, `{"TTL":"100","ID":"7"}`, `{"TTL":"9000000001"}`, `{"TTL":1,"ID":8}`,
		`{"ttl":5}`)
	add("kv/put", `{"key":"bA==","lease":"7"}`)
	for _, prefix := range []string{"lease/", "kv/lease/"} {
		add(prefix+"timetolive", `{"ID":"7","keys":true}`, `{"ID":"99"}`, `{"ID":"x"}`)
		add(prefix+"leases", `{}`, ``)
	}
	add("lease/keepalive", `{"ID":"7"}`, `{"ID":"99"}`, `{"ID":"7"}{"ID":"8"}`, `{"ID":"7"}`+"\n"+`{"ID":`, ``,
		`{"ID":"x"}`)
	add("kv/lease/revoke", `{"ID":"7"}`, `{"ID":"7"}`)
	add("lease/revoke", `{"ID":"8"}`, `{}`)
	add("cluster/member/list", `{}`, `{"linearizable":true}`)
	add("cluster/member/remove", `{"ID":"1"}`)
	add("cluster/member/promote", `{"ID":"1"}`)
	add("cluster/member/update", `{"ID":"1","peerURLs":["http://127.0.0.1:1"]}`, `{"ID":"1","peerURLs":["x"]}`)
	add("cluster/member/add", `{"peerURLs":["x"]}`, `{"peerURLs":[]}`)
	add("maintenance/status", `{}`)
	add("maintenance/alarm", `{"action":"GET"}`, `{"action":1,"memberID":"5","alarm":"NOSPACE"}`, `{}`,
		`{"action":"DEACTIVATE","memberID":"5","alarm":1}`, `{"action":"LOUD"}`)
	add("maintenance/hash", `{}`)
	add("maintenance/hashkv", `{}`, `{"revision":"3"}`, `{"revision":"1"}`, `{"revision":"999"}`)
	add("maintenance/defragment", `{}`)
	add("maintenance/transfer-leadership", `{"targetID":"1"}`, `{}`)
	add("maintenance/downgrade", `{"action":"VALIDATE","version":"3.5"}`, `{"action":0,"version":"x"}`,
		`{"action":"CANCEL"}`)
	add("nowhere", `{}`)
	add("kv/range/x", `{}`)
	add("", `{}`)
	for _, path := range []string{"kv/range", "watch", "nowhere", "cluster/member/list"} {
		calls = append(calls, [2]string{"GET /v3/" + path, ""})
	}
	calls = append(calls, [2]string{"/v3beta/kv/range", `{"key":"YQ=="}`}, [2]string{"/v3alpha/kv/range", `{}`})
	return append(calls, authCalls()...)
}

func authCalls() [][2]string {
	var calls [][2]string
	add := func(path string, bodies ...string) {
		for _, b := range bodies {
			calls = append(calls, [2]string{"/v3/auth/" + path, b})
		}
	}
	add("status", `{}`)
	add("user/add", `{"name":"root","password":"p"}`, `{"name":"root","password":"p"}`, `{}`,
		`{"name":"alice","password":"a","options":{"no_password":false}}`)
	add("role/add", `{"name":"r"}`, `{"name":"r"}`, `{"name":"root"}`)
	add("role/grant", `{"name":"r","perm":{"permType":"READWRITE","key":"YQ==","range_end":"Yg=="}}`,
		`{"name":"no","perm":{"permType":"READ","key":"YQ=="}}`, `{"name":"r"}`, `{"name":"r","perm":{"permType":"EAT"}}`)
	add("role/get", `{"role":"r"}`, `{"role":"no"}`)
	add("role/list", `{}`)
	add("user/grant", `{"user":"alice","role":"r"}`, `{"user":"no","role":"r"}`, `{"user":"root","role":"root"}`)
	add("user/get", `{"name":"alice"}`, `{"name":"no"}`)
	add("user/list", `{}`)
	add("user/changepw", `{"name":"alice","password":"b"}`, `{"name":"no","password":"b"}`)
	add("role/revoke", `{"role":"r","key":"YQ==","range_end":"Yg=="}`, `{"role":"r","key":"eg=="}`)
	add("user/revoke", `{"name":"alice","role":"r"}`, `{"name":"alice","role":"no"}`)
	add("role/delete", `{"role":"r"}`, `{"role":"r"}`)
	add("user/delete", `{"name":"no"}`)
	add("authenticate", `{"name":"root","password":"p"}`)
	add("disable", `{}`)
	add("enable", `{}`, `{}`)
	add("user/list", `{}`)
	add("authenticate", `{"name":"root","password":"x"}`, `{"name":"root","password":"p"}`, `{"name":"no","password":"p"}`)
	return calls
}

// TestGatewaySaysTheSame: every path, with bodies that make sense and others; and what a token changes.
func TestGatewaySaysTheSame(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		m := members[0]
		awaitClusterVersion(t, m)
		for _, c := range gatewayCalls() {
			answer := post(m, c[0], c[1])
			answer = strings.NewReplacer(m.client, "CLIENT", m.peer, "PEER").Replace(answer)
			said = append(said, fmt.Sprintf("%s %s: %s", c[0], c[1], answer))
		}
		token := tokenOf(t, m)
		for _, header := range [][]string{{"Authorization", token}, {"Authorization", "Bearer " + token},
			{"Authorization", "x"}, {"Grpc-Metadata-Token", token}, {"Grpc-Metadata-Hasleader", "true"},
			{"Grpc-Timeout", "x"}, {"Accept", "text/html", "Authorization", token}, {"TE", "trailers"}} {
			for _, path := range []string{"/v3/kv/range", "/v3/auth/user/list", "/v3/auth/status"} {
				said = append(said, fmt.Sprintf("%v %s: %s", len(header), path, post(m, path, `{"key":"YQ=="}`, header...)))
			}
		}
		said = append(said, post(m, "/v3/auth/disable", `{}`, "Authorization", token))
		return said
	})
}

func awaitClusterVersion(t *testing.T, m *member) {
	t.Helper()
	for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, _, body := request(t, m, "GET", "/version"); !strings.Contains(body, "not_decided") {
			return
		}
	}
}

func tokenOf(t *testing.T, m *member) string {
	t.Helper()
	resp, err := http.Post(m.client+"/v3/auth/authenticate", "application/json",
		strings.NewReader(`{"name":"root","password":"p"}`))
	ok(t, err)
	defer resp.Body.Close()
	var answer struct{ Token string }
	ok(t, json.NewDecoder(resp.Body).Decode(&answer))
	if answer.Token == "" {
		t.Fatal("no token")
	}
	return answer.Token
}

// linesOf reads n lines of a stream.
func linesOf(t *testing.T, m *member, path, body string, n int) (said []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.client+path, strings.NewReader(body))
	ok(t, err)
	resp, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer resp.Body.Close()
	said = append(said, fmt.Sprintf("%s %v %v", resp.Status, resp.Header["Content-Type"], resp.TransferEncoding))
	dec := json.NewDecoder(resp.Body)
	for range n {
		var line json.RawMessage
		if err := dec.Decode(&line); err != nil {
			return append(said, "end: "+err.Error())
		}
		said = append(said, plainJSON(string(line)))
	}
	return said
}

// TestGatewayStreams: watches, snapshots, elections as lines.
func TestGatewayStreams(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		m := members[0]
		for i := range 6 {
			post(m, "/v3/kv/put", fmt.Sprintf(`{"key":"dw==","value":"%d%d%d%d"}`, i, i, i, i))
		}
		post(m, "/v3/kv/compaction", `{"revision":"3"}`)
		for _, w := range []struct {
			body string
			n    int
		}{
			{`{"create_request":{"key":"dw==","start_revision":"4","prev_kv":true}}`, 2},
			{`{"create_request":{"key":"dw==","start_revision":"1"}}`, 2},
			{`{"create_request":{"key":"eg==","range_end":"YQ=="}}`, 1},
			{`{"create_request":{"key":"dw==","start_revision":"-1"}}`, 1},
			{`{"create_request":{"key":"dw==","watch_id":"9"}}{"cancel_request":{"watch_id":"9"}}`, 2},
			{`{"create_request":{"key":"dw=="}}`, 1}, // which of two answers is first would be luck in etcd
			{`{"create_request":{"key":"dw==","filters":["NOPUT"]}}`, 1},
		} {
			said = append(said, w.body)
			said = append(said, linesOf(t, m, "/v3/watch", w.body, w.n)...)
		}
		whole := linesOf(t, m, "/v3/maintenance/snapshot", `{}`, 1)
		said = append(said, whole[0])
		said = append(said, fmt.Sprint(strings.Contains(whole[1], `"result"`)))
		said = append(said, linesOf(t, m, "/v3/maintenance/snapshot", `{`, 1)...)
		post(m, "/v3/lease/grant", `{"TTL":"100","ID":"5"}`)
		said = append(said, post(m, "/v3/election/campaign", `{"name":"ZQ==","lease":"5","value":"djE="}`))
		said = append(said, linesOf(t, m, "/v3/election/observe", `{"name":"ZQ=="}`, 1)...)
		return said
	})
}

// TestGatewayWebSocket: the same over WebSockets, with a token as pages can send it.
func TestGatewayWebSocket(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		m := members[0]
		post(m, "/v3/auth/user/add", `{"name":"root","password":"p"}`)
		post(m, "/v3/auth/user/grant", `{"user":"root","role":"root"}`)
		post(m, "/v3/auth/enable", `{}`)
		token := tokenOf(t, m)
		put := func() { post(m, "/v3/kv/put", `{"key":"dw==","value":"MQ=="}`, "Authorization", token) }
		put()
		for _, protocol := range []string{"", "Bearer, " + token, "Bearer," + token, token, "Bearer, x"} {
			d := websocket.Dialer{HandshakeTimeout: callTimeout}
			header := http.Header{}
			if protocol != "" {
				header.Set("Sec-WebSocket-Protocol", protocol)
			}
			c, resp, err := d.Dial("ws"+strings.TrimPrefix(m.client, "http")+"/v3/watch", header)
			ok(t, err)
			said = append(said, fmt.Sprint(resp.Status, resp.Header["Sec-Websocket-Protocol"]))
			ok(t, c.SetReadDeadline(time.Now().Add(callTimeout)))
			ok(t, c.WriteMessage(websocket.TextMessage, []byte(`{"create_request":{"key":"dw==","start_revision":"2"}}`)))
			for range 2 {
				_, text, err := c.ReadMessage()
				if err != nil {
					said = append(said, "the end")
					break
				}
				said = append(said, plainJSON(string(text)))
				if strings.Contains(string(text), "canceled") {
					break
				}
			}
			c.Close()
		}
		c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(m.client, "http")+"/v3/kv/range", http.Header{
			"Cookie": {"token=" + token}, "Origin": {"http://elsewhere"}})
		ok(t, err)
		ok(t, c.SetReadDeadline(time.Now().Add(3*time.Second)))
		ok(t, c.WriteMessage(websocket.TextMessage, []byte(`{"key":"dw=="}`)))
		c.Close()
		return said
	})
}

// TestCORSAndHosts: who may ask, by origin and by the name that the server is called by.
func TestCORSAndHosts(t *testing.T) {
	processes(t)
	storage := regexp.MustCompile(`"storage":"3\.[57]\.0"`) // etcd raises it a while after its start
	for _, flags := range [][]string{nil, {"--cors", "http://a.example:80,http://b.example:81"},
		{"--host-whitelist", "a.example,localhost"}, {"--enable-grpc-gateway=false"}} {
		var said [2][]string
		for i, k := range []kind{etcd, vitrine} {
			m := run(t, []kind{k}, append(flags, "--host-whitelist", "127.0.0.1,a.example")...)[0]
			if flags == nil || flags[0] != "--host-whitelist" {
				m.stop()
				m = run(t, []kind{k}, flags...)[0]
			}
			for _, header := range [][]string{{}, {"Origin", "http://a.example:80"}, {"Origin", "http://c.example"},
				{"Host", "a.example"}, {"Host", "a.example:90"}, {"Host", "c.example"}} {
				for _, path := range []string{"/v3/kv/range", "GET /health", "GET /version"} {
					answer := storage.ReplaceAllString(fmt.Sprint(post(m, path, `{"key":"YQ=="}`, header...)), `"storage":"3.7.0"`)
					said[i] = append(said[i], fmt.Sprint(flags, header, path, " ", answer))
				}
			}
			m.stop()
		}
		compareLines(t, said)
	}
}
