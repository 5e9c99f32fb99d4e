package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/limits"
	"vitrine/core/member"
	"vitrine/core/membership"
)

const (
	// versionInterval is how often a leader looks whether the cluster's version can follow its members' releases.
	versionInterval = 4 * time.Second
	// versionTimeout bounds the members' answers.
	versionTimeout = 2 * time.Second
)

// followVersions lets a leader tell the core of which releases the members are: at the beginning of its leadership, and
// again as long as the cluster's version is not this server's. Of the newest it tells when it is time to see whether a
// downgrade has come to its end.
func (n *Node) followVersions() {
	ticker := time.NewTicker(versionInterval)
	defer ticker.Stop()
	var ends <-chan time.Time // never, unless it is looked at
	if every := n.cfg.DowngradeCheck; every > 0 {
		downgrade := time.NewTicker(every)
		defer downgrade.Stop()
		ends = downgrade.C
	}
	for {
		ending := false
		select {
		case <-n.stopping:
			return
		case <-n.elected:
		case <-ticker.C:
		case <-ends:
			ending = true
		}
		if !n.leading.Load() || n.versionSettled() || ending && !n.Members().Downgrade().Enabled {
			continue
		}
		in := member.Input{Kind: member.Versions}
		if in.Version, in.Newest = n.releases(); !ending {
			in.Newest = nil
		}
		n.inbox.put(in)
	}
}

// versionSettled tells whether the cluster's version is this server's, and is to stay so.
func (n *Node) versionSettled() bool {
	ms := n.Members()
	v := ms.Version()
	return v != nil && *v == n.release.ToMinor() && !ms.Downgrade().Enabled
}

// releases are the oldest and the newest release among the members' servers, nil if one of them does not say.
func (n *Node) releases() (least, newest *membership.Version) {
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-n.stopping:
			cancel()
		case <-ctx.Done():
		}
	})
	connect := n.reach(0)
	transport := &http.Transport{DialContext: connect, DialTLSContext: dial.Secure(connect, n.cfg.PeerTLS),
		DisableKeepAlives: true}
	client := &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	members := n.Members().List()
	found := make([]*membership.Version, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		if m.ID == n.id {
			found[i] = &n.release
			continue
		}
		asking.Go(func() {
			v, err := askVersion(ctx, client, m.PeerURLs)
			if err != nil {
				n.log.Warn("failed to get version", zap.String("remote-member-id", hexID(m.ID)), zap.Error(err))
				return
			}
			found[i] = &v
		})
	}
	asking.Wait()
	for _, v := range found {
		if v == nil {
			return nil, nil
		}
		if least == nil || v.Compare(*least) < 0 {
			least = v
		}
		if newest == nil || v.Compare(*newest) > 0 {
			newest = v
		}
	}
	return least, newest
}

// versionsSaid is what a member says of versions.
type versionsSaid struct {
	Server  string `json:"etcdserver"`
	Cluster string `json:"etcdcluster"`
}

// askVersion asks a member of which release its server is, at one of its URLs after the other.
func askVersion(ctx context.Context, client *http.Client, urls []string) (membership.Version, error) {
	answer, err := askVersions(ctx, client, urls)
	if err != nil {
		return membership.Version{}, err
	}
	return membership.ParseVersion(answer.Server)
}

// askVersions asks a member what it says of versions. An answer that names no release is none.
func askVersions(ctx context.Context, client *http.Client, urls []string) (answer versionsSaid, err error) {
	err = fmt.Errorf("the member has no peer URL")
	for _, u := range urls {
		var body []byte
		if body, err = get(ctx, client, dial.URL(u, "/version")); err != nil {
			continue
		}
		if err = json.Unmarshal(body, &answer); err == nil {
			_, err = membership.ParseVersion(answer.Server)
		}
		if err == nil {
			return answer, nil
		}
		err = fmt.Errorf("%s: %w", u, err)
	}
	return versionsSaid{}, err
}

// get reads a short answer.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, limits.QuestionBytes))
}
