package oracle

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/cmd/server/internal/authority"
)

// secured describes a cluster whose clients and peers come over TLS; its servers show own.
func secured(t testing.TB, kinds []kind, ca *authority.Authority, own authority.Pair, args ...string) []*member {
	t.Helper()
	addresses := freeAddresses(t, 2*len(kinds))
	root := t.TempDir()
	var members []*member
	var initial []string
	for i, k := range kinds {
		m := &member{t: t, kind: k, name: fmt.Sprintf("m%d", i+1), client: "https://" + addresses[2*i],
			peer: "https://" + addresses[2*i+1], tls: ca.Client(own),
			flags: []string{"--cacert", ca.File, "--cert", own.Cert, "--key", own.Key}}
		m.dir = filepath.Join(root, m.name)
		members = append(members, m)
		initial = append(initial, m.name+"="+m.peer)
	}
	for _, m := range members {
		m.args = append([]string{"--initial-cluster", strings.Join(initial, ","), "--cert-file", own.Cert, "--key-file",
			own.Key}, args...)
	}
	return members
}

// sayOverTLS is what etcdctl and a client of HTTP hear who come with these flags.
func sayOverTLS(t *testing.T, m *member, flags ...string) string {
	t.Helper()
	was := m.flags
	defer func() { m.flags = was }()
	m.flags = flags
	out := ctl(t, []*member{m}, "", "get", "a", "--command-timeout=2s", "--dial-timeout=2s")
	lines := strings.Split(strings.TrimSpace(out.Stderr), "\n")
	return fmt.Sprintf("%q %q %d", out.Stdout, lines[len(lines)-1], out.Code)
}

// TestTLSSaysTheSame: who is let in, and what those hear who are not.
func TestTLSSaysTheSame(t *testing.T) {
	processes(t)
	ca, other := authority.New(t), authority.New(t)
	here := []string{"127.0.0.1", "localhost"}
	own := ca.Issue(authority.Wish{Name: "server", Hosts: here})
	alice := ca.Issue(authority.Wish{Name: "alice", Hosts: []string{"alice.example"}})
	bob := ca.Issue(authority.Wish{Name: "bob"})
	stranger := other.Issue(authority.Wish{Name: "alice", Hosts: []string{"alice.example"}})
	crl := filepath.Join(t.TempDir(), "crl")
	ca.Revoke(crl, bob.Serial)
	with := func(p authority.Pair) []string {
		return []string{"--cacert", ca.File, "--cert", p.Cert, "--key", p.Key}
	}
	auth := []string{"--client-cert-auth", "--trusted-ca-file", ca.File}
	for name, test := range map[string]struct{ flags []string }{
		"open": {nil}, "trusted": {auth[1:]}, "auth": {auth},
		"hosts":   {append(auth, "--client-cert-allowed-hostname", "x,alice.example,localhost")},
		"revoked": {append(auth, "--client-crl-file", crl)},
		"split":   {append(auth, "--client-crl-file", crl, "--listen-client-http-urls", "https://"+freeAddresses(t, 1)[0])},
		"new":     {append(auth, "--tls-min-version", "TLS1.3")},
	} {
		t.Run(name, func(t *testing.T) {
			var said [2][]string
			for i, k := range []kind{etcd, vitrine} {
				m := secured(t, []kind{k}, ca, own, append(test.flags, "--peer-auto-tls")...)[0]
				m.start()
				if name == "split" {
					leader(t, []*member{m})
				} else {
					m.ready()
				}
				for _, flags := range [][]string{with(own), with(alice), with(bob), with(stranger), {"--cacert", ca.File},
					{"--cacert", other.File}, {"--insecure-skip-tls-verify", "--insecure-transport=false"}} {
					said[i] = append(said[i], sayOverTLS(t, m, flags...))
				}
				for _, c := range []*tls.Config{ca.Client(alice), ca.Client(bob), ca.Client()} {
					said[i] = append(said[i], sayHTTPS(m.client, c, true), sayHTTPS(m.client, c, false))
					c.MaxVersion = tls.VersionTLS12
					said[i] = append(said[i], sayHTTPS(m.client, c, true))
				}
				m.stop()
			}
			compareLines(t, said)
		})
	}
}

