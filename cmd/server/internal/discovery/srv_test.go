package discovery

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestSRV(t *testing.T) {
	records := map[string][]*net.SRV{
		"_etcd-server._tcp.one": {{Target: "a.example.", Port: 1}, {Target: "b.example.", Port: 2},
			{Target: "c.example.", Port: 3}},
		"_etcd-server-ssl._tcp.two": {{Target: "a.example.", Port: 1}, {Target: "b.example.", Port: 2}},
		"_etcd-server-x._tcp.three": {{Target: "b.example.", Port: 2}},
		"_etcd-server._tcp.four":    {{Target: "c.example.", Port: 3}},
		"_etcd-server._tcp.five":    {{Target: "nowhere.", Port: 3}},
	}
	n := Names{
		Self: "me", Advertised: []string{"http://b.example:2"},
		LookupSRV: func(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
			found := records["_"+service+"._"+proto+"."+name]
			if found == nil {
				return "", nil, errors.New("no such host")
			}
			return "", found, nil
		},
		Resolve: func(address string) (string, error) {
			host, port, err := net.SplitHostPort(address)
			if strings.HasPrefix(host, "nowhere") {
				return "", errors.New("cannot be resolved")
			}
			return "10.0.0." + port, err
		},
	}
	for _, test := range []struct {
		domain, suffix, scheme, want, err string
		secure                            bool
	}{
		{"one", "", "http", "0=http://a.example:1,me=http://b.example:2,1=http://c.example:3", "", false},
		{"two", "", "https", "0=https://a.example:1,me=https://b.example:2", "", true},
		{"two", "", "http", "", `cannot find local etcd member "me" in SRV records`, false},
		{"three", "x", "http", "me=http://b.example:2", "", false},
		{"three", "", "http", "", "error querying DNS SRV records for _etcd-server no such host", false},
		{"four", "", "http", "", `cannot find local etcd member "me" in SRV records`, false},
		{"five", "", "http", "", "cannot be resolved", false},
	} {
		n.Domain, n.Suffix, n.Advertised = test.domain, test.suffix, []string{test.scheme + "://b.example:2"}
		got, secure, err := SRV(t.Context(), n, zap.NewNop())
		if got != test.want || secure != test.secure || (err == nil) != (test.err == "") ||
			err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %q %v %v", test.domain, got, secure, err)
		}
	}
}
