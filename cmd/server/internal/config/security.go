package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// tlsText are values of flags that both sides share, or that are lists, as they were given.
type tlsText struct {
	suites                          string
	min, max                        string
	clientNames, peerCNs, peerNames string
}

func securityFlags() []spec {
	return append(append(clientSecurityFlags(), peerSecurityFlags()...),
		spec{"self-signed-cert-validity", "1", "Years that certificates made by --auto-tls and --peer-auto-tls are valid.",
			func(p *parser) any { return &p.c.SelfSignedCertYears }, nil},
		spec{"cors", "*", "Comma-separated list of origins whose pages may read answers over HTTP (empty or *: all).",
			func(p *parser) any { return &p.cors }, nil},
		spec{"host-whitelist", "*",
			"Comma-separated list of names that HTTP requests without TLS may call the server by (empty or *: all).",
			func(p *parser) any { return &p.hosts }, nil},
		spec{"cipher-suites", "", "Comma-separated list of TLS cipher suites, of TLS 1.2 (empty: Go's choice).",
			func(p *parser) any { return &p.tls.suites }, nil},
		spec{"tls-min-version", "TLS1.2", "Least version of TLS: TLS1.2 or TLS1.3.",
			func(p *parser) any { return &p.tls.min }, nil},
		spec{"tls-max-version", "", "Greatest version of TLS: TLS1.2 or TLS1.3 (empty: the newest there is).",
			func(p *parser) any { return &p.tls.max }, nil},
	)
}

func clientSecurityFlags() []spec {
	return []spec{
		{"cert-file", "", "Path to the certificate of the client port.",
			func(p *parser) any { return &p.c.ClientTLS.CertFile }, nil},
		{"key-file", "", "Path to its key.", func(p *parser) any { return &p.c.ClientTLS.KeyFile }, nil},
		{"client-cert-file", "", "Path to the certificate to show as a client, if not that of --cert-file.",
			func(p *parser) any { return &p.c.ClientTLS.ClientCertFile }, nil},
		{"client-key-file", "", "Path to its key.", func(p *parser) any { return &p.c.ClientTLS.ClientKeyFile }, nil},
		{"client-cert-auth", "false", "Ask clients for certificates; the common name of one is its user.",
			func(p *parser) any { return &p.c.ClientTLS.ClientCertAuth }, nil},
		{"client-crl-file", "", "Path to the list of clients' revoked certificates.",
			func(p *parser) any { return &p.c.ClientTLS.CRLFile }, nil},
		{"client-cert-allowed-hostname", "", "Comma-separated list of names of which a client's certificate must have one.",
			func(p *parser) any { return &p.tls.clientNames }, nil},
		{"trusted-ca-file", "", "Path to the certificates of the authorities that clients' certificates must be from.",
			func(p *parser) any { return &p.c.ClientTLS.TrustedCAFile }, nil},
		{"auto-tls", "false", "Serve clients with a certificate that is made if there is none.",
			func(p *parser) any { return &p.c.ClientAutoTLS }, nil},
	}
}

func peerSecurityFlags() []spec {
	return []spec{
		{"peer-cert-file", "", "Path to the certificate of the peer port.",
			func(p *parser) any { return &p.c.PeerTLS.CertFile }, nil},
		{"peer-key-file", "", "Path to its key.", func(p *parser) any { return &p.c.PeerTLS.KeyFile }, nil},
		{"peer-client-cert-file", "", "Path to the certificate to show to peers, if not that of --peer-cert-file.",
			func(p *parser) any { return &p.c.PeerTLS.ClientCertFile }, nil},
		{"peer-client-key-file", "", "Path to its key.", func(p *parser) any { return &p.c.PeerTLS.ClientKeyFile }, nil},
		{"peer-client-cert-auth", "false", "Ask peers for certificates.",
			func(p *parser) any { return &p.c.PeerTLS.ClientCertAuth }, nil},
		{"peer-crl-file", "", "Path to the list of peers' revoked certificates.",
			func(p *parser) any { return &p.c.PeerTLS.CRLFile }, nil},
		{"peer-cert-allowed-cn", "", "Comma-separated list of common names of which a peer's certificate must have one.",
			func(p *parser) any { return &p.tls.peerCNs }, nil},
		{"peer-cert-allowed-hostname", "", "Comma-separated list of names of which a peer's certificate must have one.",
			func(p *parser) any { return &p.tls.peerNames }, nil},
		{"peer-trusted-ca-file", "", "Path to the certificates of the authorities that peers' certificates must be from.",
			func(p *parser) any { return &p.c.PeerTLS.TrustedCAFile }, nil},
		{"peer-auto-tls", "false", "Serve peers with a certificate that is made if there is none.",
			func(p *parser) any { return &p.c.PeerAutoTLS }, nil},
		{"peer-skip-client-san-verification", "false", "Do not compare a peer's address with the names in its certificate.",
			func(p *parser) any { return &p.c.PeerTLS.SkipClientSAN }, nil},
	}
}

