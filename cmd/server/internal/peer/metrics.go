package peer

import "github.com/prometheus/client_golang/prometheus"

// Metrics are etcd's etcd_network_* families for traffic between peers.
type Metrics struct {
	active, snapshotSending, snapshotReceiving                                *prometheus.GaugeVec
	disconnected, sentBytes, receivedBytes, sendFailed, receiveFailed         *prometheus.CounterVec
	snapshotSent, snapshotSendFailed, snapshotReceived, snapshotReceiveFailed *prometheus.CounterVec
	snapshotSendSeconds, snapshotReceiveSeconds, roundTrip                    *prometheus.HistogramVec
}

// NewMetrics registers the families.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	var all []prometheus.Collector
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "etcd", Subsystem: "network", Name: name, Help: help},
			labels)
		all = append(all, c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "etcd", Subsystem: "network", Name: name, Help: help},
			labels)
		all = append(all, g)
		return g
	}
	histogram := func(name, help string, buckets []float64, label string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "etcd", Subsystem: "network", Name: name,
			Help: help, Buckets: buckets}, []string{label})
		all = append(all, h)
		return h
	}
	snapshots := prometheus.ExponentialBuckets(0.1, 2, 10) // 100 ms to 51.2 s
	m := &Metrics{
		active: gauge("active_peers", "The current number of active peer connections.", "Local", "Remote"),
		disconnected: counter("disconnected_peers_total", "The total number of disconnected peers.", "Local",
			"Remote"),
		sentBytes: counter("peer_sent_bytes_total", "The total number of bytes sent to peers.", "To"),
		receivedBytes: counter("peer_received_bytes_total", "The total number of bytes received from peers.",
			"From"),
		sendFailed: counter("peer_sent_failures_total", "The total number of send failures from peers.", "To"),
		receiveFailed: counter("peer_received_failures_total", "The total number of receive failures from peers.",
			"From"),
		snapshotSent:       counter("snapshot_send_success", "Total number of successful snapshot sends", "To"),
		snapshotSending:    gauge("snapshot_send_inflights_total", "Total number of inflight snapshot sends", "To"),
		snapshotSendFailed: counter("snapshot_send_failures", "Total number of snapshot send failures", "To"),
		snapshotSendSeconds: histogram("snapshot_send_total_duration_seconds",
			"Total latency distributions of v3 snapshot sends", snapshots, "To"),
		snapshotReceived: counter("snapshot_receive_success", "Total number of successful snapshot receives", "From"),
		snapshotReceiving: gauge("snapshot_receive_inflights_total", "Total number of inflight snapshot receives",
			"From"),
		snapshotReceiveFailed: counter("snapshot_receive_failures", "Total number of snapshot receive failures", "From"),
		snapshotReceiveSeconds: histogram("snapshot_receive_total_duration_seconds",
			"Total latency distributions of v3 snapshot receives", snapshots, "From"),
		roundTrip: histogram("peer_round_trip_time_seconds", "Round-Trip-Time histogram between peers",
			prometheus.ExponentialBuckets(0.0001, 2, 16), "To"),
	}
	reg.MustRegister(all...)
	return m
}
