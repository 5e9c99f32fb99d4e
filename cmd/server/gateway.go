package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/logs"
	"vitrine/cmd/server/internal/relay"
	"vitrine/cmd/server/internal/secure"
)

// gatewayFlags are etcd's, of `gateway start`.
type gatewayFlags struct {
	listen, endpoints string
	retry             time.Duration
	srvRecords
}

const gatewayUsage = `Usage:

  vitrine gateway start [flags]
    Pass connections on to the members of a cluster, byte for byte.
`

// runGateway is the subcommand `gateway`.
func runGateway(args []string) int {
	args, start := subcommandStart(args, "insecure-discovery")
	if !start {
		fmt.Fprint(os.Stdout, gatewayUsage)
		return 0
	}
	g, fs := gatewayFlags{}, flag.NewFlagSet("gateway start", flag.ContinueOnError)
	fs.StringVar(&g.listen, "listen-addr", "127.0.0.1:23790", "listen address")
	fs.StringVar(&g.endpoints, "endpoints", "127.0.0.1:2379", "comma separated etcd cluster endpoints")
	fs.StringVar(&g.domain, "discovery-srv", "", "DNS domain whose SRV records name the endpoints")
	fs.StringVar(&g.suffix, "discovery-srv-name", "", "suffix of the records' names")
	fs.BoolVar(&g.insecure, "insecure-discovery", false, "accept SRV records of endpoints without TLS")
	fs.StringVar(&g.ca, "trusted-ca-file", "", "authorities of endpoints that were discovered")
	fs.DurationVar(&g.retry, "retry-delay", time.Minute, "duration of delay before retrying failed endpoints")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	log, err := logs.New(logs.Options{Level: "info", Format: "json", Outputs: []string{"default"}})
	if err == nil {
		defer log.Sync()
		log.Info("Running: ", zap.Strings("args", os.Args))
		err = g.run(log)
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	return 0
}

// subcommandStart takes the word start out of the arguments. As in etcd, flags may stand before it; one without a sign
// of equality takes the next argument along, but for switches.
func subcommandStart(args []string, switches ...string) (rest []string, start bool) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "start":
			return slices.Concat(args[:i], args[i+1:]), true
		case !strings.HasPrefix(a, "-"):
			return args, false
		case !strings.Contains(a, "=") && !slices.Contains(switches, strings.TrimLeft(a, "-")):
			i++
		}
	}
	return args, false
}

// run passes connections on until a signal.
func (g *gatewayFlags) run(log *zap.Logger) error {
	endpoints, err := g.find(log)
	if err != nil {
		return err
	}
	if err := g.refuseLoop(endpoints); err != nil {
		return err
	}
	l, err := net.Listen("tcp", g.listen)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	r := relay.New(endpoints, g.retry, log)
	ended := make(chan error, 1)
	var serving sync.WaitGroup
	serving.Go(func() { ended <- r.Serve(l) })
	defer serving.Wait()
	defer r.Close()
	log.Info("ready to proxy client requests", zap.Any("endpoints", endpoints))
	select {
	case err := <-ended:
		return err
	case s := <-signals:
		log.Info("stopped", zap.Stringer("signal", s))
		return nil
	}
}

// find is where the members are: as the name server says, else as the flags say.
func (g *gatewayFlags) find(log *zap.Logger) ([]relay.Endpoint, error) {
	var all []relay.Endpoint
	if g.domain != "" {
		found, err := g.srvRecords.find(log)
		for _, e := range found {
			all = append(all, e.Endpoint)
		}
		if err != nil || len(all) > 0 {
			return all, err
		}
	}
	for e := range strings.SplitSeq(g.endpoints, ",") {
		if u, err := url.Parse(e); err == nil && u.Host != "" {
			e = u.Host
		}
		if _, _, err := net.SplitHostPort(e); err != nil {
			return nil, fmt.Errorf("error parsing endpoint %q", e)
		}
		all = append(all, relay.Endpoint{Address: e})
	}
	return all, nil
}

// srvRecords is where a name server is asked for the endpoints of a cluster.
type srvRecords struct {
	domain, suffix, ca string
	insecure           bool // accept endpoints that show no certificate of the domain
}

// srvEndpoint is an endpoint that a name server knows, and what its record says of TLS.
type srvEndpoint struct {
	relay.Endpoint
	scheme string
}

// find asks for _etcd-client-ssl._tcp and _etcd-client._tcp. Unless it is to be insecure, only those count that show a
// certificate of the domain.
func (s *srvRecords) find(log *zap.Logger) ([]srvEndpoint, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	suffix := ""
	if s.suffix != "" {
		suffix = "-" + s.suffix
	}
	side, err := secure.Open(secure.Settings{TrustedCAFile: s.ca, ServerName: s.domain}, log)
	if err != nil {
		return nil, err
	}
	var found []srvEndpoint
	var failed []error
	for _, service := range []string{"etcd-client-ssl", "etcd-client"} {
		_, records, err := net.DefaultResolver.LookupSRV(ctx, service+suffix, "tcp", s.domain)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		scheme := "https"
		if service == "etcd-client" {
			scheme = "http"
		}
		for _, r := range records {
			e := srvEndpoint{relay.Endpoint{Address: net.JoinHostPort(r.Target, strconv.Itoa(int(r.Port))),
				Priority: r.Priority, Weight: r.Weight}, scheme}
			if !s.insecure && (scheme == "http" || !shows(ctx, side, e.Address)) {
				log.Warn("rejected an endpoint without a valid certificate", zap.String("address", e.Address))
				continue
			}
			found = append(found, e)
		}
	}
	if len(failed) == 2 {
		return nil, fmt.Errorf("dns lookup errors: %w", errors.Join(failed...))
	}
	return found, nil
}

// shows tells whether who answers there shows a certificate of the domain.
func shows(ctx context.Context, side *secure.Side, address string) bool {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: side.ClientConfig("")}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// refuseLoop sees that no endpoint is this gateway itself.
func (g *gatewayFlags) refuseLoop(endpoints []relay.Endpoint) error {
	host, port, err := net.SplitHostPort(g.listen)
	if err != nil {
		return fmt.Errorf("failed to validate listen address: %s", g.listen)
	}
	own, err := net.LookupHost(host)
	if err != nil {
		return fmt.Errorf("failed to resolve listen host: %s", host)
	}
	for _, e := range endpoints {
		h, p, err := net.SplitHostPort(e.Address)
		if err != nil {
			return err
		}
		theirs, err := net.LookupHost(h)
		if err != nil {
			return fmt.Errorf("failed to resolve endpoint host: %s", h)
		}
		for _, a := range theirs {
			for _, b := range own {
				if a == b && p == port {
					return fmt.Errorf("SRV or endpoint (%s->%s:%s) should not resolve to the gateway listen addr (%s)", e.Address,
						a, p, g.listen)
				}
			}
		}
	}
	return nil
}
