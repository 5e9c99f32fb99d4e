package grpcapi

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/core/api"
)

// metrics are grpc_server_*, by method, and the families that etcd counts for
// clients. Counters are looked up once: a request touches atomics only.
type metrics struct {
	sentBytes, receivedBytes               prometheus.Counter
	clients                                *prometheus.CounterVec
	started, handled, msgReceived, msgSent *prometheus.CounterVec

	methods map[string]*method // by full name, complete after initialize

	mu       sync.RWMutex
	versions map[clientVersion]prometheus.Counter
}

// clientVersion is what requests are counted by: "unary" or "stream", and the version of the client's library.
type clientVersion struct{ kind, version string }

// method counts the calls of one method.
type method struct {
	started, received, sent prometheus.Counter
	handled                 [codes.Unauthenticated + 1]prometheus.Counter
}

// done counts how a call ended.
func (m *method) done(err error) {
	code := status.Code(err)
	if int(code) >= len(m.handled) {
		code = codes.Unknown
	}
	m.handled[code].Inc()
}

func newMetrics(reg prometheus.Registerer) *metrics {
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
