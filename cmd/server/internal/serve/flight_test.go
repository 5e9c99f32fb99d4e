package serve

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"vitrine/cmd/server/internal/version"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// recording fetches what a member remembers.
func (c *cluster) recording(i int) *trace.Recording {
	c.t.Helper()
	resp, err := http.Get("http://" + c.clients[i] + "/debug/flight")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	file, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("member %d: %s, %v", i, resp.Status, err)
	}
	r, err := trace.ReadRecording(file)
	if err != nil {
		c.t.Fatalf("member %d: %v", i, err)
	}
	return r
}

// TestRecording: the files of the survivors tell of the election after a leader was killed, and of writes on their way
// from the request to the disk.
func TestRecording(t *testing.T) {
	c := newCluster(t, 3, "--flight-recorder-bytes=4000000")
	const writes = 20
	lead := c.leader()
	old := c.servers[lead].node.ID()
	for i := range writes {
		c.put(lead, fmt.Sprint("before", i), "a secret")
	}
	c.kill(lead)
	other := (lead + 1) % 3
	until(t, "another leader",
		func() bool { l := c.leader(); return c.servers[other].node.Leader() == c.servers[l].node.ID() })
	now := c.leader()
	for i := range writes {
		c.put(now, fmt.Sprint("after", i), "a secret")
	}
	c.get(now, "after0")
	if _, err := call[pb.RangeResponse](c, now, "/etcdserverpb.KV/Range",
		&pb.RangeRequest{Key: []byte("after0"), Serializable: true}); err != nil {
		t.Fatal(err)
	}
	until(t, "a message to the dead that is lost", func() bool {
		return slices.ContainsFunc(c.recording(now).Events, func(e trace.Event) bool {
			return e.Kind == trace.MessageDropped && e.Member == old && e.Text == "down"
		})
	})
	third := 3 - lead - now
	until(t, "the follower has applied all", func() bool { return c.get(third, fmt.Sprint("after", writes-1)) != "" })
	for _, i := range []int{now, third} {
		r := c.recording(i)
		n := c.servers[i].node
		if h := r.Header; h.Member != n.ID() || h.Cluster != n.ClusterID() || h.Name != fmt.Sprint("m", i) ||
			h.Version != version.Etcd || h.First != 1 {
			t.Fatalf("member %d: header %+v", i, h)
		}
		checkRecording(t, r.Events, i == now, old, c.servers[now].node.ID())
	}
}

// checkRecording looks for what every member has seen, and for what only the leader has.
func checkRecording(t *testing.T, events []trace.Event, leads bool, old, lead uint64) {
	t.Helper()
	seen, last := map[trace.Kind]int{}, map[trace.Kind]trace.Event{}
	byLeader, keys, failures := map[uint64]int{}, map[string]bool{}, 0
	for _, e := range events {
		seen[e.Kind]++
		last[e.Kind] = e
		if e.Cause >= e.Seq {
			t.Fatalf("%+v is caused by what comes later", e)
		}
		if e.Kind == trace.RoleChanged {
			byLeader[e.Peer]++
		}
		if e.Kind == trace.RevisionAdvanced {
			keys[e.Text] = true
		}
		if e.Text == "a secret" || e.Kind == trace.MessageDelivered && e.Msg == uint8(raftpb.MsgApp)+1 && e.Peer == 0 {
			failures++
		}
	}
	if failures > 0 || byLeader[old] == 0 || byLeader[lead] == 0 || !keys["before0"] || !keys["after19"] {
		t.Errorf("%d values or strangers, leaders %x, keys %v", failures, byLeader, keys)
	}
	want := []trace.Kind{
		trace.MemberStarted, trace.TermChanged, trace.RoleChanged, trace.VoteCast, trace.MessageSent, trace.MessageDelivered,
		trace.EntryAppended, trace.LogWritten, trace.LogSynced, trace.CommitAdvanced, trace.EntryApplied,
		trace.RevisionAdvanced,
		trace.KeyIndexed, trace.BackendCommitted, trace.ConfChanged, trace.RequestArrived, trace.RequestDone,
		trace.ReadIndexReady,
	}
	if leads {
		want = append(want, trace.RequestProposed, trace.Station)
	}
	for _, k := range want {
		if seen[k] == 0 {
			t.Errorf("leading %t: no %v among %v", leads, k, seen)
		}
	}
	if synced, applied := last[trace.LogSynced].Index, last[trace.EntryApplied].Index; synced < applied || applied < 40 {
		t.Errorf("the log is synced to %d, applied to %d", synced, applied)
	}
}
