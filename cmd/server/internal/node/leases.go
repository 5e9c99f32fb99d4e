package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/api"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/pb"
)

const (
	// forwardsAtOnce bounds the questions that are put to other members at a time.
	forwardsAtOnce = 64
	// maxForwardAnswer bounds an answer in bytes: it may name all keys of a lease.
	maxForwardAnswer = 100 << 20
)

// reach is how other members are reached over the network; without a timeout the context bounds it.
func (n *Node) reach(timeout time.Duration) dial.Func {
	return dial.With(&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, LocalAddr: n.cfg.LocalAddr})
}

// newForwarder is the client that puts questions to other members.
func (n *Node) newForwarder() *http.Client {
	connect := n.cfg.Dial
	if connect == nil {
		connect = n.reach(time.Second)
	}
	return &http.Client{
		Transport: &http.Transport{DialContext: connect, DialTLSContext: dial.Secure(connect, n.cfg.PeerTLS),
			MaxIdleConnsPerHost: forwardsAtOnce, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// PeerClient puts questions to other members.
func (n *Node) PeerClient() *http.Client { return n.forwarder }

// forward puts a question to the member that leads, and tells the core what it answers.
func (n *Node) forward(f api.Forward) {
	timeout := limits.RequestTimeout + 2*time.Duration(n.cfg.ElectionTicks)*n.cfg.TickInterval
	ctx, cancel := context.WithTimeout(n.ctx, timeout)
	defer cancel()
	resp, err := n.askPeer(ctx, f)
	n.inbox.put(member.Input{Kind: member.Forwarded, ID: f.ID, Response: resp, Err: err})
}

// askPeer asks at one of the peer's URLs after the other.
func (n *Node) askPeer(ctx context.Context, f api.Forward) (any, error) {
	m := n.Members().Get(f.Peer)
	if m == nil {
		return nil, fmt.Errorf("node: %s is no member", hexID(f.Peer))
	}
	err := fmt.Errorf("node: %s has no peer URL", hexID(f.Peer))
	for _, u := range m.PeerURLs {
		var resp any
		if resp, err = n.askPeerAt(ctx, u, &f); err == nil || final(api.AsError(err)) {
			return resp, err
		}
	}
	return nil, err
}

// final tells whether an error is the leader's answer, which others would not give otherwise.
func final(err *api.Error) bool {
	switch err {
	case api.ErrLeaseNotFound, api.ErrLearnerNotReady, api.ErrMemberNotFound, api.ErrMemberNotLearner:
		return true
	}
	return false
}

func (n *Node) askPeerAt(ctx context.Context, base string, f *api.Forward) (any, error) {
	switch r := f.Body.(type) {
	case *pb.MemberPromoteRequest:
		return n.promoteAt(ctx, base, r.ID, f.Token)
	case *pb.LeaseKeepAliveRequest:
		resp := &pb.LeaseKeepAliveResponse{}
		err := n.post(ctx, dial.URL(base, "/leases"), r, resp)
		if err == nil && resp.ID != r.ID {
			err = fmt.Errorf("node: asked about lease %x, heard of %x", r.ID, resp.ID)
		}
		if err != nil {
			return nil, err
		}
		return resp, nil
	case *pb.LeaseTimeToLiveRequest:
		resp := &pb.LeaseInternalResponse{}
		err := n.post(ctx, dial.URL(base, "/leases/internal"), &pb.LeaseInternalRequest{LeaseTimeToLiveRequest: r}, resp)
		inner := resp.GetLeaseTimeToLiveResponse()
		if err == nil && inner.GetID() != r.ID {
			err = fmt.Errorf("node: asked about lease %x, heard of %x", r.ID, inner.GetID())
		}
		if err != nil {
			return nil, err
		}
		return inner, nil
	}
	return nil, fmt.Errorf("node: %T cannot be put to another member", f.Body)
}

// post sends one message and reads the other.
func (n *Node) post(ctx context.Context, url string, m, answer pb.Message) error {
	data, err := m.MarshalVT()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/protobuf")
	resp, err := n.forwarder.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxForwardAnswer))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusNotFound:
		return api.ErrLeaseNotFound
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("node: %s answers %s: %.200s", url, resp.Status, data)
	}
	return pb.Unmarshal(data, answer)
}

// countLeases notes the leases' figures for metrics. The core loop calls it at every tick.
func (n *Node) countLeases() {
	renewed, revoked := n.member.LeaseCounts()
	n.metrics.LeasesRenewed.Store(renewed)
	n.metrics.LeasesExpired.Store(revoked)
}
