package oracle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// wire is a plain gRPC connection, without what a client library adds or hides.
func wire(t *testing.T, m *member, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	conn, err := grpc.NewClient(strings.TrimPrefix(m.client, "http://"), options...)
	ok(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// plainly prints a message field by field, in order, with long values cut; proto's own text varies from build to build.
func plainly(m protoreflect.Message) string {
	var parts []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) || f.Name() == "raft_term" {
			continue
		}
		v := m.Get(f)
		switch {
		case f.IsList():
			at := len(parts)
			for i := range v.List().Len() {
				parts = append(parts, fmt.Sprintf("%s:%s", f.Name(), plainValue(f, v.List().Get(i))))
			}
			if f.Name() == "alarms" { // etcd keeps them in a map
				slices.Sort(parts[at:])
			}
		default:
			parts = append(parts, fmt.Sprintf("%s:%s", f.Name(), plainValue(f, v)))
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func plainValue(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return plainly(v.Message())
	case protoreflect.BytesKind:
		if n := len(v.Bytes()); n > 40 {
			return fmt.Sprintf("%.10q...%d", v.Bytes(), n)
		}
		return fmt.Sprintf("%q", v.Bytes())
	}
	return v.String()
}

// The server's end of a deadline reaches the client as a reset stream, if that
// comes before the client's own end of it: gRPC words the two differently.
func plainError(err error) string {
	s := status.Convert(err)
	if s.Code() == codes.DeadlineExceeded && s.Message() == "stream terminated by RST_STREAM with error code: CANCEL" {
		return fmt.Sprintf("error %v: %v", s.Code(), context.DeadlineExceeded)
	}
	return fmt.Sprintf("error %v: %s", s.Code(), s.Message())
}

// compareSaid runs f on both servers and compares what it returns, line by line.
func compareSaid(t *testing.T, n int, f func(t *testing.T, members []*member) []string) {
	t.Helper()
	var said [][]string
	both(t, n, func(t *testing.T, members []*member) { said = append(said, f(t, members)) })
	if len(said) != 2 || len(said[0]) != len(said[1]) {
		t.Fatal("one of the servers failed")
	}
	for i := range said[0] {
		if said[0][i] != said[1][i] {
			t.Errorf("\netcd:    %s\nvitrine: %s", said[0][i], said[1][i])
		}
	}
	t.Logf("%d answers compared", len(said[0]))
}

// unaryCall is one request as it goes over the wire.
type unaryCall struct {
	method   string
	request  proto.Message
	response proto.Message
	metadata []string
}

func kv(method string, request, response proto.Message, md ...string) unaryCall {
	return unaryCall{method: "/etcdserverpb.KV/" + method, request: request, response: response, metadata: md}
}

func maintain(method string, request, response proto.Message, md ...string) unaryCall {
	return unaryCall{method: "/etcdserverpb.Maintenance/" + method, request: request, response: response, metadata: md}
}

func (c unaryCall) say(ctx context.Context, conn *grpc.ClientConn) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response := c.response.ProtoReflect().New().Interface()
	err := conn.Invoke(metadata.AppendToOutgoingContext(ctx, c.metadata...), c.method, c.request, response)
	said := ""
	if err != nil {
		said = plainError(err)
	} else {
		said = plainly(response.ProtoReflect())
	}
	return fmt.Sprintf("%s %s %q: %s", c.method, plainly(c.request.ProtoReflect()), c.metadata, said)
}

func unaryCalls() []unaryCall {
	put := func(r *etcdpb.PutRequest, md ...string) unaryCall { return kv("Put", r, &etcdpb.PutResponse{}, md...) }
	get := func(r *etcdpb.RangeRequest, md ...string) unaryCall {
		return kv("Range", r, &etcdpb.RangeResponse{}, md...)
	}
	txn := func(r *etcdpb.TxnRequest) unaryCall { return kv("Txn", r, &etcdpb.TxnResponse{}) }
	hash := func(rev int64) unaryCall {
		return maintain("HashKV", &etcdpb.HashKVRequest{Revision: rev}, &etcdpb.HashKVResponse{})
	}
	alarm := func(r *etcdpb.AlarmRequest) unaryCall { return maintain("Alarm", r, &etcdpb.AlarmResponse{}) }
	a := []byte("a")
	read := &etcdpb.RequestOp{Request: &etcdpb.RequestOp_RequestRange{RequestRange: &etcdpb.RangeRequest{Key: a}}}
	write := &etcdpb.RequestOp{Request: &etcdpb.RequestOp_RequestPut{RequestPut: &etcdpb.PutRequest{Key: []byte("t"),
		Value: a}}}
	inner := &etcdpb.RequestOp{
		Request: &etcdpb.RequestOp_RequestTxn{RequestTxn: &etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{read}}}}
	return []unaryCall{
		get(&etcdpb.RangeRequest{Key: a}), put(&etcdpb.PutRequest{Key: a, Value: []byte("1")}),
		get(&etcdpb.RangeRequest{Key: a}),
		get(&etcdpb.RangeRequest{Key: a}, "hasleader", "true", "client-api-version", "3.7"),
		get(&etcdpb.RangeRequest{Key: a}, "hasleader", "false"),
		get(&etcdpb.RangeRequest{Key: a, SortOrder: 7}), get(&etcdpb.RangeRequest{Key: a, SortTarget: -1}),
		get(&etcdpb.RangeRequest{Key: a, RangeEnd: []byte{0}, Limit: -1}),
		get(&etcdpb.RangeRequest{Key: a, RangeEnd: []byte{0}, Limit: 1 << 40}),
		get(&etcdpb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, KeysOnly: true, CountOnly: true}),
		get(&etcdpb.RangeRequest{Key: a, Revision: -7}), get(&etcdpb.RangeRequest{Key: a, Revision: 1 << 62}),
		put(&etcdpb.PutRequest{Key: []byte{0}, Value: []byte{0, 0xff}}), get(&etcdpb.RangeRequest{Key: []byte{0}}),
		put(&etcdpb.PutRequest{Key: a, Lease: -1}), put(&etcdpb.PutRequest{Key: a, IgnoreLease: true, IgnoreValue: true}),
		put(&etcdpb.PutRequest{Key: []byte("none"), IgnoreLease: true}),
		put(&etcdpb.PutRequest{Key: a, Value: make([]byte, 1572864)}),
		put(&etcdpb.PutRequest{Key: a, Value: make([]byte, 1572864-40)}),
		put(&etcdpb.PutRequest{Key: a, Value: make([]byte, 1572864-60)}),
		put(&etcdpb.PutRequest{Key: a, Value: make([]byte, 1572864+512<<10-20)}),
		put(&etcdpb.PutRequest{Key: a, Value: make([]byte, 1572864+512<<10)}),
		put(&etcdpb.PutRequest{Key: a, Value: make([]byte, 5<<20)}),
		put(&etcdpb.PutRequest{Key: make([]byte, 1<<20)}),
		kv("DeleteRange", &etcdpb.DeleteRangeRequest{Key: make([]byte, 1<<20), PrevKv: true}, &etcdpb.DeleteRangeResponse{}),
		txn(&etcdpb.TxnRequest{}), txn(&etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{{}}}),
		txn(&etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{read, inner}}),
		txn(&etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{write, read, inner}}),
		txn(&etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{write, write}}),
		txn(&etcdpb.TxnRequest{Success: slices.Repeat([]*etcdpb.RequestOp{read}, 128)}),
		txn(&etcdpb.TxnRequest{Success: slices.Repeat([]*etcdpb.RequestOp{read}, 129)}),
		txn(&etcdpb.TxnRequest{Compare: slices.Repeat([]*etcdpb.Compare{{Key: a}}, 129)}),
		txn(&etcdpb.TxnRequest{Compare: []*etcdpb.Compare{{Key: a, Target: 9, Result: 9}}}),
		txn(&etcdpb.TxnRequest{Compare: []*etcdpb.Compare{{Key: a, Target: etcdpb.Compare_LEASE,
			TargetUnion: &etcdpb.Compare_Version{Version: 1}}}, Success: []*etcdpb.RequestOp{read}}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 3, Physical: true}, &etcdpb.CompactionResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 3}, &etcdpb.CompactionResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: -1}, &etcdpb.CompactionResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 1 << 50, Physical: true}, &etcdpb.CompactionResponse{}),
		get(&etcdpb.RangeRequest{Key: a, Revision: 2}), get(&etcdpb.RangeRequest{Key: a, Revision: 3, KeysOnly: true}),
		hash(0), hash(-1), hash(2), hash(3), hash(99),
		alarm(&etcdpb.AlarmRequest{}), alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_ACTIVATE}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_ACTIVATE, MemberID: 5, Alarm: etcdpb.AlarmType_NOSPACE}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_ACTIVATE, MemberID: 5, Alarm: etcdpb.AlarmType_NOSPACE}),
		alarm(&etcdpb.AlarmRequest{}), alarm(&etcdpb.AlarmRequest{MemberID: 5}), alarm(&etcdpb.AlarmRequest{MemberID: 6}),
		alarm(&etcdpb.AlarmRequest{Alarm: etcdpb.AlarmType_NOSPACE}),
		alarm(&etcdpb.AlarmRequest{Alarm: etcdpb.AlarmType_CORRUPT}),
		put(&etcdpb.PutRequest{Key: a}), txn(&etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{write}}),
		txn(&etcdpb.TxnRequest{Failure: []*etcdpb.RequestOp{write}}), get(&etcdpb.RangeRequest{Key: a, KeysOnly: true}),
		kv("DeleteRange", &etcdpb.DeleteRangeRequest{Key: []byte("t")}, &etcdpb.DeleteRangeResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 4, Physical: true}, &etcdpb.CompactionResponse{}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_ACTIVATE, MemberID: 5, Alarm: etcdpb.AlarmType_CORRUPT}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_ACTIVATE, MemberID: 6, Alarm: 9}),
		put(&etcdpb.PutRequest{Key: a}), txn(&etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{read}}),
		kv("DeleteRange", &etcdpb.DeleteRangeRequest{Key: []byte("t")}, &etcdpb.DeleteRangeResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 5}, &etcdpb.CompactionResponse{}),
		get(&etcdpb.RangeRequest{Key: a, KeysOnly: true}), hash(0),
		alarm(&etcdpb.AlarmRequest{}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_DEACTIVATE, MemberID: 5}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_DEACTIVATE, Alarm: etcdpb.AlarmType_CORRUPT}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_DEACTIVATE, MemberID: 5, Alarm: etcdpb.AlarmType_CORRUPT}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_DEACTIVATE, MemberID: 5, Alarm: etcdpb.AlarmType_CORRUPT}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_DEACTIVATE, MemberID: 5, Alarm: etcdpb.AlarmType_NOSPACE}),
		alarm(&etcdpb.AlarmRequest{}),
		alarm(&etcdpb.AlarmRequest{Action: etcdpb.AlarmRequest_DEACTIVATE, MemberID: 6, Alarm: 9}),
		put(&etcdpb.PutRequest{Key: a}, "client-api-version", "3.5"), maintain("MoveLeader", &etcdpb.MoveLeaderRequest{},
			&etcdpb.MoveLeaderResponse{}), maintain("MoveLeader", &etcdpb.MoveLeaderRequest{TargetID: 77},
			&etcdpb.MoveLeaderResponse{}),
		{method: "/etcdserverpb.Cluster/MemberList", request: &etcdpb.MemberListRequest{},
			response: &etcdpb.MemberListResponse{}},
		{method: "/etcdserverpb.Cluster/MemberList", request: &etcdpb.MemberListRequest{Linearizable: true},
			response: &etcdpb.MemberListResponse{}},
		maintain("Defragment", &etcdpb.DefragmentRequest{}, &etcdpb.DefragmentResponse{}),
		maintain("Defragment", &etcdpb.DefragmentRequest{}, &etcdpb.DefragmentResponse{}),
		{method: "/grpc.health.v1.Health/Check", request: &healthpb.HealthCheckRequest{},
			response: &healthpb.HealthCheckResponse{}},
		{method: "/grpc.health.v1.Health/Check", request: &healthpb.HealthCheckRequest{Service: "etcdserverpb.KV"},
			response: &healthpb.HealthCheckResponse{}},
		{method: "/etcdserverpb.KV/Nonsense", request: &etcdpb.RangeRequest{}, response: &etcdpb.RangeResponse{}},
		{method: "/nonsense.Service/Call", request: &etcdpb.RangeRequest{}, response: &etcdpb.RangeResponse{}},
	}
}

