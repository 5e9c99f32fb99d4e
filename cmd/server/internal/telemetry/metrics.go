package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/core/api"
	"vitrine/core/lease"
	"vitrine/core/membership"
	"vitrine/core/pb"
	"vitrine/core/store"
	"vitrine/core/watch"
)

// Metrics are etcd's families for what a node does. What can be read when it is asked
// for is a function of the node; only what happens is counted here.
type Metrics struct {
	WALSync, WALWrite, BackendCommit                       prometheus.Histogram
	rebalance, spill, pageWrite                            prometheus.Histogram
	WALBytes                                               prometheus.Gauge
	ImageSync, ImageSave, ImageSend                        prometheus.Histogram
	Hash, HashRev, Defrag                                  prometheus.Histogram
	compactionTotal, CompactionPause                       prometheus.Histogram
	compactedKeys                                          prometheus.Counter
	compactionLast                                         prometheus.Gauge
	SlowApplies, LeaderChanges, proposalsFailed, LateBeats prometheus.Counter
	slowReadIndexes, failedReadIndexes                     prometheus.Counter
	puts, deletes, txns, ranges, events                    prometheus.Counter
	Installing, Streams, Defragmenting, putBytes           prometheus.Gauge
	version                                                *prometheus.GaugeVec
	promotions                                             prometheus.Counter
	failedPromotions                                       *prometheus.CounterVec
	rangeSeconds, rangeFailures                            prometheus.Observer
	// By operation, nil where etcd has none; looked up once.
	applies, applyFailures              [api.Operations]prometheus.Observer
	reads, writes                       durations
	Watchers, Behind, proposed, Waiting atomic.Int64
	leasesGranted, leasesRevoked        prometheus.Counter
	leaseTTLs                           prometheus.Histogram
	LeasesRenewed, LeasesExpired        atomic.Uint64
}

// Promoted counts a promotion of a learner, or why there was none, at the member that led.
func (m *Metrics) Promoted(err error) {
	if err == nil {
		m.promotions.Inc()
		return
	}
	m.failedPromotions.WithLabelValues(err.Error()).Inc()
}

// durations are those of calls that have succeeded and that have failed, by operation.
type durations struct {
	done, failed [api.Operations]prometheus.Observer
}

// Began and Ended note a call whose operation has durations.
func (m *Metrics) Began(writes bool) {
	if writes {
		m.proposed.Add(1)
	}
}

func (m *Metrics) Ended(op api.Operation, writes bool, took time.Duration, err error) {
	d := &m.reads
	if writes {
		d = &m.writes
		m.proposed.Add(-1)
		m.proposalEnded(err)
	} else {
		m.readEnded(err)
	}
	if err != nil {
		d.failed[op].Observe(took.Seconds())
	} else {
		d.done[op].Observe(took.Seconds())
	}
}

// proposalEnded counts proposals of which nobody knows what became. An answer, be it a refusal, is none.
func (m *Metrics) proposalEnded(err error) {
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, api.ErrContextDeadline),
		errors.Is(
			err,
			api.ErrTimeout,
		),
		errors.Is(err, api.ErrTimeoutDueToLeaderFail),
		errors.Is(err, api.ErrTimeoutDueToConnectionLost):
		m.proposalsFailed.Inc()
	}
}

func (m *Metrics) readEnded(err error) {
	switch {
	case err == nil:
	case errors.Is(err, api.ErrLeaderChanged):
		m.failedReadIndexes.Inc()
	case errors.Is(err, api.ErrTimeout):
		m.slowReadIndexes.Inc()
	}
}

