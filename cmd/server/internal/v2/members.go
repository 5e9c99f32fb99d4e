package v2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"vitrine/core/api"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

const membersPrefix = "/v2/members"

// memberAnswer is a member as clients see it.
type memberAnswer struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

func answerOf(m *pb.Member) memberAnswer {
	return memberAnswer{membership.IDString(m.ID), m.Name, append([]string{}, m.PeerURLs...),
		append([]string{}, m.ClientURLs...)}
}

// serveMembers lists members, and changes them.
func (h *Handler) serveMembers(w http.ResponseWriter, r *http.Request) {
	if !only(w, r, http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut) {
		return
	}
	w.Header().Set("X-Etcd-Cluster-Id", membership.IDString(h.door.ClusterID()))
	ctx, cancel := context.WithTimeout(r.Context(), h.cfg.Timeout)
	defer cancel()
	rest := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, membersPrefix), "/")
	var id uint64
	if r.Method == http.MethodDelete || r.Method == http.MethodPut {
		if rest == "" {
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		var err error
		if id, err = membership.ParseID(rest); err != nil {
			say(w, http.StatusNotFound, "No such member: "+rest)
			return
		}
	}
	switch r.Method {
	case http.MethodGet:
		h.listMembers(ctx, w, r, rest)
	case http.MethodPost:
		h.addMember(ctx, w, r)
	case http.MethodDelete:
		if h.door.Members().IsRemoved(id) {
			say(w, http.StatusGone, "Member permanently removed: "+membership.IDString(id))
			return
		}
		h.changeMember(ctx, w, r, id, &pb.MemberRemoveRequest{ID: id})
	case http.MethodPut:
		if urls, ok := peerURLs(w, r); ok {
			h.changeMember(ctx, w, r, id, &pb.MemberUpdateRequest{ID: id, PeerURLs: urls})
		}
	}
}

func (h *Handler) listMembers(ctx context.Context, w http.ResponseWriter, r *http.Request, which string) {
	members, err := h.members(ctx, r)
	switch {
	case err != nil:
		sayError(w, err)
	case which == "":
		all := []memberAnswer{}
		for _, m := range members {
			all = append(all, answerOf(m))
		}
		writeJSON(w, http.StatusOK, map[string]any{"members": all})
	case which == "leader":
		leader := h.door.Leader()
		for _, m := range members {
			if m.ID == leader {
				writeJSON(w, http.StatusOK, answerOf(m))
				return
			}
		}
		say(w, http.StatusServiceUnavailable, "During election")
	default:
		say(w, http.StatusNotFound, "Not found")
	}
}

// members are those that this member knows of.
func (h *Handler) members(ctx context.Context, r *http.Request) (members []*pb.Member, err error) {
	err = h.as(ctx, r, func(who api.Identity) error {
		resp, err := ask[pb.MemberListResponse](ctx, h.keys, who, &pb.MemberListRequest{})
		members = resp.GetMembers()
		return err
	})
	return members, err
}

func (h *Handler) addMember(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	urls, ok := peerURLs(w, r)
	if !ok {
		return
	}
	var added *pb.MemberAddResponse
	err := h.as(ctx, r, func(who api.Identity) (err error) {
		added, err = ask[pb.MemberAddResponse](ctx, h.keys, who, &pb.MemberAddRequest{PeerURLs: urls})
		return err
	})
	if err != nil {
		sayError(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, answerOf(added.Member))
}

func (h *Handler) changeMember(ctx context.Context, w http.ResponseWriter, r *http.Request, id uint64, body any) {
	err := h.as(ctx, r, func(who api.Identity) error {
		_, err := h.door.Ask(ctx, api.Call{Body: body, Identity: who})
		return err
	})
	switch {
	case errors.Is(err, api.ErrMemberNotFound):
		say(w, http.StatusNotFound, "No such member: "+membership.IDString(id))
	case err != nil:
		sayError(w, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// peerURLs reads the body of a request about a member.
func peerURLs(w http.ResponseWriter, r *http.Request) (urls []string, ok bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" || err != nil {
		say(w, http.StatusUnsupportedMediaType, fmt.Sprintf("Bad Content-Type %s, accept application/json", kind))
		return nil, false
	}
	var body struct {
		PeerURLs []string `json:"peerURLs"`
	}
	if err = json.NewDecoder(r.Body).Decode(&body); err == nil {
		if len(body.PeerURLs) == 0 {
			err = errors.New("no valid URLs given")
		} else {
			urls, err = membership.PeerURLs(body.PeerURLs)
		}
	}
	if err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return nil, false
	}
	return urls, true
}

// serveMachines names the client URLs of all members.
func (h *Handler) serveMachines(w http.ResponseWriter, r *http.Request) {
	if !only(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.cfg.Timeout)
	defer cancel()
	members, err := h.members(ctx, r)
	if err != nil {
		sayError(w, err)
		return
	}
	var urls []string
	for _, m := range members {
		urls = append(urls, m.ClientURLs...)
	}
	fmt.Fprint(w, strings.Join(urls, ", "))
}

// sayError answers what is not about a node with an error.
func sayError(w http.ResponseWriter, err error) {
	switch {
	case denied(err):
		say(w, http.StatusUnauthorized, "Insufficient credentials")
	case errors.Is(err, api.ErrPeerURLExist):
		say(w, http.StatusConflict, membership.ErrPeerURLExists.Error())
	case errors.Is(err, api.ErrMemberExist):
		say(w, http.StatusConflict, membership.ErrIDExists.Error())
	default:
		say(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

func say(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"message": message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may have gone
}
