package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/core/backend"
	"vitrine/core/backend/bolt"
)

// nothing registers families of etcd's for what is not done here, so that whoever asks for them gets an answer: zero.
// The index is compacted without a pause; there are no .snap files, no store of version 2, and no proxy in a server.
func nothing(r registrar) {
	exp := prometheus.ExponentialBuckets
	for _, h := range []struct {
		name, help string
		buckets    []float64
	}{
		{"etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
			"Bucketed histogram of index compaction pause duration.", exp(0.5, 2, 14)},
		{"etcd_debugging_snap_save_marshalling_duration_seconds",
			"The marshalling cost distributions of save called by snapshot.", upTo8s()},
		{"etcd_debugging_snap_save_total_duration_seconds",
			"The total latency distributions of save called by snapshot.", upTo8s()},
		{"etcd_snap_fsync_duration_seconds", "The latency distributions of fsync called by snap.", upTo8s()},
	} {
		histogramOf(r.reg, h.name, h.help, h.buckets)
	}
	for name, help := range map[string]string{
		"expires_total":        "Total number of expired keys.",
		"watch_requests_total": "Total number of incoming watch requests (new or reestablished).",
	} {
		r.counter("etcd_debugging", "store", name, help)
	}
	r.gauge("etcd_debugging", "store", "watchers", "Count of currently active watchers.")
	r.counter("etcd", "grpc_proxy", "events_coalescing_total", "Total number of events coalescing")
	for name, help := range map[string]string{
		"watchers_coalescing_total": "Total number of current watchers coalescing",
		"cache_keys_total":          "Total number of keys/ranges cached",
		"cache_hits_total":          "Total number of cache hits",
		"cache_misses_total":        "Total number of cache misses",
	} {
		r.gauge("etcd", "grpc_proxy", name, help)
	}
}

// Features shows etcd's gates, how far it takes them for finished, and whether this server does what they stand for.
// Leases are checkpointed here, always; what else can be switched is given.
func Features(reg prometheus.Registerer, switched map[string]*bool) {
	gates := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "etcd_server_feature_enabled",
		Help: "Whether or not a feature is enabled. 1 is enabled, 0 is not."}, []string{"name", "stage"})
	for of, on := range map[[2]string]bool{
		{"AllAlpha", "ALPHA"}: false, {"AllBeta", "BETA"}: false,
		{"CompactHashCheck", "ALPHA"}: false, {"FastLeaseKeepAlive", "BETA"}: true, {"InitialCorruptCheck", "ALPHA"}: false,
		{"LeaseCheckpoint", "ALPHA"}: true, {"LeaseCheckpointPersist", "ALPHA"}: true, {"PriorityRequest", "ALPHA"}: false,
		{"SetMemberLocalAddr", "ALPHA"}: false, {"StopGRPCServiceOnDefrag", "ALPHA"}: false,
		{"TxnModeWriteWithSharedBuffer", "BETA"}: true,
	} {
		if s := switched[of[0]]; s != nil {
			on = *s
		}
		gates.WithLabelValues(of[0], of[1]).Set(toFloat(on))
	}
	reg.MustRegister(gates)
}

// Phases are those of a database's commits so far; zero of one that is not bbolt's.
func Phases(s backend.Store) bolt.Phases {
	if db, ok := s.(*bolt.DB); ok {
		return db.Phases()
	}
	return bolt.Phases{}
}

// Committed notes a commit, of which bbolt's phases took what lies between before and after.
func (m *Metrics) Committed(took time.Duration, before, after bolt.Phases) {
	m.BackendCommit.Observe(took.Seconds())
	m.rebalance.Observe((after.Rebalance - before.Rebalance).Seconds())
	m.spill.Observe((after.Spill - before.Spill).Seconds())
	m.pageWrite.Observe((after.Write - before.Write).Seconds())
}
