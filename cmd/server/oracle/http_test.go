package oracle

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// request is an HTTP call on the client port.
func request(t *testing.T, m *member, method, path string) (status int, contentType, body string) {
	t.Helper()
	req, err := http.NewRequest(method, m.client+path, nil)
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
		{"GET", "/version"}, {"POST", "/version"}, {"GET", "/health"}, {"POST", "/health"}, {"GET", "/health?serializable=true"}, {"GET", "/health?exclude=NOSPACE"},
		{"GET", "/livez"}, {"GET", "/readyz"}, {"GET", "/livez?verbose"}, {"GET", "/readyz?verbose"}, {"GET", "/livez/serializable_read"},
		{"GET", "/readyz/data_corruption"}, {"GET", "/readyz/nonsense"}, {"GET", "/readyz?exclude=data_corruption&verbose"}, {"GET", "/readyz?allowlist=serializable_read&verbose"},
		{"GET", "/nowhere"},
	}
	var said [][]string
	var families []map[string]string
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
		_, _, text := request(t, members[0], "GET", "/metrics")
		types := map[string]string{}
		for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
			types[match[1]] = match[2]
		}
		families = append(families, types)
	})
	if len(said) != 2 {
		t.Fatal("one of the servers failed")
	}
	for i := range calls {
		if said[0][i] != said[1][i] {
			t.Errorf("etcd:    %s\nvitrine: %s", said[0][i], said[1][i])
		}
	}
	compareFamilies(t, families[0], families[1])
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
	if common < 30 {
		t.Errorf("only %d metrics of etcd's", common)
	}
	t.Logf("%d metrics of etcd's %d; not there yet: %s", common, len(want), strings.Join(missing, " "))
}