// Applied counts what a batch of entries was.
func (m *Metrics) Applied(r *store.Result, took time.Duration) {
	each := took.Seconds() / float64(max(len(r.Outcomes), 1))
	for i := range r.Outcomes {
		switch resp := r.Outcomes[i].Response.(type) {
		case *pb.PutResponse:
			m.puts.Inc()
			m.applies[api.Put].Observe(each)
		case *pb.DeleteRangeResponse:
			m.deletes.Inc()
			m.applies[api.DeleteRange].Observe(each)
		case *pb.TxnResponse:
			m.countTxn(resp)
			m.applies[api.Txn].Observe(each)
		case *pb.CompactionResponse:
			m.applies[api.Compact].Observe(each)
		case *pb.LeaseGrantResponse:
			m.applies[api.LeaseGrant].Observe(each)
		case *pb.LeaseRevokeResponse:
			m.applies[api.LeaseRevoke].Observe(each)
		}
	}
	for i := range r.Leases {
		switch l := &r.Leases[i]; l.Kind {
		case lease.Granted:
			m.leasesGranted.Inc()
			m.leaseTTLs.Observe(float64(l.TTL))
		case lease.Revoked:
			m.leasesRevoked.Inc()
		}
	}
	for i := range r.Changes {
		for _, e := range r.Changes[i].Events {
			if e.Type == pb.Event_PUT {
				m.putBytes.Add(float64(len(e.Kv.GetKey()) + len(e.Kv.GetValue())))
			}
		}
	}
}

// Refused counts an entry that had no effect.
func (m *Metrics) Refused(op api.Operation, took time.Duration) {
	if f := m.applyFailures[op]; f != nil {
		f.Observe(took.Seconds())
	}
}

// countTxn counts the operations of a transaction, and it as one if there are several.
func (m *Metrics) countTxn(r *pb.TxnResponse) {
	var puts, deletes, ranges int
	var walk func(r *pb.TxnResponse)
	walk = func(r *pb.TxnResponse) {
		for _, op := range r.Responses {
			switch op := op.Response.(type) {
			case *pb.ResponseOp_ResponsePut:
				puts++
			case *pb.ResponseOp_ResponseDeleteRange:
				deletes++
			case *pb.ResponseOp_ResponseRange:
				ranges++
			case *pb.ResponseOp_ResponseTxn:
				walk(op.ResponseTxn)
			}
		}
	}
	walk(r)
	m.puts.Add(float64(puts))
	m.deletes.Add(float64(deletes))
	m.ranges.Add(float64(ranges))
	if puts+deletes+ranges > 1 {
		m.txns.Inc()
	}
}

// Read counts what the store was asked.
func (m *Metrics) Read(response any, op api.Operation, took time.Duration, err error) {
	switch op {
	case api.Range:
		m.ranges.Inc()
		if err != nil {
			m.rangeFailures.Observe(took.Seconds())
		} else {
			m.rangeSeconds.Observe(took.Seconds())
		}
	case api.Txn:
		if err == nil {
			m.countTxn(response.(*pb.TxnResponse))
		}
	}
}

// Taken counts the events of responses that leave.
func (m *Metrics) Taken(responses []*watch.Response) {
	events := 0
	for _, r := range responses {
		events += Events(r)
	}
	m.Waiting.Add(-int64(events))
	m.events.Add(float64(events))
}

// Events counts the events of a response.
func Events(r *watch.Response) int {
	if r.Events == nil {
		return 0
	}
	return len(r.Events.Events)
}

// Compacted notes the end of a compaction.
func (m *Metrics) Compacted(took time.Duration, keys int) {
	m.compactionTotal.Observe(float64(took.Milliseconds()))
	m.compactedKeys.Add(float64(keys))
	m.compactionLast.SetToCurrentTime()
}

// ClusterVersion shows the version without its patch number, as etcd does.
func (m *Metrics) ClusterVersion(v membership.Version) {
	m.version.Reset()
	m.version.WithLabelValues(fmt.Sprintf("%d.%d", v.Major, v.Minor)).Set(1)
}

// registrar makes and registers families of etcd's.
type registrar struct{ reg prometheus.Registerer }

func (r registrar) histogram(subsystem, name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(
		prometheus.HistogramOpts{Namespace: "etcd", Subsystem: subsystem, Name: name, Help: help, Buckets: buckets},
	)
	r.reg.MustRegister(h)
	return h
}

func (r registrar) counter(namespace, subsystem, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(
		prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help},
	)
	r.reg.MustRegister(c)
	return c
}

func (r registrar) gauge(namespace, subsystem, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help})
	r.reg.MustRegister(g)
	return g
}

func (r registrar) gaugeFunc(namespace, subsystem, name, help string, f func() float64) {
	r.reg.MustRegister(
		prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help},
			f,
		),
	)
}

