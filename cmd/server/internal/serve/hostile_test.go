package serve

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"vitrine/core/membership"
)

// say posts a raft message to a member as if another had sent it.
func (c *cluster) say(to, from int, m *raftpb.Message) int {
	c.t.Helper()
	m.To, m.From = new(c.servers[to].node.ID()), new(c.servers[from].node.ID())
	body, err := proto.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	url := ""
	for _, f := range c.flags[to] {
		if u, ok := strings.CutPrefix(f, "--listen-peer-urls="); ok {
			url = u
		}
	}
	req, err := http.NewRequest(http.MethodPost, url+"/raft", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range map[string]string{
		"X-Server-From": membership.IDString(*m.From), "X-Server-Version": "3.7.0", "X-Min-Cluster-Version": "3.0.0",
		"X-Etcd-Cluster-ID": membership.IDString(c.servers[to].node.ClusterID()),
	} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// A forwarded proposal that no member can apply does not get into the log: it would stop all members, now and after
// every start.
func TestPoisonedProposals(t *testing.T) {
	c := newCluster(t, 3)
	for to := range c.servers { // the leader, and those who would forward it
		for _, e := range []*raftpb.Entry{
			{Data: []byte{0}},
			{Data: []byte{0x1a, 9, 0x0a}},
			{Type: raftpb.EntryConfChange.Enum(), Data: []byte{0xff}},
			{Type: raftpb.EntryConfChangeV2.Enum()},
		} {
			c.say(to, (to+1)%3, &raftpb.Message{Type: raftpb.MsgProp.Enum(), Entries: []*raftpb.Entry{e}})
		}
	}
	for i := range c.servers {
		c.put(i, "k", "v")
	}
	for i := range c.servers {
		c.stop(i)
		c.restart(i)
		if got := c.get(i, "k"); got != "v" {
			t.Errorf("member %d reads %q after its restart", i, got)
		}
	}
}