// TestWireSaysTheSame sends requests that etcdctl would never send.
func TestWireSaysTheSame(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		conn := wire(t, members[0])
		for _, c := range unaryCalls() {
			said = append(said, c.say(context.Background(), conn))
		}
		return said
	})
}

// conversation is one watch stream: what the client sends, and what it hears until nothing more comes.
func conversation(ctx context.Context, conn *grpc.ClientConn, quiet time.Duration,
	requests ...*etcdpb.WatchRequest) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := etcdpb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return plainError(err)
	}
	heard := make(chan string, 10_000)
	go func() {
		defer close(heard)
		for {
			r, err := s.Recv()
			if errors.Is(err, io.EOF) {
				heard <- "end"
				return
			} else if err != nil {
				heard <- plainError(err)
				return
			}
			heard <- plainly(r.ProtoReflect())
		}
	}()
	var lines []string
	for _, r := range requests {
		if err := s.Send(r); err != nil {
			lines = append(lines, "send: "+err.Error())
		}
		lines = append(lines, "> "+plainly(r.ProtoReflect()))
		for waiting := true; waiting; {
			select {
			case line, open := <-heard:
				if waiting = open; open {
					lines = append(lines, line)
				}
			case <-time.After(quiet):
				waiting = false
			}
		}
	}
	return strings.Join(lines, "\n  ")
}

