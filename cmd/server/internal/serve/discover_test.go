package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/port"
)

// Members that know a token find one another, those who are too many are refused.
func TestDiscovery(t *testing.T) {
	meeting := newCluster(t, 1)
	meeting.put(0, "/_etcd/registry/t/_config/size", "2")
	meeting.put(0, "/_etcd/registry/bad/_config/size", "many")
	founded := func(i int, token string) (*Server, error) {
		client, peer := port.Free(t), port.Free(t)
		cfg, err := config.Parse([]string{fmt.Sprintf("--name=m%d", i), "--data-dir=" + filepath.Join(t.TempDir(), "m"),
			"--heartbeat-interval=30", "--election-timeout=300", "--discovery-token=" + token,
			"--discovery-endpoints=http://" + meeting.clients[0],
			"--listen-client-urls=http://" + client, "--advertise-client-urls=http://" + client,
			"--listen-peer-urls=http://" + peer, "--initial-advertise-peer-urls=http://" + peer}, nil, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		return Start(cfg, zap.NewNop(), testPage)
	}
	var servers [2]*Server
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() {
			s, err := founded(i, "t")
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
			<-s.node.Ready()
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	if n := len(servers[0].node.Members().List()); n != 2 || servers[0].node.ClusterID() != servers[1].node.ClusterID() {
		t.Errorf("%d members", n)
	}
	for token, want := range map[string]string{"t": "discovery: cluster is full", "bad": "discovery: size key is bad",
		"none": "discovery: size key not found"} {
		if _, err := founded(7, token); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", token, err)
		}
	}
	for _, s := range servers {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}
