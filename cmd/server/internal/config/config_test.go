package config

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/cmd/server/internal/secure"
	"vitrine/core/duty"
)

func parse(t *testing.T, env []string, args ...string) (*Config, string, error) {
	t.Helper()
	var out bytes.Buffer
	c, err := Parse(args, env, &out)
	return c, out.String(), err
}

func TestDefaultsAreEtcds(t *testing.T) {
	c, _, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ got, want any }{
		{c.Name, "default"},
		{c.DataDir, "default.etcd"},
		{c.ListenClientURLs.String(), "http://localhost:2379"},
		{c.ListenPeerURLs.String(), "http://localhost:2380"},
		{c.AdvertiseClientURLs.String(), "http://localhost:2379"},
		{c.AdvertisePeerURLs.String(), "http://localhost:2380"},
		{c.InitialCluster.String(), "default=http://localhost:2380"},
		{c.InitialClusterState, StateNew},
		{c.InitialClusterToken, "etcd-cluster"},
		{c.HeartbeatInterval, 100 * time.Millisecond},
		{c.ElectionTimeout, time.Second},
		{c.ElectionTicks(), 10},
		{c.RequestTimeout(), 7 * time.Second},
		{c.SnapshotCount, uint64(10000)},
		{c.SnapshotCatchUpEntries, uint64(5000)},
		{c.MaxRequestBytes, uint(1572864)},
		{c.MaxTxnOps, uint(128)},
		{c.QuotaBackendBytes, int64(0)},
		{c.WALSegmentBytes, int64(64_000_000)},
		{c.LogLevel, "info"},
		{c.LogFormat, "json"},
		{c.UI, true},
	} {
		if check.got != check.want {
			t.Errorf("got %v, want %v", check.got, check.want)
		}
	}
	if err := c.VerifyBootstrap(); err != nil {
		t.Error(err)
	}
}

func TestFlagForms(t *testing.T) {
	for _, args := range [][]string{
		{"--name=a", "--heartbeat-interval=10", "--enable-pprof"},
		{"--name", "a", "--heartbeat-interval", "10", "--enable-pprof=true"},
		{"-name", "a", "-heartbeat-interval=10", "-enable-pprof"},
	} {
		c, _, err := parse(t, nil, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		if c.Name != "a" || c.HeartbeatInterval != 10*time.Millisecond || !c.EnablePprof {
			t.Errorf("%v: %+v", args, c)
		}
	}
}

// Flags that etcd warns of are taken, and leave its warning; others leave none.
func TestDeprecatedFlags(t *testing.T) {
	for _, given := range [][2][]string{
		{{"--max-snapshots=10"}, {}}, {{}, {"ETCD_MAX_SNAPSHOTS=0"}}, {{"--v2-deprecation=gone"}, {}},
	} {
		c, _, err := parse(t, given[1], given[0]...)
		if err != nil || !strings.Contains(strings.Join(c.Notes, "\n"), "deprecat") {
			t.Errorf("%v: %v, %v", given, c, err)
		}
	}
	if c, _, err := parse(t, nil); err != nil || strings.Contains(strings.Join(c.Notes, "\n"), "deprecat") {
		t.Errorf("%v, %v", c, err)
	}
}

func TestEnvironment(t *testing.T) {
	env := []string{"ETCD_NAME=e", "VITRINE_NAME=v", "ETCD_DATA_DIR=/d", "VITRINE_UI=false", "ETCD_VERSION=v3",
		"ETCD_NONSENSE=1", "ETCD_WAL_DIR=", "PATH=x"}
	c, _, err := parse(t, env, "--wal-dir=/flag")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "v" || c.DataDir != "/d" || c.WALDir != "/flag" || c.UI {
		t.Errorf("name %q data-dir %q wal-dir %q ui %v", c.Name, c.DataDir, c.WALDir, c.UI)
	}
	notes := strings.Join(c.Notes, "\n")
	for _, want := range []string{"unrecognized environment variable ETCD_NONSENSE", "ETCD_NAME is shadowed",
		"ETCD_VERSION has no meaning"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "unrecognized environment variable ETCD_VERSION") {
		t.Errorf("ETCD_VERSION is not a mistake:\n%s", notes)
	}
	for _, mistake := range []struct{ env, want string }{
		{"ETCD_HEARTBEAT_INTERVAL=fast", `invalid value "fast" for ETCD_HEARTBEAT_INTERVAL`},
		{"ETCD_DATA_DIR=/d", "conflicting environment variable ETCD_DATA_DIR is shadowed by the flag --data-dir"},
		{"VITRINE_DATA_DIR=/d", "conflicting environment variable VITRINE_DATA_DIR is shadowed by the flag --data-dir"},
		{"ETCD_MAX_WALS=7", "etcd's flag --max-wals is not supported by this version"},
	} {
		if _, _, err := parse(t, []string{mistake.env}, "--data-dir=/flag"); err == nil ||
			!strings.Contains(err.Error(), mistake.want) {
			t.Errorf("%s: %v, want %q", mistake.env, err, mistake.want)
		}
	}
}

// etcdFlags are all flags of etcd 3.7.3 with their defaults.
func etcdFlags(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/etcd-flags.txt") // the oracle module looks that it is still true
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, def, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		flags[name] = def
	}
	return flags
}