func (r registrar) counterFunc(namespace, subsystem, name, help string, f func() float64) {
	r.reg.MustRegister(
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help},
			f,
		),
	)
}

// New registers the families of a member.
func New(reg prometheus.Registerer) *Metrics {
	r, m := registrar{reg}, &Metrics{}
	m.ofDisk(r)
	m.ofStore(r)
	m.ofServer(r)
	nothing(r)
	m.byOperation(reg)
	return m
}

// upTo8s are buckets from 1 ms to 8.2 s.
func upTo8s() []float64 { return prometheus.ExponentialBuckets(0.001, 2, 14) }

func (m *Metrics) ofDisk(r registrar) {
	exp := prometheus.ExponentialBuckets
	m.WALSync = r.histogram("disk", "wal_fsync_duration_seconds",
		"The latency distributions of fsync called by WAL.", upTo8s())
	m.WALWrite = r.histogram("disk", "wal_write_duration_seconds",
		"The latency distributions of write called by WAL.", upTo8s())
	m.BackendCommit = r.histogram("disk", "backend_commit_duration_seconds",
		"The latency distributions of commit called by backend.", upTo8s())
	m.WALBytes = r.gauge("etcd", "disk", "wal_write_bytes_total", "Total number of bytes written in WAL.")
	phase := func(name, help string) prometheus.Histogram {
		return histogramOf(r.reg, "etcd_debugging_disk_backend_commit_"+name+"_duration_seconds", help, upTo8s())
	}
	m.rebalance = phase("rebalance", "The latency distributions of commit.rebalance called by bboltdb backend.")
	m.spill = phase("spill", "The latency distributions of commit.spill called by bboltdb backend.")
	m.pageWrite = phase("write", "The latency distributions of commit.write called by bboltdb backend.")
	m.ImageSync = r.histogram("snap_db", "fsync_duration_seconds",
		"The latency distributions of fsyncing .snap.db file", upTo8s())
	m.ImageSend = r.histogram("disk", "backend_snapshot_duration_seconds",
		"The latency distribution of backend snapshots.", exp(.01, 2, 17))
	m.ImageSave = r.histogram("snap_db", "save_total_duration_seconds",
		"The total latency distributions of v3 snapshot save", exp(0.1, 2, 10))
	m.compactionTotal = histogramOf(r.reg, "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
		"Bucketed histogram of db compaction total duration.", exp(100, 2, 14))
	m.CompactionPause = histogramOf(r.reg, "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
		"Bucketed histogram of db compaction pause duration.", exp(1, 2, 13))
	m.compactedKeys = r.counter("etcd_debugging", "mvcc", "db_compaction_keys_total",
		"Total number of db keys compacted.")
	m.compactionLast = r.gauge("etcd_debugging", "mvcc", "db_compaction_last",
		"The unix time of the last db compaction. Resets to 0 on start.")
	m.Defrag = r.histogram("disk", "backend_defrag_duration_seconds",
		"The latency distribution of backend defragmentation.", exp(0.1, 2, 13))
	m.Defragmenting = r.gauge("etcd", "disk", "defrag_inflight",
		"Whether or not defrag is active on the member. 1 means active, 0 means not.")
}

func (m *Metrics) ofStore(r registrar) {
	exp := prometheus.ExponentialBuckets
	m.Hash = r.histogram("mvcc", "hash_duration_seconds",
		"The latency distribution of storage hash operation.", exp(.01, 2, 15))
	m.HashRev = r.histogram("mvcc", "hash_rev_duration_seconds",
		"The latency distribution of storage hash by revision operation.", exp(.01, 2, 15))
	m.puts = r.counter("etcd", "mvcc", "put_total", "Total number of puts seen by this member.")
	m.deletes = r.counter("etcd", "mvcc", "delete_total", "Total number of deletes seen by this member.")
	m.txns = r.counter("etcd", "mvcc", "txn_total", "Total number of txns seen by this member.")
	m.ranges = r.counter("etcd", "mvcc", "range_total", "Total number of ranges seen by this member.")
	m.events = r.counter("etcd_debugging", "mvcc", "events_total", "Total number of events sent by this member.")
	m.putBytes = r.gauge("etcd_debugging", "mvcc", "total_put_size_in_bytes",
		"The total size of put kv pairs seen by this member.")
	m.Streams = r.gauge("etcd_debugging", "mvcc", "watch_stream_total", "Total number of watch streams.")
	m.leasesGranted = r.counter("etcd_debugging", "lease", "granted_total", "The total number of granted leases.")
	m.leasesRevoked = r.counter("etcd_debugging", "lease", "revoked_total", "The total number of revoked leases.")
	m.leaseTTLs = histogramOf(r.reg, "etcd_debugging_lease_ttl_total",
		"Bucketed histogram of lease TTLs.", exp(1, 2, 24))
}

