// Package config is what an operator may say: etcd's flags with etcd's names,
// defaults and rules, for everything this server does.
//
// Each flag can also be given in the environment, as ETCD_<NAME> or
// VITRINE_<NAME> (upper case, dashes become underscores). A flag on the
// command line beside a variable of the same name is a contradiction and refused,
// as etcd does; VITRINE_ wins over ETCD_. A flag of etcd's that names something
// this server does not do is taken at its default, which asks for nothing, and refused by name otherwise. One table
// knows all of a flag: name, default, help, and where its value goes or why there is none.
//
//	cfg, err := config.Parse(os.Args[1:], os.Environ(), os.Stderr)
//
// The flag package is the standard library's, as in etcd: it takes -name and
// --name, =value and a separate value.
package config

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"sort"
	"strconv"
	"strings"
	"time"

	"vitrine/cmd/server/internal/discovery"
	"vitrine/cmd/server/internal/secure"
	"vitrine/cmd/server/internal/tracing"
	"vitrine/core/duty"
	"vitrine/core/limits"
)

// Config is one member's configuration, checked.
type Config struct {
	Name    string
	DataDir string // holds member/
	WALDir  string // empty: <DataDir>/member/wal

	WALSegmentBytes int64 // from which on a segment of the log is closed and the next one begun

	ListenPeerURLs       URLs
	ListenClientURLs     URLs
	ListenClientHTTPURLs URLs // for HTTP alone; ListenClientURLs are for gRPC alone then
	ListenMetricsURLs    URLs
	AdvertisePeerURLs    URLs
	AdvertiseClientURLs  URLs

	// ClientTLS and PeerTLS are the sides that clients and peers meet.
	ClientTLS, PeerTLS         secure.Settings
	ClientAutoTLS, PeerAutoTLS bool // with certificates that are made in DataDir
	SelfSignedCertYears        uint
	SocketReusePort            bool
	SocketReuseAddress         bool

	InitialCluster      Cluster
	InitialClusterState string // "new" or "existing"
	InitialClusterToken string

	EnableTracing bool
	Tracing       tracing.Config

	// Where the other members of a new cluster are found, if not in InitialCluster.
	Discovery                      discovery.Config
	DiscoverySRV, DiscoverySRVName string

	HeartbeatInterval   time.Duration
	ElectionTimeout     time.Duration
	ElectionTickAdvance bool
	PreVote             bool
	StrictReconfig      bool
	ForceNewCluster     bool
	MaxLearners         uint

	SnapshotCount          uint64
	SnapshotCatchUpEntries uint64

	MaxRequestBytes   uint
	MaxTxnOps         uint
	QuotaBackendBytes int64 // 0: etcd's default of 2 GiB; negative: none

	BackendBatchInterval    time.Duration
	BackendBatchLimit       int
	CompactionBatchLimit    int
	CompactionSleepInterval time.Duration
	Retention               duty.Retention
	Features                Features
	CorruptCheckTime        time.Duration
	CompactHashCheckTime    time.Duration
	DowngradeCheckTime      time.Duration

	WatchProgressNotifyInterval time.Duration

	MaxConcurrentStreams  uint32
	GRPCKeepAliveMinTime  time.Duration
	GRPCKeepAliveInterval time.Duration
	GRPCKeepAliveTimeout  time.Duration

	WarningApplyDuration        time.Duration
	WarningUnaryRequestDuration time.Duration

	AuthToken    string // etcd's --auth-token: a type of tokens, and its options
	AuthTokenTTL time.Duration
	BcryptCost   uint

	LogLevel   string
	LogFormat  string
	LogOutputs []string

	EnableGRPCGateway bool
	EnableV2          bool
	CORS              URLs     // origins whose pages may read answers; none: all
	HostWhitelist     []string // names that requests without TLS may call the server by; none: all

	RaftReadTimeout, RaftWriteTimeout time.Duration // of connections to peers
	BackendFreelistType               string        // map, or array
	MemoryMlock                       bool
	// BootstrapDefragBytes is what a defragmentation at the start must free, 0: there is none.
	BootstrapDefragMegabytes uint
	ExtensiveMetrics         bool
	LogRotation              string // of the file in LogOutputs, as JSON; empty: none

	UnsafeNoFsync bool
	EnablePprof   bool
	// FlightRecorderBytes is the memory for the newest events, 0: none.
	FlightRecorderBytes int
	UI                  bool

	// Notes are remarks about the configuration that deserve a line in the log.
	Notes []string
}

