package config

import (
	"fmt"
	"strconv"
	"strings"
)

// notHere are flags of etcd 3.7 whose meaning this version does not have yet.
// Taking them silently would promise something; they are refused by name, unless
// their value says that nothing is wanted.
var notHere = []string{
	"auth-token", "auth-token-ttl", "auto-compaction-mode", "auto-compaction-retention", "auto-tls",
	"backend-bbolt-freelist-type", "bcrypt-cost", "bootstrap-defrag-threshold-megabytes", "cert-file", "cipher-suites",
	"client-cert-allowed-hostname", "client-cert-auth", "client-cert-file", "client-crl-file", "client-key-file",
	"compact-hash-check-time", "config-file", "corrupt-check-time", "cors", "discovery-cacert", "discovery-cert",
	"discovery-dial-timeout", "discovery-endpoints", "discovery-fallback", "discovery-insecure-skip-tls-verify",
	"discovery-insecure-transport", "discovery-keepalive-time", "discovery-keepalive-timeout", "discovery-key",
	"discovery-password", "discovery-request-timeout", "discovery-srv", "discovery-srv-name", "discovery-token",
	"discovery-user", "distributed-tracing-address", "distributed-tracing-instance-id",
	"distributed-tracing-sampling-rate", "distributed-tracing-service-name", "downgrade-check-time",
	"enable-distributed-tracing", "enable-grpc-gateway", "enable-log-rotation", "feature-gates", "force-new-cluster",
	"host-whitelist", "key-file", "listen-client-http-urls", "log-rotation-config-json", "max-learners",
	"max-snapshots", "max-wals", "memory-mlock", "metrics", "peer-auto-tls", "peer-cert-allowed-cn",
	"peer-cert-allowed-hostname", "peer-cert-file", "peer-client-cert-auth", "peer-client-cert-file",
	"peer-client-key-file", "peer-crl-file", "peer-key-file", "peer-skip-client-san-verification",
	"peer-trusted-ca-file", "raft-read-timeout", "raft-write-timeout", "self-signed-cert-validity",
	"socket-reuse-address", "socket-reuse-port", "strict-reconfig-check", "tls-max-version", "tls-min-version",
	"trusted-ca-file", "v2-deprecation",
}

// refused is the value of a flag that etcd has and this server has not.
type refused struct{ name string }

func (r refused) String() string { return "" }

// IsBoolFlag makes the refusal come even when no value follows.
func (r refused) IsBoolFlag() bool { return true }
func (r refused) Set(s string) error {
	if r.asksNothing(s) {
		return nil
	}
	return fmt.Errorf("etcd's flag --%s is not supported by this version", r.name)
}

// asksNothing tells whether a value only asks for what this server does anyway.
func (r refused) asksNothing(s string) bool {
	switch r.name {
	case "auto-compaction-retention", "bootstrap-defrag-threshold-megabytes":
		return s == "0"
	case "corrupt-check-time":
		return s == "0" || s == "0s"
	case "cors", "host-whitelist":
		return s == "*"
	case "metrics":
		return s == "basic"
	}
	return s == "" || s == "false"
}

// explain drops the flag package's wrapping around a refusal, which would
// otherwise read as if only the value were wrong.
func (p *parser) explain(err error) error {
	if _, after, ok := strings.Cut(err.Error(), "etcd's flag --"); ok {
		return fmt.Errorf("etcd's flag --%s", after)
	}
	return err
}

// choice is a string flag with a closed set of values.
type choice struct {
	to     *string
	values []string
}

func (c choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

func (c choice) Set(s string) error {
	if !contains(c.values, s) {
		return fmt.Errorf("invalid value %q, valid values are %s", s, strings.Join(c.values, ", "))
	}
	*c.to = s
	return nil
}

type uint32Value uint32

func (v *uint32Value) String() string { return strconv.FormatUint(uint64(*v), 10) }
func (v *uint32Value) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 32)
	*v = uint32Value(n)
	return err
}

