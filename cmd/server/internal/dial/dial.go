// Package dial reaches peers by their URLs, of which some name unix sockets.
//
// net/http knows hosts only, so the path of a socket travels as a host that no name
// server has, and the dialer turns it back:
//
//	unix://m1.sock:1  +  /raft/probing   →   http://6d312e736f636b3a31.unix-socket/raft/probing
//
//	connect := dial.With(&net.Dialer{Timeout: time.Second})
//	t := &http.Transport{DialContext: connect, DialTLSContext: dial.Secure(connect, side)}
//	req, err := http.NewRequest("GET", dial.URL(peer, "/version"), nil)
//
// gRPC knows sockets; Address is where it finds an endpoint of clients.
package dial

import (
	"context"
	"encoding/hex"
	"net"
	"net/url"
	"strings"

	"google.golang.org/grpc/resolver"

	"vitrine/cmd/server/internal/listen"
	"vitrine/cmd/server/internal/secure"
)

const suffix = ".unix-socket"

// URL is where a peer with this base URL serves a path.
func URL(base, path string) string {
	scheme := ""
	switch {
	case strings.HasPrefix(base, "unix:"):
		scheme = "http"
	case strings.HasPrefix(base, "unixs:"):
		scheme = "https"
	default:
		return base + path
	}
	u, err := url.Parse(base)
	if err != nil {
		return base + path // the request will say what is wrong with it
	}
	return scheme + "://" + hex.EncodeToString([]byte(listen.SocketPath(*u))) + suffix + path
}

// Func is a DialContext for http.Transport.
type Func = func(ctx context.Context, network, address string) (net.Conn, error)

// With is a Func that reaches what URL names. The dialer's local address is that of connections over the network.
func With(d *net.Dialer) Func {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if path, ok := socket(host); ok {
			local := *d
			local.LocalAddr = nil
			return local.DialContext(ctx, "unix", path)
		}
		return d.DialContext(ctx, network, address)
	}
}

// socket is the path that a host stands for.
func socket(host string) (path string, ok bool) {
	encoded, ok := strings.CutSuffix(host, suffix)
	if !ok {
		return "", false
	}
	decoded, err := hex.DecodeString(encoded)
	return string(decoded), err == nil
}

// Secure is a DialTLSContext for http.Transport on top of connect. Who answers must have the name of the host; of a
// socket, that is what stands before the first colon or slash, as in localhost:m1.
func Secure(connect Func, side *secure.Side) Func {
	if side == nil {
		side = &secure.Side{}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		name, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if path, ok := socket(name); ok {
			name, _, _ = strings.Cut(path, "/")
			name, _, _ = strings.Cut(name, ":")
		}
		raw, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c, err := side.Dial(ctx, raw, name)
		if err != nil {
			return nil, err // and not a nil *tls.Conn in an interface
		}
		return c, nil
	}
}

// Address is where gRPC finds an endpoint of clients, and the name that its certificate must have.
func Address(endpoint string) resolver.Address {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(endpoint), "://")
	if !ok {
		scheme, rest = "", scheme
	}
	name, _, err := net.SplitHostPort(rest)
	if err != nil {
		name = rest
	}
	if scheme == "unix" || scheme == "unixs" {
		rest = "unix:" + rest
	}
	return resolver.Address{Addr: rest, ServerName: name}
}