// ErrVersion and ErrHelp say that the operator asked a question instead of starting a server.
var (
	ErrVersion = errors.New("config: version asked")
	ErrHelp    = flag.ErrHelp
)

// A UsageError is a command line that makes no sense; the text has been written to the output.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

const (
	defaultName      = "default"
	defaultPeerURL   = "http://localhost:2380"
	defaultClientURL = "http://localhost:2379"

	// StateNew and StateExisting are the values of --initial-cluster-state.
	StateNew      = "new"
	StateExisting = "existing"
)

var logLevels = []string{"debug", "info", "warn", "error", "dpanic", "panic", "fatal"}

// Parse reads the command line (without the program's name) and the
// environment. Usage errors are written to out as they are found.
func Parse(args, environ []string, out io.Writer) (*Config, error) {
	c := &Config{}
	p := newParser(c, out)
	if err := p.fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, ErrHelp
		}
		return nil, &UsageError{p.explain(err)}
	}
	if rest := p.fs.Args(); len(rest) > 0 {
		return nil, fmt.Errorf("%q is not a valid flag", rest[0])
	}
	if p.version {
		return nil, ErrVersion
	}
	if path := p.fileNamed(environ); path != "" {
		*c = Config{}
		p = newParser(c, out)
		if err := p.fromFile(path); err != nil {
			return nil, err
		}
	} else if err := p.environment(environ); err != nil {
		return nil, err
	}
	p.noteDeprecated()
	if err := p.finish(); err != nil {
		return nil, err
	}
	return c, c.validate()
}

// fileNamed is the configuration file that a flag or a variable names.
func (p *parser) fileNamed(environ []string) string {
	for _, prefix := range []string{"VITRINE_", "ETCD_"} {
		for _, kv := range environ {
			if value, ok := strings.CutPrefix(kv, prefix+"CONFIG_FILE="); ok && p.file == "" {
				p.file = value
			}
		}
	}
	return p.file
}

// parser holds what flags need between the command line and a Config.
type parser struct {
	c       *Config
	fs      *flag.FlagSet
	set     map[string]bool
	version bool

	heartbeatMs, electionMs uint
	tokenSeconds            uint
	cluster                 string
	compactionMode          string
	compactionRetention     string
	outputs                 string
	cors, hosts             string
	endpoints               string
	file                    string
	metrics                 string
	rotate                  bool
	rotation                string
	v2Deprecation           string
	tls                     tlsText
}

func newParser(c *Config, out io.Writer) *parser {
	p := &parser{c: c, fs: flag.NewFlagSet("vitrine", flag.ContinueOnError), set: map[string]bool{}}
	p.fs.SetOutput(out)
	p.fs.Usage = func() { fmt.Fprint(out, usage) }
	p.register()
	return p
}

