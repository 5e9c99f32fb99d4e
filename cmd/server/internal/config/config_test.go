package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
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

func TestEnvironment(t *testing.T) {
	env := []string{"ETCD_NAME=e", "VITRINE_NAME=v", "ETCD_DATA_DIR=/d", "VITRINE_UI=false", "ETCD_VERSION=v3", "ETCD_NONSENSE=1", "PATH=x"}
	c, _, err := parse(t, env, "--data-dir=/flag")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "v" || c.DataDir != "/flag" || c.UI {
		t.Errorf("name %q data-dir %q ui %v", c.Name, c.DataDir, c.UI)
	}
	notes := strings.Join(c.Notes, "\n")
	for _, want := range []string{"unrecognized environment variable ETCD_NONSENSE", "ETCD_DATA_DIR is shadowed", "ETCD_NAME is shadowed"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "ETCD_VERSION") {
		t.Errorf("ETCD_VERSION is not a mistake:\n%s", notes)
	}
	if _, _, err := parse(t, []string{"ETCD_HEARTBEAT_INTERVAL=fast"}); err == nil || !strings.Contains(err.Error(), `invalid value "fast" for ETCD_HEARTBEAT_INTERVAL`) {
		t.Errorf("bad value: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--election-timeout=400"}, "--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]"},
		{[]string{"--election-timeout=50001", "--heartbeat-interval=500"}, "is too long"},
		{[]string{"--heartbeat-interval=0"}, "--heartbeat-interval must be >0"},
		{[]string{"--listen-client-urls=http://127.0.0.1:1"}, "--advertise-client-urls is required when --listen-client-urls is set explicitly"},
		{[]string{"--listen-peer-urls=http://example.com:1"}, "expected IP in URL for binding (http://example.com:1)"},
		{[]string{"--listen-peer-urls=https://127.0.0.1:1"}, "needs TLS"},
		{[]string{"--listen-peer-urls=ftp://127.0.0.1:1"}, "URL scheme must be http, https, unix, or unixs"},
		{[]string{"--listen-peer-urls=http://127.0.0.1"}, `does not have the form "host:port"`},
		{[]string{"--initial-advertise-peer-urls=http://:1"}, "unexpected empty host"},
		{[]string{"--initial-cluster-state=old"}, "valid values are new, existing"},
		{[]string{"--log-format=xml"}, "unknown log format"},
		{[]string{"stray"}, `"stray" is not a valid flag`},
		{[]string{"--cert-file=x"}, "etcd's flag --cert-file is not supported by this version"},
		{[]string{"--auto-tls"}, "etcd's flag --auto-tls is not supported by this version"},
	} {
		_, _, err := parse(t, nil, test.args...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
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

func TestHelpNamesEveryFlag(t *testing.T) {
	p := newParser(&Config{}, &bytes.Buffer{})
	for name := range map[string]bool{"name": true, "ui": true, "unsafe-no-fsync": true, "snapshot-count": true} {
		if p.fs.Lookup(name) == nil || !strings.Contains(Help, "--"+name+" ") {
			t.Errorf("help lacks --%s", name)
		}
	}
}

func TestVerifyBootstrap(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--name=a", "--initial-cluster=b=http://1.1.1.1:2380"}, `couldn't find local name "a" in the initial cluster configuration`},
		{[]string{"--name=a", "--initial-cluster=a=http://1.1.1.1:2380"}, "--initial-cluster must include a=http://localhost:2380 given --initial-advertise-peer-urls=http://localhost:2380"},
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
	c, _, err := parse(t, nil, "--name=b", "--initial-advertise-peer-urls=http://127.0.0.1:2", "--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.VerifyBootstrap(); err != nil {
		t.Error(err)
	}
}