// sayHTTPS asks for the health over one or the other version of HTTP.
func sayHTTPS(url string, c *tls.Config, h2 bool) string {
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: h2}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health", nil)
	if err != nil {
		return err.Error()
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		// How a connection ends that is not wanted is a matter of luck: an alert, a reset, an end.
		return "not let in"
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%s %s %q %v", resp.Proto, resp.Status, b, err)
}

// TestCommonNamesAreUsers: with --client-cert-auth the name in a certificate is who asks.
func TestCommonNamesAreUsers(t *testing.T) {
	processes(t)
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Name: "root", Hosts: []string{"127.0.0.1", "localhost"}})
	var said [2][]string
	for i, k := range []kind{etcd, vitrine} {
		m := secured(t, []kind{k}, ca, own, "--client-cert-auth", "--trusted-ca-file", ca.File, "--peer-auto-tls")[0]
		m.start()
		m.ready()
		for _, args := range []string{"user add root --no-password", "user grant-role root root", "role add r",
			"role grant-permission r readwrite a", "user add alice --no-password", "user grant-role alice r", "auth enable",
			"put a 1", "user list"} {
			out := ctl(t, []*member{m}, "", strings.Fields(args)...)
			said[i] = append(said[i], fmt.Sprintf("%s: %q %d", args, out.Stdout, out.Code))
		}
		for _, name := range []string{"alice", "bob", ""} {
			p := ca.Issue(authority.Wish{Name: name})
			m.flags = []string{"--cacert", ca.File, "--cert", p.Cert, "--key", p.Key}
			for _, args := range []string{"get a", "put a 2", "put b 2", "user list", "auth status"} {
				out := ctl(t, []*member{m}, "", strings.Fields(args)...)
				lines := strings.Split(strings.TrimSpace(out.Stderr), "\n")
				said[i] = append(said[i], fmt.Sprintf("%s %s: %q %q %d", name, args, out.Stdout, lines[len(lines)-1], out.Code))
			}
		}
		m.stop()
	}
	compareLines(t, said)
}

// TestAutoTLS: a certificate is made, and found again.
func TestAutoTLS(t *testing.T) {
	processes(t)
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{})
	for _, k := range []kind{etcd, vitrine} {
		m := secured(t, []kind{k}, ca, own)[0]
		m.args = append(m.args[:2], "--auto-tls", "--peer-auto-tls", "--self-signed-cert-validity", "3")
		m.tls = &tls.Config{InsecureSkipVerify: true}
		for range 2 {
			m.start()
			m.ready()
			if got := sayOverTLS(t, m, "--insecure-skip-tls-verify", "--insecure-transport=false"); got != `"" "" 0` {
				t.Errorf("%s: %s", k, got)
			}
			m.stop()
		}
		for _, side := range []string{"client", "peer"} {
			p, err := tls.LoadX509KeyPair(filepath.Join(m.dir, "fixtures", side, "cert.pem"),
				filepath.Join(m.dir, "fixtures", side, "key.pem"))
			ok(t, err)
			if left := time.Until(p.Leaf.NotAfter).Hours() / 24; left < 3*365-1 || p.Leaf.VerifyHostname("127.0.0.1") != nil {
				t.Errorf("%s %s: valid for %v days, %v", k, side, left, p.Leaf.IPAddresses)
			}
		}
	}
}