// environment sets every flag that the command line did not.
func (p *parser) environment(environ []string) error {
	p.fs.Visit(func(f *flag.Flag) { p.set[f.Name] = true })
	given := map[string]string{}
	for _, kv := range environ {
		if key, value, ok := strings.Cut(kv, "="); ok && value != "" {
			given[key] = value
		}
	}
	known := map[string]bool{"ETCD_VERSION": true, "VITRINE_VERSION": true, "ETCD_UNSUPPORTED_ARCH": true}
	for _, key := range []string{"ETCD_VERSION", "VITRINE_VERSION"} {
		if given[key] != "" {
			p.note("the environment variable %s has no meaning", key)
		}
	}
	flags := maps.Clone(p.set)
	var failed error
	p.fs.VisitAll(func(f *flag.Flag) {
		suffix := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		for _, prefix := range []string{"VITRINE_", "ETCD_"} {
			key := prefix + suffix
			value, ok := given[key]
			if !ok || known[key] {
				continue
			}
			known[key] = true
			if flags[f.Name] {
				if failed == nil {
					failed = fmt.Errorf(
						"conflicting environment variable %s is shadowed by the flag --%s "+
							"(either unset the variable or leave the flag out)", key, f.Name)
				}
				continue
			}
			if p.set[f.Name] {
				p.note("environment variable %s is shadowed by VITRINE_%s", key, suffix)
				continue
			}
			if err := p.fs.Set(f.Name, value); err != nil && failed == nil {
				failed = fmt.Errorf("invalid value %q for %s: %w", value, key, p.explain(err))
			}
			p.set[f.Name] = true
			p.note("recognized and used environment variable %s=%s", key, value)
		}
	})
	for _, key := range sortedKeys(given) {
		if strings.HasPrefix(key, "ETCD_") && !known[key] {
			p.note("unrecognized environment variable %s", key)
		}
	}
	return failed
}

func (p *parser) note(format string, args ...any) {
	p.c.Notes = append(p.c.Notes, fmt.Sprintf(format, args...))
}

// noteDeprecated warns as etcd does.
func (p *parser) noteDeprecated() {
	for _, name := range sortedKeys(deprecated) {
		if p.set[name] {
			p.note("%s", deprecated[name])
		}
	}
}

// finish fills in what follows from other flags.
func (p *parser) finish() error {
	c := p.c
	if c.Name == "" {
		return errors.New("--name must not be empty")
	}
	for _, t := range []*time.Duration{&c.RaftReadTimeout, &c.RaftWriteTimeout} {
		*t = max(*t, limits.PeerTimeout)
	}
	if c.BackendFreelistType != "array" {
		c.BackendFreelistType = "map" // whatever is said, as in etcd
	}
	c.ExtensiveMetrics = p.metrics == "extensive"
	if p.rotate {
		c.LogRotation = p.rotation
	}
	// Zero is etcd's way of asking for the default.
	c.SnapshotCount = cmp.Or(c.SnapshotCount, limits.SnapshotCount)
	c.SnapshotCatchUpEntries = cmp.Or(c.SnapshotCatchUpEntries, limits.SnapshotCatchUpEntries)
	c.BackendBatchInterval = cmp.Or(c.BackendBatchInterval, limits.BackendInterval)
	c.BackendBatchLimit = cmp.Or(c.BackendBatchLimit, limits.BackendOps)
	c.CompactionBatchLimit = cmp.Or(c.CompactionBatchLimit, limits.CompactionBatch)
	c.CompactionSleepInterval = cmp.Or(c.CompactionSleepInterval, limits.CompactionPause)
	c.WatchProgressNotifyInterval = cmp.Or(c.WatchProgressNotifyInterval, limits.WatchProgressInterval)
	c.HeartbeatInterval = time.Duration(p.heartbeatMs) * time.Millisecond
	c.ElectionTimeout = time.Duration(p.electionMs) * time.Millisecond
	c.AuthTokenTTL = time.Duration(p.tokenSeconds) * time.Second
	if err := p.retention(); err != nil {
		return err
	}
	if p.set["listen-client-urls"] && !p.set["advertise-client-urls"] {
		return errors.New("--advertise-client-urls is required when --listen-client-urls is set explicitly")
	}
	if c.DataDir == "" {
		c.DataDir = c.Name + ".etcd"
		p.note("'data-dir' was empty; using default %s", c.DataDir)
	}
	if err := p.finishDiscovery(); err != nil {
		return err
	}
	// Whoever finds the others elsewhere knows itself, as whoever is alone does.
	if !p.set["initial-cluster"] || c.DiscoverySRV != "" || len(c.Discovery.Endpoints) > 0 {
		var parts []string
		for _, u := range c.AdvertisePeerURLs.Strings() {
			parts = append(parts, c.Name+"="+u)
		}
		p.cluster = strings.Join(parts, ",")
	}
	cluster, err := ParseCluster(p.cluster)
	if err != nil {
		return fmt.Errorf("error setting up initial cluster: %w", err)
	}
	c.InitialCluster = cluster
	if p.cors != "" && p.cors != "*" {
		if err := c.CORS.Set(p.cors); err != nil {
			return fmt.Errorf("invalid value %q for flag --cors: %w", p.cors, err)
		}
	}
	if c.HostWhitelist = list(p.hosts); contains(c.HostWhitelist, "*") {
		c.HostWhitelist = nil
	}
	if err := p.finishTLS(); err != nil {
		return err
	}
	for out := range strings.SplitSeq(p.outputs, ",") {
		if out = strings.TrimSpace(out); out != "" {
			c.LogOutputs = append(c.LogOutputs, out)
		}
	}
	return nil
}

