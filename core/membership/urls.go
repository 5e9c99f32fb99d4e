package membership

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// PeerURLs checks the URLs of a member's peer ports by etcd's rules (http, https, unix or unixs, with a port and
// without a path) and returns them as they are recorded: written in one way, and sorted.
func PeerURLs(urls []string) ([]string, error) {
	if len(urls) == 0 {
		return nil, fmt.Errorf("membership: no valid URLs given")
	}
	checked := make([]string, len(urls))
	for i, text := range urls {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("membership: %w", err)
		}
		switch u.Scheme {
		case "http", "https":
			if !hasPort(u.Host) || u.Path != "" {
				return nil, fmt.Errorf("membership: URL %q is not of the form \"host:port\"", text)
			}
		case "unix", "unixs":
		default:
			return nil, fmt.Errorf("membership: URL scheme of %q must be http, https, unix, or unixs", text)
		}
		checked[i] = u.String()
	}
	slices.Sort(checked)
	return checked, nil
}

// hasPort tells whether host is host:port. That the port is a number has been looked at.
func hasPort(host string) bool {
	if strings.HasPrefix(host, "[") {
		_, rest, _ := strings.Cut(host, "]")
		return strings.HasPrefix(rest, ":")
	}
	return strings.Count(host, ":") == 1
}
