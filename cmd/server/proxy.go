package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/admin"
	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/listen"
	"vitrine/cmd/server/internal/logs"
	"vitrine/cmd/server/internal/namespace"
	"vitrine/cmd/server/internal/proxy"
	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/upstream"
)

// proxyFlags are etcd's, of `grpc-proxy start`.
type proxyFlags struct {
	listen, metrics, advertise, prefix, space, dataDir, leasing string
	endpoints                                                   texts
	resolverTTL                                                 int
	srvRecords
	toMembers, toClients   secure.Settings
	skipVerify, autoTLS    bool
	suites                 texts
	minVersion, maxVersion string
	years, streams         uint
	sync                   time.Duration
	dialTime, dialTimeout  time.Duration
	withoutStream          bool
	minTime, interval      time.Duration
	timeout                time.Duration
	maxSend, maxReceive    int

	ordering, logCalls, pprof, debug bool
}

// texts is a flag that lists values, and may be given more than once.
type texts struct {
	values []string
	given  bool // what is there is not the default
}

func (t *texts) String() string { return strings.Join(t.values, ",") }

// Set implements flag.Value.
func (t *texts) Set(s string) error {
	if !t.given {
		t.values, t.given = nil, true
	}
	for part := range strings.SplitSeq(s, ",") {
		if part != "" {
			t.values = append(t.values, part)
		}
	}
	return nil
}

// proxySwitches are flags that take no value.
var proxySwitches = []string{"insecure-discovery", "permit-without-stream", "enable-pprof", "insecure-skip-tls-verify",
	"auto-tls", "experimental-serializable-ordering", "experimental-enable-grpc-logging", "debug"}

const proxyUsage = `Usage:

  vitrine grpc-proxy start [flags]
    Ask the members of a cluster on behalf of many clients.
`

func (f *proxyFlags) bind(fs *flag.FlagSet) {
	f.endpoints.values = []string{"127.0.0.1:2379"}
	fs.StringVar(&f.listen, "listen-addr", "127.0.0.1:23790", "listen address")
	fs.StringVar(&f.metrics, "metrics-addr", "", "URL of an additional address for /metrics and /health")
	fs.Var(&f.endpoints, "endpoints", "comma separated etcd cluster endpoints")
	fs.DurationVar(&f.sync, "endpoints-auto-sync-interval", 0, "how often to ask the members where they are (0: never)")
	fs.StringVar(&f.domain, "discovery-srv", "", "DNS domain whose SRV records name the endpoints")
	fs.StringVar(&f.suffix, "discovery-srv-name", "", "suffix of the records' names")
	fs.BoolVar(&f.insecure, "insecure-discovery", false, "accept SRV records of endpoints without TLS")
	fs.StringVar(&f.advertise, "advertise-client-url", "127.0.0.1:23790",
		"where clients are told to find the proxy (empty: they are told of the members)")
	fs.StringVar(&f.prefix, "resolver-prefix", "", "prefix of the keys by which proxies know one another")
	fs.IntVar(&f.resolverTTL, "resolver-ttl", 0, "seconds that the key of a proxy outlives it")
	fs.StringVar(&f.space, "namespace", "", "prefix of all keys that clients see, which they do not see")
	fs.StringVar(&f.dataDir, "data-dir", "default.proxy", "directory for certificates of --auto-tls")
	fs.IntVar(&f.maxSend, "max-send-bytes", 3<<19, "greatest request to a member, in bytes")
	fs.IntVar(&f.maxReceive, "max-recv-bytes", math.MaxInt32, "greatest answer of a member, in bytes")
	fs.DurationVar(&f.dialTime, "dial-keepalive-time", 0, "interval of pings to members (0: none)")
	fs.DurationVar(&f.dialTimeout, "dial-keepalive-timeout", 20*time.Second, "wait for their answers")
	fs.BoolVar(&f.withoutStream, "permit-without-stream", false, "ping members also when nothing is asked of them")
	fs.DurationVar(&f.minTime, "grpc-keepalive-min-time", 5*time.Second, "least interval of clients' pings")
	fs.DurationVar(&f.interval, "grpc-keepalive-interval", 2*time.Hour, "interval of pings to clients (0: none)")
	fs.DurationVar(&f.timeout, "grpc-keepalive-timeout", 20*time.Second, "wait for their answers")
	fs.UintVar(&f.streams, "max-concurrent-streams", math.MaxUint32, "streams of one client's connection at a time")
	f.bindTLS(fs)
	fs.BoolVar(&f.ordering, "experimental-serializable-ordering", false,
		"answers never go back behind those before, whichever member gives them")
	fs.StringVar(&f.leasing, "experimental-leasing-prefix", "", "not there: must be empty")
	fs.BoolVar(&f.logCalls, "experimental-enable-grpc-logging", false, "log all calls, with what is asked and answered")
	fs.BoolVar(&f.pprof, "enable-pprof", false, "serve profiles under /debug/pprof/")
	fs.BoolVar(&f.debug, "debug", false, "log at level debug")
}

