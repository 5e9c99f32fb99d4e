package oracle

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
)

// flagList is where vitrine's own tests find etcd's flags with their defaults.
const flagList = "../internal/config/testdata/etcd-flags.txt"

// liveFlags are the flags that etcd's library defines, and those that its main package adds.
func liveFlags(t *testing.T) map[string]string {
	t.Helper()
	fs := flag.NewFlagSet("etcd", flag.ContinueOnError)
	embed.NewConfig().AddFlags(fs)
	flags := map[string]string{
		"config-file": "", "discovery-fallback": "exit", "initial-cluster-state": "new", "v2-deprecation": "write-only",
		"version":   "false",
		"discovery": "", "discovery-proxy": "", // the help still has them
	}
	fs.VisitAll(func(f *flag.Flag) { flags[f.Name] = f.DefValue })
	return flags
}

// TestFlagListIsEtcds: the list has every flag of etcd's, of its help too, at its default.
func TestFlagListIsEtcds(t *testing.T) {
	flags := liveFlags(t)
	var lines []string
	for name, def := range flags {
		lines = append(lines, name+"\t"+def+"\n")
	}
	slices.Sort(lines)
	want, err := os.ReadFile(flagList)
	ok(t, err)
	if got := strings.Join(lines, ""); got != string(want) {
		t.Errorf("etcd's flags are not those of %s:\n%s", flagList, got)
	}
	help, err := exec.Command(binary(t, "etcd"), "--help").CombinedOutput()
	ok(t, err)
	for _, m := range regexp.MustCompile(`(?m)^  --([a-z0-9-]+)`).FindAllStringSubmatch(string(help), -1) {
		if _, known := flags[m[1]]; !known {
			t.Errorf("etcd's help has --%s", m[1])
		}
	}
}

// TestEveryDefaultSpelledOut: a server that is told all defaults starts, etcd's as ours.
func TestEveryDefaultSpelledOut(t *testing.T) {
	processes(t)
	set := []string{ // by the harness
		"name", "data-dir", "listen-client-urls", "advertise-client-urls", "listen-peer-urls", "initial-advertise-peer-urls",
		"initial-cluster", "initial-cluster-token", "version",
	}
	for _, k := range []kind{etcd, vitrine} {
		var args []string
		for name, def := range liveFlags(t) {
			// etcd refuses some of its own
			if !slices.Contains(set, name) && (k == vitrine || def != "" && !strings.HasPrefix(name, "discovery")) {
				args = append(args, fmt.Sprintf("--%s=%s", name, def))
			}
		}
		run(t, []kind{k}, args...)[0].stop()
	}
}

// TestConfigFile: both servers read one file, and nothing of the command line beside it.
func TestConfigFile(t *testing.T) {
	processes(t)
	var said [2][]string
	for i, k := range []kind{etcd, vitrine} {
		m := cluster(t, []kind{k})[0]
		file := m.dir + ".yml"
		ok(t, os.WriteFile(file, fmt.Appendf(nil, `
name: m7
data-dir: %s
listen-client-urls: %s
advertise-client-urls: %s
listen-peer-urls: %s
initial-advertise-peer-urls: %s
initial-cluster: m7=%s
heartbeat-interval: 50
election-timeout: 500
warning-unary-request-duration: 500000000
metrics: extensive
max-txn-ops: 3
log-level: warn
enable-grpc-gateway: true
`, m.dir, m.client, m.client, m.peer, m.peer, m.peer), 0o600))
		m.args = append(m.args, "--config-file", file, "--max-txn-ops", "9")
		m.start()
		m.ready()
		list := ctl(t, []*member{m}, "", "member", "list")
		said[i] = append(said[i], regexp.MustCompile(`^[0-9a-f]+`).ReplaceAllString(
			strings.NewReplacer(m.client, "C", m.peer, "P").Replace(list.Stdout), "ID"))
		txn := ctl(t, []*member{m}, "\nput a 1\nput b 1\nput c 1\nput d 1\n\n\n", "txn")
		said[i] = append(said[i], fmt.Sprint(txn.Code))
		_, _, metrics := request(t, m, "GET", "/metrics")
		said[i] = append(said[i], fmt.Sprint(strings.Contains(metrics, "\ngrpc_server_handling_seconds_bucket{"+
			`grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary",le="0.005"}`)))
		m.stop()
	}
	compareLines(t, said)
}
