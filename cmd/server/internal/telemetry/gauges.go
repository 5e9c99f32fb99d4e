package telemetry

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/core/backend/bolt"
	"vitrine/core/membership"
	"vitrine/core/store"
)

// Figures are what a member shows of itself.
type Figures struct {
	ID, Leader, Term, Commit, Applied uint64
	Leading, Learner                  bool
	LeaderSince                       time.Time // since when this leader is known, or that there is none
}

// Source is the member whose figures are shown.
type Source interface {
	// Figures are those of its last step.
	Figures() Figures
	// Members is the membership as of the last change that was applied.
	Members() *membership.Members
	// Quota is the quota in force, in bytes.
	Quota() int64
	// Version is the release of etcd that it says it is.
	Version() string
	// Look lets f read the store while nobody changes it.
	Look(f func(*store.Store))
}

// Register makes a member's figures readable, and tells who it is.
func (m *Metrics) Register(reg prometheus.Registerer, n Source) {
	r := registrar{reg}
	r.gaugeFunc("etcd", "server", "has_leader",
		"Whether or not a leader exists. 1 is existence, 0 is not.",
		func() float64 { return toFloat(n.Figures().Leader != 0) })
	r.gaugeFunc("etcd", "server", "is_leader",
		"Whether or not this member is a leader. 1 if is, 0 otherwise.",
		func() float64 { return toFloat(n.Figures().Leading) })
	r.gaugeFunc("etcd", "server", "is_learner",
		"Whether or not this member is a learner. 1 if is, 0 otherwise.",
		func() float64 { return toFloat(n.Figures().Learner) })
	r.gaugeFunc("etcd", "server", "proposals_committed_total",
		"The total number of consensus proposals committed.",
		func() float64 { return float64(n.Figures().Commit) })
	r.gaugeFunc("etcd", "server", "proposals_applied_total",
		"The total number of consensus proposals applied.",
		func() float64 { return float64(n.Figures().Applied) })
	r.gaugeFunc("etcd", "server", "quota_backend_bytes",
		"Current backend storage quota size in bytes.",
		func() float64 { return float64(n.Quota()) })
	locked := func(f func(s *store.Store) float64) func() float64 {
		return func() float64 {
			var v float64
			n.Look(func(s *store.Store) { v = f(s) })
			return v
		}
	}
	r.gaugeFunc("etcd", "mvcc", "db_total_size_in_bytes",
		"Total size of the underlying database physically allocated in bytes.",
		locked(func(s *store.Store) float64 { return float64(s.Backend.Store().Size()) }))
	r.gaugeFunc("etcd", "mvcc", "db_total_size_in_use_in_bytes",
		"Total size of the underlying database logically in use in bytes.",
		locked(func(s *store.Store) float64 { return float64(s.Backend.Store().SizeInUse()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "current_revision", "The current revision of store.",
		locked(func(s *store.Store) float64 { return float64(s.KV.Revision()) }))
	r.gaugeFunc("etcd_debugging", "auth", "revision", "The current revision of auth store.",
		locked(func(s *store.Store) float64 { return float64(s.Auth.Revision()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "compact_revision",
		"The revision of the last compaction in store.",
		locked(func(s *store.Store) float64 { return float64(s.KV.CompactRevision()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "keys_total", "Total number of keys.",
		locked(func(s *store.Store) float64 { return float64(s.KV.Keys()) }))
	r.gaugeFunc("etcd_debugging", "mvcc", "watcher_total", "Total number of watchers.",
		func() float64 { return float64(m.Watchers.Load()) })
	r.gaugeFunc("etcd_debugging", "mvcc", "slow_watcher_total",
		"Total number of unsynced slow watchers.",
		func() float64 { return float64(m.Behind.Load()) })
	r.gaugeFunc("etcd_debugging", "mvcc", "pending_events_total",
		"Total number of pending events to be sent.",
		func() float64 { return float64(m.Waiting.Load()) })
	r.gaugeFunc("etcd", "mvcc", "db_open_read_transactions",
		"The number of currently open read transactions",
		locked(func(s *store.Store) float64 {
			if db, ok := s.Backend.Store().(*bolt.DB); ok {
				return float64(db.OpenReads())
			}
			return 0
		}))
	r.gaugeFunc("etcd", "server", "proposals_pending",
		"The current number of pending proposals to commit.",
		func() float64 { return float64(m.proposed.Load()) })
	r.counterFunc("etcd_debugging", "lease", "renewed_total",
		"The number of renewed leases seen by the leader.",
		func() float64 { return float64(m.LeasesRenewed.Load()) })
	r.counterFunc("etcd_debugging", "server", "lease_expired_total",
		"The total number of expired leases.",
		func() float64 { return float64(m.LeasesExpired.Load()) })
	m.identity(reg, n)
}

// identity registers the families whose labels say who this is.
func (m *Metrics) identity(reg prometheus.Registerer, n Source) {
	one := func(name, help, label, value string) {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
		g.WithLabelValues(value).Set(1)
		reg.MustRegister(g)
	}
	one(
		"etcd_server_id",
		"Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
		"server_id",
		membership.IDString(n.Figures().ID),
	)
	one(
		"etcd_server_go_version",
		"Which Go version server is running with. 1 for 'server_go_version' label with current version.",
		"server_go_version",
		runtime.Version(),
	)
	one(
		"etcd_server_version",
		"Which version is running. 1 for 'server_version' label with current version.",
		"server_version",
		n.Version(),
	)
	if v := n.Members().Version(); v != nil {
		m.ClusterVersion(*v)
	}
	reg.MustRegister(&knownPeers{n})
}

// knownPeers is etcd_network_known_peers: one gauge a member of the current membership, this one included.
type knownPeers struct{ n Source }

func (k *knownPeers) desc() *prometheus.Desc {
	return prometheus.NewDesc(
		"etcd_network_known_peers",
		"The current number of known peers.",
		[]string{"Local", "Remote"},
		nil,
	)
}

// Describe implements prometheus.Collector.
func (k *knownPeers) Describe(c chan<- *prometheus.Desc) { c <- k.desc() }

// Collect implements prometheus.Collector.
func (k *knownPeers) Collect(c chan<- prometheus.Metric) {
	self := membership.IDString(k.n.Figures().ID)
	for _, m := range k.n.Members().List() {
		c <- prometheus.MustNewConstMetric(k.desc(), prometheus.GaugeValue, 1, self, membership.IDString(m.ID))
	}
}
