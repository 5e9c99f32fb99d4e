package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/net/trace"

	versions "vitrine/cmd/server/internal/version"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// Registry makes the registry that all families of one server live in, with those of the process.
func Registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "os_fd_limit", Help: "The file descriptor limit."},
			func() float64 { return float64(fdLimit()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "os_fd_used", Help: "The number of used file descriptors."},
			func() float64 { return float64(fdUsed()) }),
	)
	return reg
}

func metricsHandler(reg *prometheus.Registry) http.Handler {
	return promhttp.InstrumentMetricHandler(reg, promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
}

func fdLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}

func fdUsed() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(names)
}

type versionAnswer struct {
	Server  string `json:"etcdserver"`
	Cluster string `json:"etcdcluster"`
	Storage string `json:"storage"`
}

// version tells the server's release, what the cluster has agreed on, and the schema of the database.
func version(n Node) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		answer := versionAnswer{Server: versions.Etcd, Cluster: "not_decided", Storage: "unknown"}
		if v := n.Members().Version(); v != nil {
			answer.Cluster = v.String()
		}
		if v := n.StorageVersion(); v != "" {
			answer.Storage = v
		}
		writeJSON(w, answer)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

// vars is expvar's page with raft's state in it. The state is not published as a
// variable of the process, of which there may be several members.
func vars(n Node) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, "{\n")
		expvar.Do(func(kv expvar.KeyValue) { fmt.Fprintf(w, "%q: %s,\n", kv.Key, kv.Value) })
		fmt.Fprintf(w, "%q: %d,\n", "file_descriptor_limit", fdLimit())
		f := n.Figures()
		state := "StateFollower"
		if f.Leading {
			state = "StateLeader"
		}
		fmt.Fprintf(w, "%q: {\"id\":%q,\"term\":%d,\"commit\":%d,\"lead\":%q,\"raftState\":%q,\"applied\":%d}\n}\n",
			"raft.status", membership.IDString(f.ID), f.Term, f.Commit, membership.IDString(f.Leader), state, f.Applied)
	}
}

// flight answers with the newest events of the member as a file, which the page opens (package trace).
func flight(n Node, log *zap.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		f := n.Figures()
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", membership.IDString(f.ID)+".recording"))
		out := bufio.NewWriterSize(w, limits.SnapshotChunkBytes)
		err := n.WriteRecording(out, versions.Etcd, versions.Commit)
		if err = errors.Join(err, out.Flush()); err != nil {
			log.Warn("failed to send a recording", zap.Error(err)) // the file lacks its end, which its reader sees
		}
	}
}

// requests shows what gRPC has traced, if tracing is on.
func requests(mux *http.ServeMux) {
	mux.HandleFunc("/debug/requests", func(w http.ResponseWriter, r *http.Request) { trace.Render(w, r, true) })
	mux.HandleFunc("/debug/events", func(w http.ResponseWriter, r *http.Request) { trace.RenderEvents(w, r, true) })
}

// Profiles are those of the process, as Go serves them.
func Profiles(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// Peer is the peer port: raft's protocol, and what other members ask.
func Peer(n Node, log *zap.Logger, raft http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/raft", raft)
	mux.Handle("/raft/", raft)
	mux.HandleFunc("/version", version(n))
	mux.HandleFunc("/members/hashkv", hashKV(n, log))
	mux.HandleFunc("/downgrade/enabled", downgrade(n))
	mux.HandleFunc("/leases", renewLease(n))
	mux.HandleFunc("/leases/internal", leaseLeft(n))
	mux.HandleFunc(promotePath, promote(n, log))
	mux.HandleFunc("/members", func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		w.Header().Set("X-Etcd-Cluster-ID", membership.IDString(n.ClusterID()))
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(n.Members().List()); err != nil {
			log.Warn("failed to encode membership members", zap.Error(err))
		}
	})
	return mux
}

// hashKV tells the hash of the keys at a revision to a member that checks whether all have the same.
func hashKV(n Node, log *zap.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		if id := r.Header.Get("X-Etcd-Cluster-ID"); id != "" && id != membership.IDString(n.ClusterID()) {
			http.Error(w, "cluster ID mismatch", http.StatusPreconditionFailed)
			return
		}
		req := &pb.HashKVRequest{}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(questionTimeout)) // a recorder in a test has none
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, limits.QuestionBytes)).Decode(req); err != nil {
			http.Error(w, "error unmarshalling request", http.StatusBadRequest)
			return
		}
		_ = control.SetReadDeadline(time.Time{})
		resp, err := n.AskOwn(r.Context(), req)
		if err != nil {
			log.Warn("failed to get hashKV", zap.Int64("requested-revision", req.Revision), zap.Error(err))
			http.Error(w, strings.TrimPrefix(err.Error(), "etcdserver: "), http.StatusBadRequest)
			return
		}
		hash := resp.(*pb.HashKVResponse)
		hash.Header = &pb.ResponseHeader{Revision: hash.Header.GetRevision()}
		w.Header().Set("X-Etcd-Cluster-ID", membership.IDString(n.ClusterID()))
		writeJSON(w, hash)
	}
}

// questionTimeout is how long it may take to send it.
const questionTimeout = 10 * time.Second

// downgrade tells whether the cluster is on its way to an older version, as of now.
func downgrade(n Node) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !onlyGet(w, r) {
			return
		}
		w.Header().Set("X-Etcd-Cluster-ID", membership.IDString(n.ClusterID()))
		if _, err := n.AskOwn(r.Context(), &pb.MemberListRequest{Linearizable: true}); err != nil {
			http.Error(w, fmt.Sprintf("failed linearized read: %v", err), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, n.Members().Downgrade().Enabled)
	}
}