func create(r *etcdpb.WatchCreateRequest) *etcdpb.WatchRequest {
	return &etcdpb.WatchRequest{RequestUnion: &etcdpb.WatchRequest_CreateRequest{CreateRequest: r}}
}

func cancelWatch(id int64) *etcdpb.WatchRequest {
	return &etcdpb.WatchRequest{
		RequestUnion: &etcdpb.WatchRequest_CancelRequest{CancelRequest: &etcdpb.WatchCancelRequest{WatchId: id}}}
}

func progress() *etcdpb.WatchRequest {
	return &etcdpb.WatchRequest{RequestUnion: &etcdpb.WatchRequest_ProgressRequest{
		ProgressRequest: &etcdpb.WatchProgressRequest{}}}
}

// conversations are about a history of 46 revisions of the keys k and k0 to k9, compacted at 20. One thing is not
// asked: once compaction has ended a watcher, etcd counts it as behind for as long as the client does not cancel it,
// and its stream hears of no progress any more; here it is gone.
func conversations() [][]*etcdpb.WatchRequest {
	k := func(s string) []byte { return []byte(s) }
	type c = etcdpb.WatchCreateRequest
	return [][]*etcdpb.WatchRequest{
		{create(&c{Key: k("k1")}), progress(), cancelWatch(0), cancelWatch(0), progress()},
		{create(&c{}), create(&c{Key: []byte{0}, RangeEnd: []byte{0}}), progress()},
		{create(&c{Key: k("k1"), StartRevision: 30, PrevKv: true}), progress()},
		{create(&c{Key: k("k"), RangeEnd: k("l"), StartRevision: 35})},
		{create(&c{Key: k("k"), RangeEnd: []byte{0}, StartRevision: 38, PrevKv: true})},
		{create(&c{Key: k("k3"), RangeEnd: k("k2")})}, {create(&c{Key: k("k3"), RangeEnd: k("k3")})},
		{create(&c{Key: k("k3"), RangeEnd: k("k3"), WatchId: 9})},
		{create(&c{Key: k("k3"), StartRevision: -1})}, {create(&c{Key: k("k3"), StartRevision: -5, WatchId: 4}),
			create(&c{Key: k("k3"), WatchId: 4})},
		{create(&c{Key: k("k3"), StartRevision: 1}), create(&c{Key: k("k3")})},
		{create(&c{Key: k("k3"), StartRevision: 19, WatchId: 12})},
		{create(&c{Key: k("k3"), StartRevision: 20})},
		{create(&c{Key: k("k"), RangeEnd: k("l"), StartRevision: 21, PrevKv: true,
			Filters: []etcdpb.WatchCreateRequest_FilterType{etcdpb.WatchCreateRequest_NOPUT}})},
		{create(&c{Key: k("k"), RangeEnd: k("l"), StartRevision: 36,
			Filters: []etcdpb.WatchCreateRequest_FilterType{etcdpb.WatchCreateRequest_NODELETE}})},
		{create(&c{Key: k("k"), RangeEnd: k("l"), StartRevision: 36,
			Filters: []etcdpb.WatchCreateRequest_FilterType{etcdpb.WatchCreateRequest_NODELETE,
				etcdpb.WatchCreateRequest_NOPUT}})},
		{create(&c{Key: k("k"), RangeEnd: k("l"), StartRevision: 38, Filters: []etcdpb.WatchCreateRequest_FilterType{7}})},
		{create(&c{Key: k("k1"), WatchId: 5}), create(&c{Key: k("k1"), WatchId: 5}), create(&c{Key: k("k2")}),
			create(&c{Key: k("k2"), WatchId: 1}), create(&c{Key: k("k2")}), cancelWatch(5),
			create(&c{Key: k("k1"), WatchId: 5, StartRevision: 40})},
		{create(&c{Key: k("k1"), WatchId: -3}), create(&c{Key: k("k1"), WatchId: -1}), cancelWatch(-3)},
		{create(&c{Key: k("k1"), StartRevision: 1000}), progress(), cancelWatch(0), progress()},
		{create(&c{Key: k("k1"), StartRevision: 41}), progress()}, {create(&c{Key: k("k1"), StartRevision: 42}), progress()},
		{progress(), cancelWatch(7), &etcdpb.WatchRequest{}, create(&c{Key: k("k1")})},
		{create(&c{Key: k("k"), RangeEnd: k("l"), StartRevision: 39, Fragment: true, ProgressNotify: true})},
	}
}

