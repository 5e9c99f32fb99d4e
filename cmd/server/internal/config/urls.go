package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sort"
	"strings"
)

// Cluster maps names to sorted peer URLs.
type Cluster map[string][]string

// ParseCluster reads "a=http://1:2380,a=http://2:2380,b=http://3:2380".
func ParseCluster(s string) (Cluster, error) {
	cluster := Cluster{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, raw, ok := strings.Cut(part, "=")
		if !ok || name == "" || raw == "" {
			return nil, fmt.Errorf("%q is not name=url", part)
		}
		u, err := parseURL(raw)
		if err != nil {
			return nil, err
		}
		cluster[name] = append(cluster[name], u.String())
	}
	for _, urls := range cluster {
		sort.Strings(urls)
	}
	return cluster, nil
}

// String prints the cluster as ParseCluster reads it, sorted.
func (c Cluster) String() string {
	var parts []string
	for _, name := range sortedKeys(c) {
		for _, u := range c[name] {
			parts = append(parts, name+"="+u)
		}
	}
	return strings.Join(parts, ",")
}

func (c Cluster) duplicate() string {
	seen := map[string]bool{}
	for _, name := range sortedKeys(c) {
		for _, u := range c[name] {
			if seen[u] {
				return u
			}
			seen[u] = true
		}
	}
	return ""
}

// URLs is a sorted list of URLs given as one flag, separated by commas.
type URLs []url.URL

// Set implements flag.Value. Nothing leaves what was there before, as with etcd: a template that fills in
// no value asks for the default.
func (us *URLs) Set(s string) error {
	if s == "" {
		return nil
	}
	var all URLs
	seen := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		u, err := parseURL(part)
		if err != nil {
			return err
		}
		if !seen[u.String()] {
			seen[u.String()] = true
			all = append(all, *u)
		}
	}
	if len(all) == 0 {
		return errors.New("no valid URLs given")
	}
	sort.Slice(all, func(i, j int) bool { return all[i].String() < all[j].String() })
	*us = all
	return nil
}

// String implements flag.Value.
func (us URLs) String() string { return strings.Join(us.Strings(), ",") }

// Strings returns the URLs as text.
func (us URLs) Strings() []string {
	out := make([]string, len(us))
	for i := range us {
		out[i] = us[i].String()
	}
	return out
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		if _, _, err := net.SplitHostPort(u.Host); err != nil {
			return nil, fmt.Errorf(`URL address does not have the form "host:port": %s`, s)
		}
		if u.Path != "" {
			return nil, fmt.Errorf("URL must not contain a path: %s", s)
		}
	case "unix", "unixs":
	default:
		return nil, fmt.Errorf("URL scheme must be http, https, unix, or unixs: %s", s)
	}
	return u, nil
}

// bindable checks that one can listen on each: addresses, not names.
func (us URLs) bindable() error {
	for i := range us {
		if isSocket(&us[i]) {
			continue
		}
		host, _, err := net.SplitHostPort(us[i].Host)
		if err != nil {
			return err
		}
		if host != "localhost" && net.ParseIP(host) == nil {
			return fmt.Errorf("expected IP in URL for binding (%s)", us[i].String())
		}
	}
	return nil
}

// reachable checks that others could dial each.
func (us URLs) reachable() error {
	for i := range us {
		if isSocket(&us[i]) {
			continue
		}
		host, _, err := net.SplitHostPort(us[i].Host)
		if err != nil {
			return err
		}
		if host == "" {
			return fmt.Errorf("unexpected empty host (%s)", us[i].String())
		}
	}
	return nil
}

// isSocket tells whether a URL names a file.
func isSocket(u *url.URL) bool { return u.Scheme == "unix" || u.Scheme == "unixs" }
