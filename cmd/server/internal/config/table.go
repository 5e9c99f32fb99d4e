package config

import (
	"fmt"

	"vitrine/core/limits"
)

// A spec is all that is known of one flag; from the table of them flags are parsed and refused, and the help is
// printed.
type spec struct {
	name, def string
	help      string
	field     func(p *parser) any // where the value goes, a pointer or a flag.Value; nil: see only
	only      *restriction
}

// A section of the table is a section of the help.
type section struct {
	title string
	specs []spec
}

// table is every flag that etcd 3.7 has, and a few of our own. Help texts are etcd's where the flag means the same.
func table() []section {
	return []section{
		{"Member", memberFlags()},
		{"Clustering", clusteringFlags()},
		{"Backend and compaction", backendFlags()},
		{"Discovery", discoveryFlags()},
		{"Security", securityFlags()},
		{"Users", userFlags()},
		{"Observing", observingFlags()},
		{"Unsafe", []spec{
			{"unsafe-no-fsync", "false", "Never sync the log; a crash of the machine will lose acknowledged data.",
				func(p *parser) any { return &p.c.UnsafeNoFsync }, nil},
			{"force-new-cluster", "false", "Force to create a new one-member cluster.",
				func(p *parser) any { return &p.c.ForceNewCluster }, nil},
		}},
		{"Taken for what they say of etcd's defaults; other values are refused", restrictedFlags()},
	}
}

func memberFlags() []spec {
	return []spec{
		{"name", defaultName, "Human-readable name for this member.", func(p *parser) any { return &p.c.Name }, nil},
		{"data-dir", "", "Path to the data directory; ${name}.etcd if it is not given.",
			func(p *parser) any { return &p.c.DataDir }, nil},
		{"wal-dir", "", "Path to the dedicated wal directory.", func(p *parser) any { return &p.c.WALDir }, nil},
		{"wal-segment-bytes", fmt.Sprint(limits.WALSegmentBytes),
			"Size from which on a file of the log is closed and the next one begun (etcd has 64 MB built in).",
			func(p *parser) any { return &p.c.WALSegmentBytes }, nil},
		{"snapshot-count", fmt.Sprint(limits.SnapshotCount),
			"Number of committed transactions to trigger a snapshot to disk.", func(p *parser) any { return &p.c.SnapshotCount },
			nil},
		{"snapshot-catchup-entries", fmt.Sprint(limits.SnapshotCatchUpEntries),
			"Number of entries for a slow follower to catch up after compacting the raft log.",
			func(p *parser) any { return &p.c.SnapshotCatchUpEntries }, nil},
		{"heartbeat-interval", fmt.Sprint(limits.Tick.Milliseconds()), "Time (in milliseconds) of a heartbeat interval.",
			func(p *parser) any { return &p.heartbeatMs }, nil},
		{"election-timeout", fmt.Sprint(limits.ElectionTicks * limits.Tick.Milliseconds()),
			"Time (in milliseconds) for an election to timeout.", func(p *parser) any { return &p.electionMs }, nil},
		{"initial-election-tick-advance", "true",
			"Whether to fast-forward initial election ticks on boot for faster election.",
			func(p *parser) any { return &p.c.ElectionTickAdvance }, nil},
		{"listen-peer-urls", defaultPeerURL, "List of URLs to listen on for peer traffic.",
			func(p *parser) any { return &p.c.ListenPeerURLs }, nil},
		{"listen-client-urls", defaultClientURL, "List of URLs to listen on for client gRPC and HTTP traffic.",
			func(p *parser) any { return &p.c.ListenClientURLs }, nil},
		{"listen-client-http-urls", "",
			"List of URLs to listen on for client HTTP traffic only; it takes HTTP off --listen-client-urls.",
			func(p *parser) any { return &p.c.ListenClientHTTPURLs }, nil},
		{"config-file", "", "Path to a configuration file in YAML; flags and variables count for nothing then.",
			func(p *parser) any { return &p.file }, nil},
		{"raft-read-timeout", limits.PeerTimeout.String(),
			"How long a connection to a peer may be silent; less than 5s is 5s.",
			func(p *parser) any { return &p.c.RaftReadTimeout }, nil},
		{"raft-write-timeout", limits.PeerTimeout.String(),
			"How long a write to a peer may take; less than 5s is 5s.",
			func(p *parser) any { return &p.c.RaftWriteTimeout }, nil},
		{"enable-grpc-gateway", "true", "Serve etcd's API as JSON under /v3/ where there is HTTP.",
			func(p *parser) any { return &p.c.EnableGRPCGateway }, nil},
		{"enable-v2", "false",
			"Serve the API of version 2 under /v2/, as a translation to version 3; etcd 3.5 and before had this flag, 3.7 has " +
				"it no more.",
			func(p *parser) any { return &p.c.EnableV2 }, nil},
		{"socket-reuse-port", "false", "Listen with SO_REUSEPORT, on a port that is already in use.",
			func(p *parser) any { return &p.c.SocketReusePort }, nil},
		{"socket-reuse-address", "false", "Listen with SO_REUSEADDR, on an address whose last connections are just ending.",
			func(p *parser) any { return &p.c.SocketReuseAddress }, nil},
		{"quota-backend-bytes", "0", "Raise alarms when backend size exceeds the given quota (0: 2 GiB, negative: none).",
			func(p *parser) any { return &p.c.QuotaBackendBytes }, nil},
		{"max-txn-ops", fmt.Sprint(limits.MaxTxnOps), "Maximum number of operations permitted in a transaction.",
			func(p *parser) any { return &p.c.MaxTxnOps }, nil},
		{"max-request-bytes", fmt.Sprint(limits.MaxRequestBytes),
			"Maximum client request size in bytes the server will accept.", func(p *parser) any { return &p.c.MaxRequestBytes },
			nil},
		{"max-concurrent-streams", "4294967295", "Maximum concurrent streams that each client can open at a time.",
			func(p *parser) any { return (*uint32Value)(&p.c.MaxConcurrentStreams) }, nil},
		{"grpc-keepalive-min-time", "5s", "Minimum duration interval that a client should wait before pinging server.",
			func(p *parser) any { return &p.c.GRPCKeepAliveMinTime }, nil},
		{"grpc-keepalive-interval", "2h0m0s",
			"Frequency duration of server-to-client ping to check if a connection is alive (0 to disable).",
			func(p *parser) any { return &p.c.GRPCKeepAliveInterval }, nil},
		{"grpc-keepalive-timeout", "20s",
			"Additional duration of wait before closing a non-responsive connection (0 to disable).",
			func(p *parser) any { return &p.c.GRPCKeepAliveTimeout }, nil},
	}
}

