package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// unrevoked compares certificates with a list of revoked ones, in DER.
func unrevoked(file string, certs []*x509.Certificate) error {
	if len(certs) == 0 {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil {
		return err
	}
	for _, c := range certs {
		for _, r := range list.RevokedCertificateEntries {
			if c.SerialNumber.Cmp(r.SerialNumber) == 0 {
				return fmt.Errorf("transport: certificate serial %x revoked", string(c.SerialNumber.Bytes()))
			}
		}
	}
	return nil
}

// comesFrom tells whether a client's certificate names the address that it comes from. One that names nobody may come
// from everywhere.
func (d *Side) comesFrom(ctx context.Context, c *tls.Conn) error {
	certs := c.ConnectionState().PeerCertificates
	if len(certs) == 0 || len(certs[0].IPAddresses) == 0 && len(certs[0].DNSNames) == 0 {
		return nil
	}
	cert := certs[0]
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return err
	}
	if len(cert.IPAddresses) > 0 {
		err := cert.VerifyHostname(host)
		if err == nil || len(cert.DNSNames) == 0 {
			return err
		}
	}
	ok, err := d.isNamed(ctx, host, cert.DNSNames)
	if ok {
		return nil
	}
	text := ""
	if err != nil {
		text = " (" + err.Error() + ")"
	}
	return fmt.Errorf("tls: %q does not match any of DNSNames %q%s", host, cert.DNSNames, text)
}

// isNamed asks the name server in both directions whether an address has one of these names.
func (d *Side) isNamed(ctx context.Context, address string, names []string) (bool, error) {
	isWild := func(name string) bool { return strings.HasPrefix(name, "*.") }
	found, failed := d.lookAddress(ctx, address)
	for _, f := range found {
		f = strings.TrimSuffix(f, ".")
		if slices.ContainsFunc(names, func(n string) bool {
			return n == f || isWild(n) && strings.HasSuffix(f, n[1:])
		}) {
			return true, nil
		}
	}
	for _, n := range names {
		if isWild(n) {
			continue
		}
		addresses, err := d.lookHost(ctx, n)
		if err != nil {
			failed = err
		}
		if slices.Contains(addresses, address) {
			return true, nil
		}
	}
	return false, failed
}
