package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"vitrine/cmd/server/internal/authority"
	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/port"
	"vitrine/core/pb"
)

// A service behind TLS is reached by the name that its certificate has.
func TestDiscoveryOverTLS(t *testing.T) {
	a, client, peer := authority.New(t), port.Free(t), port.Free(t)
	pair := a.Issue(authority.Wish{Name: "service", Hosts: []string{"127.0.0.1"}})
	start(t, "--listen-client-urls=https://"+client, "--advertise-client-urls=https://"+client,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer, "--initial-cluster=m=http://"+peer,
		"--cert-file="+pair.Cert, "--key-file="+pair.Key, "--trusted-ca-file="+a.File)
	put := &pb.PutRequest{Key: []byte("/_etcd/registry/t/_config/size"), Value: []byte("1")}
	conn, err := grpc.NewClient(client, grpc.WithTransportCredentials(credentials.NewTLS(a.Client(pair))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Invoke(t.Context(), "/etcdserverpb.KV/Put", put, &pb.PutResponse{}); err != nil {
		t.Fatal(err)
	}
	found, own := port.Free(t), port.Free(t)
	start(t, "--discovery-token=t", "--discovery-endpoints=https://"+client, "--discovery-cacert="+a.File,
		"--discovery-cert="+pair.Cert, "--discovery-key="+pair.Key,
		"--listen-client-urls=http://"+own, "--advertise-client-urls=http://"+own,
		"--listen-peer-urls=http://"+found, "--initial-advertise-peer-urls=http://"+found)
}

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
