package oracle

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// anonymous is the memory that a process has for itself, in bytes: without the pages of its files.
func (m *member) anonymous() int64 {
	m.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	if err != nil {
		m.t.Skip("CANNOT TEST the memory of servers without /proc: ", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				m.t.Fatal(err)
			}
			return kb << 10
		}
	}
	m.t.Skip("CANNOT TEST the memory of servers: the kernel does not tell RssAnon")
	return 0
}

// most is the largest of the member's memory while do runs and for a while after it.
func (m *member) most(do func(), after time.Duration) (bytes int64) {
	m.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	var until time.Time
	for ; until.IsZero() || time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		bytes = max(bytes, m.anonymous())
		select {
		case <-done:
			if until.IsZero() {
				until = time.Now().Add(after)
			}
		default:
		}
	}
	return bytes
}

// unread opens streams of watchers that see everything from a revision on, each on a connection of its own, and reads
// nothing of them.
func unread(t *testing.T, m *member, streams int, revision int64) {
	t.Helper()
	u, err := url.Parse(m.client)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for range streams {
		conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		s, err := etcdserverpb.NewWatchClient(conn).Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		create := &etcdserverpb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: revision}
		if err := s.Send(
			&etcdserverpb.WatchRequest{RequestUnion: &etcdserverpb.WatchRequest_CreateRequest{
				CreateRequest: create}}); err != nil {
			t.Fatal(err)
		}
	}
}

func overwrite(t *testing.T, m *member, puts, valueBytes int) {
	t.Helper()
	c := dial(t, m)
	value := strings.Repeat("x", valueBytes)
	for i := range puts {
		if _, err := c.Put(context.Background(), fmt.Sprint("k", i%100), value); err != nil {
			t.Fatal(err)
		}
	}
}

// Streams that nobody reads cost no more memory than they cost etcd, whether they are open when something is written
// or want to see what was. All of them together have a bound, not only each.
func TestUnreadStreamsCostNoMoreThanEtcds(t *testing.T) {
	processes(t)
	cost := func(t *testing.T, k kind, streams int, live bool) int64 {
		m := run(t, []kind{k}, "--log-level=error")[0]
		if live {
			unread(t, m, streams, 0)
			return m.most(func() { overwrite(t, m, 600, 50_000) }, 3*time.Second)
		}
		overwrite(t, m, 600, 50_000)
		return m.most(func() { unread(t, m, streams, 1) }, 5*time.Second)
	}
	// What is read of history costs etcd 20 MiB a stream here.
	for name, streams := range map[string]int{"live": 200, "history": 40} {
		t.Run(name, func(t *testing.T) {
			live := name == "live"
			theirs, ours := cost(t, "etcd", streams, live), cost(t, "vitrine", streams, live)
			t.Logf("%d streams: etcd %d MiB, vitrine %d MiB", streams, theirs>>20, ours>>20)
			if ours > theirs+theirs/10 { // collectors have their own pace
				t.Errorf("%d MiB, etcd %d MiB", ours>>20, theirs>>20)
			}
		})
	}
}