// Whatever flag of etcd's is given at its default is taken, on the command line and in the environment, and changes
// nothing.
func TestEveryDefaultMayBeSpelledOut(t *testing.T) {
	plain, _, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	flags := etcdFlags(t)
	if len(flags) < 115 {
		t.Fatalf("%d flags", len(flags))
	}
	for name, def := range flags {
		if name == "version" {
			continue
		}
		args := []string{"--" + name + "=" + def}
		if name == "listen-client-urls" {
			args = append(args, "--advertise-client-urls="+defaultClientURL)
		}
		var envs [][]string
		if def != "" { // an empty variable is none
			for _, prefix := range []string{"ETCD_", "VITRINE_"} {
				envs = append(envs, []string{prefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "=" + def})
			}
		}
		check := func(env []string, args ...string) {
			c, _, err := parse(t, env, args...)
			if err != nil {
				t.Errorf("%v %v: %v", env, args, err)
				return
			}
			if len(env) > 0 && !strings.Contains(strings.Join(c.Notes, "\n"), "recognized and used environment variable "+
				env[0]) {
				t.Errorf("%s was not used: %v", env[0], c.Notes)
			}
			c.Notes = plain.Notes
			if !reflect.DeepEqual(c, plain) {
				t.Errorf("%v %v changes the configuration", env, args)
			}
		}
		check(nil, args...)
		for _, env := range envs {
			check(env, args[1:]...)
		}
	}
	var all []string
	for name, def := range flags {
		if name != "version" {
			all = append(all, "--"+name+"="+def)
		}
	}
	if _, _, err := parse(t, nil, all...); err != nil {
		t.Errorf("all at once: %v", err)
	}
}

// Each flag of the table has a default that it takes, a help, and if it is etcd's, etcd's default.
func TestTable(t *testing.T) {
	flags, seen, restricted := etcdFlags(t), map[string]bool{}, 0
	for _, s := range table() {
		for _, f := range s.specs {
			if seen[f.name] || f.help == "" || (f.only == nil) == (f.field == nil) {
				t.Errorf("--%s: twice %v, help %q", f.name, seen[f.name], f.help)
			}
			seen[f.name] = true
			want, etcds := flags[f.name]
			if same := want == f.def || f.name == "backend-bbolt-freelist-type"; etcds && !same { // "" is map, says its help
				t.Errorf("--%s has the default %q, etcd's is %q", f.name, f.def, want)
			}
			if f.only != nil {
				restricted++
				refusedOtherwise(t, &f)
			}
		}
	}
	for name := range flags {
		if !seen[name] {
			t.Errorf("etcd has --%s", name)
		}
	}
	if restricted < 6 {
		t.Errorf("only %d flags are held to their defaults", restricted)
	}
}

