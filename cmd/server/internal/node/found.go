package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/consensus"
	"vitrine/core/driver"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// birth is what the log of a member that has none begins with: of a new cluster, one
// conf change a member; of a member that joins a cluster and has all to learn, nothing.
func (n *Node) birth() (b driver.Birth, err error) {
	if n.cfg.Verify != nil {
		if err := n.cfg.Verify(); err != nil {
			return b, err
		}
	}
	members := n.firstMembers()
	if n.cfg.NewCluster {
		if n.cfg.Discover != nil {
			if n.cfg.Cluster, err = n.cfg.Discover(n.id); err != nil {
				return b, err
			}
			members = n.firstMembers()
		}
		if n.alreadyKnown(members) {
			return b, fmt.Errorf("member %s has already been bootstrapped", hexID(n.id))
		}
		b.Entries, b.HardState, err = consensus.Bootstrap(firstPeers(members))
	} else {
		err = n.join(members)
	}
	if err != nil {
		return b, err
	}
	n.log.Info("starting local member", zap.String("local-member-id", hexID(n.id)),
		zap.String("cluster-id", hexID(n.cluster)), zap.String("initial-cluster-token", n.cfg.Token))
	b.Metadata, err = (&pb.WALMetadata{NodeID: new(n.id), ClusterID: new(n.cluster)}).MarshalVT()
	return b, err
}

// firstMembers are the members that the flags name. Their ids follow from URLs and
// token, so that all of them agree without talking.
func (n *Node) firstMembers() []*membership.Member {
	var members []*membership.Member
	var ids []uint64
	for name, urls := range n.cfg.Cluster {
		m := &membership.Member{ID: membership.MemberID(urls, n.cfg.Token, nil), Name: name, PeerURLs: urls}
		members = append(members, m)
		ids = append(ids, m.ID)
		if name == n.cfg.Name {
			n.id = m.ID
		}
	}
	slices.SortFunc(members, func(a, b *membership.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	n.cluster = membership.ClusterID(ids)
	return members
}

func firstPeers(members []*membership.Member) []consensus.Peer {
	peers := make([]consensus.Peer, len(members))
	for i, m := range members {
		peers[i] = consensus.Peer{ID: m.ID, Context: m.Bootstrap()}
	}
	return peers
}

// bootstrapTimeout bounds the questions to others before a member is born.
const bootstrapTimeout = time.Second

// alreadyKnown asks the other first members whether this one has lived before: then its
// disk is lost, and to begin again with an empty one would break its promises.
func (n *Node) alreadyKnown(members []*membership.Member) bool {
	var asked sync.WaitGroup
	answers := make([]bool, len(members))
	for i, m := range members {
		if m.ID == n.id {
			continue
		}
		asked.Go(func() {
			cluster, theirs, err := n.askMembers(m.PeerURLs)
			answers[i] = err == nil && cluster == n.cluster &&
				slices.ContainsFunc(theirs, func(o *membership.Member) bool { return o.ID == n.id && len(o.ClientURLs) > 0 })
		})
	}
	asked.Wait()
	return slices.Contains(answers, true)
}

// askMembers asks a peer who belongs to its cluster.
func (n *Node) askMembers(urls []string) (cluster uint64, members []*membership.Member, err error) {
	connect := n.reach(bootstrapTimeout)
	transport := &http.Transport{DialContext: connect, DialTLSContext: dial.Secure(connect, n.cfg.PeerTLS)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: bootstrapTimeout}
	for _, u := range urls {
		if cluster, members, err = askMembersAt(client, u); err == nil {
			return cluster, members, nil
		}
	}
	return 0, nil, err
}

func askMembersAt(client *http.Client, url string) (uint64, []*membership.Member, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bootstrapTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, dial.URL(url, "/members"), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, nil, fmt.Errorf("%s/members answers %s", url, resp.Status)
	}
	var members []*membership.Member
	if err := json.NewDecoder(io.LimitReader(resp.Body, limits.MembersAnswerBytes)).Decode(&members); err != nil {
		return 0, nil, err
	}
	cluster, err := membership.ParseID(resp.Header.Get("X-Etcd-Cluster-ID"))
	return cluster, members, err
}

// hexID writes an id as etcd does.
func hexID(id uint64) string { return membership.IDString(id) }
