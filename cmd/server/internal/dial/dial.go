// Package dial reaches peers by their URLs, of which some name unix sockets.
//
// net/http knows hosts only, so the path of a socket travels as a host that no name
// server has, and the dialer turns it back:
//
//	unix://m1.sock:1  +  /raft/probing   →   http://6d312e736f636b3a31.unix-socket/raft/probing
//
//	t := &http.Transport{DialContext: dial.With(&net.Dialer{Timeout: time.Second})}
//	req, err := http.NewRequest("GET", dial.URL(peer, "/version"), nil)
package dial

import (
	"context"
	"encoding/hex"
	"net"
	"net/url"
	"strings"

	"vitrine/cmd/server/internal/listen"
)

const suffix = ".unix-socket"

// URL is where a peer with this base URL serves a path.
func URL(base, path string) string {
	if !strings.HasPrefix(base, "unix:") {
		return base + path
	}
	u, err := url.Parse(base)
	if err != nil {
		return base + path // the request will say what is wrong with it
	}
	return "http://" + hex.EncodeToString([]byte(listen.SocketPath(*u))) + suffix + path
}

// Func is a DialContext for http.Transport.
type Func = func(ctx context.Context, network, address string) (net.Conn, error)

// With is a Func that reaches what URL names.
func With(d *net.Dialer) Func {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil {
			if encoded, ok := strings.CutSuffix(host, suffix); ok {
				path, err := hex.DecodeString(encoded)
				if err != nil {
					return nil, err
				}
				return d.DialContext(ctx, "unix", string(path))
			}
		}
		return d.DialContext(ctx, network, address)
	}
}