// TestTLSMixedCluster: members of both kinds, mutual TLS between peers, leaders that go.
func TestTLSMixedCluster(t *testing.T) {
	processes(t)
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Name: "m", Hosts: []string{"127.0.0.1", "localhost"}})
	for name, flags := range map[string][]string{
		"names": {"--peer-cert-file", own.Cert, "--peer-key-file", own.Key, "--peer-client-cert-auth",
			"--peer-trusted-ca-file", ca.File, "--peer-cert-allowed-cn", "m,n"},
		"hosts": {"--peer-cert-file", own.Cert, "--peer-key-file", own.Key, "--peer-client-cert-auth",
			"--peer-trusted-ca-file", ca.File, "--peer-cert-allowed-hostname", "localhost"},
		"auto": {"--peer-auto-tls"},
	} {
		t.Run(name, func(t *testing.T) {
			members := secured(t, []kind{etcd, vitrine, vitrine}, ca, own, flags...)
			for _, m := range members {
				m.start()
			}
			for _, m := range members {
				m.ready()
			}
			c := dial(t, members...)
			for i := range 3 {
				_, err := c.Put(call(t), fmt.Sprint("k", i), "v")
				ok(t, err)
				gone := leader(t, members)
				gone.kill()
				var rest []*member
				for _, m := range members {
					if m != gone {
						rest = append(rest, m)
					}
				}
				leader(t, rest)
				_, err = c.Put(call(t), fmt.Sprint("l", i), "v")
				ok(t, err)
				gone.start()
				gone.ready()
			}
			if f := agree(t, members); f.Revision != 7 {
				t.Errorf("revision %d", f.Revision)
			}
		})
	}
}

// TestPeersThatAreNotLetIn: a member whose certificate is of another authority does not join.
func TestPeersThatAreNotLetIn(t *testing.T) {
	processes(t)
	ca, other := authority.New(t), authority.New(t)
	here := []string{"127.0.0.1", "localhost"}
	own := ca.Issue(authority.Wish{Name: "m", Hosts: here})
	members := secured(t, []kind{vitrine, vitrine, vitrine}, ca, own, "--peer-cert-file", own.Cert, "--peer-key-file",
		own.Key, "--peer-client-cert-auth", "--peer-trusted-ca-file", ca.File)
	stranger := other.Issue(authority.Wish{Name: "m", Hosts: here})
	members[2].args = append(members[2].args, "--peer-cert-file", stranger.Cert, "--peer-key-file", stranger.Key,
		"--peer-trusted-ca-file", other.File)
	for _, m := range members {
		m.start()
	}
	members[0].ready()
	members[1].ready()
	log, err := os.ReadFile(members[0].log.Name())
	ok(t, err)
	if !strings.Contains(string(log), "rejected connection on peer endpoint") {
		t.Error("the log does not tell of the stranger")
	}
	if err := members[2].waitReady(time.Second); err == nil {
		t.Error("the stranger is part of the cluster")
	}
}

// TestFilesReplacedWhileServing: certificates, and with ours the bundle of authorities, count from the next connection.
func TestFilesReplacedWhileServing(t *testing.T) {
	processes(t)
	here := []string{"127.0.0.1", "localhost"}
	for _, k := range []kind{etcd, vitrine} {
		ca, later := authority.New(t), authority.New(t)
		own := ca.Issue(authority.Wish{Name: "m", Hosts: here})
		alice := ca.Issue(authority.Wish{Name: "alice"})
		m := secured(t, []kind{k}, ca, own, "--client-cert-auth", "--trusted-ca-file", ca.File, "--peer-auto-tls")[0]
		m.start()
		m.ready()
		as := func(a *authority.Authority, p authority.Pair) string {
			return sayOverTLS(t, m, "--cacert", a.File, "--cert", p.Cert, "--key", p.Key)
		}
		const in = `"" "" 0`
		if got := as(ca, alice); got != in {
			t.Errorf("%s: %s", k, got)
		}
		ca.Replace(own, authority.Wish{Name: "m", Hosts: here, Ends: time.Now().Add(-time.Minute)})
		if got := as(ca, alice); got == in {
			t.Errorf("%s: an expired certificate is believed", k)
		}
		later.Replace(own, authority.Wish{Name: "m", Hosts: here})
		if got := as(later, alice); got != in {
			t.Errorf("%s: %s", k, got)
		}
		if k == vitrine {
			bundle, err := os.ReadFile(later.File)
			ok(t, err)
			ok(t, os.WriteFile(ca.File, bundle, 0o600))
			if got := as(later, alice); got == in {
				t.Errorf("an authority that is not trusted any more")
			}
			if got := as(later, later.Issue(authority.Wish{Name: "alice"})); got != in {
				t.Errorf("a new authority: %s", got)
			}
		}
		m.stop()
	}
}
