package secure

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"
)

// HandshakeTimeout bounds a handshake, in either direction.
const HandshakeTimeout = 10 * time.Second

// Settings are etcd's flags for one side.
type Settings struct {
	CertFile, KeyFile             string // shown to whoever connects
	ClientCertFile, ClientKeyFile string // shown where this server connects; empty: CertFile and KeyFile
	TrustedCAFile                 string
	CRLFile                       string // revoked certificates of those who connect
	ClientCertAuth                bool
	AllowedCNs, AllowedHostnames  []string // of the other side's certificate, if any are given
	SkipClientSAN                 bool     // do not compare a client's address with the names in its certificate
	CipherSuites                  []uint16
	MinVersion, MaxVersion        uint16 // 0: TLS 1.2, and the newest there is
	ServerName                    string // the name that those to whom this server connects must have; empty: their host
	SelfSigned                    bool   // nobody vouches for the certificate, nor for those of others
}

// Empty tells whether there is nothing to show.
func (s *Settings) Empty() bool { return s.CertFile == "" && s.KeyFile == "" }

// String is what etcd's log says of a side.
func (s *Settings) String() string {
	return fmt.Sprintf("cert = %s, key = %s, client-cert=%s, client-key=%s, trusted-ca = %s, client-cert-auth = %v, "+
		"crl-file = %s", s.CertFile, s.KeyFile, s.ClientCertFile, s.ClientKeyFile, s.TrustedCAFile, s.ClientCertAuth,
		s.CRLFile)
}

// Side is one side's TLS. It is safe for concurrent use. The zero value connects to others without a certificate, and
// trusts whom the system trusts.
type Side struct {
	Settings
	log         *zap.Logger
	own, ownTo  *pair        // shown to clients, and to servers
	trusted     *authorities // nil: those of the system
	lookAddress func(ctx context.Context, address string) ([]string, error)
	lookHost    func(ctx context.Context, host string) ([]string, error)
}

// Open reads the files for the first time. Without a certificate the side can only connect to others.
func Open(s Settings, log *zap.Logger) (*Side, error) {
	if (s.CertFile == "") != (s.KeyFile == "") {
		return nil, fmt.Errorf("KeyFile and CertFile must both be present[key: %v, cert: %v]", s.KeyFile, s.CertFile)
	}
	if (s.ClientKeyFile == "") != (s.ClientCertFile == "") {
		return nil, fmt.Errorf("ClientKeyFile and ClientCertFile must both be present or both absent: key: %v, cert: %v]",
			s.ClientKeyFile, s.ClientCertFile)
	}
	if len(s.AllowedCNs) > 0 && len(s.AllowedHostnames) > 0 {
		return nil, fmt.Errorf("AllowedCNs and AllowedHostnames are mutually exclusive (cns=%q, hostnames=%q)", s.AllowedCNs,
			s.AllowedHostnames)
	}
	d := &Side{Settings: s, log: log, lookAddress: net.DefaultResolver.LookupAddr,
		lookHost: net.DefaultResolver.LookupHost}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Side) read() error {
	var err error
	if !d.Empty() {
		if d.own, err = newPair(d.CertFile, d.KeyFile, d.log); err != nil {
			return err
		}
		d.ownTo = d.own
	}
	if d.ClientCertFile != "" && !d.Empty() {
		if d.ownTo, err = newPair(d.ClientCertFile, d.ClientKeyFile, d.log); err != nil {
			return err
		}
	}
	if d.TrustedCAFile != "" {
		d.trusted, err = newAuthorities(d.TrustedCAFile, d.log)
	}
	return err
}

func (d *Side) config() *tls.Config {
	return &tls.Config{MinVersion: cmp.Or(d.MinVersion, tls.VersionTLS12), MaxVersion: d.MaxVersion,
		CipherSuites: d.CipherSuites}
}

// serverConfig is what one incoming connection is held to.
func (d *Side) serverConfig() *tls.Config {
	c := d.config()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return d.own.current() }
	if d.TrustedCAFile != "" || d.ClientCertAuth {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if d.trusted != nil {
		c.ClientCAs = d.trusted.current()
	}
	c.VerifyConnection = d.allowed
	c.NextProtos = []string{"h2", "http/1.1"}
	return c
}

// Accepted is a connection that came in, after its handshake.
type Accepted struct {
	*tls.Conn
	// OnlyHTTP2 tells that the client offered HTTP/2 and nothing besides, as clients of gRPC do.
	OnlyHTTP2 bool
}

// Accept performs the handshake of a connection that came in, and closes it if the other side is not let in.
// fromAddress demands that a client's certificate names the address that it comes from, as etcd demands of peers.
func (d *Side) Accept(ctx context.Context, raw net.Conn, fromAddress bool) (Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	a := Accepted{}
	outer := d.serverConfig()
	outer.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		a.OnlyHTTP2 = len(h.SupportedProtos) == 1 && h.SupportedProtos[0] == "h2"
		return nil, nil // as it is
	}
	a.Conn = tls.Server(raw, outer)
	err := a.Conn.HandshakeContext(ctx)
	if err == nil && fromAddress && !d.SkipClientSAN {
		err = d.comesFrom(ctx, a.Conn)
	}
	if err == nil && d.CRLFile != "" {
		err = unrevoked(d.CRLFile, a.Conn.ConnectionState().PeerCertificates)
	}
	if err != nil {
		// Not Close of the TLS connection, which would wait to say goodbye.
		return a, errors.Join(err, raw.Close())
	}
	return a, nil
}

// ClientConfig is what a connection to somebody with this name is held to.
func (d *Side) ClientConfig(name string) *tls.Config {
	c := d.config()
	c.ServerName = name
	if d.ServerName != "" {
		c.ServerName = d.ServerName
	}
	if d.trusted != nil {
		c.RootCAs = d.trusted.current()
	}
	if d.SelfSigned {
		c.InsecureSkipVerify = true
	}
	if d.ownTo != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return d.ownTo.current() }
		c.VerifyConnection = d.allowed
	}
	return c
}

// Dial performs the handshake of a connection that goes out, and closes it if the other side is not who it should be.
func (d *Side) Dial(ctx context.Context, raw net.Conn, name string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	c := tls.Client(raw, d.ClientConfig(name))
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return c, nil
}

var errNotAllowed = errors.New("client certificate authentication failed")

// allowed compares the other side's certificate with the names that are let in, in either direction, as etcd does.
func (d *Side) allowed(s tls.ConnectionState) error {
	if len(d.AllowedCNs) == 0 && len(d.AllowedHostnames) == 0 {
		return nil
	}
	for _, chain := range s.VerifiedChains {
		if len(chain) > 0 && d.names(chain[0]) {
			return nil
		}
	}
	return errNotAllowed
}

func (d *Side) names(c *x509.Certificate) bool {
	for _, name := range d.AllowedCNs {
		if c.Subject.CommonName == name {
			return true
		}
	}
	for _, name := range d.AllowedHostnames {
		if c.VerifyHostname(name) == nil {
			return true
		}
	}
	return false
}
