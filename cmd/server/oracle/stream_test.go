package oracle

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// TestStreamsThatLoseTheLeader: a client that asked for a leader, and reads slowly, is told when it is lost in
// mid-stream. (etcd's range says so with the code Unknown, around the text; its snapshot does not look.)
func TestStreamsThatLoseTheLeader(t *testing.T) {
	processes(t)
	members := run(t, []kind{vitrine, vitrine, vitrine})
	c := dial(t, members...)
	for i := range 40 {
		_, err := c.Put(call(t), fmt.Sprintf("s/%02d", i), strings.Repeat("v", 1<<20))
		ok(t, err)
	}
	conn := wire(t, members[0], grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(64<<10))
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "hasleader", "true"),
		2*readyTimeout)
	defer cancel()
	keys, err := etcdpb.NewKVClient(conn).RangeStream(ctx, &etcdpb.RangeRequest{Key: []byte("s/"), RangeEnd: []byte("s0")})
	ok(t, err)
	_, err = keys.Recv()
	ok(t, err)
	image, err := etcdpb.NewMaintenanceClient(wire(t, members[0], grpc.WithInitialWindowSize(64<<10),
		grpc.WithInitialConnWindowSize(64<<10))).Snapshot(ctx, &etcdpb.SnapshotRequest{})
	ok(t, err)
	_, err = image.Recv()
	ok(t, err)
	members[1].kill()
	members[2].kill()
	time.Sleep(8 * time.Second) // the election timeout, three times and more
	for err = nil; err == nil; {
		_, err = keys.Recv()
	}
	expect(t, err, "rpc error: code = Unavailable desc = etcdserver: no leader")
	for err = nil; err == nil; {
		_, err = image.Recv()
	}
	expect(t, err, "rpc error: code = Unavailable desc = etcdserver: no leader")
}
