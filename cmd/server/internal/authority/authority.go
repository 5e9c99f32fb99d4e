// Package authority issues certificates for tests.
//
//	a := authority.New(t)
//	pair := a.Issue(authority.Wish{Name: "m1", Hosts: []string{"127.0.0.1"}})
//	// pair.Cert, pair.Key and a.File are files
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is somebody whose word counts.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
	// File has the authority's own certificate.
	File string
}

// Wish is what a certificate is to say.
type Wish struct {
	Name  string // common name
	Hosts []string
	Ends  time.Time // zero: in an hour
}

// Pair is a certificate with its key, in files.
type Pair struct {
	Cert, Key string
	Serial    *big.Int
}

// New makes an authority.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, next: 1}
	a.key = newKey(t)
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	der := must(x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key))(t)
	a.cert = must(x509.ParseCertificate(der))(t)
	a.File = filepath.Join(t.TempDir(), "ca.crt")
	write(t, a.File, "CERTIFICATE", der)
	return a
}

// Issue makes a pair in files of its own.
func (a *Authority) Issue(w Wish) Pair {
	a.t.Helper()
	dir := a.t.TempDir()
	p := Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	return a.Replace(p, w)
}

// Replace makes a pair in the files of another.
func (a *Authority) Replace(p Pair, w Wish) Pair {
	a.t.Helper()
	a.next++
	p.Serial = big.NewInt(a.next)
	c := &x509.Certificate{SerialNumber: p.Serial, Subject: pkix.Name{CommonName: w.Name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: w.Ends, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if w.Ends.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	for _, h := range w.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	key := newKey(a.t)
	write(a.t, p.Cert, "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key))(a.t))
	write(a.t, p.Key, "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key))(a.t))
	return p
}

// Revoke writes a list of revoked certificates.
func (a *Authority) Revoke(file string, serials ...*big.Int) {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now()})
	}
	der := must(x509.CreateRevocationList(rand.Reader, list, a.cert, a.key))(a.t)
	if err := os.WriteFile(file, der, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// Client is what a client that trusts this authority alone connects with. Without a pair it shows nothing.
func (a *Authority) Client(pairs ...Pair) *tls.Config {
	a.t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.cert)
	for _, p := range pairs {
		c.Certificates = append(c.Certificates, must(tls.LoadX509KeyPair(p.Cert, p.Key))(a.t))
	}
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
