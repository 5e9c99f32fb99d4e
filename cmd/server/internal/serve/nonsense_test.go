package serve

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"vitrine/core/pb"
)

// raw sends bytes as they are.
type raw struct{}

func (raw) Name() string { return "proto" }
func (raw) Marshal(v any) ([]byte, error) {
	return v.([]byte), nil
}
func (raw) Unmarshal([]byte, any) error { return nil }

// samples are sensible requests, which are then spoilt.
func samples() []proto.Message {
	op := func(r *pb.PutRequest) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
	}
	inner := &pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a"), TargetUnion: &pb.Compare_Value{Value: []byte("x")}}},
		Success: []*pb.RequestOp{op(&pb.PutRequest{Key: []byte("n")})}}
	return []proto.Message{
		&pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte{0}, Limit: 3, SortOrder: pb.RangeRequest_DESCEND,
			SortTarget: pb.RangeRequest_MOD, MinModRevision: 1},
		&pb.PutRequest{Key: []byte("a"), Value: []byte("value"), PrevKv: true},
		&pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("b"), PrevKv: true},
		&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_MOD,
			TargetUnion: &pb.Compare_ModRevision{ModRevision: 2}}},
			Success: []*pb.RequestOp{op(&pb.PutRequest{Key: []byte("t")}),
				{Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}}},
		&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("a"),
			RangeEnd: []byte{0}, StartRevision: 1, WatchId: 3, Filters: []pb.WatchCreateRequest_FilterType{0}}}},
		&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: 3}}},
		&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}},
		&pb.CompactionRequest{Revision: 2},
		&pb.HashKVRequest{Revision: 3},
		&pb.MoveLeaderRequest{TargetID: 5},
		&pb.AlarmRequest{Action: pb.AlarmRequest_GET, MemberID: 1},
	}
}

// spoil changes, cuts, doubles or mixes up some bytes.
func spoil(rnd *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range rnd.IntN(4) {
		switch at := rnd.IntN(len(b) + 1); {
		case at == len(b):
			b = append(b, byte(rnd.Uint32()))
		case rnd.IntN(3) == 0:
			b = b[:at]
		case rnd.IntN(3) == 0:
			b = append(b, b[at:]...)
		default:
			b[at] = byte(rnd.Uint32())
		}
	}
	return b
}

// TestNonsenseIsSurvived sends spoilt requests to every method: each ends with some answer or error, and the server
// goes on as before.
func TestNonsenseIsSurvived(t *testing.T) {
	c := newCluster(t, 1)
	c.put(0, "a", "1")
	rnd := rand.New(rand.NewPCG(7, 11))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	unary := []string{"KV/Range", "KV/Put", "KV/DeleteRange", "KV/Txn", "KV/Compact", "Cluster/MemberList",
		"Maintenance/Alarm", "Maintenance/Status", "Maintenance/Hash", "Maintenance/HashKV", "Maintenance/MoveLeader"}
	streams := []string{"KV/RangeStream", "Watch/Watch", "Maintenance/Snapshot"}
	all := samples()
	answered := 0
	for i := range 3000 {
		whole, err := proto.Marshal(all[rnd.IntN(len(all))])
		if err != nil {
			t.Fatal(err)
		}
		body := spoil(rnd, whole)
		if i%10 > 0 {
			if c.conns[0].Invoke(ctx, "/etcdserverpb."+unary[rnd.IntN(len(unary))], body, new([]byte),
				grpc.ForceCodec(raw{})) == nil {
				answered++
			}
			continue
		}
		one, end := context.WithTimeout(ctx, 20*time.Millisecond) // a watcher may have nothing to say
		s, err := c.conns[0].NewStream(one, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			"/etcdserverpb."+streams[rnd.IntN(len(streams))], grpc.ForceCodec(raw{}))
		if err != nil {
			end()
			continue
		}
		for range 3 {
			_ = s.SendMsg(body) // the stream may have ended already
			body = spoil(rnd, body)
		}
		_ = s.CloseSend()
		if s.RecvMsg(new([]byte)) == nil {
			answered++
		}
		end()
	}
	if answered < 300 {
		t.Errorf("only %d of the requests had an answer", answered)
	}
	// What was spoilt may have raised an alarm; a read is never refused.
	c.get(0, "a")
	if ctx.Err() != nil {
		t.Error("some request never ended")
	}
}
