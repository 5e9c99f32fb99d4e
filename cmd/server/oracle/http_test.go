package oracle

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// request is an HTTP call on the client port.
func request(t *testing.T, m *member, method, path string) (status int, contentType, body string) {
	t.Helper()
	return requestAt(t, m.client, method, path, "")
}

func requestAt(t *testing.T, url, method, path, content string) (status int, contentType, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(call(t), method, url+path, strings.NewReader(content))
	ok(t, err)
	resp, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	ok(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(data)
}

// TestHTTPSaysTheSame asks the paths that probes and dashboards ask.
func TestHTTPSaysTheSame(t *testing.T) {
	processes(t)
	calls := []struct{ method, path string }{
		{"GET", "/version"}, {"POST", "/version"}, {"GET", "/health"}, {"POST", "/health"},
		{"GET", "/health?serializable=true"}, {"GET", "/health?exclude=NOSPACE"},
		{"GET", "/livez"}, {"GET", "/readyz"}, {"GET", "/livez?verbose"}, {"GET", "/readyz?verbose"},
		{"GET", "/livez/serializable_read"},
		{"GET", "/readyz/data_corruption"}, {"GET", "/readyz/nonsense"}, {"GET", "/readyz?exclude=data_corruption&verbose"},
		{"GET", "/readyz?allowlist=serializable_read&verbose"},
		{"GET", "/nowhere"},
	}
	peerCalls := []struct{ method, path, content string }{
		{"GET", "/version", ""}, {"GET", "/members", ""}, {"POST", "/members", ""}, {"GET", "/raft/probing", ""},
		{"GET", "/raft", ""}, {"POST", "/raft", "x"}, {"GET", "/raft/stream/message/1", ""}, {"GET", "/raft/snapshot", ""},
		{"GET", "/members/hashkv", ""}, {"POST", "/members/hashkv", ""}, {"GET", "/members/hashkv", "{}"},
		{"GET", "/members/hashkv", `{"revision":6}`}, {"GET", "/members/hashkv", `{"revision":8}`},
		{"GET", "/members/hashkv", `{"revision":800}`}, {"GET", "/members/hashkv", `{"revision":"x"}`},
		{"GET", "/downgrade/enabled", ""}, {"POST", "/downgrade/enabled", ""}, {"GET", "/health", ""},
		{"GET", "/metrics", ""}, {"GET", "/", ""},
	}
	var said [][]string
	var exposed []string
	both(t, 1, func(t *testing.T, members []*member) {
		// The leader sets the cluster's version a moment after the first election.
		for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if _, _, body := request(t, members[0], "GET", "/version"); !strings.Contains(body, "not_decided") {
				break
			}
		}
		var lines []string
		for _, c := range calls {
			status, contentType, body := request(t, members[0], c.method, c.path)
			if strings.Contains(c.path, "verbose") { // etcd's checks come in the order of a map
				checks := strings.Split(body, "\n")
				slices.Sort(checks)
				body = strings.Join(checks, "\n")
			}
			lines = append(lines, fmt.Sprintf("%s %s: %d %s %q", c.method, c.path, status, contentType, body))
		}
		said = append(said, lines)
		watching := use(t, members[0])
		for _, c := range peerCalls {
			status, contentType, body := requestAt(t, members[0].peer, c.method, c.path, c.content)
			body = regexp.MustCompile(`"Now":"[^"]*"`).ReplaceAllString(body, `"Now":"T"`)
			said[len(said)-1] = append(said[len(said)-1], fmt.Sprintf("%s %s %q: %d %s %q", c.method, c.path, c.content, status,
				contentType, body))
		}
		var text string
		// some figures are taken now and then
		for deadline := time.Now().Add(callTimeout); ; time.Sleep(20 * time.Millisecond) {
			_, _, text = request(t, members[0], "GET", "/metrics")
			if seriesOf(text)["etcd_debugging_mvcc_watcher_total"] == "1" || time.Now().After(deadline) {
				break
			}
		}
		watching()
		exposed = append(exposed, text)
	})
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	for i := range said[0] {
		if said[0][i] != said[1][i] {
			t.Errorf("etcd:    %s\nvitrine: %s", said[0][i], said[1][i])
		}
	}
	compareFamilies(t, typesOf(exposed[0]), typesOf(exposed[1]))
	compareSeries(t, exposed[0], exposed[1])
}

