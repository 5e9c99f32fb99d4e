package oracle

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// populate writes a mixture of puts, deletes and transactions, and compacts on the
// way. Every call makes other keys than the one before.
func populate(t *testing.T, m *member, round, n int) {
	t.Helper()
	c := dial(t, m)
	for i := range n {
		key := fmt.Sprintf("r%d/%d", round, i%97)
		switch i % 11 {
		case 3:
			_, err := c.Delete(call(t), fmt.Sprintf("r%d/%d", round, i%13), clientv3.WithPrefix())
			ok(t, err)
		case 7:
			_, err := c.Txn(call(t)).If(clientv3.Compare(clientv3.Version(key), ">", 0)).
				Then(clientv3.OpPut(key, "then"), clientv3.OpDelete(key+"x"),
					clientv3.OpGet("r", clientv3.WithPrefix(), clientv3.WithLimit(3))).
				Else(clientv3.OpPut(key, "else"), clientv3.OpPut(key+"x", "other")).Commit()
			ok(t, err)
		default:
			resp, err := c.Put(call(t), key, strings.Repeat(key, i%40))
			ok(t, err)
			if i == n/2 {
				_, err = c.Compact(call(t), resp.Header.Revision-20, clientv3.WithCompactPhysical())
				ok(t, err)
			}
		}
	}
}

// become boots other on the member's directory and compares revision,
// compact revision and hash with what was seen before.
func become(t *testing.T, m *member, other kind, before fingerprint) {
	t.Helper()
	m.kind = other
	m.start()
	m.ready()
	after, err := m.fingerprint(0)
	ok(t, err)
	if after != before {
		t.Fatalf("%s finds %+v, want %+v", other, after, before)
	}
}

// TestDataDirectoriesAreExchanged lets both servers take turns on one data
// directory, after orderly stops and after kill -9, across compactions and
// raft snapshots.
func TestDataDirectoriesAreExchanged(t *testing.T) {
	processes(t)
	for _, first := range []kind{etcd, vitrine} {
		for _, end := range []string{"stop", "kill"} {
			t.Run(fmt.Sprintf("%s first, %s", first, end), func(t *testing.T) {
				other := map[kind]kind{etcd: vitrine, vitrine: etcd}
				m := cluster(t, []kind{first}, "--snapshot-count", "100", "--snapshot-catchup-entries", "20")[0]
				if end == "stop" { // and the log elsewhere
					m.args = append(m.args, "--wal-dir", m.dir+"-wal")
				}
				m.start()
				m.ready()
				for round := range 4 {
					populate(t, m, round, 240)
					before, err := m.fingerprint(0)
					ok(t, err)
					if before.Revision < int64(100*round) || before.Compact == 0 {
						t.Fatalf("nothing was written: %+v", before)
					}
					if end == "stop" {
						m.stop()
					} else {
						m.kill()
					}
					become(t, m, other[m.kind], before)
				}
				status, err := m.status()
				ok(t, err)
				if len(status.Errors) > 0 {
					t.Errorf("errors: %v", status.Errors)
				}
			})
		}
	}
}

// TestDataDirectoriesWithLongLogs writes more than one WAL segment.
func TestDataDirectoriesWithLongLogs(t *testing.T) {
	processes(t)
	other := map[kind]kind{etcd: vitrine, vitrine: etcd}
	for _, first := range []kind{etcd, vitrine} {
		t.Run(string(first)+" first", func(t *testing.T) {
			m := run(t, []kind{first})[0]
			for range 2 {
				c := dial(t, m)
				for i := range 50 {
					_, err := c.Put(call(t), fmt.Sprintf("big/%d", i%5), strings.Repeat("x", 1_400_000))
					ok(t, err)
				}
				before, err := m.fingerprint(0)
				ok(t, err)
				m.kill()
				become(t, m, other[m.kind], before)
			}
		})
	}
}

// TestSnapshotsAreRestored saves a snapshot of each server with etcdctl,
// restores it with etcdutl, and boots the other one on the result.
func TestSnapshotsAreRestored(t *testing.T) {
	processes(t)
	for _, first := range []kind{etcd, vitrine} {
		t.Run("of "+string(first), func(t *testing.T) {
			m := run(t, []kind{first})[0]
			populate(t, m, 0, 200)
			before, err := m.fingerprint(0)
			ok(t, err)
			snapshot := filepath.Join(t.TempDir(), "snapshot.db")
			if o := ctl(t, []*member{m}, "", "snapshot", "save", snapshot); o.Code != 0 {
				t.Fatalf("save: %+v", o)
			}
			m.kill()
			for _, second := range []kind{vitrine, etcd} {
				m.dir = filepath.Join(t.TempDir(), m.name)
				restore := exec.Command(binary(t, "etcdutl"), "snapshot", "restore", snapshot, "--data-dir", m.dir, "--name",
					m.name,
					"--initial-cluster", m.name+"="+m.peer, "--initial-advertise-peer-urls", m.peer, "--initial-cluster-token",
					"oracle")
				if o := command(t, restore, ""); o.Code != 0 {
					t.Fatalf("restore: %+v", o)
				}
				become(t, m, second, before)
				populate(t, m, 1, 30)
				m.stop()
			}
		})
	}
}
