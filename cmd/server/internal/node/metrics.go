package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/core/pb"
	"vitrine/core/store"
)

// metrics are etcd's families for what a node does. What can be read when it is asked
// for is a function of the node; only what happens is counted here.
type metrics struct {
	walSync, walWrite, backendCommit, imageSync, imageSave prometheus.Histogram
	hash, hashRev, compactionTotal                         prometheus.Histogram
	applies                                                *prometheus.HistogramVec
	requests                                               *prometheus.HistogramVec
	slowApplies, leaderChanges, proposalsFailed            prometheus.Counter
	puts, deletes, txns, ranges, events                    prometheus.Counter
	installing, streams                                    prometheus.Gauge
	version                                                *prometheus.GaugeVec
}

// countApplied counts what a batch of entries was.
func (m *metrics) countApplied(r *store.Result, took time.Duration) {
	n := len(r.Outcomes)
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		op := ""
		switch o.Response.(type) {
		case *pb.PutResponse:
			op = "Put"
			m.puts.Inc()
		case *pb.DeleteRangeResponse:
			op = "DeleteRange"
			m.deletes.Inc()
		case *pb.TxnResponse:
			op = "Txn"
			m.txns.Inc()
		case *pb.CompactionResponse:
			op = "Compaction"
		default:
			continue
		}
		m.applies.WithLabelValues("v3", op, "true").Observe(took.Seconds() / float64(n))
	}
	for i := range r.Changes {
		m.events.Add(float64(len(r.Changes[i].Events)))
	}
}

func (m *metrics) compaction(took time.Duration) {
	m.compactionTotal.Observe(float64(took.Milliseconds()))
}

func (m *metrics) clusterVersion(v string) {
	m.version.Reset()
	m.version.WithLabelValues(v).Set(1)
}

// registrar makes and registers families of etcd's.
type registrar struct{ reg prometheus.Registerer }

func (r registrar) histogram(subsystem, name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "etcd", Subsystem: subsystem, Name: name, Help: help, Buckets: buckets})
	r.reg.MustRegister(h)
	return h
}

func (r registrar) counter(namespace, subsystem, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	r.reg.MustRegister(c)
	return c
}

func (r registrar) gauge(namespace, subsystem, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	r.reg.MustRegister(g)
	return g
}

func (r registrar) gaugeFunc(namespace, subsystem, name, help string, f func() float64) {
	r.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, f))
}

func (r registrar) counterFunc(namespace, subsystem, name, help string, f func() float64) {
	r.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, f))
}

func newMetrics(reg prometheus.Registerer) *metrics {
	r := registrar{reg}
	exp := prometheus.ExponentialBuckets
	disk := exp(0.001, 2, 14) // 1 ms to 8.2 s
	m := &metrics{
		walSync:         r.histogram("disk", "wal_fsync_duration_seconds", "The latency distributions of fsync called by WAL.", disk),
		walWrite:        r.histogram("disk", "wal_write_duration_seconds", "The latency distributions of write called by WAL.", disk),
		backendCommit:   r.histogram("disk", "backend_commit_duration_seconds", "The latency distributions of commit called by backend.", disk),
		imageSync:       r.histogram("snap_db", "fsync_duration_seconds", "The latency distributions of fsyncing .snap.db file", disk),
		imageSave:       r.histogram("snap_db", "save_total_duration_seconds", "The total latency distributions of v3 snapshot save", exp(0.1, 2, 10)),
		hash:            r.histogram("mvcc", "hash_duration_seconds", "The latency distribution of storage hash operation.", exp(.01, 2, 15)),
		hashRev:         r.histogram("mvcc", "hash_rev_duration_seconds", "The latency distribution of storage hash by revision operation.", exp(.01, 2, 15)),
		compactionTotal: histogramOf(reg, "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds", "Bucketed histogram of db compaction total duration.", exp(100, 2, 14)),
		slowApplies:     r.counter("etcd", "server", "slow_apply_total", "The total number of slow apply requests (likely overloaded from slow disk)."),
		leaderChanges:   r.counter("etcd", "server", "leader_changes_seen_total", "The number of leader changes seen."),
		proposalsFailed: r.counter("etcd", "server", "proposals_failed_total", "The total number of failed proposals seen."),
		puts:            r.counter("etcd", "mvcc", "put_total", "Total number of puts seen by this member."),
		deletes:         r.counter("etcd", "mvcc", "delete_total", "Total number of deletes seen by this member."),
		txns:            r.counter("etcd", "mvcc", "txn_total", "Total number of txns seen by this member."),
		ranges:          r.counter("etcd", "mvcc", "range_total", "Total number of ranges seen by this member."),
		events:          r.counter("etcd_debugging", "mvcc", "events_total", "Total number of events sent by this member."),
		installing:      r.gauge("etcd", "server", "snapshot_apply_in_progress_total", "1 if the server is applying the incoming snapshot. 0 if none."),
		streams:         r.gauge("etcd_debugging", "mvcc", "watch_stream_total", "Total number of watch streams."),
	}
	m.applies = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "etcd_server_apply_duration_seconds", Help: "The latency distributions of v2 apply called by backend.", Buckets: exp(0.0001, 2, 20)}, []string{"version", "op", "success"})
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "etcd_server_request_duration_seconds", Help: "Response latency distribution in seconds for each type.", Buckets: disk}, []string{"type", "success"})
	m.version = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "etcd_cluster_version", Help: "Which version is running. 1 for 'cluster_version' label with current cluster version"}, []string{"cluster_version"})
	reg.MustRegister(m.applies, m.requests, m.version)
	return m
}

