package oracle

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

// authority is somebody whose word counts.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
	file string // has the authority's own certificate
}

// wish is what a certificate is to say.
type wish struct {
	Name  string // common name
	Hosts []string
	Ends  time.Time // zero: in an hour
}

// keyPair is a certificate with its key, in files.
type keyPair struct {
	Cert, Key string
	Serial    *big.Int
}

// newAuthority makes an authority.
func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, next: 1}
	a.key = newKey(t)
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	der := have(x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key))(t)
	a.cert = have(x509.ParseCertificate(der))(t)
	a.file = filepath.Join(t.TempDir(), "ca.crt")
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// issue makes a pair in files of its own.
func (a *authority) issue(w wish) keyPair {
	a.t.Helper()
	dir := a.t.TempDir()
	p := keyPair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	return a.replace(p, w)
}

// replace makes a pair in the files of another.
func (a *authority) replace(p keyPair, w wish) keyPair {
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
	writePEM(a.t, p.Cert, "CERTIFICATE", have(x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key))(a.t))
	writePEM(a.t, p.Key, "EC PRIVATE KEY", have(x509.MarshalECPrivateKey(key))(a.t))
	return p
}

// revoke writes a list of revoked certificates.
func (a *authority) revoke(file string, serials ...*big.Int) {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now()})
	}
	der := have(x509.CreateRevocationList(rand.Reader, list, a.cert, a.key))(a.t)
	if err := os.WriteFile(file, der, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// client is what a client that trusts this authority alone connects with. Without a pair it shows nothing.
func (a *authority) client(pairs ...keyPair) *tls.Config {
	a.t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.cert)
	for _, p := range pairs {
		c.Certificates = append(c.Certificates, have(tls.LoadX509KeyPair(p.Cert, p.Key))(a.t))
	}
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	return have(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

func have[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
