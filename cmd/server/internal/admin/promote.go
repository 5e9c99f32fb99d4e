package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"vitrine/core/api"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

const promotePath = "/members/promote/"

// promote lets a learner vote, because another member asks on behalf of its client, whose token it passes on.
func promote(n Node, log *zap.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("X-Etcd-Cluster-ID", membership.IDString(n.ClusterID()))
		text := strings.TrimPrefix(r.URL.Path, promotePath)
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			http.Error(w, fmt.Sprintf("member %s not found in cluster", text), http.StatusNotFound)
			return
		}
		who := api.Identity{}
		if token := r.Header.Get("Authorization"); token != "" {
			who = n.Identify(token)
		}
		who.Forwarded = true
		resp, err := n.Ask(r.Context(), api.Call{Body: &pb.MemberPromoteRequest{ID: id}, Identity: who})
		if err != nil {
			log.Warn("failed to promote a member", zap.String("member-id", membership.IDString(id)), zap.Error(err))
			promoteError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(recorded(resp.(*pb.MemberPromoteResponse).Members)); err != nil {
			log.Warn("failed to encode members response", zap.Error(err))
		}
	}
}

// recorded is the list of members as other members read it.
func recorded(list []*pb.Member) []*membership.Member {
	members := make([]*membership.Member, len(list))
	for i, m := range list {
		members[i] = &membership.Member{
			ID: m.ID, PeerURLs: m.PeerURLs, IsLearner: m.IsLearner, Name: m.Name, ClientURLs: m.ClientURLs,
		}
	}
	return members
}

// promoteError says why a member is not promoted, in etcd's words, by which the member that asked knows the reason.
func promoteError(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, api.ErrMemberNotFound):
		http.Error(w, membership.ErrIDNotFound.Error(), http.StatusNotFound)
	case errors.Is(err, api.ErrMemberNotLearner):
		http.Error(w, membership.ErrMemberNotLearner.Error(), http.StatusPreconditionFailed)
	case errors.Is(err, api.ErrLearnerNotReady):
		http.Error(w, err.Error(), http.StatusPreconditionFailed)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"message":"Internal Server Error"}`)
	}
}