const usage = `Usage:

  vitrine [flags]
    Start a server.

  vitrine --version
    Show the version.

  vitrine -h | --help
    Show all flags.
`

// Help lists the flags; each is also an environment variable, ETCD_<NAME> or VITRINE_<NAME>.
const Help = usage + `
Every flag can be given in the environment instead, as VITRINE_<NAME> or ETCD_<NAME>.

Member:
  --name 'default'
    Human-readable name for this member.
  --data-dir '${name}.etcd'
    Path to the data directory.
  --wal-dir ''
    Path to the dedicated wal directory.
  --wal-segment-bytes '64000000'
    Size from which on a file of the log is closed and the next one begun (not a flag of etcd's, which has 64 MB built in).
  --snapshot-count '10000'
    Number of committed transactions to trigger a snapshot to disk.
  --snapshot-catchup-entries '5000'
    Number of entries for a slow follower to catch up after compacting the raft log.
  --heartbeat-interval '100'
    Time (in milliseconds) of a heartbeat interval.
  --election-timeout '1000'
    Time (in milliseconds) for an election to timeout.
  --initial-election-tick-advance 'true'
    Whether to fast-forward initial election ticks on boot for faster election.
  --listen-peer-urls 'http://localhost:2380'
    List of URLs to listen on for peer traffic.
  --listen-client-urls 'http://localhost:2379'
    List of URLs to listen on for client gRPC and HTTP traffic.
  --listen-metrics-urls ''
    List of URLs to listen on for the metrics and health endpoints.
  --quota-backend-bytes '0'
    Raise alarms when backend size exceeds the given quota (0: 2 GiB, negative: none).
  --backend-batch-interval '100ms', --backend-batch-limit '10000'
    The maximum time and number of operations before the backend is committed.
  --max-txn-ops '128'
    Maximum number of operations permitted in a transaction.
  --max-request-bytes '1572864'
    Maximum client request size in bytes the server will accept.
  --max-concurrent-streams '4294967295'
    Maximum concurrent streams that each client can open at a time.
  --grpc-keepalive-min-time '5s', --grpc-keepalive-interval '2h', --grpc-keepalive-timeout '20s'
    Pings: how often a client may, how often the server does, and how long it waits for an answer.

Clustering:
  --initial-advertise-peer-urls 'http://localhost:2380'
    List of this member's peer URLs to advertise to the rest of the cluster.
  --initial-cluster 'default=http://localhost:2380'
    Initial cluster configuration for bootstrapping.
  --initial-cluster-state 'new'
    'new' when bootstrapping a cluster, 'existing' when joining one.
  --initial-cluster-token 'etcd-cluster'
    Initial cluster token; keeps clusters with equal URLs apart.
  --advertise-client-urls 'http://localhost:2379'
    List of this member's client URLs to advertise to the public.
  --pre-vote 'true'
    Run an additional election phase before disturbing a leader.

Maintenance:
  --compaction-batch-limit '1000', --compaction-sleep-interval '10ms'
    The most revisions deleted in one step of a compaction, and the pause between steps.
  --watch-progress-notify-interval '10m'
    Duration of periodic watch progress notifications.

Observing:
  --log-level 'info'
    debug, info, warn, error, panic, or fatal.
  --log-format 'json'
    json or console.
  --log-outputs 'default'
    Files, 'stdout' or 'stderr', separated by commas; 'default' is stderr.
  --warning-apply-duration '100ms', --warning-unary-request-duration '300ms'
    Applies and requests that take longer leave a warning in the log.
  --enable-pprof 'false'
    Serve profiles under /debug/pprof/ on the client port.
  --ui 'true'
    Serve the page under /ui/ on the client port, and lead browsers there.

Unsafe:
  --unsafe-no-fsync 'false'
    Never sync the log; a crash of the machine will lose acknowledged data.
`