func (f *proxyFlags) bindTLS(fs *flag.FlagSet) {
	fs.StringVar(&f.toMembers.CertFile, "cert", "", "certificate to show to members")
	fs.StringVar(&f.toMembers.KeyFile, "key", "", "its key")
	fs.StringVar(&f.toMembers.TrustedCAFile, "cacert", "", "authorities that members' certificates must be from")
	fs.BoolVar(&f.skipVerify, "insecure-skip-tls-verify", false, "do not look at members' certificates (for tests only)")
	fs.StringVar(&f.toClients.CertFile, "cert-file", "", "certificate to show to clients")
	fs.StringVar(&f.toClients.KeyFile, "key-file", "", "its key")
	fs.StringVar(&f.toClients.TrustedCAFile, "trusted-ca-file", "", "authorities that clients' certificates must be from")
	fs.StringVar(&f.toClients.CRLFile, "client-crl-file", "", "list of clients' revoked certificates")
	fs.BoolVar(&f.autoTLS, "auto-tls", false, "serve clients with a certificate that is made if there is none")
	fs.UintVar(&f.years, "self-signed-cert-validity", 1, "years that it is valid")
	fs.Var(&f.suites, "listen-cipher-suites", "cipher suites for clients, of TLS 1.2 (empty: Go's choice)")
	fs.StringVar(&f.minVersion, "tls-min-version", "TLS1.2", "least version of TLS for clients: TLS1.2 or TLS1.3")
	fs.StringVar(&f.maxVersion, "tls-max-version", "", "greatest version: TLS1.2 or TLS1.3 (empty: the newest)")
}

// check refuses what makes no sense, in etcd's words, and what is not there.
func (f *proxyFlags) check() error {
	switch {
	case f.leasing != "":
		return errors.New("--experimental-leasing-prefix is not supported")
	case f.prefix != "" && f.resolverTTL < 1:
		return fmt.Errorf("invalid resolver-ttl %d", f.resolverTTL)
	case f.prefix == "" && f.resolverTTL > 0:
		return fmt.Errorf("invalid resolver-prefix %q", f.prefix)
	case f.prefix != "" && f.advertise == "":
		return fmt.Errorf("invalid advertise-client-url %q", f.advertise)
	case f.autoTLS && f.years == 0:
		return errors.New("selfSignedCertValidity is invalid,it should be greater than 0")
	}
	var err error
	if f.toClients.MinVersion, err = config.TLSVersion(f.minVersion); err != nil {
		return fmt.Errorf("tls-min-version is invalid: %w", err)
	}
	if f.toClients.MaxVersion, err = config.TLSVersion(f.maxVersion); err != nil {
		return fmt.Errorf("tls-max-version is invalid: %w", err)
	}
	if most := f.toClients.MaxVersion; most != 0 && f.toClients.MinVersion > most {
		return fmt.Errorf("min version (%s) is greater than max version (%s)", f.minVersion, f.maxVersion)
	}
	if f.toClients.MinVersion == tls.VersionTLS13 && len(f.suites.values) > 0 {
		return errors.New("cipher suites cannot be configured when only TLS1.3 is enabled")
	}
	f.toClients.CipherSuites, err = config.CipherSuites(f.suites.values)
	return err
}