func clusteringFlags() []spec {
	return []spec{
		{"initial-advertise-peer-urls", defaultPeerURL,
			"List of this member's peer URLs to advertise to the rest of the cluster.",
			func(p *parser) any { return &p.c.AdvertisePeerURLs }, nil},
		{"initial-cluster", "default=" + defaultPeerURL, "Initial cluster configuration for bootstrapping.",
			func(p *parser) any { return &p.cluster }, nil},
		{"initial-cluster-state", StateNew, "'new' when bootstrapping a cluster, 'existing' when joining one.",
			func(p *parser) any {
				return choice{&p.c.InitialClusterState, []string{StateNew, StateExisting}}
			}, nil},
		{"initial-cluster-token", "etcd-cluster", "Initial cluster token; keeps clusters with equal URLs apart.",
			func(p *parser) any { return &p.c.InitialClusterToken }, nil},
		{"advertise-client-urls", defaultClientURL, "List of this member's client URLs to advertise to the public.",
			func(p *parser) any { return &p.c.AdvertiseClientURLs }, nil},
		{"pre-vote", "true", "Run an additional election phase before disturbing a leader.",
			func(p *parser) any { return &p.c.PreVote }, nil},
		{"strict-reconfig-check", "true", "Reject reconfiguration requests that would cause quorum loss.",
			func(p *parser) any { return &p.c.StrictReconfig }, nil},
		{"max-learners", "1", "Sets the maximum number of learners that can be available in the cluster membership.",
			func(p *parser) any { return &p.c.MaxLearners }, nil},
	}
}

