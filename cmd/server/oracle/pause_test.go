package oracle

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// signal sends a signal to the process.
func (m *member) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Fatal(err)
	}
}

// TestPausedLeaderReadsNothingStale stops the leader's process, lets the others
// elect and write, and wakes it: it still believes that it leads, and a
// linearizable read must not be answered from what it knows.
func TestPausedLeaderReadsNothingStale(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine})
	for round := range 3 {
		old := leader(t, members)
		sleeper := dial(t, old)
		_, err := sleeper.Put(call(t), "key", fmt.Sprint("old ", round))
		ok(t, err)
		old.signal(syscall.SIGSTOP)
		var rest []*member
		for _, m := range members {
			if m != old {
				rest = append(rest, m)
			}
		}
		newLeader(t, rest, old)
		want := fmt.Sprint("new ", round)
		_, err = dial(t, rest...).Put(call(t), "key", want)
		ok(t, err)
		// Asked while it sleeps: the first thing that it hears when it wakes.
		answers := make(chan string, 20)
		for range cap(answers) {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
				defer cancel()
				resp, err := sleeper.Get(ctx, "key")
				if err != nil {
					answers <- "error: " + err.Error()
					return
				}
				answers <- string(resp.Kvs[0].Value)
			}()
		}
		time.Sleep(200 * time.Millisecond)
		old.signal(syscall.SIGCONT)
		answered := 0
		for range cap(answers) {
			switch a := <-answers; {
			case a == want:
				answered++
			case !strings.HasPrefix(a, "error: "):
				t.Fatalf("round %d: a linearizable read found %q after %q was acknowledged", round, a, want)
			}
		}
		t.Logf("%d of %d reads were answered", answered, cap(answers))
		old.ready()
		agree(t, members)
	}
}

// TestAllKilledAtOnce takes the power from three members under load.
func TestAllKilledAtOnce(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine}, "--snapshot-count", "1000", "--snapshot-catchup-entries", "100")
	load := startWriters(t, members, 8)
	for range 3 {
		time.Sleep(700 * time.Millisecond)
		for _, m := range members {
			m.signal(syscall.SIGKILL)
		}
		for _, m := range members {
			m.wait(10 * time.Second)
			m.start()
		}
		for _, m := range members {
			m.ready()
		}
	}
	acked, _ := load.end()
	agree(t, members)
	for _, m := range members {
		if lost := load.missing(t, m); len(lost) > 0 {
			t.Errorf("%s has lost %d of %d acknowledged writes, the first are %v", m.name, len(lost), acked,
				lost[:min(5, len(lost))])
		}
	}
	if acked < 100 {
		t.Errorf("only %d writes were acknowledged", acked)
	}
}

// TestKilledWhileCompacting kills a member that has promised a compaction and
// not finished it; the other server, and then it itself, must finish it and
// come to the same hash as a member that was left in peace.
func TestKilledWhileCompacting(t *testing.T) {
	processes(t)
	for _, first := range []kind{etcd, vitrine} {
		t.Run(string(first), func(t *testing.T) {
			m := run(t, []kind{first})[0]
			c := dial(t, m)
			value := strings.Repeat("v", 100)
			var rev int64
			for i := range 120 {
				ops := []clientv3.Op{}
				for j := range 100 {
					ops = append(ops, clientv3.OpPut(fmt.Sprintf("k%d", (i*37+j)%3000), value))
				}
				resp, err := c.Txn(call(t)).Then(ops...).Commit()
				ok(t, err)
				rev = resp.Header.Revision
			}
			before, err := m.fingerprint(rev)
			ok(t, err)
			_, err = c.Compact(call(t), rev-10)
			ok(t, err)
			m.kill()
			prints := map[kind]fingerprint{}
			for _, k := range []kind{vitrine, etcd, vitrine} {
				m.kind = k
				m.start()
				m.ready()
				deadline := time.Now().Add(callTimeout)
				for prints[k].Compact != rev-10 || prints[k].Hash == before.Hash {
					if prints[k], err = m.fingerprint(rev); err != nil || time.Now().After(deadline) {
						t.Fatalf("%s: %+v, %v; before %+v", k, prints[k], err, before)
					}
				}
				settle(t, m)
				m.kill()
			}
			if prints[etcd] != prints[vitrine] {
				t.Errorf("after the compaction: %+v", prints)
			}
		})
	}
}

// settle waits until the hash of a member's keys does not change any more.
func settle(t *testing.T, m *member) fingerprint {
	t.Helper()
	last := fingerprint{}
	for same := 0; same < 5; {
		f, err := m.fingerprint(0)
		ok(t, err)
		if f == last {
			same++
		} else {
			same = 0
		}
		last = f
		time.Sleep(40 * time.Millisecond)
	}
	return last
}
