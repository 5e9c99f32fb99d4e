package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// promoteAt asks the leader, at one of its URLs, to promote a learner. The client's token goes with the question.
func (n *Node) promoteAt(ctx context.Context, base string, id uint64, token string) (any, error) {
	url := dial.URL(base, fmt.Sprintf("/members/promote/%d", id))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := n.forwarder.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limits.MembersAnswerBytes))
	if err != nil {
		return nil, err
	}
	return promotion(resp.StatusCode, body)
}

// promotion reads the leader's answer. Two refusals have one status; their texts tell them apart.
func promotion(status int, body []byte) (any, error) {
	switch {
	case status == http.StatusNotFound:
		return nil, api.ErrMemberNotFound
	case status == http.StatusPreconditionFailed && strings.Contains(string(body), api.ErrLearnerNotReady.Text):
		return nil, api.ErrLearnerNotReady
	case status == http.StatusPreconditionFailed && strings.Contains(string(body), membership.ErrMemberNotLearner.Error()):
		return nil, api.ErrMemberNotLearner
	case status != http.StatusOK:
		return nil, fmt.Errorf("member promote: unknown error(%.200s)", body)
	}
	var list []*membership.Member
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	return &pb.MemberPromoteResponse{Members: api.DescribeMembers(list)}, nil
}
