package v2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/membership"
)

const keysPrefix = "/v2/keys"

// serveKeys serves nodes.
func (h *Handler) serveKeys(w http.ResponseWriter, r *http.Request) {
	if !only(w, r, http.MethodHead, http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete) {
		return
	}
	w.Header().Set("X-Etcd-Cluster-Id", membership.IDString(h.door.ClusterID()))
	q, refused := parse(r)
	if refused != nil {
		refused.write(w)
		return
	}
	if q.wait {
		h.serveWait(w, r, q)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.cfg.Timeout)
	defer cancel()
	var event *Event
	err := h.as(ctx, r, func(who api.Identity) (err error) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			event, err = h.keys.read(ctx, who, q)
		} else {
			event, err = h.keys.change(ctx, who, q)
		}
		return err
	})
	h.keys.figures.count(q, err)
	if err != nil {
		h.refuse(w, err)
		return
	}
	status := http.StatusOK
	if event.isNew() {
		status = http.StatusCreated
	}
	if q.withoutNode && (r.Method == http.MethodPut || r.Method == http.MethodPost) {
		event.Node, event.PrevNode = nil, nil
	}
	h.head(w, event.index, event.term)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(event) // the client may have gone
}

// head tells where store and log are.
func (h *Handler) head(w http.ResponseWriter, index int64, term uint64) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Etcd-Index", fmt.Sprint(index))
	w.Header().Set("X-Raft-Index", fmt.Sprint(h.door.Figures().Applied))
	w.Header().Set("X-Raft-Term", fmt.Sprint(term))
}

// serveWait answers when something happens, or as long as something does, if the client wants a stream. The headers
// leave at once.
func (h *Handler) serveWait(w http.ResponseWriter, r *http.Request, q *request) {
	if h.waits.Add(1) > limits.V2Waits {
		h.waits.Add(-1)
		fail(codeInternal, "too many requests wait", 0).write(w)
		return
	}
	defer h.waits.Add(-1)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	begun := false
	out, control := json.NewEncoder(w), http.NewResponseController(w)
	err := h.as(ctx, r, func(who api.Identity) error {
		if begun {
			return api.ErrInvalidAuthToken // a login that ended meanwhile: the headers have left
		}
		return h.keys.wait(ctx, who, q, func(index int64, term uint64) {
			begun = true
			h.head(w, index, term)
			w.WriteHeader(http.StatusOK)
			_ = control.Flush()
		}, func(e *Event) (bool, error) {
			if err := out.Encode(e); err != nil {
				return false, err
			}
			return q.stream, control.Flush()
		})
	})
	switch {
	case err == nil || ctx.Err() != nil:
	case !begun:
		h.refuse(w, err)
	default: // an answer without an event: clients ask again
		h.cfg.Log.Debug("a client of version 2 is not told any more", zap.String("path", q.path), zap.Error(err))
	}
}

// refuse answers with an error, in the terms of version 2.
func (h *Handler) refuse(w http.ResponseWriter, err error) {
	var own *Error
	if !errors.As(err, &own) {
		own = translated(err)
	}
	if own.Code == codeInternal {
		h.cfg.Log.Warn("a request of version 2 failed", zap.Error(err))
	}
	own.write(w)
}

// translated is an error of version 3 in the terms of version 2. What has none is internal.
func translated(err error) *Error {
	switch {
	case denied(err):
		return fail(codeUnauthorized, "Insufficient credentials", 0)
	case errors.Is(err, api.ErrRequestTooLarge), errors.Is(err, api.ErrTooManyOps):
		return fail(codeForm, err.Error(), 0)
	}
	return fail(codeInternal, err.Error(), 0)
}
