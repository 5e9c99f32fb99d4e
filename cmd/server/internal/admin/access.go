package admin

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Access is who may ask over HTTP, besides what TLS demands.
type Access struct {
	// Origins are the pages that may read answers, Hosts the names that a request without TLS may call this server by.
	// None, or "*", means all.
	Origins, Hosts []string
	// CertifiedUsers tells, now, whether certificates name users: then a gateway may not be asked with one, as the
	// gateway would ask in its own name.
	CertifiedUsers func() bool
}

// ofGateway is where the gateway's paths begin.
const ofGateway = "/v3/"

// control lets in whom Access lets in, and answers what browsers ask beforehand.
func (a Access) control(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/v3beta/"); ok {
			r.URL.Path = ofGateway + rest
		}
		if r.TLS == nil && !allows(a.Hosts, hostOf(r)) {
			http.Error(w, unknownHost(hostOf(r)), http.StatusMisdirectedRequest)
			return
		}
		if r.TLS != nil && strings.HasPrefix(r.URL.Path, ofGateway) && named(r) && a.CertifiedUsers != nil &&
			a.CertifiedUsers() {
			http.Error(w, "CommonName of client sending a request against gateway will be ignored and not used as expected",
				http.StatusBadRequest)
			return
		}
		switch origin := r.Header.Get("Origin"); {
		case allows(a.Origins, "*"):
			open(w, "*")
		case allows(a.Origins, origin):
			open(w, origin)
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func allows(list []string, one string) bool {
	return len(list) == 0 || slices.Contains(list, "*") || slices.Contains(list, one)
}

func open(w http.ResponseWriter, origin string) {
	w.Header().Add("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	w.Header().Add("Access-Control-Allow-Origin", origin)
	w.Header().Add("Access-Control-Allow-Headers", "accept, content-type, authorization")
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// named tells whether the client's certificate has a common name.
func named(r *http.Request) bool {
	return slices.ContainsFunc(r.TLS.VerifiedChains, func(chain []*x509.Certificate) bool {
		return len(chain) > 0 && chain[0].Subject.CommonName != ""
	})
}

// unknownHost is etcd's explanation.
func unknownHost(host string) string {
	return fmt.Sprintf(`
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist %q

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`, host)
}
