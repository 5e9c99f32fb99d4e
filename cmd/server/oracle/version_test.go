package oracle

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// makeOld lets a stopped member's database say what a member of a 3.6 cluster has.
func makeOld(t *testing.T, m *member) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(m.dir, "member", "snap", "db"), 0o600, &bbolt.Options{Timeout: time.Second})
	ok(t, err)
	ok(t, db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket([]byte("cluster")).Put([]byte("clusterVersion"), []byte("3.6.0")); err != nil {
			return err
		}
		return tx.Bucket([]byte("meta")).Put([]byte("storageVersion"), []byte("3.6.0"))
	}))
	ok(t, db.Close())
}

// awaitVersion waits until a member says a cluster version, and a storage version if there is one to be said.
func awaitVersion(t *testing.T, m *member, cluster, storage string) {
	t.Helper()
	want := fmt.Sprintf(`"etcdcluster":%q`, cluster)
	if storage != "" {
		want += fmt.Sprintf(`,"storage":%q`, storage)
	}
	body := ""
	for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, _, body = request(t, m, "GET", "/version"); strings.Contains(body, want) {
			return
		}
	}
	t.Errorf("%s %s says %s, want %s", m.kind, m.name, body, want)
}

// TestClusterVersionRises: members that come from a 3.6 cluster agree on 3.7 once all of them are of it.
func TestClusterVersionRises(t *testing.T) {
	processes(t)
	for _, kinds := range [][]kind{{etcd}, {vitrine}, {vitrine, vitrine, vitrine}} {
		members := run(t, kinds)
		_, err := dial(t, members...).Put(call(t), "k", "v")
		ok(t, err)
		for _, m := range members {
			awaitVersion(t, m, "3.7.0", "3.7.0")
		}
		for _, m := range members {
			m.stop()
		}
		for _, m := range members {
			makeOld(t, m)
			m.start()
		}
		for _, m := range members {
			m.ready()
			awaitVersion(t, m, "3.7.0", "3.7.0")
		}
		for _, m := range members {
			m.stop()
		}
	}
}

// TestClusterVersionWaitsForAll: as long as one member has not said of which release it is, the cluster is of the
// lowest there is, whichever server leads; when it comes, the version rises.
func TestClusterVersionWaitsForAll(t *testing.T) {
	processes(t)
	for _, kinds := range [][]kind{{etcd, etcd, vitrine}, {vitrine, vitrine, etcd}} {
		members := cluster(t, kinds)
		members[0].start()
		members[1].start()
		for _, m := range members[:2] {
			m.ready()
			awaitVersion(t, m, "3.0.0", "")
		}
		members[2].start()
		for _, m := range members {
			m.ready()
			awaitVersion(t, m, "3.7.0", "3.7.0")
		}
	}
}
