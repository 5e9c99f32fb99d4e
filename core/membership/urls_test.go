package membership

import (
	"slices"
	"testing"
)

// TestPeerURLs: what etcd takes for a member's URLs, and how it writes them.
func TestPeerURLs(t *testing.T) {
	for _, c := range []struct {
		urls, want []string // nil = refused
	}{
		{[]string{"http://b:1", " http://a:1"}, []string{"http://a:1", "http://b:1"}},
		{[]string{"https://[::1]:2380"}, []string{"https://[::1]:2380"}},
		{[]string{"unix://a.sock:1"}, []string{"unix://a.sock:1"}},
		{[]string{"unixs:///tmp/a"}, []string{"unixs:///tmp/a"}},
		{nil, nil}, {[]string{""}, nil}, {[]string{"http://a"}, nil}, {[]string{"http://a:1/"}, nil},
		{[]string{"ftp://a:1"}, nil},
		{[]string{"http://a:b:1"}, nil}, {[]string{"http://[::1]"}, nil}, {[]string{"http://a:x"}, nil},
		{[]string{"http://%"}, nil},
	} {
		got, err := PeerURLs(c.urls)
		if (err == nil) != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q %v", c.urls, got, err)
		}
	}
}

// TestDowngradeTargets: a cluster goes down by one minor version.
func TestDowngradeTargets(t *testing.T) {
	now := Version{Major: 3, Minor: 7}
	for text, want := range map[string]bool{
		"3.6": true, "3.6.0": true, "3.6.9": true, "3.7": false, "3.5": false, "2.6": false,
	} {
		target, err := ParseTarget(text)
		if err != nil || now.MayDowngrade(target) != want {
			t.Errorf("%s: %v %v", text, target, err)
		}
	}
	if _, err := ParseTarget("3"); err == nil || now.Cluster() != "3.7" {
		t.Error("not a version")
	}
}
