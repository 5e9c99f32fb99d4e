package grpcapi

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/core/api"
	"vitrine/core/watch"
)

// metrics are grpc_server_*, by method, and the families that etcd counts for
// clients. Counters are looked up once: a request touches atomics only.
type metrics struct {
	sentBytes, receivedBytes               prometheus.Counter
	clients                                *prometheus.CounterVec
	started, handled, msgReceived, msgSent *prometheus.CounterVec

	// what it takes to send to a watcher: events, each of them on average, answers to what it asked, and progress
	pushes, eachEvent, controls, progress prometheus.Histogram

	seconds *prometheus.HistogramVec // nil unless durations are wanted

	methods map[string]*method // by full name, complete after initialize

	mu       sync.RWMutex
	versions map[clientVersion]prometheus.Counter
}

// clientVersion is what requests are counted by: "unary" or "stream", and the version of the client's library.
type clientVersion struct{ kind, version string }

// method counts the calls of one method.
type method struct {
	seconds                 prometheus.Observer // nil unless durations are wanted
	started, received, sent prometheus.Counter
	handled                 [codes.Unauthenticated + 1]prometheus.Counter
}

// begin counts a call that begins, and returns when.
func (m *method) begin() time.Time {
	m.started.Inc()
	return time.Now()
}

// done counts how a call ended that has begun.
func (m *method) done(begun time.Time, err error) {
	if m.seconds != nil {
		m.seconds.Observe(time.Since(begun).Seconds())
	}
	code := status.Code(err)
	if int(code) >= len(m.handled) {
		code = codes.Unknown
	}
	m.handled[code].Inc()
}

// pushed notes what it took to send a response to a watcher.
func (m *metrics) pushed(r *watch.Response, took time.Duration) {
	switch {
	case r.Progress:
		m.progress.Observe(took.Seconds())
	case r.Events == nil || len(r.Events.Events) == 0:
		m.controls.Observe(took.Seconds())
	default:
		m.pushes.Observe(took.Seconds())
		m.eachEvent.Observe(took.Seconds() / float64(len(r.Events.Events)))
	}
}

func newMetrics(reg prometheus.Registerer, extensive bool) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		sentBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "etcd_network_client_grpc_sent_bytes_total",
			Help: "The total number of bytes sent to grpc clients."}),
		receivedBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "etcd_network_client_grpc_received_bytes_total",
			Help: "The total number of bytes received from grpc clients."}),
		clients: counter("etcd_server_client_requests_total", "The total number of client requests per client version.",
			"type", "client_api_version"),
		started: counter("grpc_server_started_total", "Total number of RPCs started on the server.", "grpc_type",
			"grpc_service", "grpc_method"),
		handled: counter("grpc_server_handled_total",
			"Total number of RPCs completed on the server, regardless of success or failure.", "grpc_type", "grpc_service",
			"grpc_method", "grpc_code"),
		msgReceived: counter("grpc_server_msg_received_total",
			"Total number of RPC stream messages received on the server.", "grpc_type", "grpc_service", "grpc_method"),
		msgSent: counter("grpc_server_msg_sent_total", "Total number of gRPC stream messages sent by the server.",
			"grpc_type", "grpc_service", "grpc_method"),
		methods:  map[string]*method{},
		versions: map[clientVersion]prometheus.Counter{},
	}
	loop := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "etcd_debugging_server_watch_send_loop_" + name,
			Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)})
	}
	m.pushes = loop("watch_stream_duration_seconds",
		"The total duration in seconds of running through the send loop watch stream response all events.")
	m.eachEvent = loop("watch_stream_duration_per_event_seconds",
		"The average duration in seconds of running through the send loop watch stream response, per event.")
	m.controls = loop("control_stream_duration_seconds",
		"The total duration in seconds of running through the send loop control stream response.")
	m.progress = loop("progress_duration_seconds",
		"The total duration in seconds of running through the progress loop control stream response.")
	reg.MustRegister(m.pushes, m.eachEvent, m.controls, m.progress)
	if extensive {
		m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "grpc_server_handling_seconds",
			Help:    "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.",
			Buckets: prometheus.DefBuckets}, []string{"grpc_type", "grpc_service", "grpc_method"})
		reg.MustRegister(m.seconds)
	}
	reg.MustRegister(m.sentBytes, m.receivedBytes, m.clients, m.started, m.handled, m.msgReceived, m.msgSent)
	return m
}

// initialize makes every counter of every registered method exist at zero.
func (m *metrics) initialize(s *grpc.Server) {
	for service, info := range s.GetServiceInfo() {
		for _, mi := range info.Methods {
			m.methods["/"+service+"/"+mi.Name] = m.newMethod(kindOf(mi), service, mi.Name)
		}
	}
}

func (m *metrics) newMethod(kind, service, name string) *method {
	c := &method{
		started:  m.started.WithLabelValues(kind, service, name),
		received: m.msgReceived.WithLabelValues(kind, service, name),
		sent:     m.msgSent.WithLabelValues(kind, service, name),
	}
	if m.seconds != nil {
		c.seconds = m.seconds.WithLabelValues(kind, service, name)
	}
	for code := range c.handled {
		c.handled[code] = m.handled.WithLabelValues(kind, service, name, codes.Code(code).String())
	}
	return c
}

func kindOf(mi grpc.MethodInfo) string {
	switch {
	case mi.IsClientStream && mi.IsServerStream:
		return "bidi_stream"
	case mi.IsServerStream:
		return "server_stream"
	case mi.IsClientStream:
		return "client_stream"
	}
	return "unary"
}

// method finds the counters of a registered method.
func (m *metrics) method(fullName string) *method {
	if c := m.methods[fullName]; c != nil {
		return c
	}
	service, name, _ := strings.Cut(strings.TrimPrefix(fullName, "/"), "/")
	return m.newMethod("unary", service, name)
}

// The label is bounded: beyond so many versions, or so long ones, they are counted together.
const (
	maxClientVersions = 64
	maxVersionBytes   = 128
)

// countClient counts a request by the version of its client's library.
func (m *metrics) countClient(kind, version string) error {
	key := clientVersion{kind, version}
	m.mu.RLock()
	c := m.versions[key]
	m.mu.RUnlock()
	if c == nil {
		if !utf8.ValidString(version) {
			return statusOf(api.ErrInvalidClientAPIVersion)
		}
		m.mu.Lock()
		if len(m.versions) >= maxClientVersions || len(version) > maxVersionBytes {
			key.version = "other"
		}
		c = m.clients.WithLabelValues(kind, key.version)
		m.versions[key] = c
		m.mu.Unlock()
	}
	c.Inc()
	return nil
}
