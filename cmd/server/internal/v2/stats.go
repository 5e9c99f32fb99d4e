package v2

import (
	"errors"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"vitrine/core/membership"
)

// figures count what this member has answered.
type figures struct {
	done, failed [len(actionNames)]atomic.Uint64 // by action; byTheWay stands for reads
	expired      atomic.Uint64
	watchers     atomic.Int64
}

// kind is the action that a request asks for, byTheWay if it reads.
func (q *request) kind() action {
	swaps := q.prevValue != "" || q.prevIndex != 0
	switch {
	case q.method == http.MethodPost:
		return create
	case q.method == http.MethodDelete && swaps:
		return compareAndDelete
	case q.method == http.MethodDelete:
		return remove
	case q.method != http.MethodPut:
		return byTheWay
	case q.prevExist != nil && !*q.prevExist:
		return create
	case swaps:
		return compareAndSwap
	case q.prevExist != nil:
		return update
	}
	return set
}

// count takes the end of a request. What was not decided is not counted.
func (f *figures) count(q *request, err error) {
	var refused *Error
	switch {
	case err == nil:
		f.done[q.kind()].Add(1)
	case errors.As(err, &refused):
		f.failed[q.kind()].Add(1)
	}
}

// storeStats are the figures as clients see them.
type storeStats struct {
	GetsSuccess             uint64 `json:"getsSuccess"`
	GetsFail                uint64 `json:"getsFail"`
	SetsSuccess             uint64 `json:"setsSuccess"`
	SetsFail                uint64 `json:"setsFail"`
	DeleteSuccess           uint64 `json:"deleteSuccess"`
	DeleteFail              uint64 `json:"deleteFail"`
	UpdateSuccess           uint64 `json:"updateSuccess"`
	UpdateFail              uint64 `json:"updateFail"`
	CreateSuccess           uint64 `json:"createSuccess"`
	CreateFail              uint64 `json:"createFail"`
	CompareAndSwapSuccess   uint64 `json:"compareAndSwapSuccess"`
	CompareAndSwapFail      uint64 `json:"compareAndSwapFail"`
	CompareAndDeleteSuccess uint64 `json:"compareAndDeleteSuccess"`
	CompareAndDeleteFail    uint64 `json:"compareAndDeleteFail"`
	ExpireCount             uint64 `json:"expireCount"`
	Watchers                int64  `json:"watchers"`
}

func (h *Handler) serveStore(w http.ResponseWriter, r *http.Request) {
	if !only(w, r, http.MethodGet) {
		return
	}
	f := &h.keys.figures
	done := func(a action) uint64 { return f.done[a].Load() }
	failed := func(a action) uint64 { return f.failed[a].Load() }
	writeJSON(w, http.StatusOK, storeStats{
		done(byTheWay), failed(byTheWay), done(set), failed(set), done(remove), failed(remove), done(update), failed(update),
		done(create), failed(create), done(compareAndSwap), failed(compareAndSwap), done(compareAndDelete),
		failed(compareAndDelete), f.expired.Load(), f.watchers.Load(),
	})
}

// selfStats are a member's own.
type selfStats struct {
	Name                 string     `json:"name"`
	ID                   string     `json:"id"`
	State                string     `json:"state"`
	StartTime            time.Time  `json:"startTime"`
	LeaderInfo           leaderInfo `json:"leaderInfo"`
	RecvAppendRequestCnt uint64     `json:"recvAppendRequestCnt"`
	SendAppendRequestCnt uint64     `json:"sendAppendRequestCnt"`
}

type leaderInfo struct {
	Leader    string    `json:"leader"`
	Uptime    string    `json:"uptime"`
	StartTime time.Time `json:"startTime"`
}

func (h *Handler) serveSelf(w http.ResponseWriter, r *http.Request) {
	if !only(w, r, http.MethodGet) {
		return
	}
	f, traffic := h.door.Figures(), h.door.Traffic()
	state := "StateFollower"
	if f.Leading {
		state = "StateLeader"
	}
	stats := selfStats{ID: membership.IDString(f.ID), State: state, StartTime: h.begun,
		LeaderInfo:           leaderInfo{Uptime: h.cfg.Now().Sub(f.LeaderSince).String(), StartTime: f.LeaderSince},
		RecvAppendRequestCnt: traffic.AppendsReceived, SendAppendRequestCnt: traffic.AppendsSent}
	if m := h.door.Members().Get(f.ID); m != nil {
		stats.Name = m.Name
	}
	if f.Leader != 0 {
		stats.LeaderInfo.Leader = membership.IDString(f.Leader)
	}
	writeJSON(w, http.StatusOK, stats)
}

// leaderStats are what a leader knows of its followers. Latencies are those of probes, in milliseconds.
type leaderStats struct {
	Leader    string                   `json:"leader"`
	Followers map[string]followerStats `json:"followers"`
}

type followerStats struct {
	Latency latency `json:"latency"`
	Counts  counts  `json:"counts"`
}

type latency struct {
	Current           float64 `json:"current"`
	Average           float64 `json:"average"`
	StandardDeviation float64 `json:"standardDeviation"`
	Minimum           float64 `json:"minimum"`
	Maximum           float64 `json:"maximum"`
}

type counts struct {
	Fail    uint64 `json:"fail"`
	Success uint64 `json:"success"`
}

func (h *Handler) serveLeader(w http.ResponseWriter, r *http.Request) {
	if !only(w, r, http.MethodGet) {
		return
	}
	f := h.door.Figures()
	if !f.Leading {
		say(w, http.StatusForbidden, "not current leader")
		return
	}
	stats := leaderStats{membership.IDString(f.ID), map[string]followerStats{}}
	for id, p := range h.door.Traffic().Peers {
		l := latency{p.Last * 1e3, p.Mean * 1e3, p.Sigma * 1e3, p.Least * 1e3, p.Most * 1e3}
		if p.Answered == 0 {
			l.Minimum = math.MaxInt64 // what etcd says of none
		}
		stats.Followers[membership.IDString(id)] = followerStats{l, counts{p.Failed, p.Answered}}
	}
	writeJSON(w, http.StatusOK, stats)
}