// refusedOtherwise: what a restricted flag cannot honour is refused by name, with a reason, in both ways.
func refusedOtherwise(t *testing.T, f *spec) {
	t.Helper()
	other := map[kind]string{text: "something-else", number: "77", duration: "77m", gates: "CompactHashCheck=true",
		boolean: "true"}[f.only.kind]
	if f.only.kind == boolean && f.def == "true" {
		other = "false"
	}
	env := "ETCD_" + strings.ToUpper(strings.ReplaceAll(f.name, "-", "_")) + "=" + other
	_, _, byFlag := parse(t, nil, "--"+f.name+"="+other)
	_, _, byEnv := parse(t, []string{env})
	for _, err := range []error{byFlag, byEnv} {
		if taken := f.only.idle || slices.Contains(f.only.also, other); taken != (err == nil) {
			t.Errorf("--%s=%s: %v", f.name, other, err)
		} else if err != nil && (!strings.Contains(err.Error(), "etcd's flag --"+f.name+" ") ||
			!strings.Contains(err.Error(), f.only.why)) {
			t.Errorf("--%s=%s is refused by %v", f.name, other, err)
		}
	}
	if f.only.kind == text {
		return
	}
	if _, _, err := parse(t, nil, "--"+f.name+"=nonsense"); err == nil || !strings.Contains(err.Error(), f.name) {
		t.Errorf("--%s=nonsense: %v", f.name, err)
	}
}

