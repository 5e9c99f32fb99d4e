package proxy

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"vitrine/cmd/server/internal/broadcast"
)

// meters are etcd's families of a proxy: what it spares, and grpc_server_*, by method.
type meters struct {
	broadcast.Meters
	cached, hits, misses                 prometheus.Gauge
	started, ended, receivedAll, sentAll *prometheus.CounterVec
}

// meter counts the calls of one method.
type meter struct {
	received, sent prometheus.Counter
	ended          *prometheus.CounterVec
}

func newMeters(reg prometheus.Registerer) *meters {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "etcd", Subsystem: "grpc_proxy", Name: name, Help: help})
	}
	calls := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "grpc_server_" + name, Help: help},
			append([]string{"grpc_type", "grpc_service", "grpc_method"}, more...))
	}
	m := &meters{
		Meters: broadcast.Meters{
			Watchers: gauge("watchers_coalescing_total", "Total number of current watchers coalescing"),
			Events: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "etcd", Subsystem: "grpc_proxy",
				Name: "events_coalescing_total", Help: "Total number of events coalescing"}),
		},
		cached:      gauge("cache_keys_total", "Total number of keys/ranges cached"),
		hits:        gauge("cache_hits_total", "Total number of cache hits"),
		misses:      gauge("cache_misses_total", "Total number of cache misses"),
		started:     calls("started_total", "Total number of RPCs started on the server."),
		receivedAll: calls("msg_received_total", "Total number of RPC stream messages received on the server."),
		sentAll:     calls("msg_sent_total", "Total number of gRPC stream messages sent by the server."),
		ended: calls("handled_total", "Total number of RPCs completed on the server, regardless of success or failure.",
			"grpc_code"),
	}
	reg.MustRegister(m.Watchers, m.Events, m.cached, m.hits, m.misses, m.started, m.ended, m.receivedAll, m.sentAll)
	return m
}

// keys notes how much is remembered.
func (m *meters) keys(of *memory) { m.cached.Set(float64(of.len())) }

// of counts a call that begins.
func (m *meters) of(kind, service, name string) *meter {
	m.started.WithLabelValues(kind, service, name).Inc()
	return &meter{received: m.receivedAll.WithLabelValues(kind, service, name),
		sent:  m.sentAll.WithLabelValues(kind, service, name),
		ended: m.ended.MustCurryWith(prometheus.Labels{"grpc_type": kind, "grpc_service": service, "grpc_method": name})}
}

// handled counts how a call has ended.
func (m *meter) handled(code codes.Code) { m.ended.WithLabelValues(code.String()).Inc() }
