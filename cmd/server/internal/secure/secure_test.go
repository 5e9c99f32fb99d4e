package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/authority"
)

// meet lets a client meet a side over loopback, and tells why it was not let in. A client learns that it is not
// welcome only when it reads.
func meet(t *testing.T, d *Side, c *tls.Config, fromAddress bool) (Accepted, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			done <- err
			return
		}
		defer raw.Close()
		c := c.Clone()
		if c.ServerName == "" {
			c.ServerName = "127.0.0.1"
		}
		conn := tls.Client(raw, c)
		if err := conn.Handshake(); err != nil {
			done <- err
			return
		}
		_, err = io.ReadFull(conn, make([]byte, 1))
		done <- err
	}()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Accept(t.Context(), raw, fromAddress)
	if err == nil {
		_, _ = a.Write([]byte{1}) // the client says what is wrong
		a.Close()
	}
	return a, errors.Join(err, <-done)
}

func open(t *testing.T, s Settings) *Side {
	t.Helper()
	d, err := Open(s, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wants(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

var here = []string{"127.0.0.1"}

func TestWhoIsLetIn(t *testing.T) {
	ca, other := authority.New(t), authority.New(t)
	own := ca.Issue(authority.Wish{Name: "server", Hosts: here})
	alice := ca.Issue(authority.Wish{Name: "alice", Hosts: []string{"127.0.0.1", "alice.example"}})
	bob := ca.Issue(authority.Wish{Name: "bob", Hosts: []string{"10.1.1.1"}})
	stranger := other.Issue(authority.Wish{Name: "alice"})
	plain := Settings{CertFile: own.Cert, KeyFile: own.Key}
	strict := plain
	strict.TrustedCAFile, strict.ClientCertAuth = ca.File, true
	byName, byHost, cross := strict, strict, strict
	byName.AllowedCNs, byHost.AllowedHostnames = []string{"carol", "alice"}, []string{"alice.example"}
	cross.SkipClientSAN = true
	for _, test := range []struct {
		what        string
		side        Settings
		client      *tls.Config
		fromAddress bool
		want        string
	}{
		{"nobody is asked", plain, ca.Client(), false, ""},
		{"an authority the client does not know", plain, other.Client(), false, "certificate signed by unknown authority"},
		{"no certificate", strict, ca.Client(), false, "client didn't provide a certificate"},
		{"a certificate", strict, ca.Client(alice), false, ""},
		{"of another authority", strict, ca.Client(stranger), false, "tls: "},
		{"an allowed name", byName, ca.Client(alice), false, ""},
		{"another name", byName, ca.Client(bob), false, "client certificate authentication failed"},
		{"an allowed host", byHost, ca.Client(alice), false, ""},
		{"another host", byHost, ca.Client(bob), false, "client certificate authentication failed"},
		{"from its address", strict, ca.Client(alice), true, ""},
		{"from another address", strict, ca.Client(bob), true, "certificate is valid for 10.1.1.1, not 127.0.0.1"},
		{"from another address, which does not matter", cross, ca.Client(bob), true, ""},
	} {
		_, err := meet(t, open(t, test.side), test.client, test.fromAddress)
		wants(t, test.what, err, test.want)
	}
}

func TestRevoked(t *testing.T) {
	ca := authority.New(t)
	own, alice := ca.Issue(authority.Wish{Hosts: here}), ca.Issue(authority.Wish{Name: "alice"})
	list := filepath.Join(t.TempDir(), "crl")
	ca.Revoke(list)
	d := open(t, Settings{CertFile: own.Cert, KeyFile: own.Key, TrustedCAFile: ca.File, ClientCertAuth: true,
		CRLFile: list})
	client := ca.Client(alice)
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1) // a resumed connection is no way around
	_, err := meet(t, d, client, false)
	wants(t, "before", err, "")
	ca.Revoke(list, alice.Serial)
	_, err = meet(t, d, client, false)
	wants(t, "revoked", err, "revoked")
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	_, err = meet(t, d, client, false)
	wants(t, "without a list", err, "no such file")
}

func TestFilesAreReadAgain(t *testing.T) {
	ca, later := authority.New(t), authority.New(t)
	own := ca.Issue(authority.Wish{Hosts: here})
	alice := ca.Issue(authority.Wish{Name: "alice"})
	d := open(t, Settings{CertFile: own.Cert, KeyFile: own.Key, TrustedCAFile: ca.File, ClientCertAuth: true})
	_, err := meet(t, d, ca.Client(alice), false)
	wants(t, "at first", err, "")

	// A key without its certificate: somebody is just replacing both.
	key, err := os.ReadFile(alice.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own.Key, key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = meet(t, d, ca.Client(alice), false)
	wants(t, "half-way", err, "")

	later.Replace(own, authority.Wish{Hosts: here})
	_, err = meet(t, d, ca.Client(alice), false)
	wants(t, "with a certificate of another authority", err, "unknown authority")
	both := later.Client(alice)
	_, err = meet(t, d, both, false)
	wants(t, "as it is now", err, "")

	// The bundle of authorities is replaced.
	bundle, err := os.ReadFile(later.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca.File, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = meet(t, d, both, false)
	wants(t, "a client of the former authority", err, "tls: ")
	_, err = meet(t, d, later.Client(later.Issue(authority.Wish{Name: "alice"})), false)
	wants(t, "a client of the new one", err, "")
	const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	if err := os.WriteFile(ca.File, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = meet(t, d, later.Client(later.Issue(authority.Wish{Name: "alice"})), false)
	wants(t, "with a bundle that is broken", err, "")
}

func TestVersionsAndProtocols(t *testing.T) {
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Hosts: here})
	d := open(t, Settings{CertFile: own.Cert, KeyFile: own.Key, MinVersion: tls.VersionTLS13})
	old := ca.Client()
	old.MaxVersion = tls.VersionTLS12
	_, err := meet(t, d, old, false)
	wants(t, "an old version", err, "protocol version")
	d = open(t, Settings{CertFile: own.Cert, KeyFile: own.Key, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}})
	for offered, only := range map[string]bool{"h2": true, "h2,http/1.1": false, "http/1.1": false, "": false} {
		c := ca.Client()
		if offered != "" {
			c.NextProtos = strings.Split(offered, ",")
		}
		a, err := meet(t, d, c, false)
		wants(t, offered, err, "")
		state := a.ConnectionState()
		if want, _, _ := strings.Cut(offered, ","); a.OnlyHTTP2 != only || state.NegotiatedProtocol != want {
			t.Errorf("%q: %q, only HTTP/2 %v", offered, state.NegotiatedProtocol, a.OnlyHTTP2)
		}
		if state.Version != tls.VersionTLS12 || state.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 {
			t.Errorf("version %x suite %x", state.Version, state.CipherSuite)
		}
	}
}

func TestMakeOwn(t *testing.T) {
	dir := t.TempDir()
	var s Settings
	hosts := []string{"127.0.0.1:2379", "localhost:2379", "a.sock"}
	if err := s.MakeOwn(dir, hosts, 0, zap.NewNop()); err == nil {
		t.Error("valid for 0 years")
	}
	if err := s.MakeOwn(dir, hosts, 2, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(s.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, s)
	_, err = meet(t, d, &tls.Config{InsecureSkipVerify: true}, true)
	wants(t, "accept", err, "")
	c, err := d.own.current()
	if err != nil || c.Leaf.VerifyHostname("localhost") != nil || c.Leaf.VerifyHostname("127.0.0.1") != nil ||
		time.Until(c.Leaf.NotAfter) < 729*24*time.Hour || len(c.Leaf.DNSNames) != 1 {
		t.Errorf("%v %v %v until %v", err, c.Leaf.DNSNames, c.Leaf.IPAddresses, c.Leaf.NotAfter)
	}
	if err := s.MakeOwn(dir, nil, 2, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(s.CertFile); err != nil || string(again) != string(first) {
		t.Errorf("it is made again: %v", err)
	}
}

func TestNamesByNameServer(t *testing.T) {
	d := &Side{
		lookAddress: func(_ context.Context, address string) ([]string, error) {
			return map[string][]string{"10.0.0.1": {"m1.example."}}[address], nil
		},
		lookHost: func(_ context.Context, host string) ([]string, error) {
			if host != "m2.example" {
				return nil, errors.New("no such host")
			}
			return []string{"10.0.0.2"}, nil
		},
	}
	for _, test := range []struct {
		address string
		names   []string
		want    bool
	}{
		{"10.0.0.1", []string{"m1.example"}, true}, {"10.0.0.1", []string{"*.example"}, true},
		{"10.0.0.1", []string{"m2.example"}, false}, {"10.0.0.2", []string{"x", "m2.example"}, true},
		{"10.0.0.3", []string{"*.example", "x"}, false},
	} {
		if got, _ := d.isNamed(t.Context(), test.address, test.names); got != test.want {
			t.Errorf("%s %v: %v", test.address, test.names, got)
		}
	}
}

func TestMistakes(t *testing.T) {
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{})
	for _, test := range []struct {
		s    Settings
		want string
	}{
		{Settings{CertFile: own.Cert}, "KeyFile and CertFile must both be present"},
		{Settings{CertFile: own.Cert, KeyFile: own.Key, ClientCertFile: "x"}, "ClientKeyFile and ClientCertFile must both"},
		{Settings{CertFile: own.Cert, KeyFile: own.Cert}, "a certificate rather than a key"},
		{Settings{CertFile: own.Cert, KeyFile: own.Key, TrustedCAFile: "nowhere"}, "no such file"},
		{Settings{CertFile: own.Cert, KeyFile: own.Key, AllowedCNs: []string{"a"}, AllowedHostnames: []string{"b"}},
			"mutually exclusive"},
	} {
		_, err := Open(test.s, zap.NewNop())
		wants(t, test.s.String(), err, test.want)
	}
}

// The zero value dials as any client does.
func TestZeroDials(t *testing.T) {
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Hosts: here})
	server := open(t, Settings{CertFile: own.Cert, KeyFile: own.Key})
	for _, test := range []struct {
		side *Side
		want string
	}{{&Side{}, "unknown authority"}, {open(t, Settings{TrustedCAFile: ca.File}), ""},
		{open(t, Settings{TrustedCAFile: ca.File, ServerName: "elsewhere"}), "wanted to match elsewhere"}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if raw, err := l.Accept(); err == nil {
				_, _ = server.Accept(context.Background(), raw, false)
			}
		}()
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = test.side.Dial(t.Context(), raw, "127.0.0.1")
		wants(t, "dial", err, test.want)
		raw.Close()
		l.Close()
	}
}
