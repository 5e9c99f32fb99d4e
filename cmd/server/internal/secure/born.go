package secure

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// year is what --self-signed-cert-validity counts in.
const year = 365 * 24 * time.Hour

// MakeOwn makes a certificate for hosts ("name:port") in a directory, or finds the one that is there, and sets it
// as the side's own. etcd keeps the same files.
func (s *Settings) MakeOwn(dir string, hosts []string, years uint, log *zap.Logger) error {
	if years == 0 {
		return errors.New("selfSignedCertValidity is invalid,it should be greater than 0")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	_, err1 := os.Stat(cert)
	_, err2 := os.Stat(key)
	if err1 != nil || err2 != nil {
		if err := create(cert, key, hosts, time.Duration(years)*year, log); err != nil {
			return err
		}
	}
	*s = Settings{CertFile: cert, KeyFile: key, ClientCertFile: cert, ClientKeyFile: key, SelfSigned: true,
		CipherSuites: s.CipherSuites, MinVersion: s.MinVersion, MaxVersion: s.MaxVersion}
	return nil
}

func create(certPath, keyPath string, hosts []string, valid time.Duration, log *zap.Logger) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return err
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"etcd"}},
		NotBefore: time.Now(), NotAfter: time.Now().Add(valid),
		KeyUsage:    x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	log.Warn("automatically generate certificates", zap.Time("certificate-validity-bound-not-after", c.NotAfter))
	for _, h := range hosts {
		host, _, _ := net.SplitHostPort(h) // the path of a socket has none, and is no name
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else if host != "" {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	// Only both together are taken for a pair that is there; the certificate is last.
	if err := store(keyPath, "EC PRIVATE KEY", secret, 0o600); err != nil {
		return err
	}
	log.Info("created key file", zap.String("path", keyPath))
	if err := store(certPath, "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	log.Info("created cert file", zap.String("path", certPath))
	return nil
}

func store(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