func histogramOf(reg prometheus.Registerer, name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	reg.MustRegister(h)
	return h
}

func toFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// registerGauges makes the node's figures readable.
func (n *Node) registerGauges(reg prometheus.Registerer) {
	r := registrar{reg}
	r.gaugeFunc("etcd", "server", "has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", func() float64 { return toFloat(n.Leader() != 0) })
	r.gaugeFunc("etcd", "server", "is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", func() float64 { return toFloat(n.leading.Load()) })
	r.gaugeFunc("etcd", "server", "is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.", func() float64 { return toFloat(n.learner.Load()) })
	r.gaugeFunc("etcd", "server", "proposals_committed_total", "The total number of consensus proposals committed.", func() float64 { return float64(n.commitIndex.Load()) })
	r.gaugeFunc("etcd", "server", "proposals_applied_total", "The total number of consensus proposals applied.", func() float64 { return float64(n.appliedIndex.Load()) })
	r.gaugeFunc("etcd", "server", "quota_backend_bytes", "Current backend storage quota size in bytes.", func() float64 { return float64(n.quota()) })
	locked := func(f func(s *store.Store) float64) func() float64 {
		return func() float64 {
			n.mu.RLock()
			defer n.mu.RUnlock()
			return f(n.store)
		}
	}
	r.gaugeFunc("etcd", "mvcc", "db_total_size_in_bytes", "Total size of the underlying database physically allocated in bytes.", locked(func(s *store.Store) float64 { return float64(s.Backend.Store().Size()) }))
	r.gaugeFunc("etcd", "mvcc", "db_total_size_in_use_in_bytes", "Total size of the underlying database logically in use in bytes.", locked(func(s *store.Store) float64 { return float64(s.Backend.Store().SizeInUse()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "current_revision", "The current revision of store.", locked(func(s *store.Store) float64 { return float64(s.KV.Revision()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "compact_revision", "The revision of the last compaction in store.", locked(func(s *store.Store) float64 { return float64(s.KV.CompactRevision()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "keys_total", "Total number of keys.", locked(func(s *store.Store) float64 { return float64(s.KV.Keys()) }))
	n.identity(reg)
}

// identity registers the families whose labels say who this is.
func (n *Node) identity(reg prometheus.Registerer) {
	one := func(name, help, label, value string) {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
		g.WithLabelValues(value).Set(1)
		reg.MustRegister(g)
	}
	one("etcd_server_id", "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.", "server_id", hexID(n.id))
	one("etcd_server_version", "Which version is running. 1 for 'server_version' label with current version.", "server_version", n.cfg.Version)
	if v := n.Members().Version(); v != nil {
		n.metrics.clusterVersion(v.String())
	}
	reg.MustRegister(&knownPeers{n})
}

// knownPeers is etcd_network_known_peers: one gauge a peer of the current membership.
type knownPeers struct{ n *Node }

func (k *knownPeers) desc() *prometheus.Desc {
	return prometheus.NewDesc("etcd_network_known_peers", "The current number of known peers.", []string{"Local", "Remote"}, nil)
}

// Describe implements prometheus.Collector.
func (k *knownPeers) Describe(c chan<- *prometheus.Desc) { c <- k.desc() }

// Collect implements prometheus.Collector.
func (k *knownPeers) Collect(c chan<- prometheus.Metric) {
	for _, m := range k.n.Members().List() {
		if m.ID != k.n.id {
			c <- prometheus.MustNewConstMetric(k.desc(), prometheus.GaugeValue, 1, hexID(k.n.id), hexID(m.ID))
		}
	}
}

// quota is the quota in force, in bytes.
func (n *Node) quota() int64 {
	if n.cfg.QuotaBytes == 0 {
		return defaultQuota
	}
	return n.cfg.QuotaBytes
}