// Zero is etcd's way to ask for the default that the help names.
func backendFlags() []spec {
	return []spec{
		{"backend-batch-interval", "0s", "The maximum time before the backend is committed (0s: 100ms).",
			func(p *parser) any { return &p.c.BackendBatchInterval }, nil},
		{"backend-batch-limit", "0", "The maximum number of operations before the backend is committed (0: 10000).",
			func(p *parser) any { return &p.c.BackendBatchLimit }, nil},
		{"backend-bbolt-freelist-type", "map", "How bbolt keeps its free pages: map or array.",
			func(p *parser) any { return &p.c.BackendFreelistType }, nil},
		{"memory-mlock", "false", "Keep the database's pages in RAM.", func(p *parser) any { return &p.c.MemoryMlock }, nil},
		{"bootstrap-defrag-threshold-megabytes", "0",
			"Defragment at the start if that frees so many megabytes (0: do not).",
			func(p *parser) any { return &p.c.BootstrapDefragMegabytes }, nil},
		{"compaction-batch-limit", "0", "The most revisions deleted in one step of a compaction (0: 1000).",
			func(p *parser) any { return &p.c.CompactionBatchLimit }, nil},
		{"compaction-sleep-interval", "0s", "The pause between steps of a compaction (0s: 10ms).",
			func(p *parser) any { return &p.c.CompactionSleepInterval }, nil},
		{"auto-compaction-mode", "periodic", "What auto-compaction-retention counts: 'periodic' time, or 'revision's.",
			func(p *parser) any { return choice{&p.compactionMode, []string{modePeriodic, modeRevision}} }, nil},
		{"auto-compaction-retention", "0",
			"How much history the leader keeps; it compacts the rest by itself. In periodic mode a duration, or hours; in " +
				"revision mode revisions (0: it keeps all).",
			func(p *parser) any { return &p.compactionRetention }, nil},
	}
}

func userFlags() []spec {
	return []spec{
		{"auth-token", "simple",
			"Type of authentication tokens and its options: 'simple', or 'jwt,pub-key=,priv-key=,sign-method=,ttl='.",
			func(p *parser) any { return &p.c.AuthToken }, nil},
		{"auth-token-ttl", "300", "Time (in seconds) that a simple token lives after its last use.",
			func(p *parser) any { return &p.tokenSeconds }, nil},
		{"bcrypt-cost", "10", "Cost of hashing passwords with bcrypt, between 4 and 31.",
			func(p *parser) any { return &p.c.BcryptCost }, nil},
	}
}

// rotation is etcd's default for --log-rotation-config-json.
const rotation = `{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}`

