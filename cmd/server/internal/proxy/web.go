package proxy

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/admin"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// web is what there is over HTTP: the members' figures and health, and the proxy's own.
func (p *Proxy) web() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", p.membersMetrics)
	mux.Handle("/proxy/metrics", promhttp.InstrumentMetricHandler(p.cfg.Registry,
		promhttp.HandlerFor(p.cfg.Registry, promhttp.HandlerOpts{})))
	mux.HandleFunc("/health", p.health(p.membersSick))
	mux.HandleFunc("/proxy/health", p.health(p.sick))
	if p.cfg.Pprof {
		admin.Profiles(mux)
		p.log.Info("gRPC proxy enabled pprof", zap.String("path", "/debug/pprof"))
	}
	return mux
}

// membersMetrics reads the figures of a member.
func (p *Proxy) membersMetrics(w http.ResponseWriter, r *http.Request) {
	all := p.cluster.Endpoints()
	target := all[rand.N(len(all))] + "/metrics"
	if !strings.HasPrefix(target, "http") {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		target = scheme + "://" + target
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, target, nil)
	var answer *http.Response
	if err == nil {
		answer, err = p.cfg.Web.Do(ask)
	}
	if err != nil {
		http.Error(w, "Internal server error", http.StatusInternalServerError)
		return
	}
	defer answer.Body.Close()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = io.Copy(w, answer.Body) // who asks hears nothing more if the member stops in between
}

// health answers probes in etcd's form.
func (p *Proxy) health(sick func(ctx context.Context) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		answer := struct {
			Health string `json:"health"`
			Reason string `json:"reason"`
		}{"true", sick(r.Context())}
		if answer.Reason != "" {
			answer.Health = "false"
		}
		body, err := json.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if answer.Reason != "" {
			p.log.Warn("/health error", zap.String("output", string(body)))
			http.Error(w, string(body), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(body)
	}
}

const (
	// healthTimeout bounds the read of a probe, watchTimeout its watch.
	healthTimeout = time.Second
	watchTimeout  = 3 * time.Second
)

// membersSick says what is wrong with the members: somebody must answer, be it that one may not read.
func (p *Proxy) membersSick(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return unread(p.cluster.Ask(ctx, api.Range.Method(), &pb.RangeRequest{Key: []byte("a")}, &pb.RangeResponse{}, true))
}

func unread(err error) string {
	if err == nil || status.Code(err) == codes.PermissionDenied {
		return ""
	}
	return "GET ERROR:" + status.Convert(err).Message()
}

// sick says what is wrong with this proxy: it must read and watch, as its clients do.
func (p *Proxy) sick(ctx context.Context) string {
	read, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	err := p.self.Invoke(read, api.Range.Method(), &pb.RangeRequest{Key: []byte("a")}, &pb.RangeResponse{})
	if reason := unread(err); reason != "" {
		return reason
	}
	watch, stop := context.WithTimeout(ctx, watchTimeout)
	defer stop()
	s, err := p.self.NewStream(watch, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, api.Watch.Method())
	if err == nil {
		err = s.SendMsg(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: []byte("a")}}})
	}
	if err == nil {
		err = s.RecvMsg(&pb.WatchResponse{})
	}
	if err != nil {
		return "WATCH TIMEOUT"
	}
	return ""
}
