// Package v2 is etcd's API of version 2, which clients of before 2016 speak: keys in directories over HTTP and JSON
// (/v2/keys), members (/v2/members, /v2/machines) and figures (/v2/stats/...).
//
// There is no second store. A node of version 2 is a key under Prefix, and whatever is asked becomes calls that pass
// the gate like everybody's:
//
//	/                _vitrine/v2/keys/            never written: the root is always there
//	/queue           _vitrine/v2/keys/queue/
//	/queue/job.1     _vitrine/v2/keys/queue/job.1/
//
// So a directory with all that it has is one range, and a node one key. The value is a record: file or directory, which
// action wrote it, when it was created and when it runs out, and the value itself. An index is a revision. A request
// that writes is a transaction which compares all that the decision depends on, and is decided anew when the comparison
// fails. A time to live is a lease. Who waits has a watcher, whose events the records explain; for a key that is gone
// there is no record, so that whoever removes a node leaves a note beside it, under the name that no node can have:
//
//	_vitrine/v2/keys/queue//    what was last removed from /queue, and by which action
//
// What has no note has run out.
//
// A lease takes one key only, also that of a directory. What was in it has no way to the root any more and is not seen:
// a node is there if all directories above it are, and none of them is younger than it. The leader sweeps up what is
// left, and so does who finds it in his way.
//
//	h := v2.New(v2.Config{Door: door, Log: log, Timeout: timeout})
//	mux.Handle("/v2/", h)
//	defer h.Close()
package v2

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/node"
	"vitrine/cmd/server/internal/peer"
	"vitrine/cmd/server/internal/tasks"
	"vitrine/cmd/server/internal/telemetry"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/membership"
)

// Door is the member that answers.
type Door interface {
	Ask(ctx context.Context, c api.Call) (any, error)
	Watch(c api.Call) (node.WatchStream, error)
	Identify(token string) api.Identity
	// UsersOn tells whether authentication is on.
	UsersOn() bool
	ClusterID() uint64
	Leader() uint64
	Members() *membership.Members
	Figures() telemetry.Figures
	// Traffic is what the member has told other members, and they it.
	Traffic() peer.Traffic
}

// Config is what the API needs.
type Config struct {
	Door            Door
	Log             *zap.Logger
	Timeout         time.Duration // of what does not wait
	MaxRequestBytes int
	ClientCertAuth  bool             // the common name of a client's verified certificate is its user
	TokenTTL        time.Duration    // how long a login is used
	Now             func() time.Time // nil: the clock
}

// Handler serves /v2/.
type Handler struct {
	cfg   Config
	door  Door
	mux   *http.ServeMux
	begun time.Time
	keys  *store
	users logins
	waits atomic.Int64

	ctx   context.Context // ends with the handler, and all who wait with it
	stop  context.CancelFunc
	tasks tasks.Group
	once  sync.Once
}

// New serves the API at a member.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Handler{cfg: cfg, door: cfg.Door, mux: http.NewServeMux(), begun: cfg.Now()}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.keys = &store{door: cfg.Door, now: cfg.Now, tidy: tasks.NewPool(&h.tasks, limits.V2Tidiers), ctx: h.ctx}
	h.users = logins{door: cfg.Door, ttl: cfg.TokenTTL, now: cfg.Now}
	h.mux.HandleFunc(keysPrefix, h.serveKeys)
	h.mux.HandleFunc(keysPrefix+"/", h.serveKeys)
	h.mux.HandleFunc(membersPrefix, h.serveMembers)
	h.mux.HandleFunc(membersPrefix+"/", h.serveMembers)
	h.mux.HandleFunc("/v2/machines", h.serveMachines)
	h.mux.HandleFunc("/v2/stats/self", h.serveSelf)
	h.mux.HandleFunc("/v2/stats/leader", h.serveLeader)
	h.mux.HandleFunc("/v2/stats/store", h.serveStore)
	h.tasks.Go(func() { h.keys.sweep(cfg.Log) })
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A value is a form's field, whose bytes may need three letters each.
	r.Body = http.MaxBytesReader(w, r.Body, 3*int64(h.cfg.MaxRequestBytes)+limits.RequestOverheadBytes)
	h.mux.ServeHTTP(w, r)
}

// Close ends those who wait, and what is done beside requests.
func (h *Handler) Close() {
	h.once.Do(func() {
		h.stop()
		h.tasks.Close()
		h.tasks.Wait()
	})
}

// only answers other methods.
func only(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	allow := ""
	for _, m := range methods {
		if r.Method == m {
			return true
		}
		if allow != "" {
			allow += ","
		}
		allow += m
	}
	w.Header().Set("Allow", allow)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return false
}
