package membership_test

import (
	"fmt"

	"vitrine/core/backend"
	"vitrine/core/membership"

	"go.etcd.io/raft/v3/raftpb"
)

func ExampleMembers() {
	first := &membership.Member{PeerURLs: []string{"http://localhost:2380"}, Name: "default"}
	first.ID = membership.MemberID(first.PeerURLs, "etcd-cluster", nil)

	ms := membership.New(1)
	batch := backend.NewBatch()
	err := ms.Apply(&raftpb.ConfChange{NodeId: &first.ID, Context: first.Bootstrap()}, batch)
	fmt.Println(err, membership.IDString(ms.Voters()[0]), membership.IDString(membership.ClusterID(ms.Voters())))

	remove := raftpb.ConfChangeRemoveNode
	fmt.Println(ms.Apply(&raftpb.ConfChange{Type: &remove, NodeId: &first.ID}, batch))
	fmt.Printf("%s\n", batch.Ops()[0].Value)
	// Output:
	// <nil> 8e9e05c52164694d cdf818194e3a8c32
	// membership: no voting member would be left
	// {"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default"}
}
