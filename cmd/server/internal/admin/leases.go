package admin

import (
	"errors"
	"io"
	"net/http"
	"time"

	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/pb"
)

// renewLease and leaseLeft answer what other members ask of the leader, on behalf of their clients, about leases. The
// bodies are protobuf.

func renewLease(n Node) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request := &pb.LeaseKeepAliveRequest{}
		if !readQuestion(w, r, request) {
			return
		}
		resp, err := n.Ask(r.Context(), passedOn(request))
		if err != nil {
			leaseError(w, err, http.StatusBadRequest)
			return
		}
		renewed := resp.(*pb.LeaseKeepAliveResponse)
		writeProto(w, &pb.LeaseKeepAliveResponse{ID: renewed.ID, TTL: renewed.TTL})
	}
}

func leaseLeft(n Node) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request := &pb.LeaseInternalRequest{}
		if !readQuestion(w, r, request) {
			return
		}
		inner := request.GetLeaseTimeToLiveRequest()
		if inner == nil {
			inner = &pb.LeaseTimeToLiveRequest{}
		}
		resp, err := n.Ask(r.Context(), passedOn(inner))
		if err != nil {
			leaseError(w, err, http.StatusInternalServerError)
			return
		}
		left := resp.(*pb.LeaseTimeToLiveResponse)
		left.Header = &pb.ResponseHeader{}
		writeProto(w, &pb.LeaseInternalResponse{LeaseTimeToLiveResponse: left})
	}
}

// passedOn is a question that another member was asked first.
func passedOn(body any) api.Call {
	return api.Call{Body: body, Identity: api.Identity{Own: true, Forwarded: true}}
}

// readQuestion reads the body of a POST; false means that it is answered.
func readQuestion(w http.ResponseWriter, r *http.Request, into pb.Message) bool {
	if r.Method != http.MethodPost {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return false
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(questionTimeout)) // a recorder in a test has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limits.QuestionBytes))
	_ = control.SetReadDeadline(time.Time{})
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
		return false
	case err != nil:
		http.Error(w, "error reading body", http.StatusBadRequest)
		return false
	case pb.Unmarshal(body, into) != nil:
		http.Error(w, "error unmarshalling request", http.StatusBadRequest)
		return false
	}
	return true
}

// leaseError says why there is no answer, in etcd's words.
func leaseError(w http.ResponseWriter, err error, status int) {
	switch {
	case errors.Is(err, api.ErrLeaseNotFound):
		http.Error(w, "lease not found", http.StatusNotFound)
	case errors.Is(err, api.ErrNotLeader):
		http.Error(w, "not a primary lessor", status)
	case errors.Is(err, api.ErrTimeout):
		http.Error(w, "waiting for node to catch up its applied index has timed out", http.StatusRequestTimeout)
	default:
		http.Error(w, err.Error(), status)
	}
}

func writeProto(w http.ResponseWriter, m pb.Message) {
	data, err := m.MarshalVT()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/protobuf")
	_, _ = w.Write(data) // the member that asks asks again
}
