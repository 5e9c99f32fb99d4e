package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// Names are what is asked of the name server.
type Names struct {
	Domain, Suffix string   // of --discovery-srv and --discovery-srv-name
	Self           string   // this member's name
	Advertised     []string // this member's peer URLs
	// LookupSRV is that of net.Resolver, Resolve tells the address of a host and port.
	LookupSRV func(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	Resolve   func(address string) (string, error)
}

// System asks the system's name server.
func (n Names) System() Names {
	n.LookupSRV = net.DefaultResolver.LookupSRV
	n.Resolve = func(address string) (string, error) {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			return "", err
		}
		return a.String(), nil
	}
	return n
}

// SRV asks for _etcd-server-ssl._tcp and _etcd-server._tcp, and gives the member that has one of this one's addresses
// its name; the others are numbered. secure tells whether any are reached over TLS.
func SRV(ctx context.Context, n Names, log *zap.Logger) (cluster string, secure bool, err error) {
	suffix := ""
	if n.Suffix != "" {
		suffix = "-" + n.Suffix
	}
	var all []string
	var failed []error
	for _, kind := range []struct{ scheme, service string }{{"https", "etcd-server-ssl"}, {"http", "etcd-server"}} {
		found, err := n.members(ctx, kind.scheme, kind.service+suffix)
		log.Info("get cluster for "+kind.service+" SRV", zap.String("service-scheme", kind.scheme),
			zap.String("service-name", kind.service+suffix), zap.String("server-name", n.Self),
			zap.String("discovery-srv", n.Domain), zap.Strings("advertise-peer-urls", n.Advertised),
			zap.Strings("found-cluster", found), zap.Error(err))
		if err != nil {
			failed = append(failed, err)
			continue
		}
		secure = secure || kind.scheme == "https"
		all = append(all, found...)
	}
	if len(all) == 0 {
		return "", false, errors.Join(failed...)
	}
	cluster = strings.Join(all, ",")
	for _, member := range all {
		if strings.HasPrefix(member, n.Self+"=") {
			return cluster, secure, nil
		}
	}
	return "", false, fmt.Errorf("cannot find local etcd member %q in SRV records", n.Self)
}

// members are those of one service.
func (n Names) members(ctx context.Context, scheme, service string) ([]string, error) {
	own := map[string]*url.URL{} // by address
	for _, a := range n.Advertised {
		u, err := url.Parse(a)
		if err != nil {
			return nil, err
		}
		address, err := n.Resolve(u.Host)
		if err != nil {
			return nil, err
		}
		own[address] = u
	}
	_, records, err := n.LookupSRV(ctx, service, "tcp", n.Domain)
	var found []string
	others := 0
	for _, r := range records {
		port := strconv.Itoa(int(r.Port))
		address, failed := n.Resolve(net.JoinHostPort(r.Target, port))
		if failed != nil {
			err = failed
			continue
		}
		host := net.JoinHostPort(strings.TrimSuffix(r.Target, "."), port)
		name := strconv.Itoa(others)
		if u := own[address]; u == nil {
			others++
		} else if name = n.Self; u.Scheme != scheme {
			err = fmt.Errorf("bootstrap at %s://%s from DNS for %s has scheme mismatch with expected peer %s", scheme, host,
				service, u)
			continue
		}
		found = append(found, name+"="+scheme+"://"+host)
	}
	if len(found) == 0 {
		if err == nil {
			err = errors.New("no records")
		}
		return nil, fmt.Errorf("error querying DNS SRV records for _%s %w", service, err)
	}
	return found, nil
}
