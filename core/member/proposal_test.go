package member_test

import (
	"errors"
	"slices"
	"testing"

	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/membership"
	"vitrine/core/pb"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// nested is a request of txns inside one another, so deep that no member reads it.
func nested(depth int) []byte {
	var txn []byte
	for range depth {
		op := protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), txn)
		txn = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), op)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), txn)
}

// A forwarded proposal that no member can apply is refused by whoever gets it, leader or not: committed, it would stop
// the cluster for good.
func TestForwardedProposalsAreJudged(t *testing.T) {
	change := func(typ raftpb.ConfChangeType, context []byte) []byte {
		b, err := proto.Marshal(&raftpb.ConfChange{Type: &typ, NodeId: new(uint64(9)), Context: context})
		must(t, err)
		return b
	}
	member9 := &membership.Member{ID: 9, PeerURLs: []string{"http://10.0.0.9:2380"}}
	member8 := &membership.Member{ID: 8, PeerURLs: []string{"http://10.0.0.8:2380"}}
	version, err := (&pb.InternalRaftRequest{ClusterVersionSet: &pb.ClusterVersionSetRequest{Ver: "3.8.0"}}).MarshalVT()
	must(t, err)
	normal, conf := raftpb.EntryNormal, raftpb.EntryConfChange
	for _, test := range []struct {
		name string
		typ  raftpb.EntryType
		data []byte
	}{
		{"no tag", normal, []byte{0}},
		{"nothing", normal, nil},
		{"cut", normal, []byte{0x1a, 9, 0x0a}},
		{"varint of 80 bits", normal, append([]byte{8}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)},
		{"of no kind", normal, []byte{8, 7}},
		{"a later version", normal, version},
		{"deep", normal, nested(20_000)},
		{"no conf change", conf, []byte{0xff}},
		{"conf change without context", conf, change(raftpb.ConfChangeAddNode, nil)},
		{"conf change with another context", conf, change(raftpb.ConfChangeAddNode, []byte("{"))},
		{"conf change for two members", conf, change(raftpb.ConfChangeAddNode, member8.Context(false))},
		{"conf change of no type", conf, change(7, member9.Context(false))},
		{"joint change", raftpb.EntryConfChangeV2, nil},
		{"no type", 9, []byte{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3, nil)
			c.elect(1)
			good, err := (&pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: 7},
				Put: &pb.PutRequest{Key: []byte("forwarded")}}).MarshalVT()
			must(t, err)
			for _, to := range []uint64{1, 2} {
				m := c.machine(to)
				m.inbox = append(m.inbox, member.Input{Kind: member.Receive, Message: &raftpb.Message{
					Type: raftpb.MsgProp.Enum(), From: new(uint64(3)), To: new(to),
					Entries: []*raftpb.Entry{{Data: good}, {Type: test.typ.Enum(), Data: test.data}},
				}})
				before := m.member.Status()
				c.run()
				if s := m.member.Status(); s.Rejected != before.Rejected+1 || s.Last != before.Last {
					t.Errorf("member %d: %d messages refused, log ends at %d; want %d, %d", to, s.Rejected, s.Last, before.Rejected+1,
						before.Last)
				}
				if !slices.ContainsFunc(m.refused, func(err error) bool { return errors.Is(err, consensus.ErrBadMessage) }) {
					t.Errorf("member %d does not say why: %v", to, m.refused)
				}
			}
			c.put(2, "a", "1")
			c.converged()
		})
	}
}
