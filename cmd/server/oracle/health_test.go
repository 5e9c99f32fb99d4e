package oracle

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	etcdpb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// probes are what load balancers and orchestrators ask, with every option that etcd reads, and some that it does not.
func probes() (paths []string) {
	for _, path := range []string{"/health", "/livez", "/readyz"} {
		for _, query := range []string{
			"", "?verbose", "?verbose=false", "?serializable=true", "?serializable=false", "?serializable=1",
			"?serializable=true&serializable=false",
			"?exclude=NOSPACE", "?exclude=NOSPACE&exclude=CORRUPT", "?exclude=", "?exclude=nothing&verbose",
			"?exclude=NOSPACE,CORRUPT",
			"?exclude=linearizable_read&verbose", "?exclude=linearizable_read&exclude=non_learner&verbose",
			"?exclude=serializable_read&verbose",
			"?allowlist=serializable_read&verbose", "?allowlist=data_corruption", "?%zz", "?a;b&verbose",
		} {
			paths = append(paths, path+query)
		}
	}
	for _, check := range []string{"data_corruption", "serializable_read", "linearizable_read", "non_learner",
		"nonsense"} {
		for _, kind := range []string{"/livez/", "/readyz/"} {
			paths = append(paths, kind+check, kind+check+"?verbose", kind+check+"?exclude="+check)
		}
	}
	return append(paths, "/health/", "/livez/", "/readyz/", "/health/x", "//health", "/HEALTH")
}

// sayProbes asks a member everything at once: without a leader some answers take long.
func sayProbes(t *testing.T, m *member) []string {
	t.Helper()
	paths := probes()
	said := make([]string, len(paths))
	var wait sync.WaitGroup
	for i, path := range paths {
		wait.Go(func() {
			status, kind, body := request(t, m, "GET", path)
			lines := strings.Split(body, "\n")
			slices.Sort(lines) // etcd's checks come in the order of a map
			said[i] = fmt.Sprintf("%s: %d %s %q", path, status, kind, lines)
		})
	}
	wait.Wait()
	http.DefaultClient.CloseIdleConnections() // an etcd with many of them may wait for ever to be stopped
	return said
}

// alarm raises or clears an alarm at a member.
func alarm(t *testing.T, m *member, action etcdpb.AlarmRequest_AlarmAction, kind etcdpb.AlarmType) {
	t.Helper()
	conn := wire(t, m)
	_, err := etcdpb.NewMaintenanceClient(conn).Alarm(call(t),
		&etcdpb.AlarmRequest{Action: action, MemberID: 5, Alarm: kind})
	ok(t, err)
}

// TestHealthOfAVoter also with the alarms that there are.
func TestHealthOfAVoter(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		said = append(said, sayProbes(t, members[0])...)
		for _, kind := range []etcdpb.AlarmType{etcdpb.AlarmType_NOSPACE, etcdpb.AlarmType_CORRUPT} {
			alarm(t, members[0], etcdpb.AlarmRequest_ACTIVATE, kind)
			said = append(said, sayProbes(t, members[0])...)
			alarm(t, members[0], etcdpb.AlarmRequest_DEACTIVATE, kind)
		}
		return said
	})
}

// TestHealthOfALearner: a learner is healthy; only what asks whether it votes fails. What clients may not ask it still
// is refused.
func TestHealthOfALearner(t *testing.T) {
	processes(t)
	var said [2][]string
	for i, k := range []kind{etcd, vitrine} {
		addresses := freeAddresses(t, 4)
		m1, m2 := learnerPair(t, k, addresses)
		said[i] = sayProbes(t, m2)
		conn := wire(t, m2)
		for _, c := range unaryCalls()[:4] {
			said[i] = append(said[i], strings.ReplaceAll(c.say(context.Background(), conn), m1.client, "m1"))
		}
		status, kind, body := requestAt(t, m2.peer, "GET", "/members/hashkv", `{"revision":0}`)
		said[i] = append(said[i], fmt.Sprintf("hashkv: %d %s %.20s", status, kind, body))
		status, kind, body = requestAt(t, m2.peer, "GET", "/downgrade/enabled", "")
		said[i] = append(said[i], fmt.Sprintf("downgrade: %d %s %s", status, kind, body))
		m2.stop()
		m1.stop()
	}
	compareLines(t, said)
}

// learnerPair is an etcd that leads alone and a learner of the given kind.
func learnerPair(t *testing.T, k kind, addresses []string) (lead, learner *member) {
	t.Helper()
	dir := t.TempDir()
	m1 := &member{t: t, kind: etcd, name: "m1", dir: dir + "/m1", client: "http://" + addresses[0],
		peer: "http://" + addresses[1]}
	m2 := &member{t: t, kind: k, name: "m2", dir: dir + "/m2", client: "http://" + addresses[2],
		peer: "http://" + addresses[3]}
	m1.args = []string{"--initial-cluster", "m1=" + m1.peer}
	m1.start()
	m1.ready()
	_, err := dial(t, m1).MemberAddAsLearner(call(t), []string{m2.peer})
	ok(t, err)
	m2.args = []string{"--initial-cluster", "m1=" + m1.peer + ",m2=" + m2.peer, "--initial-cluster-state", "existing"}
	m2.start()
	for deadline := time.Now().Add(readyTimeout); ; time.Sleep(50 * time.Millisecond) {
		if status, err := m2.status(); err == nil && status.IsLearner && status.Leader != 0 {
			return m1, m2
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not join as a learner:\n%s", k, m2.tail(20))
		}
	}
}