// finishTLS reads the lists and versions that both sides share.
func (p *parser) finishTLS() error {
	least, err := TLSVersion(p.tls.min)
	if err != nil {
		return err
	}
	most, err := TLSVersion(p.tls.max)
	if err != nil {
		return err
	}
	suites, err := CipherSuites(list(p.tls.suites))
	switch {
	case err != nil:
		return err
	case most != 0 && least > most:
		return fmt.Errorf("min version (%s) is greater than max version (%s)", p.tls.min, p.tls.max)
	case least == tls.VersionTLS13 && len(suites) > 0:
		return errors.New("cipher suites cannot be configured when only TLS1.3 is enabled")
	}
	c := p.c
	c.ClientTLS.MinVersion, c.ClientTLS.MaxVersion, c.ClientTLS.CipherSuites = least, most, suites
	c.PeerTLS.MinVersion, c.PeerTLS.MaxVersion, c.PeerTLS.CipherSuites = least, most, suites
	c.ClientTLS.AllowedHostnames = list(p.tls.clientNames)
	c.PeerTLS.AllowedCNs, c.PeerTLS.AllowedHostnames = list(p.tls.peerCNs), list(p.tls.peerNames)
	return nil
}

// list splits a flag's value at its commas.
func list(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// TLSVersion is a version by its name; 0: none is named.
func TLSVersion(s string) (uint16, error) {
	switch s {
	case "":
		return 0, nil
	case "TLS1.2":
		return tls.VersionTLS12, nil
	case "TLS1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("unexpected TLS version %q (must be one of: TLS1.2, TLS1.3)", s)
}

// CipherSuites finds suites by their names, also by two that they had in earlier releases of Go.
func CipherSuites(names []string) ([]uint16, error) {
	known := map[string]uint16{
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	for _, all := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range all {
			known[s.Name] = s.ID
		}
	}
	var out []uint16
	for _, name := range names {
		id, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("unexpected TLS cipher suite %q", name)
		}
		out = append(out, id)
	}
	return out, nil
}

// validateTLS looks that whoever is to be served over TLS can be.
func (c *Config) validateTLS() error {
	clientTLS := !c.ClientTLS.Empty() || c.ClientAutoTLS
	for _, urls := range []URLs{c.ListenClientURLs, c.ListenClientHTTPURLs} {
		for i := range urls {
			if Secure(&urls[i]) && !clientTLS {
				return fmt.Errorf("TLS key/cert (--cert-file, --key-file) must be provided for client url %s with HTTPS scheme",
					urls[i].String())
			}
		}
	}
	for i := range c.ListenPeerURLs {
		if u := &c.ListenPeerURLs[i]; Secure(u) && c.PeerTLS.Empty() && !c.PeerAutoTLS {
			return fmt.Errorf("cannot listen on TLS for %s: KeyFile and CertFile are not presented", u.Host)
		}
	}
	for i := range c.ListenMetricsURLs {
		if Secure(&c.ListenMetricsURLs[i]) && !clientTLS {
			return errors.New("client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url")
		}
	}
	for i := range c.ListenClientHTTPURLs {
		u := &c.ListenClientHTTPURLs[i]
		for j := range c.ListenClientURLs {
			if o := &c.ListenClientURLs[j]; u.Host+u.Path == o.Host+o.Path {
				return fmt.Errorf("cannot bind both --listen-client-urls and --listen-client-http-urls on the same url %s",
					u.String())
			}
		}
	}
	return nil
}

// Secure tells whether a URL asks for TLS.
func Secure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "unixs" }