// finishDiscovery sees that the others are named in one way.
func (p *parser) finishDiscovery() error {
	p.c.Discovery.Endpoints = list(p.endpoints)
	if (p.c.Discovery.Token != "") != (len(p.c.Discovery.Endpoints) > 0) {
		return errors.New("both --discovery-token and --discovery-endpoints must be set")
	}
	ways := 0
	for _, way := range []bool{p.set["initial-cluster"] && p.cluster != "", p.c.DiscoverySRV != "",
		len(p.c.Discovery.Endpoints) > 0} {
		if way {
			ways++
		}
	}
	if ways > 1 {
		return errors.New("multiple discovery or bootstrap flags are set. " +
			`Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"`)
	}
	return nil
}

// What --auto-compaction-retention counts.
const (
	modePeriodic = "periodic"
	modeRevision = "revision"
)

// retention reads how much history is kept: a bare number is of hours or revisions.
func (p *parser) retention() error {
	text := p.compactionRetention
	number, err := strconv.ParseInt(text, 10, 64)
	plain := err == nil
	period := time.Duration(number) * time.Hour
	if !plain && text != "" {
		if period, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("--auto-compaction-retention: error parsing CompactionRetention: %w", err)
		}
	}
	switch {
	case plain && p.compactionMode == modePeriodic && int64(period/time.Hour) != number:
		return fmt.Errorf("--auto-compaction-retention %s: so many hours cannot be counted", text)
	case number < 0 || period < 0:
		return fmt.Errorf("--auto-compaction-retention must not be negative (set to %s)", text)
	case p.compactionMode == modeRevision && !plain && period != 0:
		return fmt.Errorf("--auto-compaction-retention %s is no number of revisions", text)
	case p.compactionMode == modeRevision:
		p.c.Retention = duty.Retention{Revisions: number, Every: limits.AutoCompactionInterval}
	case period != 0 && period < limits.AutoCompactionPeriodMin:
		return fmt.Errorf("--auto-compaction-retention %s is less than %v", text, limits.AutoCompactionPeriodMin)
	default:
		p.c.Retention = duty.Retention{Period: period}
	}
	return nil
}

// ElectionTicks is the election timeout in heartbeats, raft's unit.
func (c *Config) ElectionTicks() int { return int(c.ElectionTimeout / c.HeartbeatInterval) }

// RequestTimeout is how long a request may take: five seconds for disks and network, and two elections.
func (c *Config) RequestTimeout() time.Duration { return 5*time.Second + 2*c.ElectionTimeout }

func contains(in []string, s string) bool {
	for _, v := range in {
		if v == s {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
