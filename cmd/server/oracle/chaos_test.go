package oracle

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// writers put numbered keys until they are stopped, and remember which ones
// were acknowledged.
type writers struct {
	stop  context.CancelFunc
	wait  sync.WaitGroup
	acked [][]int // by writer
	tries []int

	clients []*clientv3.Client
}

func startWriters(t *testing.T, members []*member, n int) *writers {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w := &writers{stop: stop, acked: make([][]int, n), tries: make([]int, n)}
	for i := range n {
		c := dial(t, members...)
		w.clients = append(w.clients, c)
		w.wait.Go(func() {
			for try := 0; ctx.Err() == nil; try++ {
				w.tries[i] = try + 1
				one, cancel := context.WithTimeout(ctx, 2*time.Second)
				_, err := c.Put(one, chaosKey(i, try), fmt.Sprint(try))
				cancel()
				if err == nil {
					w.acked[i] = append(w.acked[i], try)
				}
			}
		})
	}
	return w
}

func chaosKey(writer, try int) string { return fmt.Sprintf("load/%d/%d", writer, try) }

func (w *writers) end() (acked, tries int) {
	w.stop()
	w.wait.Wait()
	for i := range w.acked {
		acked += len(w.acked[i])
		tries += w.tries[i]
	}
	return acked, tries
}

// missing returns the acknowledged keys that a member does not have.
func (w *writers) missing(t *testing.T, m *member) (out []string) {
	t.Helper()
	c := dial(t, m)
	for i := range w.acked {
		resp, err := c.Get(call(t), fmt.Sprintf("load/%d/", i), clientv3.WithPrefix(), clientv3.WithSerializable())
		ok(t, err)
		have := map[string]string{}
		for _, kv := range resp.Kvs {
			have[string(kv.Key)] = string(kv.Value)
		}
		for _, try := range w.acked[i] {
			if value, there := have[chaosKey(i, try)]; !there || value != fmt.Sprint(try) {
				out = append(out, chaosKey(i, try))
			}
		}
	}
	return out
}

// maxElection is how long a cluster may be without a leader at default
// timeouts (an election timeout is 1 to 2 seconds).
const maxElection = 3 * time.Second

// TestLeaderKilled kills the leader of three members under load, again and
// again (VITRINE_CHAOS times), and restarts it. No acknowledged write may be
// lost, all members must end up equal, and there must be a new leader soon.
func TestLeaderKilled(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine}, "--snapshot-count", "2000", "--snapshot-catchup-entries", "500")
	load := startWriters(t, members, 8)
	took := killLeaders(t, members)
	load.allThere(t, members, took)
}

// killLeaders kills the leader and restarts it, again and again, and tells how long the members were without one.
func killLeaders(t *testing.T, members []*member) (took []time.Duration) {
	t.Helper()
	rounds, patience := 2, 2*maxElection // other tests keep the machine busy
	if n, err := strconv.Atoi(os.Getenv("VITRINE_CHAOS")); err == nil {
		rounds, patience = n, maxElection
	}
	for round := range rounds {
		time.Sleep(time.Second)
		old := leader(t, members)
		old.kill()
		var rest []*member
		for _, m := range members {
			if m != old {
				rest = append(rest, m)
			}
		}
		killed := time.Now()
		next := newLeader(t, rest, old)
		elapsed := time.Since(killed)
		took = append(took, elapsed.Round(time.Millisecond))
		if elapsed > patience {
			t.Errorf("round %d: %s follows %s after %v", round, next.name, old.name, elapsed)
		}
		time.Sleep(500 * time.Millisecond)
		old.start()
		old.ready()
	}
	for _, m := range members {
		m.ready()
	}
	return took
}

// allThere ends the writers: what was acknowledged is on all members, which agree.
func (w *writers) allThere(t *testing.T, members []*member, took []time.Duration) {
	t.Helper()
	acked, tries := w.end()
	state := agree(t, members)
	for _, m := range members {
		if lost := w.missing(t, m); len(lost) > 0 {
			t.Errorf("%s has lost %d acknowledged writes, the first are %v", m.name, len(lost), lost[:min(5, len(lost))])
		}
	}
	t.Logf("%d leaders killed, a new one after %v; %d of %d writes acknowledged; %+v everywhere", len(took), took, acked,
		tries, state)
	if acked < 100*len(took) {
		t.Errorf("only %d writes were acknowledged", acked)
	}
}