// TestWatchesOnTheWireAreTheSame holds many conversations at once.
func TestWatchesOnTheWireAreTheSame(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) []string {
		c := dial(t, members...)
		for i := range 39 {
			key := fmt.Sprint("k", i%10)
			if i%7 == 3 {
				_, err := c.Put(call(t), "k", "x")
				ok(t, err)
				_, err = c.Delete(call(t), "k")
				ok(t, err)
				continue
			}
			_, err := c.Put(call(t), key, fmt.Sprint(i))
			ok(t, err)
		}
		_, err := c.Compact(call(t), 20)
		ok(t, err)
		all := conversations()
		said := make([]string, len(all))
		conn := wire(t, members[0])
		var wait sync.WaitGroup
		for i, requests := range all {
			wait.Go(func() {
				said[i] = conversation(context.Background(), conn, 400*time.Millisecond, requests...)
			})
		}
		wait.Wait()
		return said
	})
}

// TestStreamsOnTheWireAreTheSame compares ranges in parts, part by part. Not asked are a negative limit, for which etcd
// sends everything in one part, and a sort target without an order for more keys than fit into one part: etcd's overlap
// then.
func TestStreamsOnTheWireAreTheSame(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		c := dial(t, members...)
		for i := range 10 {
			var ops []clientv3.Op
			for j := range 100 {
				size := 20
				if i == 5 {
					size = 14_000
				}
				ops = append(ops, clientv3.OpPut(fmt.Sprintf("s/%02d/%02d", i, j), strings.Repeat("v", size)))
			}
			_, err := c.Txn(call(t)).Then(ops...).Commit()
			ok(t, err)
		}
		_, err := c.Compact(call(t), 3)
		ok(t, err)
		conn := wire(t, members[0])
		from, to := []byte("s/"), []byte("s0")
		for _, r := range []*etcdpb.RangeRequest{
			{Key: from, RangeEnd: to}, {Key: from, RangeEnd: to, Limit: 9}, {Key: from, RangeEnd: to, Limit: 10},
			{Key: from, RangeEnd: to, Limit: 11, Serializable: true},
			{Key: from, RangeEnd: to, Limit: 500}, {Key: from, RangeEnd: to, KeysOnly: true},
			{Key: from, RangeEnd: to, CountOnly: true}, {Key: from, RangeEnd: to, CountOnly: true, Limit: 3},
			{Key: from, RangeEnd: to, Revision: 5}, {Key: from, RangeEnd: to, Revision: 2},
			{Key: from, RangeEnd: to, Revision: 99}, {Key: to, RangeEnd: from},
			{Key: []byte("none")}, {Key: []byte("s/01/01")}, {Key: []byte{0}, RangeEnd: []byte{0}}, {},
			{Key: from, RangeEnd: to, SortOrder: etcdpb.RangeRequest_DESCEND},
			{Key: from, RangeEnd: to, SortOrder: etcdpb.RangeRequest_ASCEND},
			{Key: from, RangeEnd: []byte("s/00/08"), SortTarget: etcdpb.RangeRequest_MOD},
			{Key: from, RangeEnd: to, SortTarget: etcdpb.RangeRequest_MOD, SortOrder: etcdpb.RangeRequest_ASCEND},
			{Key: from, RangeEnd: to, MinModRevision: 1}, {Key: from, RangeEnd: to, MaxCreateRevision: 1},
			{Key: from, SortOrder: 9}, {Key: from, SortTarget: 9},
		} {
			said = append(said, fmt.Sprintf("%s: %s", plainly(r.ProtoReflect()), parts(t, conn, r)))
		}
		return said
	})
}

// parts is the shape of a range stream's parts.
func parts(t *testing.T, conn *grpc.ClientConn, r *etcdpb.RangeRequest) string {
	s, err := etcdpb.NewKVClient(conn).RangeStream(call(t), r)
	ok(t, err)
	var lines []string
	for {
		part, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return strings.Join(lines, "; ")
		} else if err != nil {
			return strings.Join(append(lines, plainError(err)), "; ")
		}
		all := part.RangeResponse
		line := fmt.Sprintf("%d keys", len(all.Kvs))
		if len(all.Kvs) > 0 {
			line += fmt.Sprintf(" from %s", all.Kvs[0].Key)
		}
		all.Kvs = nil
		lines = append(lines, line+" "+plainly(all.ProtoReflect()))
	}
}