// Values that say the default in other words are the default.
func TestDefaultsInOtherWords(t *testing.T) {
	for _, arg := range []string{
		"--compact-hash-check-time=60s", "--raft-read-timeout=5000ms", "--raft-write-timeout=1s", "--max-wals=0x5",
		"--bcrypt-cost=12", "--auto-tls=0",
		"--strict-reconfig-check", "--strict-reconfig-check=T", "--enable-grpc-gateway=false",
		"--feature-gates=CompactHashCheck=false,TxnModeWriteWithSharedBuffer=true", "--cors=", "--v2-deprecation=gone",
		"--backend-bbolt-freelist-type=", "--feature-gates=FastLeaseKeepAlive=false",
		"--snapshot-catchup-entries=0", "--compaction-sleep-interval=0", "--watch-progress-notify-interval=0", "-v",
		"--snapshot=x", "--force",
	} {
		c, _, err := parse(t, nil, arg)
		if err != nil || c.SnapshotCatchUpEntries != 5000 || c.CompactionSleepInterval != 10*time.Millisecond ||
			c.WatchProgressNotifyInterval != 10*time.Minute {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func TestRetention(t *testing.T) {
	for args, want := range map[string]duty.Retention{
		"":                                {},
		"--auto-compaction-retention=0h":  {},
		"--auto-compaction-retention=":    {},
		"--auto-compaction-retention=2":   {Period: 2 * time.Hour},
		"--auto-compaction-retention=90s": {Period: 90 * time.Second},
		"--auto-compaction-mode=revision --auto-compaction-retention=1000": {Revisions: 1000, Every: 5 * time.Minute},
	} {
		c, _, err := parse(t, nil, strings.Fields(args)...)
		if err != nil || c.Retention.Period != want.Period || c.Retention.Revisions != want.Revisions {
			t.Errorf("%s: %+v, %v", args, c, err)
		}
	}
	for args, why := range map[string]string{
		"--auto-compaction-retention=soon":                               "error parsing CompactionRetention",
		"--auto-compaction-retention=-1":                                 "must not be negative",
		"--auto-compaction-retention=-1h":                                "must not be negative",
		"--auto-compaction-retention=10ms":                               "is less than 1s",
		"--auto-compaction-retention=5000000":                            "so many hours cannot be counted",
		"--auto-compaction-mode=revision --auto-compaction-retention=1h": "is no number of revisions",
		"--auto-compaction-mode=daily":                                   "valid values are periodic, revision",
	} {
		if _, _, err := parse(t, nil, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestNothingAskedIsNothingPromised(t *testing.T) {
	c, out, err := parse(t, []string{"ETCD_METRICS=basic"}, "--auto-tls=false", "--cert-file=",
		"--auto-compaction-retention=0", "--cors=*", "--enable-grpc-gateway=false",
		"--listen-metrics-urls=", "--listen-peer-urls=", "--advertise-client-urls=", "--snapshot-count=0",
		"--backend-batch-limit=0", "--backend-batch-interval=0", "--compaction-batch-limit=0")
	if err != nil {
		t.Fatal(err, out)
	}
	if len(c.ListenMetricsURLs) != 0 || c.ListenPeerURLs.String() != "http://localhost:2380" ||
		c.AdvertiseClientURLs.String() != "http://localhost:2379" {
		t.Errorf("URLs %v %v %v", c.ListenMetricsURLs, c.ListenPeerURLs, c.AdvertiseClientURLs)
	}
	if c.SnapshotCount != 10000 || c.BackendBatchLimit != 10000 || c.BackendBatchInterval != 100*time.Millisecond ||
		c.CompactionBatchLimit != 1000 {
		t.Errorf("zeros are not the defaults: %+v", c)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--election-timeout=400"},
			"--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]"},
		{[]string{"--election-timeout=50001", "--heartbeat-interval=500"}, "is too long"},
		{[]string{"--heartbeat-interval=0"}, "--heartbeat-interval must be >0"},
		{[]string{"--listen-client-urls=http://127.0.0.1:1"},
			"--advertise-client-urls is required when --listen-client-urls is set explicitly"},
		{[]string{"--listen-peer-urls=http://example.com:1"}, "expected IP in URL for binding (http://example.com:1)"},
		{[]string{"--listen-peer-urls=https://127.0.0.1:1"}, "cannot listen on TLS for 127.0.0.1:1"},
		{[]string{"--listen-client-urls=unixs://a", "--advertise-client-urls=unixs://a"},
			"TLS key/cert (--cert-file, --key-file) must be provided for client url unixs://a with HTTPS scheme"},
		{[]string{"--listen-metrics-urls=https://127.0.0.1:1"},
			"client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url"},
		{[]string{"--listen-client-http-urls=http://localhost:2379"},
			"cannot bind both --listen-client-urls and --listen-client-http-urls on the same url http://localhost:2379"},
		{[]string{"--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"},
			"min version (TLS1.3) is greater than max version (TLS1.2)"},
		{[]string{"--tls-min-version=SSL3"}, `unexpected TLS version "SSL3" (must be one of: TLS1.2, TLS1.3)`},
		{[]string{"--cipher-suites=ROT13"}, `unexpected TLS cipher suite "ROT13"`},
		{[]string{"--tls-min-version=TLS1.3", "--cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA"},
			"cipher suites cannot be configured when only TLS1.3 is enabled"},
		{[]string{"--listen-peer-urls=ftp://127.0.0.1:1"}, "URL scheme must be http, https, unix, or unixs"},
		{[]string{"--listen-peer-urls=http://127.0.0.1"}, `does not have the form "host:port"`},
		{[]string{"--initial-advertise-peer-urls=http://:1"}, "unexpected empty host"},
		{[]string{"--v2-deprecation=not-yet"}, `invalid value "not-yet"`},
		{[]string{"--initial-cluster-state=old"}, "valid values are new, existing"},
		{[]string{"--log-format=xml"}, "unknown log format"},
		{[]string{"--name="}, "--name must not be empty"},
		{[]string{"--backend-batch-limit=-1"}, "--backend-batch-limit must not be negative"},
		{[]string{"--compaction-sleep-interval=-1s"}, "--compaction-sleep-interval must not be negative"},
		{[]string{"--wal-segment-bytes=65535"}, "--wal-segment-bytes must be at least 65536 (set to 65535)"},
		{[]string{"--feature-gates=PriorityRequest=true"}, "PriorityRequest=true: this version cannot do it yet"},
		{[]string{"--feature-gates=CompactHashCheck=perhaps"}, "invalid value of CompactHashCheck=perhaps"},
		{[]string{"--compact-hash-check-time=0"}, "--compact-hash-check-time must be >0"},
		{[]string{"--feature-gates=Nonsense=true"}, `unrecognized feature gate: Nonsense`},
		{[]string{"--feature-gates=CompactHashCheck"}, `missing bool value for CompactHashCheck`},
		{[]string{"--bcrypt-cost=high"}, `invalid value "high" for flag -bcrypt-cost: parse error`},
		{[]string{"--downgrade-check-time=high"},
			`invalid value "high" for flag -downgrade-check-time: parse error`},
		{[]string{"--downgrade-check-time=-1s"}, "--downgrade-check-time must not be negative"},
		{[]string{"--max-wals", "9"}, "etcd's flag --max-wals is not supported by this version"},
		{[]string{"--max-wals", "9"}, "etcd's flag --max-wals is not supported by this version"},
		{[]string{"stray"}, `"stray" is not a valid flag`},
	} {
		_, _, err := parse(t, nil, test.args...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
	}
}

// A file in YAML or JSON says all; flags and variables beside it say nothing.
func TestConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd.yml")
	for _, text := range []string{`
name: m1
heartbeat-interval: 50
election-timeout: 500
listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
watch-progress-notify-interval: 600000000000
warning-apply-duration: 2s
log-outputs: [stderr, /tmp/x]
cors: http://a:80
max-concurrent-streams: 7
enable-pprof: true
initial-cluster-state: 'existing'
cipher-suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
client-transport-security:
  cert-file: c
  key-file: k
  client-cert-auth: true
  allowed-hostname: [h1, h2]
peer-transport-security: {cert-file: pc, key-file: pk, allowed-cn: [m1, m2], trusted-ca-file: ca, auto-tls: false}
socket-options: {reuse-port: true}
unknown-thing: 1
`, `{"name": "m1", "heartbeat-interval": 50, "election-timeout": 500, "enable-pprof": true,
"listen-client-urls": "http://127.0.0.1:1,http://127.0.0.1:2", "watch-progress-notify-interval": 600000000000,
"warning-apply-duration": 2000000000, "log-outputs": ["stderr", "/tmp/x"], "cors": "http://a:80", "unknown-thing": null,
"max-concurrent-streams": 7, "initial-cluster-state": "existing", "socket-options": {"reuse-port": true},
"cipher-suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
"client-transport-security": {"cert-file": "c", "key-file": "k", "client-cert-auth": true,
"allowed-hostname": ["h1", "h2"]},
"peer-transport-security": {"cert-file": "pc", "key-file": "pk", "allowed-cn": ["m1", "m2"],
"trusted-ca-file": "ca"}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, by := range []struct{ env, args []string }{
			{nil, []string{"--config-file", path, "--name=other", "--data-dir=/d"}},
			{[]string{"ETCD_CONFIG_FILE=" + path, "ETCD_NAME=other"}, nil},
		} {
			c, _, err := parse(t, by.env, by.args...)
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range []struct{ got, want any }{
				{c.Name, "m1"}, {c.DataDir, "m1.etcd"}, {c.HeartbeatInterval, 50 * time.Millisecond},
				{c.ListenClientURLs.String(), "http://127.0.0.1:1,http://127.0.0.1:2"},
				{c.AdvertiseClientURLs.String(), "http://localhost:2379"},
				{c.WatchProgressNotifyInterval, 10 * time.Minute}, {c.WarningApplyDuration, 2 * time.Second},
				{strings.Join(c.LogOutputs, " "), "stderr /tmp/x"}, {c.CORS.String(), "http://a:80"},
				{c.MaxConcurrentStreams, uint32(7)}, {c.EnablePprof, true}, {c.InitialClusterState, StateExisting},
				{c.ClientTLS.CertFile + c.ClientTLS.KeyFile, "ck"}, {c.ClientTLS.ClientCertAuth, true},
				{strings.Join(c.ClientTLS.AllowedHostnames, " "), "h1 h2"},
				{strings.Join(c.PeerTLS.AllowedCNs, " "), "m1 m2"}, {c.PeerTLS.TrustedCAFile, "ca"},
				{c.SocketReusePort, true}, {len(c.PeerTLS.CipherSuites), 1},
				{c.InitialCluster.String(), "m1=http://localhost:2380"},
			} {
				if check.got != check.want {
					t.Errorf("got %v, want %v", check.got, check.want)
				}
			}
		}
	}
	for text, want := range map[string]string{"name: [": "yaml", "heartbeat-interval: fast": `invalid value "fast"`,
		"client-transport-security: 7": "invalid client-transport-security"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := parse(t, nil, "--config-file="+path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, _, err := parse(t, nil, "--config-file=/nowhere"); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestDiscoveryFlags(t *testing.T) {
	c, _, err := parse(t, nil, "--name=a", "--discovery-token=t", "--discovery-endpoints=1.1.1.1:1, 2.2.2.2:2",
		"--initial-advertise-peer-urls=http://3.3.3.3:3")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Discovery.Endpoints, []string{"1.1.1.1:1", "2.2.2.2:2"}) || c.Discovery.Token != "t" ||
		!c.Discovery.InsecureTransport || c.InitialCluster.String() != "a=http://3.3.3.3:3" {
		t.Errorf("%+v %v", c.Discovery, c.InitialCluster)
	}
	for _, mistake := range [][]string{
		{"--discovery-token=t"}, {"--discovery-endpoints=1.1.1.1:1"},
		{"--discovery-srv=example.com", "--initial-cluster=default=http://localhost:2380"},
		{"--discovery-srv=example.com", "--discovery-token=t", "--discovery-endpoints=1.1.1.1:1"},
	} {
		if _, _, err := parse(t, nil, mistake...); err == nil || !strings.Contains(err.Error(), "discovery") {
			t.Errorf("%v: %v", mistake, err)
		}
	}
}

func TestSecurity(t *testing.T) {
	c, _, err := parse(t, nil, "--cert-file=a", "--key-file=b", "--trusted-ca-file=c", "--client-cert-auth",
		"--client-cert-allowed-hostname=x,y", "--peer-cert-allowed-cn=m1, m2", "--peer-auto-tls",
		"--listen-peer-urls=https://127.0.0.1:1,unixs://p", "--listen-client-urls=https://127.0.0.1:2,http://127.0.0.1:2",
		"--advertise-client-urls=https://h:2", "--tls-max-version=TLS1.3",
		"--cipher-suites=TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
	if err != nil {
		t.Fatal(err)
	}
	want := secure.Settings{CertFile: "a", KeyFile: "b", TrustedCAFile: "c", ClientCertAuth: true,
		AllowedHostnames: []string{"x", "y"}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	if !reflect.DeepEqual(c.ClientTLS, want) {
		t.Errorf("clients: %+v", c.ClientTLS)
	}
	if !slices.Equal(c.PeerTLS.AllowedCNs, []string{"m1", "m2"}) || !c.PeerAutoTLS || c.SelfSignedCertYears != 1 {
		t.Errorf("peers: %+v", c.PeerTLS)
	}
}

func TestUnknownFlagIsAUsageError(t *testing.T) {
	_, out, err := parse(t, nil, "--nope")
	var usage *UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("%v", err)
	}
	if !strings.HasPrefix(out, "flag provided but not defined: -nope\nUsage:") {
		t.Errorf("output %q", out)
	}
	if _, _, err := parse(t, nil, "--version"); !errors.Is(err, ErrVersion) {
		t.Errorf("--version: %v", err)
	}
	if _, _, err := parse(t, nil, "-h"); !errors.Is(err, ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// The help names every flag with its default.
func TestHelpNamesEveryFlag(t *testing.T) {
	var out bytes.Buffer
	Help(&out)
	named := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  --([a-z0-9-]+) '(.*)'$`).FindAllStringSubmatch(out.String(), -1) {
		named[m[1]] = m[2]
	}
	newParser(&Config{}, &bytes.Buffer{}).fs.VisitAll(func(f *flag.Flag) {
		if value, ok := named[f.Name]; !slices.Contains(ignored, f.Name) && (!ok || value != f.DefValue) {
			t.Errorf("help says %q of --%s, its default is %q", value, f.Name, f.DefValue)
		}
	})
}

func TestVerifyBootstrap(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--name=a", "--initial-cluster=b=http://1.1.1.1:2380"},
			`couldn't find local name "a" in the initial cluster configuration`},
		{[]string{"--name=a", "--initial-cluster=a=http://1.1.1.1:2380"},
			"--initial-cluster must include a=http://localhost:2380 given --initial-advertise-peer-urls=http://localhost:2380"},
		{[]string{"--name=a", "--initial-cluster=a=http://localhost:2380,b=http://localhost:2380"}, "has duplicate url"},
	} {
		c, _, err := parse(t, nil, test.args...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.VerifyBootstrap(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
	}
	c, _, err := parse(t, nil, "--name=b", "--initial-advertise-peer-urls=http://127.0.0.1:2",
		"--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.VerifyBootstrap(); err != nil {
		t.Error(err)
	}
}
