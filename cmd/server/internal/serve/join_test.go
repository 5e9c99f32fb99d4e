package serve

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/cmd/server/internal/port"
	"vitrine/core/pb"
)

// TestASecondVoterJoins: as long as the second of two voters has not started there is no quorum, so nobody can tell it
// whether the cluster is being downgraded. It starts nevertheless.
func TestASecondVoterJoins(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "key", "value")
	peer, client := port.Free(t), port.Free(t)
	add := &pb.MemberAddRequest{PeerURLs: []string{"http://" + peer}}
	if _, err := call[pb.MemberAddResponse](c, 0, "/etcdserverpb.Cluster/MemberAdd", add); err != nil {
		t.Fatal(err)
	}
	first := c.servers[0].cfg.InitialCluster.String()
	c.flags = append(c.flags, []string{
		"--name=m1", "--data-dir=" + filepath.Join(t.TempDir(), "m1"), "--log-level=error",
		"--listen-client-urls=http://" + client, "--advertise-client-urls=http://" + client,
		"--listen-peer-urls=http://" + peer, "--initial-advertise-peer-urls=http://" + peer,
		"--initial-cluster=" + strings.Join([]string{first, fmt.Sprintf("m1=http://%s", peer)}, ","),
		"--initial-cluster-state=existing", "--heartbeat-interval=30", "--election-timeout=300",
	})
	c.servers, c.conns, c.clients = append(c.servers, nil), append(c.conns, nil), append(c.clients, client)
	c.restart(1)
	c.put(1, "key", "newer")
	if got := c.get(0, "key"); got != "newer" {
		t.Errorf("the first member has %q", got)
	}
}
