// Package admin is what a member says over plain HTTP: to load balancers
// (/health, /livez, /readyz), to monitoring (/metrics), to tools (/version,
// /members, /debug/...), and to people (/ui/).
//
// Paths, bodies, queries and codes are etcd's; the page under /ui/ is ours.
//
//	client := admin.Client(admin.Config{Node: n, Log: log, ...})
//	peers := admin.Peer(n, log, n.Transport().Handler())
package admin

import (
	"context"
	"io"
	"io/fs"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/api"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// Node is the member behind the endpoints.
type Node interface {
	// AskOwn performs a request of the server's own, past the rules for clients.
	AskOwn(ctx context.Context, request any) (any, error)
	// Ask performs a call of anybody's, whom Identify knows by a token.
	Ask(ctx context.Context, c api.Call) (any, error)
	Identify(token string) api.Identity
	Alarms() []*pb.AlarmMember
	Leader() uint64
	Learner() bool
	ClusterID() uint64
	Members() *membership.Members
	StorageVersion() string
	Figures() telemetry.Figures
	// WriteRecording writes the newest events of the member.
	WriteRecording(w io.Writer, version, commit string) error
}

// Config says what the client port serves.
type Config struct {
	Node     Node
	Log      *zap.Logger
	Registry *prometheus.Registry
	Pprof    bool
	Requests bool // show traced calls
	Flight   bool // serve the recording
	Access   Access
	Gateway  http.Handler // etcd's API as JSON; nil: there is none
	V2       http.Handler // the API of version 2; nil: there is none
	// UI serves the page; Files are its files, nil if it was not built in.
	UI    bool
	Files fs.FS
}

// Client is everything on the client port that is not gRPC.
func Client(cfg Config) http.Handler {
	mux := http.NewServeMux()
	public(mux, cfg)
	mux.HandleFunc("/version", version(cfg.Node))
	mux.HandleFunc("/debug/vars", vars(cfg.Node))
	if cfg.Pprof {
		Profiles(mux)
	}
	if cfg.Requests {
		requests(mux)
	}
	if cfg.UI {
		mux.Handle("/ui/", http.StripPrefix("/ui/", newPage(cfg.Files)))
		mux.HandleFunc("/{$}", toPage)
	}
	if cfg.Gateway != nil {
		mux.Handle(ofGateway, cfg.Gateway)
	}
	if cfg.V2 != nil {
		mux.Handle("/v2/", cfg.V2)
	}
	return cfg.Access.control(mux)
}

// Metrics is what --listen-metrics-urls serves.
func Metrics(cfg Config) http.Handler {
	mux := http.NewServeMux()
	public(mux, cfg)
	return mux
}

func public(mux *http.ServeMux, cfg Config) {
	h := newHealth(cfg)
	mux.HandleFunc("/health", h.serveHealth)
	h.install(mux, livez, h.live())
	h.install(mux, readyz, h.readyChecks())
	mux.Handle("/metrics", metricsHandler(cfg.Registry))
	if cfg.Flight {
		mux.HandleFunc("/debug/flight", flight(cfg.Node, cfg.Log))
	}
}
