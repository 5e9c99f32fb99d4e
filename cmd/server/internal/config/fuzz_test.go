package config

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzParse: no command line and no environment makes the parser panic; what it takes it takes again, and is a
// configuration that holds together.
func FuzzParse(f *testing.F) {
	f.Add("--name=a\x00--initial-cluster=a=http://1.1.1.1:1,b=unix://x:1", "ETCD_DATA_DIR=/d\x00VITRINE_UI=false")
	f.Add("-v\x00--auto-tls\x00false", "ETCD_=\x00=\x00ETCD_NAME")
	f.Add("--feature-gates=CompactHashCheck=false,=true\x00--listen-peer-urls=http://[::1]:1,http://0:0",
		"ETCD_MAX_WALS=0b101")
	for name, def := range etcdFlags(f) {
		f.Add("--"+name+"="+def, "ETCD_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+"="+def)
	}
	f.Fuzz(func(t *testing.T, line, variables string) {
		args, env := strings.Split(line, "\x00"), strings.Split(variables, "\x00")
		c, err := Parse(args, env, &bytes.Buffer{})
		again, errAgain := Parse(args, env, &bytes.Buffer{})
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() ||
			!reflect.DeepEqual(c, again) {
			t.Fatalf("%q %q: %v, then %v", args, env, err, errAgain)
		}
		if err != nil {
			return
		}
		if c.Name == "" || c.DataDir == "" || c.ElectionTicks() < 5 || c.SnapshotCount == 0 || c.BackendBatchLimit <= 0 ||
			c.CompactionBatchLimit <= 0 || c.WatchProgressNotifyInterval <= 0 {
			t.Errorf("%q %q: %+v", args, env, c)
		}
		_ = c.VerifyBootstrap()
		for _, urls := range []URLs{c.ListenPeerURLs, c.ListenClientURLs, c.AdvertisePeerURLs} {
			if len(urls) == 0 || !slices.IsSorted(urls.Strings()) {
				t.Errorf("%q %q: URLs %v", args, env, urls)
			}
		}
	})
}

// FuzzCluster: a cluster is read as it is written.
func FuzzCluster(f *testing.F) {
	f.Add("a=http://1.1.1.1:1,a=http://1.1.1.1:2,b=unix://x:1")
	f.Add(" =,,a==http://h:1")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCluster(s)
		if err != nil {
			return
		}
		again, err := ParseCluster(c.String())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%q is %v, written %q, read again %v (%v)", s, c, c.String(), again, err)
		}
	})
}