// use does a little of everything that is counted. Its watcher stays until the function that it returns is called.
func use(t *testing.T, m *member) context.CancelFunc {
	t.Helper()
	c := dial(t, m)
	ctx, cancel := context.WithCancel(context.Background())
	w := c.Watch(ctx, "k", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	next(t, w)
	for i := range 4 {
		_, err := c.Put(call(t), fmt.Sprint("k", i), "12345")
		ok(t, err)
	}
	_, err := c.Delete(call(t), "k0")
	ok(t, err)
	_, err = c.Delete(call(t), "nothing")
	ok(t, err)
	_, err = c.Txn(call(t)).Then(clientv3.OpPut("k1", "x"), clientv3.OpDelete("k2"), clientv3.OpGet("k3")).Commit()
	ok(t, err)
	_, err = c.Txn(call(t)).Then(clientv3.OpPut("k1", "xy")).Commit()
	ok(t, err)
	_, err = c.Txn(call(t)).Then(clientv3.OpGet("k1"), clientv3.OpGet("k2")).Commit()
	ok(t, err)
	events(t, w, 8)
	_, err = c.Compact(call(t), 6, clientv3.WithCompactPhysical())
	ok(t, err)
	_, err = c.Compact(call(t), 600)
	expect(t, err, rpctypes.ErrFutureRev.Error())
	return cancel
}

func typesOf(metrics string) map[string]string {
	types := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(metrics, -1) {
		types[match[1]] = match[2]
	}
	return types
}

// counted are the series whose values the use of a server decides.
var counted = regexp.MustCompile(
	`^etcd_(mvcc_(put|delete|txn)_total` +
		`|debugging_mvcc_(db_compaction_keys_total|current_revision|compact_revision|keys_total|events_total` +
		`|pending_events_total|total_put_size_in_bytes|watch_stream_total|watcher_total)` +
		`|server_(has_leader|is_leader|is_learner|leader_changes_seen_total|proposals_failed_total|proposals_pending` +
		`|quota_backend_bytes|cluster_version|version)|cluster_version)`)

// compareSeries: in families that both have, labels and buckets are the same, and so are counts.
func compareSeries(t *testing.T, etcds, ours string) {
	t.Helper()
	want, got := seriesOf(etcds), seriesOf(ours)
	families := typesOf(ours)
	for name, value := range want {
		family := regexp.MustCompile(`(_bucket|_sum|_count)?(\{.*)?$`).ReplaceAllString(name, "")
		if families[family] == "" || !strings.HasPrefix(name, "etcd_") || strings.Contains(name, "ClusterMemberAttrSet") ||
			strings.Contains(name, "ClusterVersionSet") {
			continue
		}
		mine, exists := got[name]
		switch {
		case !exists:
			t.Errorf("etcd has %s", name)
		case counted.MatchString(name) && mine != value:
			t.Errorf("%s is %s, etcd says %s", name, mine, value)
		}
	}
}

func seriesOf(metrics string) map[string]string {
	series := map[string]string{}
	for line := range strings.SplitSeq(metrics, "\n") {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			series[line[:at]] = line[at+1:]
		}
	}
	return series
}

// compareFamilies: what we call by a name of etcd's must be one of etcd's.
func compareFamilies(t *testing.T, want, got map[string]string) {
	t.Helper()
	var strange, missing []string
	common := 0
	for name, kind := range got {
		switch {
		case want[name] == kind:
			common++
		case strings.HasPrefix(name, "etcd_") || strings.HasPrefix(name, "grpc_") || want[name] != "":
			strange = append(strange, fmt.Sprintf("%s %s (etcd: %q)", name, kind, want[name]))
		}
	}
	for name := range want {
		if got[name] == "" {
			missing = append(missing, name)
		}
	}
	slices.Sort(strange)
	slices.Sort(missing)
	if len(strange) > 0 {
		t.Errorf("metrics that etcd does not have, or of another type:\n%s", strings.Join(strange, "\n"))
	}
	if len(missing) > 0 {
		t.Errorf("metrics of etcd's that are not there: %s", strings.Join(missing, " "))
	}
	t.Logf("%d families, as etcd's %d", common, len(want))
}
