package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/core/pb"
)

const (
	livez  = "livez"
	readyz = "readyz"
)

// check is one named question about the member's state.
type check struct {
	name string
	run  func(ctx context.Context) error
}

type health struct {
	node            Node
	log             *zap.Logger
	success, failed prometheus.Counter
	state           *prometheus.GaugeVec
	runs            *prometheus.CounterVec
}

func newHealth(cfg Config) *health {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "etcd", Subsystem: "server", Name: name, Help: help}
	}
	h := &health{
		node: cfg.Node, log: cfg.Log,
		success: prometheus.NewCounter(opts("health_success", "The total number of successful health checks")),
		failed:  prometheus.NewCounter(opts("health_failures", "The total number of failed health checks")),
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("healthcheck", "The result of each kind of healthcheck.")),
			[]string{"type", "name"}),
		runs: prometheus.NewCounterVec(opts("healthchecks_total", "The total number of each kind of healthcheck."),
			[]string{"type", "name", "status"}),
	}
	// The client port and the metrics port share the families; the second registration gets those of the first.
	h.success = shared(cfg.Registry, h.success)
	h.failed = shared(cfg.Registry, h.failed)
	h.state = shared(cfg.Registry, h.state)
	h.runs = shared(cfg.Registry, h.runs)
	return h
}

// shared registers a collector, or finds the one that has its name already.
func shared[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	err := reg.Register(c)
	if are, ok := err.(prometheus.AlreadyRegisteredError); ok {
		return are.ExistingCollector.(C)
	}
	if err != nil {
		panic(err) // two families of ours with one name and different labels
	}
	return c
}

// onlyGet answers any other method.
func onlyGet(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet {
		return true
	}
	w.Header().Set("Allow", http.MethodGet)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return false
}

type healthAnswer struct {
	Health string `json:"health"`
	Reason string `json:"reason"`
}

func (h *health) serveHealth(w http.ResponseWriter, r *http.Request) {
	if !onlyGet(w, r) {
		return
	}
	answer := healthAnswer{Health: "true"}
	if answer.Reason = h.sick(r); answer.Reason != "" {
		answer.Health = "false"
	}
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if answer.Health != "true" {
		h.failed.Inc()
		h.log.Warn("/health error", zap.String("output", string(body)), zap.Int("status-code", http.StatusServiceUnavailable))
		http.Error(w, string(body), http.StatusServiceUnavailable)
		return
	}
	h.success.Inc()
	w.WriteHeader(http.StatusOK)
	w.Write(body)
}

// sick says what is wrong, in etcd's order: alarms, leader, a read.
func (h *health) sick(r *http.Request) string {
	excluded := set(r, "exclude")
	serializable := r.URL.Query().Get("serializable") == "true"
	for _, a := range h.node.Alarms() {
		if excluded[a.Alarm.String()] {
			continue
		}
		switch a.Alarm {
		case pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT:
			return "ALARM " + a.Alarm.String()
		}
		return "ALARM UNKNOWN"
	}
	if !serializable && h.node.Leader() == 0 {
		return "RAFT NO LEADER"
	}
	if err := h.read(r.Context(), serializable); err != nil {
		return fmt.Sprintf("RANGE ERROR:%s", err)
	}
	return ""
}

// read is a read of no key in particular, through the same machinery as a client's.
func (h *health) read(ctx context.Context, serializable bool) error {
	_, err := h.node.AskOwn(ctx, &pb.RangeRequest{Key: []byte{0}, KeysOnly: true, Limit: 1, Serializable: serializable})
	return err
}

func set(r *http.Request, query string) map[string]bool {
	values := map[string]bool{}
	for _, v := range r.URL.Query()[query] {
		if v != "" {
			values[v] = true
		}
	}
	return values
}

func (h *health) live() []check {
	return []check{{"serializable_read", func(ctx context.Context) error { return h.read(ctx, true) }}}
}

func (h *health) readyChecks() []check {
	return []check{
		{"data_corruption", func(context.Context) error {
			for _, a := range h.node.Alarms() {
				if a.Alarm == pb.AlarmType_CORRUPT {
					return fmt.Errorf("alarm activated: %s", a.Alarm)
				}
			}
			return nil
		}},
		{"serializable_read", func(ctx context.Context) error { return h.read(ctx, true) }},
		{"linearizable_read", func(ctx context.Context) error { return h.read(ctx, false) }},
		{"non_learner", func(context.Context) error {
			if h.node.Learner() {
				return fmt.Errorf("not supported for learner")
			}
			return nil
		}},
	}
}

// install serves all checks of a kind under one path, and each under a path of its own.
func (h *health) install(mux *http.ServeMux, kind string, checks []check) {
	mux.HandleFunc("/"+kind, func(w http.ResponseWriter, r *http.Request) {
		excluded := set(r, "exclude")
		var wanted []check
		for _, c := range checks {
			if !excluded[c.name] {
				wanted = append(wanted, c)
			}
			delete(excluded, c.name)
		}
		if len(excluded) > 0 {
			h.log.Warn("some health checks cannot be excluded", zap.String("path", "/"+kind),
				zap.Int("missing-health-checks", len(excluded)))
		}
		h.serveChecks(w, r, kind, wanted)
	})
	for _, c := range checks {
		mux.HandleFunc("/"+kind+"/"+c.name,
			func(w http.ResponseWriter, r *http.Request) { h.serveChecks(w, r, kind, []check{c}) })
	}
}

func (h *health) serveChecks(w http.ResponseWriter, r *http.Request, kind string, checks []check) {
	if !onlyGet(w, r) {
		return
	}
	var lines strings.Builder
	ok := true
	for _, c := range checks {
		status, value := "success", 1.0
		if err := c.run(r.Context()); err != nil {
			fmt.Fprintf(&lines, "[-]%s failed: %v\n", c.name, err)
			status, value, ok = "error", 0, false
		} else {
			fmt.Fprintf(&lines, "[+]%s ok\n", c.name)
		}
		h.state.WithLabelValues(kind, c.name).Set(value)
		h.runs.WithLabelValues(kind, c.name, status).Inc()
	}
	if !ok {
		h.log.Error("Health check error", zap.String("path", r.URL.Path), zap.String("reason", lines.String()),
			zap.Int("status-code", http.StatusServiceUnavailable))
		http.Error(w, lines.String(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Query().Has("verbose") {
		fmt.Fprint(w, lines.String())
	}
	fmt.Fprint(w, "ok\n")
}