func observingFlags() []spec {
	return []spec{
		{"listen-metrics-urls", "", "List of URLs to listen on for the metrics and health endpoints.",
			func(p *parser) any { return &p.c.ListenMetricsURLs }, nil},
		{"watch-progress-notify-interval", "0s", "Duration of periodic watch progress notifications (0s: 10m).",
			func(p *parser) any { return &p.c.WatchProgressNotifyInterval }, nil},
		{"log-level", "info", "debug, info, warn, error, panic, or fatal.", func(p *parser) any { return &p.c.LogLevel },
			nil},
		{"log-format", "json", "json or console.", func(p *parser) any { return &p.c.LogFormat }, nil},
		{"log-outputs", "default", "Files, 'stdout' or 'stderr', separated by commas; 'default' is stderr.",
			func(p *parser) any { return &p.outputs }, nil},
		{"enable-distributed-tracing", "false", "Tell a collector of OpenTelemetry what calls take.",
			func(p *parser) any { return &p.c.EnableTracing }, nil},
		{"distributed-tracing-address", "localhost:4317", "Address of the collector.",
			func(p *parser) any { return &p.c.Tracing.Address }, nil},
		{"distributed-tracing-service-name", "etcd", "Name of the service in traces, the same for all members.",
			func(p *parser) any { return &p.c.Tracing.Service }, nil},
		{"distributed-tracing-instance-id", "", "Id of the instance in traces, another for each member.",
			func(p *parser) any { return &p.c.Tracing.Instance }, nil},
		{"distributed-tracing-sampling-rate", "0",
			"Of a million calls so many are traced, besides those of clients that trace.",
			func(p *parser) any { return &p.c.Tracing.PerMillion }, nil},
		{"enable-log-rotation", "false", "Begin a new file when the one of --log-outputs is large.",
			func(p *parser) any { return &p.rotate }, nil},
		{"log-rotation-config-json", rotation, "How to rotate the log, with --enable-log-rotation.",
			func(p *parser) any { return &p.rotation }, nil},
		{"metrics", "basic", "Detail of metrics: basic, or extensive, with the durations of all calls of gRPC.",
			func(p *parser) any { return &p.metrics }, nil},
		{"warning-apply-duration", limits.SlowApply.String(), "Applies that take longer leave a warning in the log.",
			func(p *parser) any { return &p.c.WarningApplyDuration }, nil},
		{"warning-unary-request-duration", limits.SlowRequest.String(),
			"Requests that take longer leave a warning in the log.",
			func(p *parser) any { return &p.c.WarningUnaryRequestDuration }, nil},
		{"enable-pprof", "false", "Serve profiles under /debug/pprof/ on the client port.",
			func(p *parser) any { return &p.c.EnablePprof }, nil},
		{"flight-recorder-bytes", "0",
			"Bytes of memory for the newest events of this member, served as a file under /debug/flight on the client and " +
				"metrics ports; they have keys (their first 256 bytes), never values (0: none are kept).",
			func(p *parser) any { return &p.c.FlightRecorderBytes }, nil},
		{"ui", "true", "Serve the page under /ui/ on the client port, and lead browsers there.",
			func(p *parser) any { return &p.c.UI }, nil},
		{"feature-gates", "",
			"Features to switch on or off, as name=true or name=false: CompactHashCheck, InitialCorruptCheck, " +
				"SetMemberLocalAddr, StopGRPCServiceOnDefrag.",
			func(p *parser) any { return features{&p.c.Features} }, nil},
		{"corrupt-check-time", "0s", "Time between checks of the leader whether the others' keys are as its own (0s: none).",
			func(p *parser) any { return &p.c.CorruptCheckTime }, nil},
		{"downgrade-check-time", "5s",
			"Time between looks of the leader whether all members have the version of a downgrade, which ends it (0s: none).",
			func(p *parser) any { return &p.c.DowngradeCheckTime }, nil},
		{"compact-hash-check-time", "1m0s",
			"Time between checks of the leader whether compactions have summed the same everywhere (CompactHashCheck).",
			func(p *parser) any { return &p.c.CompactHashCheckTime }, nil},
		{"version", "false", "Show the version and exit.", func(p *parser) any { return &p.version }, nil},
	}
}

// V2Deprecation is the only phase of the end of etcd's API of version 2 that --v2-deprecation has had since 3.7.
const V2Deprecation = "write-only"

// Why a flag of etcd's is held to its default.
const (
	notYet         = "this version cannot do it yet"
	noOldDiscovery = "etcd 3.7 has only its name left"
	oneSnapshot    = "there is one database, and the log keeps what it needs"
)

// here is a flag of etcd's that is held to its default, or to other values that ask for nothing else.
func here(name, def, help string, kind kind, why string, also ...string) spec {
	return spec{name: name, def: def, help: help, only: &restriction{name: name, def: def, kind: kind, why: why,
		also: also}}
}

// deprecated are the flags at whose use etcd warns, with its words.
var deprecated = map[string]string{
	"max-snapshots": "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
	"v2-deprecation": "--v2-deprecation is deprecated and scheduled for removal in v3.8. " +
		"The default value is enforced, ignoring user input.",
}

func restrictedFlags() []spec {
	return []spec{
		here("discovery", "", "URL of the v2 discovery service.", text, noOldDiscovery),
		here("discovery-proxy", "", "Proxy for it.", text, noOldDiscovery),
		here("discovery-fallback", "exit", "What to do when discovery fails.", text, "there is no proxy to fall back to"),
		here("logger", "zap", "Kind of logger.", text, "there is no other"),
		{name: "max-snapshots", def: "5", help: "Most snapshot files to keep; there are none.",
			only: &restriction{name: "max-snapshots", def: "5", kind: number, idle: true}},
		here("max-wals", "5", "Most wal files to keep.", number, oneSnapshot),
		{"v2-deprecation", V2Deprecation, "Phase of v2's end; as in etcd the value is ignored.", func(p *parser) any {
			return choice{&p.v2Deprecation, []string{V2Deprecation, "write-only-skip-check", "write-only-drop-data", "gone"}}
		}, nil},
	}
}