func compareLines(t *testing.T, said [2][]string) {
	t.Helper()
	if len(said[0]) != len(said[1]) {
		t.Fatalf("%d and %d answers", len(said[0]), len(said[1]))
	}
	for i := range said[0] {
		if said[0][i] != said[1][i] {
			t.Errorf("\netcd:    %s\nvitrine: %s", said[0][i], said[1][i])
		}
	}
	t.Logf("%d answers compared", len(said[0]))
}

// TestWithoutALeader: what a member says that has lost the others: to probes, and to every call, whether the client
// waits or not.
func TestWithoutALeader(t *testing.T) {
	processes(t)
	compareSaid(t, 3, func(t *testing.T, members []*member) (said []string) {
		_, err := dial(t, members...).Put(call(t), "k", "v")
		ok(t, err)
		members[1].kill()
		members[2].kill()
		alone := members[0]
		for deadline := time.Now().Add(readyTimeout); ; time.Sleep(100 * time.Millisecond) {
			if _, _, body := request(t, alone, "GET", "/health"); strings.Contains(body, "RAFT NO LEADER") {
				break
			} else if time.Now().After(deadline) {
				t.Fatal("the leader is not lost: " + body)
			}
		}
		var wait sync.WaitGroup
		var calls, healths []string
		wait.Go(func() { healths = sayProbes(t, alone) })
		wait.Go(func() { calls = sayLeaderless(alone, wire(t, alone)) })
		wait.Wait()
		members[1].start()
		members[2].start()
		for _, m := range members {
			m.ready()
		}
		return append(healths, calls...)
	})
}

// sayLeaderless makes every call: without a deadline of the client, with a short one, and asking for a leader.
func sayLeaderless(m *member, conn *grpc.ClientConn) []string {
	k := []byte("k")
	get := &etcdpb.RangeRequest{Key: k}
	op := &etcdpb.RequestOp{Request: &etcdpb.RequestOp_RequestRange{RequestRange: get}}
	write := &etcdpb.RequestOp{Request: &etcdpb.RequestOp_RequestPut{RequestPut: &etcdpb.PutRequest{Key: k}}}
	all := []unaryCall{
		kv("Range", get, &etcdpb.RangeResponse{}), kv("Range", &etcdpb.RangeRequest{Key: k, Serializable: true},
			&etcdpb.RangeResponse{}),
		kv("Put", &etcdpb.PutRequest{Key: k}, &etcdpb.PutResponse{}), kv("DeleteRange", &etcdpb.DeleteRangeRequest{Key: k},
			&etcdpb.DeleteRangeResponse{}),
		kv("Txn", &etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{op}}, &etcdpb.TxnResponse{}),
		kv("Txn", &etcdpb.TxnRequest{Success: []*etcdpb.RequestOp{write}}, &etcdpb.TxnResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 1}, &etcdpb.CompactionResponse{}),
		kv("Compact", &etcdpb.CompactionRequest{Revision: 1, Physical: true}, &etcdpb.CompactionResponse{}),
		kv("Put", &etcdpb.PutRequest{}, &etcdpb.PutResponse{}),
		maintain("Alarm", &etcdpb.AlarmRequest{}, &etcdpb.AlarmResponse{}),
		maintain("Hash", &etcdpb.HashRequest{}, &etcdpb.HashResponse{}),
		maintain("HashKV", &etcdpb.HashKVRequest{}, &etcdpb.HashKVResponse{}),
		maintain("MoveLeader", &etcdpb.MoveLeaderRequest{TargetID: 7}, &etcdpb.MoveLeaderResponse{}),
		maintain("Defragment", &etcdpb.DefragmentRequest{}, &etcdpb.DefragmentResponse{}),
		maintain("Status", &etcdpb.StatusRequest{}, &etcdpb.StatusResponse{}),
		{method: "/etcdserverpb.Cluster/MemberList", request: &etcdpb.MemberListRequest{},
			response: &etcdpb.MemberListResponse{}},
		{method: "/etcdserverpb.Cluster/MemberList", request: &etcdpb.MemberListRequest{Linearizable: true},
			response: &etcdpb.MemberListResponse{}},
	}
	said := make([]string, 3*len(all))
	var wait sync.WaitGroup
	for i, c := range all {
		for way, md := range [][]string{nil, nil, {"hasleader", "true"}} {
			wait.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				if way == 1 {
					ctx, cancel = context.WithTimeout(ctx, time.Second)
				}
				defer cancel()
				c.metadata = md
				answer := c.say(ctx, conn)
				if !strings.Contains(answer, "error ") { // figures differ, what is answered does not
					answer, _, _ = strings.Cut(answer, ": {")
				}
				said[3*i+way] = fmt.Sprintf("way %d: %s", way, answer)
			})
		}
	}
	streams := make([]string, 6)
	for i, method := range []string{"/etcdserverpb.KV/RangeStream", "/etcdserverpb.Maintenance/Snapshot",
		"/etcdserverpb.Watch/Watch"} {
		for way, md := range [][]string{nil, {"hasleader", "true"}} {
			wait.Go(func() {
				if i == 2 && way == 0 {
					return // it waits for ever
				}
				ctx := metadata.AppendToOutgoingContext(context.Background(), md...)
				request := []byte{10, 1, 'k'}
				if i != 0 {
					request = nil
				}
				streams[2*i+way] = fmt.Sprintf("%s %v: %s", method, md, sayRawStream(ctx, conn, method, request))
			})
		}
	}
	wait.Wait()
	return append(said, streams...)
}