// newLeader waits until the members agree on a leader other than old.
func newLeader(t *testing.T, members []*member, old *member) *member {
	t.Helper()
	clients := map[*member]*clientv3.Client{}
	for _, m := range members {
		clients[m] = dial(t, m)
	}
	deadline := time.Now().Add(readyTimeout)
	for time.Now().Before(deadline) {
		var lead uint64
		agreed, found := true, (*member)(nil)
		for _, m := range members {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			status, err := clients[m].Status(ctx, m.client)
			cancel()
			if err != nil || status.Leader == 0 || lead != 0 && status.Leader != lead {
				agreed = false
				break
			}
			lead = status.Leader
			if status.Header.MemberId == lead {
				found = m
			}
		}
		if agreed && found != nil {
			return found
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no leader after %s was killed", old.name)
	return nil
}

// TestClusterOfBothKinds lets real etcd and vitrine replicate to each other.
func TestClusterOfBothKinds(t *testing.T) {
	processes(t)
	for _, kinds := range [][]kind{{etcd, etcd, vitrine}, {vitrine, vitrine, etcd}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			members := cluster(t, kinds, "--snapshot-count", "500", "--snapshot-catchup-entries", "50")
			for _, m := range members {
				if m.kind == etcd { // it asks the others for their hashes, when it starts and as a leader
					m.args = append(m.args, "--feature-gates", "InitialCorruptCheck=true", "--corrupt-check-time", "300ms")
				}
				m.start()
			}
			for _, m := range members {
				m.ready()
			}
			load := startWriters(t, members, 4)
			time.Sleep(time.Second)
			odd := members[2]
			odd.kill() // and comes back: behind by more than the log holds
			time.Sleep(2 * time.Second)
			odd.start()
			odd.ready()
			moveLeader(t, members, odd)
			time.Sleep(time.Second)
			moveLeader(t, members, members[0])
			time.Sleep(500 * time.Millisecond)
			acked, _ := load.end()
			state := agree(t, members)
			for _, m := range members {
				if lost := load.missing(t, m); len(lost) > 0 {
					t.Errorf("%s (%s) has lost %d acknowledged writes", m.name, m.kind, len(lost))
				}
			}
			t.Logf("%d writes, %+v everywhere", acked, state)
			if acked < 200 {
				t.Errorf("only %d writes were acknowledged", acked)
			}
			checkedHashes(t, members)
		})
	}
}

// checkedHashes looks into the logs of etcd's members: they have compared their hashes with ours and found them equal.
func checkedHashes(t *testing.T, members []*member) {
	t.Helper()
	for _, m := range members {
		if m.kind != etcd {
			continue
		}
		log, err := os.ReadFile(m.log.Name())
		ok(t, err)
		want := `"msg":"finished peer corruption check","number-of-peers-checked":2` // of one that has led
		if m == members[2] {
			want = "initial corruption checking passed" // of one that has come back
		}
		if m != members[1] && !bytes.Contains(log, []byte(want)) {
			t.Errorf("the log of %s lacks %s", m.name, want)
		}
		if bytes.Contains(log, []byte("found different hash values")) || bytes.Contains(log, []byte("found hash mismatch")) {
			t.Errorf("%s has found different hashes", m.name)
		}
	}
	resp, err := dial(t, members...).AlarmList(call(t))
	ok(t, err)
	if len(resp.Alarms) > 0 {
		t.Errorf("alarms: %v", resp.Alarms)
	}
}

// moveLeader insists: on a busy machine leadership may move by itself meanwhile.
func moveLeader(t *testing.T, members []*member, to *member) {
	t.Helper()
	var err error
	for range 5 {
		now := leader(t, members)
		if now == to {
			return
		}
		status, err := to.status()
		ok(t, err)
		_, err = dial(t, now).MoveLeader(call(t), status.Header.MemberId)
		if err != nil {
			continue
		}
	}
	if now := leader(t, members); now != to {
		t.Errorf("%s leads, not %s (%s): %v", now.name, to.name, to.kind, err)
	}
}