func (m *Metrics) ofServer(r registrar) {
	m.SlowApplies = r.counter("etcd", "server", "slow_apply_total",
		"The total number of slow apply requests (likely overloaded from slow disk).")
	m.LateBeats = r.counter("etcd", "server", "heartbeat_send_failures_total",
		"The total number of leader heartbeat send failures (likely overloaded from slow disk).")
	m.promotions = r.counter("etcd", "server", "learner_promote_successes",
		"The total number of successful learner promotions while this member is leader.")
	m.failedPromotions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "etcd", Subsystem: "server", Name: "learner_promote_failures",
		Help: "The total number of failed learner promotions (likely learner not ready) while this member is leader.",
	}, []string{"Reason"})
	r.reg.MustRegister(m.failedPromotions)
	m.LeaderChanges = r.counter("etcd", "server", "leader_changes_seen_total", "The number of leader changes seen.")
	m.proposalsFailed = r.counter("etcd", "server", "proposals_failed_total",
		"The total number of failed proposals seen.")
	m.slowReadIndexes = r.counter("etcd", "server", "slow_read_indexes_total",
		"The total number of pending read indexes not in sync with leader's or timed out read index requests.")
	m.failedReadIndexes = r.counter("etcd", "server", "read_indexes_failed_total",
		"The total number of failed read indexes seen.")
	m.Installing = r.gauge("etcd", "server", "snapshot_apply_in_progress_total",
		"1 if the server is applying the incoming snapshot. 0 if none.")
}

// byOperation registers the families that are labelled by operation.
func (m *Metrics) byOperation(reg prometheus.Registerer) {
	exp := prometheus.ExponentialBuckets
	applies := prometheus.NewHistogramVec(
		prometheus.HistogramOpts{
			Name:    "etcd_server_apply_duration_seconds",
			Help:    "The latency distributions of v2 apply called by backend.",
			Buckets: exp(0.0001, 2, 20),
		},
		[]string{"version", "op", "success"},
	)
	requests := prometheus.NewHistogramVec(
		prometheus.HistogramOpts{
			Name:    "etcd_server_request_duration_seconds",
			Help:    "Response latency distribution in seconds for each type.",
			Buckets: upTo8s(),
		},
		[]string{"type", "success"},
	)
	ranges := prometheus.NewHistogramVec(
		prometheus.HistogramOpts{
			Name:    "etcd_server_range_duration_seconds",
			Help:    "The latency distributions of txn.Range",
			Buckets: exp(0.0001, 2, 20),
		},
		[]string{"success"},
	)
	m.rangeSeconds, m.rangeFailures = ranges.WithLabelValues("true"), ranges.WithLabelValues("false")
	for op := range api.Operation(api.Operations) {
		if name := op.Metric(true); name != "" {
			m.applies[op], m.applyFailures[op] = applies.WithLabelValues(
				"v3",
				name,
				"true",
			), applies.WithLabelValues(
				"v3",
				name,
				"false",
			)
			m.writes.done[op], m.writes.failed[op] = requests.WithLabelValues(
				name,
				"true",
			), requests.WithLabelValues(
				name,
				"false",
			)
		}
		if name := op.Metric(false); name != "" {
			m.reads.done[op], m.reads.failed[op] = requests.WithLabelValues(
				name,
				"true",
			), requests.WithLabelValues(
				name,
				"false",
			)
		}
	}
	m.version = prometheus.NewGaugeVec(
		prometheus.GaugeOpts{
			Name: "etcd_cluster_version",
			Help: "Which version is running. 1 for 'cluster_version' label with current cluster version",
		},
		[]string{"cluster_version"},
	)
	reg.MustRegister(applies, requests, ranges, m.version)
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
