package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/limits"
	"vitrine/core/membership"
)

// A member that joins a cluster asks one that is there. What its flags say of the members must be what that one says,
// URL by URL, or it would talk to others than the cluster does.

// join learns this member's id and the cluster's from members that are running.
func (n *Node) join(members []*membership.Member) error {
	cluster, theirs, err := n.askAny(otherURLs(members, n.cfg.Name))
	if err != nil {
		return fmt.Errorf("cannot fetch cluster info from peer urls: %w", err)
	}
	id, err := match(members, theirs, n.cfg.Name)
	if err != nil {
		return fmt.Errorf("error validating peerURLs %s: %w", describe(cluster, theirs), err)
	}
	n.cluster, n.id = cluster, id
	if !n.compatible(theirs) {
		return errors.New("incompatible with current running cluster")
	}
	learners := 0
	for _, m := range theirs {
		if m.IsLearner {
			learners++
		}
	}
	if most := n.cfg.Disk.MaxLearners; most == 0 && learners > 1 || most != 0 && learners > max(most, 0) {
		return membership.ErrTooManyLearners
	}
	return nil
}

// otherURLs are the peer URLs of all members but one, sorted.
func otherURLs(members []*membership.Member, but string) (urls []string) {
	for _, m := range members {
		if m.Name != but {
			urls = append(urls, m.PeerURLs...)
		}
	}
	slices.Sort(urls)
	return urls
}

// askAny asks for the members, at one URL after the other.
func (n *Node) askAny(urls []string) (cluster uint64, members []*membership.Member, err error) {
	for _, u := range urls {
		var failed error
		if cluster, members, failed = n.askMembers([]string{u}); failed == nil {
			if len(members) == 0 {
				return 0, nil, errors.New("failed to get raft cluster member(s) from the given URLs")
			}
			return cluster, members, nil
		}
		err = failed
	}
	return 0, nil, errors.Join(errors.New("could not retrieve cluster information from the given URLs"), err)
}

// match finds for each member of the cluster the one of the flags that has its URLs, and returns the id of ours.
func match(flags, theirs []*membership.Member, name string) (own uint64, err error) {
	if len(flags) != len(theirs) {
		return 0, errors.New("member count is unequal")
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	for _, m := range theirs {
		at := slices.IndexFunc(flags, func(f *membership.Member) bool { return sameURLs(ctx, f.PeerURLs, m.PeerURLs) })
		if at < 0 {
			return 0, fmt.Errorf("PeerURLs: no match found for existing member (%s, %v)", hexID(m.ID), m.PeerURLs)
		}
		if flags[at].Name == name {
			own = m.ID
		}
	}
	if own == 0 {
		return 0, fmt.Errorf("the cluster has no member with the peer URLs of %s", name)
	}
	return own, nil
}

// downgradeTimeout bounds the question whether the cluster is being downgraded.
const downgradeTimeout = 2 * time.Second

// resolveTimeout bounds what name servers may take.
const resolveTimeout = 30 * time.Second

// sameURLs tells whether two lists name the same sockets, as they are written or after a look at name servers.
func sameURLs(ctx context.Context, a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b) || len(a) == len(b) && slices.Equal(resolved(ctx, a), resolved(ctx, b))
}

// resolved are URLs with addresses in place of names, sorted. A name that nobody knows stays.
func resolved(ctx context.Context, urls []string) []string {
	out := slices.Clone(urls)
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		addrs, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
		if err != nil || len(addrs) == 0 {
			continue
		}
		u.Host = net.JoinHostPort(slices.Min(addrs), u.Port())
		out[i] = u.String()
	}
	slices.Sort(out)
	return out
}

// describe writes a cluster into a line, in etcd's form.
func describe(cluster uint64, members []*membership.Member) string {
	var parts []string
	for _, m := range members {
		parts = append(parts, fmt.Sprintf(
			"&{ID:%s RaftAttributes:{PeerURLs:%v IsLearner:%t} Attributes:{Name:%s ClientURLs:%v}}",
			hexID(m.ID), m.PeerURLs, m.IsLearner, m.Name, m.ClientURLs))
	}
	return fmt.Sprintf("{ClusterID:%s Members:[%s] RemovedMemberIDs:[]}", hexID(cluster), strings.Join(parts, " "))
}

// compatible tells whether the others' cluster version is one that this server can speak: of all that answer, and of
// one at least. In a downgrade it is the one above ours.
func (n *Node) compatible(members []*membership.Member) bool {
	connect := n.reach(0)
	client := &http.Client{Transport: &http.Transport{DialContext: connect,
		DialTLSContext: dial.Secure(connect, n.cfg.PeerTLS), DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	versions := n.clusterVersions(client, members)
	least, most := membership.MinVersion, n.release.ToMinor()
	if n.downgrading(client, members) {
		most.Minor++
		least = most
	}
	for id, v := range versions {
		if v.Compare(least) < 0 || v.Compare(most) > 0 {
			n.log.Warn("cluster version of remote member is not compatible", zap.String("remote-member-id", hexID(id)),
				zap.Stringer("remote-member-cluster-version", v), zap.Stringer("minimum-cluster-version-supported", least),
				zap.Stringer("maximum-cluster-version-supported", most))
			return false
		}
	}
	return len(versions) > 0
}

// clusterVersions are those that the other members tell, of all that have one and answer.
func (n *Node) clusterVersions(client *http.Client, members []*membership.Member) map[uint64]membership.Version {
	ctx, cancel := context.WithTimeout(context.Background(), limits.RequestTimeout)
	defer cancel()
	versions := map[uint64]membership.Version{}
	for _, m := range members {
		if m.ID == n.id {
			continue
		}
		answer, err := askVersions(ctx, client, m.PeerURLs)
		if err != nil {
			n.log.Warn("failed to get version", zap.String("remote-member-id", hexID(m.ID)), zap.Error(err))
			continue
		}
		if v, err := membership.ParseVersion(answer.Cluster); err == nil { // else it is not decided yet
			versions[m.ID] = v
		}
	}
	return versions
}

// downgrading asks the others whether the cluster is on its way to an older version. The first answer counts. While
// there is no quorum, and this member may be the one that is missing, nobody answers: then it is on none.
func (n *Node) downgrading(client *http.Client, members []*membership.Member) bool {
	ctx, cancel := context.WithTimeout(context.Background(), downgradeTimeout)
	defer cancel()
	for _, m := range members {
		if m.ID == n.id {
			continue
		}
		for _, u := range m.PeerURLs {
			body, err := get(ctx, client, dial.URL(u, "/downgrade/enabled"))
			if err != nil {
				continue
			}
			if on, err := strconv.ParseBool(string(body)); err == nil {
				return on
			}
		}
	}
	return false
}