// runProxy is the subcommand `grpc-proxy`.
func runProxy(args []string) int {
	args, start := subcommandStart(args, proxySwitches...)
	if !start {
		fmt.Fprint(os.Stdout, proxyUsage)
		return 0
	}
	f, fs := proxyFlags{}, flag.NewFlagSet("grpc-proxy start", flag.ContinueOnError)
	f.bind(fs)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if err := f.check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := logs.Options{Level: "info", Format: "json", Outputs: []string{"default"}}
	if f.debug {
		o.Level = "debug"
	}
	log, err := logs.New(o)
	if err == nil {
		defer log.Sync()
		log.Info("Running: ", zap.Strings("args", os.Args))
		var s os.Signal
		if s, err = f.run(log); err == nil {
			return reraise(s, log)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// run serves until a signal, which it returns.
func (f *proxyFlags) run(log *zap.Logger) (_ os.Signal, err error) {
	side, err := f.clientSide(log)
	if err != nil {
		return nil, err
	}
	l, err := listen.Open(url.URL{Scheme: "http", Host: f.listen}, listen.Options{})
	if err != nil {
		return nil, err
	}
	listeners := []opened{{l, listen.Terms{Plain: side == nil, TLS: side, FromAddress: true, GRPC: true, HTTP: true}}}
	log.Info("listening for gRPC proxy client requests", zap.String("address", f.listen))
	if f.metrics != "" {
		more, err := f.listenMetrics(side, log)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		listeners = append(listeners, more)
	}
	p, err := f.open(log)
	if err != nil {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	signals := make(chan os.Signal, 1) // before, a signal ends the process, which may wait for the members
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan error, len(listeners))
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() { ended <- p.Serve(l, l.terms) })
	}
	defer serving.Wait()
	defer func() { err = errors.Join(err, p.Stop()) }()
	log.Info("started gRPC proxy", zap.String("address", f.listen))
	select {
	case err := <-ended:
		return nil, cmp.Or(err, net.ErrClosed)
	case s := <-signals:
		log.Info("stop listening gRPC proxy client requests", zap.String("address", f.listen), zap.Stringer("signal", s))
		return s, nil
	}
}

// opened is a listener with the terms on which it is shared.
type opened struct {
	net.Listener
	terms listen.Terms
}

func (f *proxyFlags) listenMetrics(side *secure.Side, log *zap.Logger) (o opened, err error) {
	u, err := url.Parse(f.metrics)
	if err != nil {
		return o, fmt.Errorf("cannot parse %q", f.metrics)
	}
	o.terms = listen.Terms{Plain: !config.Secure(u), FromAddress: true, HTTP: true}
	if !o.terms.Plain {
		if o.terms.TLS = side; side == nil {
			return o, fmt.Errorf("cannot listen on TLS for %s: KeyFile and CertFile are not presented", u.Host)
		}
	}
	o.Listener, err = listen.Open(*u, listen.Options{})
	log.Info("gRPC proxy listening for metrics", zap.Stringer("address", u))
	return o, err
}

// clientSide is what clients meet over TLS; nil: they do not.
func (f *proxyFlags) clientSide(log *zap.Logger) (*secure.Side, error) {
	t := &f.toClients
	if t.Empty() && t.TrustedCAFile == "" {
		if !f.autoTLS {
			return nil, nil
		}
		crl := t.CRLFile
		dir := filepath.Join(f.dataDir, "fixtures", "proxy")
		if err := t.MakeOwn(dir, []string{f.listen}, f.years, log); err != nil {
			return nil, err
		}
		t.CRLFile = crl
	}
	if t.Empty() {
		return nil, errors.New("KeyFile and CertFile are not presented")
	}
	log.Info("gRPC proxy server TLS", zap.Stringer("tls-info", t))
	return secure.Open(*t, log)
}

// open makes the proxy.
func (f *proxyFlags) open(log *zap.Logger) (*proxy.Proxy, error) {
	endpoints := f.endpoints.values
	if f.domain != "" {
		f.srvRecords.ca = f.toMembers.TrustedCAFile
		found, err := f.srvRecords.find(log)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			endpoints = nil
		}
		for _, e := range found {
			endpoints = append(endpoints, e.scheme+"://"+e.Address)
		}
	}
	side, err := f.memberSide(log)
	if err != nil {
		return nil, err
	}
	web := http.Transport{}
	if side != nil {
		web.TLSClientConfig = side.ClientConfig("")
		web.TLSClientConfig.InsecureSkipVerify = f.skipVerify
	}
	cluster, err := upstream.Open(upstream.Config{
		Endpoints: endpoints, TLS: side, SkipTLSVerify: f.skipVerify, DialTimeout: 5 * time.Second,
		KeepAliveTime: f.dialTime, KeepAliveTimeout: f.dialTimeout, PermitWithoutStream: f.withoutStream,
		MaxSendBytes: sizeOr(f.maxSend, 2<<20), MaxReceiveBytes: sizeOr(f.maxReceive, math.MaxInt32), AutoSync: f.sync,
		Log: log,
	})
	if err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		Cluster: cluster, Namespace: namespace.Space(f.space), AdvertiseURL: f.advertise, ResolverPrefix: f.prefix,
		ResolverTTL: int64(f.resolverTTL), Ordering: f.ordering, LogCalls: f.logCalls, Pprof: f.pprof,
		KeepAliveMinTime: f.minTime, KeepAliveInterval: f.interval, KeepAliveTimeout: f.timeout,
		MaxConcurrentStreams: uint32(min(f.streams, math.MaxUint32)), Registry: admin.Registry(), Log: log,
		Web: &http.Client{Transport: &web},
	})
}

// sizeOr is a size that was given, or what etcd's client library takes instead of none.
func sizeOr(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// memberSide is how members are met over TLS; nil: as their endpoints' schemes say. A certificate with a common name
// would be a user to them, and every client this user.
func (f *proxyFlags) memberSide(log *zap.Logger) (*secure.Side, error) {
	t := &f.toMembers
	if t.Empty() && t.TrustedCAFile == "" && !f.skipVerify {
		return nil, nil
	}
	side, err := secure.Open(*t, log)
	if err != nil {
		return nil, err
	}
	if t.CertFile != "" {
		data, err := os.ReadFile(t.CertFile)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(data)
		c, err := x509.ParseCertificate(block.Bytes) // it is one: it was opened
		if err != nil {
			return nil, err
		}
		if name := c.Subject.CommonName; name != "" {
			return nil, fmt.Errorf("cert has non empty Common Name (%s): %s", name, t.CertFile)
		}
	}
	if f.skipVerify {
		log.Warn("--insecure-skip-tls-verify was given, this grpc proxy process skips authentication of etcd server TLS " +
			"certificates. This option should be enabled only for testing purposes.")
	}
	log.Info("gRPC proxy client TLS", zap.Stringer("tls-info", t))
	return side, nil
}
