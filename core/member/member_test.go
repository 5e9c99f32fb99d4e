package member_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"vitrine/core/api"
	"vitrine/core/consensus"
	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/trace"

	"go.etcd.io/raft/v3/raftpb"
)

func TestOneMember(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	if r := c.put(1, "a", "1"); r.Header.Revision != 2 || r.Header.MemberId != 1 || r.Header.ClusterId != 0xc1 ||
		r.Header.RaftTerm != 2 {
		t.Errorf("put: header %v", r.Header)
	}
	if got := c.value(1, "a"); got != "1" {
		t.Errorf("a = %q", got)
	}
	// As on a fresh etcd: a conf change, the leader's empty entry, publication, cluster version, and the put.
	if s := c.machine(1).member.Status(); s.Commit != 5 || s.Applied != 5 || s.Synced != 5 || !s.Published {
		t.Errorf("status %+v", s)
	}
	if _, err := c.do(1, &pb.PutRequest{}); !errors.Is(err, api.ErrEmptyKey) {
		t.Errorf("put without a key: %v", err)
	}
	// The trace says which entry each reply acknowledges: checkers look whether disks have it.
	var acknowledged []uint64
	for i := range c.ring.Len() {
		if e := c.ring.At(i); e.Kind == trace.RequestDone {
			acknowledged = append(acknowledged, e.Index)
		}
	}
	if want := []uint64{5, 0}; !slices.Equal(acknowledged, want) {
		t.Errorf("replies acknowledge %d, want %d", acknowledged, want)
	}
}

func TestFollowerForwardsAndReads(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(2, "a", "1") // the follower's answer comes when it has applied the entry itself
	for id := uint64(1); id <= 3; id++ {
		if got := c.value(id, "a"); got != "1" {
			t.Errorf("member %d: a = %q", id, got)
		}
	}
	c.converged()
}

// TestReadWaitsForTheStore holds the store of a follower back: a linearizable read waits for it, a serializable one
// gets the old state at once.
func TestReadWaitsForTheStore(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(1, "a", "old")
	slow := c.machine(3)
	slow.lag = true
	c.put(1, "a", "new")
	linear := c.ask(3, &pb.RangeRequest{Key: []byte("a")})
	if r, ok := slow.replies[linear]; ok {
		t.Fatalf("answered before the store was new enough: %v", r.Response)
	}
	local := get[*pb.RangeResponse](c, 3, &pb.RangeRequest{Key: []byte("a"), Serializable: true})
	if got := string(local.Kvs[0].Value); got != "old" {
		t.Errorf("serializable a = %q", got)
	}
	slow.lag = false
	c.run()
	r := slow.replies[linear].Response.(*pb.RangeResponse)
	if got := string(r.Kvs[0].Value); got != "new" {
		t.Errorf("linearizable a = %q", got)
	}
	want := []string{
		"read index received", "applied index is now lower than readState.Index",
		"agreement among raft nodes before linearized reading",
	}
	if got := c.stations(3, linear); !slices.Equal(got, want) {
		t.Errorf("stations %q, want %q", got, want)
	}
}

func TestReadOnlyTxnStaysOutOfTheLog(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(1, "a", "1")
	before := c.machine(1).member.Status().Last
	op := func(serializable bool) []*pb.RequestOp {
		return []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{
			RequestRange: &pb.RangeRequest{Key: []byte("a"), Serializable: serializable},
		}}}
	}
	r := get[*pb.TxnResponse](c, 2, &pb.TxnRequest{Success: op(false)})
	if got := string(r.Responses[0].GetResponseRange().Kvs[0].Value); got != "1" || r.Header.Revision != 2 ||
		r.Header.MemberId != 2 {
		t.Errorf("a = %q, header %v", got, r.Header)
	}
	c.isolate(3, true)
	get[*pb.TxnResponse](c, 3, &pb.TxnRequest{Success: op(true)}) // nobody is asked
	if after := c.machine(1).member.Status().Last; after != before {
		t.Errorf("the log grew from %d to %d", before, after)
	}
}

// TestWatchAcrossLeaders follows a key on one member while the leader dies.
func TestWatchAcrossLeaders(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(1, "a", "0")
	c.machine(3).step(member.Input{Kind: member.WatchOpen, Stream: 7, OK: true})
	c.watch(3, 7, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 2, PrevKv: true})
	c.put(2, "a", "1")
	c.machine(1).crash()
	lead := c.leader()
	c.put(lead, "a", "2")
	var got []string
	for _, r := range c.machine(3).pushes[7] {
		for _, e := range r.Events {
			got = append(got, fmt.Sprintf("%s<%s@%d", e.Kv.Value, e.GetPrevKv().GetValue(), e.Kv.ModRevision))
		}
	}
	if want := []string{"0<@2", "1<0@3", "2<1@4"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// TestStreamsEndWithoutLeader: a client that requires a leader is sent away when there has been none for long.
func TestStreamsEndWithoutLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := c.machine(3)
	m.step(member.Input{Kind: member.WatchOpen, Stream: 1, OK: true})
	c.run()
	if err := m.ends[1]; !errors.Is(err, api.ErrNoLeader) {
		t.Fatalf("a stream without a leader ends with %v", err)
	}
	c.elect(1)
	m.step(member.Input{Kind: member.WatchOpen, Stream: 2, OK: true})
	m.step(member.Input{Kind: member.WatchOpen, Stream: 3})
	c.isolate(3, true)
	c.tick(29)
	if len(m.ends) != 1 {
		t.Fatalf("ends too early: %v", m.ends)
	}
	c.tick(25) // at most two election timeouts until it has noticed, and three more
	if !errors.Is(m.ends[2], api.ErrNoLeader) || m.ends[3] != nil {
		t.Errorf("ends %v", m.ends)
	}
}

func TestNoLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.requests++
	c.machine(1).step(member.Input{Kind: member.Request, Call: &api.Call{
		ID: c.requests, Body: &pb.RangeRequest{Key: []byte("a"), Serializable: true}, RequireLeader: true,
	}})
	c.run()
	if err := c.machine(1).replies[c.requests].Err; !errors.Is(err, api.ErrNoLeader) {
		t.Errorf("a request that requires a leader: %v", err)
	}
	// Others wait for one.
	put := c.ask(2, &pb.PutRequest{Key: []byte("a"), Value: []byte("1")})
	read := c.ask(3, &pb.RangeRequest{Key: []byte("a")})
	c.elect(1)
	if r := c.machine(2).replies[put]; r.Err != nil || r.Response == nil {
		t.Errorf("put: %v", r.Err)
	}
	if r := c.machine(3).replies[read]; r.Err != nil || r.Response == nil {
		t.Errorf("read: %v", r.Err)
	}
}

// TestTimeouts: the text tells what the member believes to be the reason.
func TestTimeouts(t *testing.T) {
	put := &pb.PutRequest{Key: []byte("a")}
	t.Run("no leader", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.isolate(1, true)
		id := c.ask(1, put)
		c.tickOnly(1, 69)
		if _, early := c.machine(1).replies[id]; early {
			t.Fatal("before 7 s")
		}
		c.tickOnly(1, 1)
		c.wantErr(1, id, api.ErrContextDeadline)
	})
	t.Run("connection lost", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.elect(1)
		c.tick(30) // the election is long past
		m := c.machine(2)
		m.step(member.Input{Kind: member.PeerUnreachable, Peer: 1})
		c.keep = func(m *raftpb.Message) bool { return m.GetType() != raftpb.MsgProp }
		id := c.ask(2, put)
		c.tick(70)
		c.wantErr(2, id, api.ErrTimeoutDueToConnectionLost)
	})
	t.Run("slow", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.elect(1)
		c.tick(30)
		c.keep = func(m *raftpb.Message) bool { return m.GetType() != raftpb.MsgProp }
		id := c.ask(2, put)
		c.tick(70)
		c.wantErr(2, id, api.ErrTimeout)
	})
	t.Run("read", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.elect(1)
		c.keep = func(m *raftpb.Message) bool { return m.GetType() != raftpb.MsgReadIndex }
		id := c.ask(2, &pb.RangeRequest{Key: []byte("a")})
		c.tick(70)
		c.wantErr(2, id, api.ErrTimeout)
		if n := c.count(raftpb.MsgReadIndex); n != 15 { // at once and every 500 ms, the last time when all is over
			t.Errorf("asked %d times", n)
		}
		c.keep = nil
		if got := c.value(2, "a"); got != "" {
			t.Errorf("a = %q", got)
		}
	})
	t.Run("the client's deadline", func(t *testing.T) {
		c := newCluster(t, 3, nil)
		c.isolate(1, true)
		c.machine(1).step(member.Input{Kind: member.Request, Call: &api.Call{
			ID: 99, Body: &pb.RangeRequest{Key: []byte("a")}, Deadline: c.now + trace.Instant(time.Second),
		}})
		c.tickOnly(1, 10)
		c.wantErr(1, 99, api.ErrContextDeadline)
	})
}

func TestReadsAreToldOfANewLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.keep = func(m *raftpb.Message) bool { return m.GetType() != raftpb.MsgReadIndex }
	id := c.ask(3, &pb.RangeRequest{Key: []byte("a")})
	c.isolate(1, true)
	c.tick(10)
	c.elect(2)
	c.wantErr(3, id, api.ErrLeaderChanged)
}

func TestCancel(t *testing.T) {
	c := newCluster(t, 3, nil)
	put := c.ask(1, &pb.PutRequest{Key: []byte("a"), Value: []byte("1")})
	read := c.ask(1, &pb.RangeRequest{Key: []byte("a")})
	c.machine(1).step(member.Input{Kind: member.Cancel, ID: put})
	c.machine(1).step(member.Input{Kind: member.Cancel, ID: read})
	c.machine(1).step(member.Input{Kind: member.Cancel, ID: 12345})
	c.elect(1)
	if n := len(c.machine(1).replies); n != 0 {
		t.Errorf("%d replies to clients that have gone", n)
	}
	if s := c.machine(1).member.Status(); s.Pending != 0 {
		t.Errorf("%d requests pending", s.Pending)
	}
	if got := c.value(1, "a"); got != "" {
		t.Errorf("a canceled before it was proposed is %q", got)
	}
}

func TestCompaction(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	for i := range 5 {
		c.put(1, "a", fmt.Sprint(i))
	}
	r := get[*pb.CompactionResponse](c, 2, &pb.CompactionRequest{Revision: 3})
	if r.Header.Revision != 6 || r.Header.MemberId != 2 {
		t.Errorf("header %v", r.Header)
	}
	if _, err := c.do(1, &pb.CompactionRequest{Revision: 3}); !errors.Is(err, api.ErrCompacted) {
		t.Errorf("again: %v", err)
	}
	if _, err := c.do(1, &pb.CompactionRequest{Revision: 99}); !errors.Is(err, api.ErrFutureRev) {
		t.Errorf("the future: %v", err)
	}
	if _, err := c.do(3, &pb.RangeRequest{Key: []byte("a"), Revision: 2}); !errors.Is(err, api.ErrCompacted) {
		t.Errorf("a read below: %v", err)
	}
	// A physical one is answered when the deletions are done, however long that takes.
	m := c.machine(1)
	m.hold = func(in member.Input) bool { return in.Kind == member.Compacted }
	id := c.ask(1, &pb.CompactionRequest{Revision: 5, Physical: true})
	c.tick(200)
	if r, ok := m.replies[id]; ok {
		t.Fatalf("answered before the deletions were done: %v", r.Err)
	}
	m.releaseHeld()
	c.run()
	if r := m.replies[id]; r.Err != nil || r.Response.(*pb.CompactionResponse).Header.Revision != 6 {
		t.Errorf("physical: %v %v", r.Response, r.Err)
	}
}

func TestLimits(t *testing.T) {
	c := newCluster(t, 1, func(cfg *member.Config) { cfg.MaxRequestBytes, cfg.MaxTxnOps, cfg.MaxPending = 1000, 2, 3 })
	c.elect(1)
	if _, err := c.do(1, &pb.PutRequest{Key: []byte("a"), Value: bytes.Repeat([]byte("v"), 1000)}); !errors.Is(err,
		api.ErrRequestTooLarge) {
		t.Errorf("large: %v", err)
	}
	if _, err := c.do(1, &pb.TxnRequest{Compare: make([]*pb.Compare, 3)}); !errors.Is(err, api.ErrTooManyOps) {
		t.Errorf("many operations: %v", err)
	}
	if _, err := c.do(1, &pb.LeaseGrantResponse{}); !errors.Is(err, api.ErrUnknownMethod) {
		t.Errorf("a method that does not exist: %v", err)
	}
	m := c.machine(1)
	m.lag = true
	var last uint64
	for range 4 {
		last = c.ask(1, &pb.PutRequest{Key: []byte("a")})
	}
	c.wantErr(1, last, api.ErrTooManyRequests)
	m.lag = false
	c.run()
	if s := m.member.Status(); s.Pending != 0 {
		t.Errorf("%d pending", s.Pending)
	}
}

// TestApplyLag refuses writes when the store cannot follow the log.
func TestApplyLag(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	m := c.machine(1)
	m.lag = true
	for range 6000 {
		c.requests++
		m.step(member.Input{Kind: member.Request, Call: &api.Call{ID: c.requests, Body: &pb.PutRequest{Key: []byte("a")}}})
		if c.requests%1000 == 0 {
			c.run()
		}
	}
	last := c.ask(1, &pb.PutRequest{Key: []byte("b")})
	c.wantErr(1, last, api.ErrTooManyRequests)
	m.lag = false
	c.run()
	c.put(1, "b", "2")
}

func TestCluster(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(2)
	r := get[*pb.MemberListResponse](c, 3, &pb.MemberListRequest{Linearizable: true})
	var got []string
	for _, m := range r.Members {
		got = append(got, fmt.Sprint(m.ID, m.Name, m.PeerURLs, m.ClientURLs))
	}
	want := []string{
		"1 infra1 [http://10.0.0.1:2380] [http://10.0.0.1:2379]",
		"2 infra2 [http://10.0.0.2:2380] [http://10.0.0.2:2379]",
		"3 infra3 [http://10.0.0.3:2380] [http://10.0.0.3:2379]",
	}
	for i := range want {
		if want[i] = fmt.Sprint(uint64(i+1), r.Members[i].Name, r.Members[i].PeerURLs,
			r.Members[i].ClientURLs); got[i] != want[i] {
			t.Errorf("member %s, want %s", got[i], want[i])
		}
		if r.Members[i].Name != fmt.Sprintf("infra%d", i+1) {
			t.Errorf("member %d is called %q", i+1, r.Members[i].Name)
		}
	}
	if r.Header.Revision != 0 || r.Header.RaftTerm != 2 {
		t.Errorf("header %v", r.Header)
	}
	if v := c.machine(1).store.Members.Version(); v == nil || v.String() != "3.7.0" {
		t.Errorf("cluster version %v", v)
	}
}

func TestStatusAndAlarms(t *testing.T) {
	c := newCluster(t, 3, nil)
	s := get[*pb.StatusResponse](c, 1, &pb.StatusRequest{})
	if len(s.Errors) != 1 || s.Errors[0] != "etcdserver: no leader" || s.Leader != 0 {
		t.Errorf("without a leader: %v", s.Errors)
	}
	c.elect(1)
	c.put(1, "a", "1")
	s = get[*pb.StatusResponse](c, 2, &pb.StatusRequest{})
	if s.Leader != 1 || s.RaftTerm != 2 || s.RaftIndex != s.RaftAppliedIndex || s.RaftIndex == 0 || len(s.Errors) != 0 ||
		s.Header.Revision != 2 || s.Version != "3.7.3" || s.DowngradeInfo == nil {
		t.Errorf("status %v", s)
	}
	get[*pb.AlarmResponse](c, 1, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: 3,
		Alarm: pb.AlarmType_NOSPACE})
	if s = get[*pb.StatusResponse](c, 2, &pb.StatusRequest{}); !slices.Equal(s.Errors,
		[]string{"memberID:3 alarm:NOSPACE"}) {
		t.Errorf("errors %q", s.Errors)
	}
	if _, err := c.do(1, &pb.PutRequest{Key: []byte("a")}); !errors.Is(err, api.ErrNoSpace) {
		t.Errorf("put under alarm: %v", err)
	}
	list := get[*pb.AlarmResponse](c, 1, &pb.AlarmRequest{})
	if len(list.Alarms) != 1 || list.Alarms[0].MemberID != 3 {
		t.Errorf("alarms %v", list.Alarms)
	}
	get[*pb.AlarmResponse](c, 1, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: 3,
		Alarm: pb.AlarmType_NOSPACE})
	c.put(1, "a", "2")
	h := get[*pb.HashKVResponse](c, 3, &pb.HashKVRequest{})
	if h.Hash != get[*pb.HashKVResponse](c, 1, &pb.HashKVRequest{}).Hash || h.Header.MemberId != 3 {
		t.Errorf("hash %v", h)
	}
}

// TestQuota: the write that goes over the quota makes its member raise the alarm for all.
func TestQuota(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.quota(1)
	c.put(2, "a", "over")
	if _, err := c.do(3, &pb.PutRequest{Key: []byte("b")}); !errors.Is(err, api.ErrNoSpace) {
		t.Errorf("put over quota: %v", err)
	}
	if n := len(c.machine(3).store.Alarms.List(pb.AlarmType_NOSPACE)); n != 1 {
		t.Errorf("%d alarms", n)
	}
	get[*pb.DeleteRangeResponse](c, 3, &pb.DeleteRangeRequest{Key: []byte("a")})
}

// TestStationsTellWhatHappened: a write that was refused, or that changed nothing, passes no station of a change.
func TestStationsTellWhatHappened(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.elect(1)
	put := func(key string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key)}}}
	}
	never := []*pb.Compare{{Target: pb.Compare_VERSION, Key: []byte("a"), TargetUnion: &pb.Compare_Version{Version: 99}}}
	const processed, stored = "process raft request", "store kv pair into bolt db"
	for _, test := range []struct {
		name string
		body any
		want []string
	}{
		{"a put", &pb.PutRequest{Key: []byte("a")},
			[]string{processed, "get key's previous created_revision and leaseID", "marshal mvccpb.KeyValue", stored}},
		{"a put that is refused", &pb.PutRequest{Key: []byte("none"), IgnoreValue: true}, []string{processed}},
		{"a txn", &pb.TxnRequest{Success: []*pb.RequestOp{put("b")}},
			[]string{processed, "compare", "check requests", stored}},
		{"a txn without a change", &pb.TxnRequest{Compare: never, Success: []*pb.RequestOp{put("b")}},
			[]string{processed, "compare", "check requests"}},
		{"a deletion", &pb.DeleteRangeRequest{Key: []byte("b")}, []string{processed, "delete keys from in-memory index tree",
			stored}},
		{"a deletion of nothing", &pb.DeleteRangeRequest{Key: []byte("b")}, []string{processed}},
		{"a compaction", &pb.CompactionRequest{Revision: 2},
			[]string{processed, "check and update compact revision", "schedule compaction"}},
		{"a compaction that is refused", &pb.CompactionRequest{Revision: 2}, []string{processed}},
	} {
		if got := c.stations(1, c.ask(1, test.body)); !slices.Equal(got, test.want) {
			t.Errorf("%s: stations %q, want %q", test.name, got, test.want)
		}
	}
}

// TestSlowRequest: a reply that took long tells where the time went.
func TestSlowRequest(t *testing.T) {
	c := newCluster(t, 1, nil)
	id := c.ask(1, &pb.PutRequest{Key: []byte("a")})
	c.tick(5)
	c.elect(1)
	r := c.machine(1).replies[id]
	if r.Slow == nil || r.Slow.Operation != api.Put {
		t.Fatalf("reply %+v", r)
	}
	if s := r.Slow.Stations; len(s) != 4 || s[0].Name != "process raft request" ||
		s[0].At-r.Slow.Start < trace.Instant(500*time.Millisecond) {
		t.Errorf("stations %v from %v", s, r.Slow.Start)
	}
	if fast := c.machine(1).replies[c.ask(1, &pb.PutRequest{Key: []byte("a")})]; fast.Slow != nil {
		t.Error("a fast reply tells its stations")
	}
}

// TestReadsShareQuestions: what waits while a question is open shares the next one, and nobody is forgotten.
func TestReadsShareQuestions(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.elect(1)
	c.put(1, "a", "1")
	c.tick(5)
	c.sent = nil
	c.keep = func(m *raftpb.Message) bool { return m.GetType() != raftpb.MsgReadIndexResp }
	var ids []uint64
	for range 5 {
		ids = append(ids, c.ask(2, &pb.RangeRequest{Key: []byte("a")}))
	}
	if n := c.count(raftpb.MsgReadIndex); n != 1 {
		t.Errorf("%d questions", n)
	}
	c.keep = nil
	c.tick(6)
	for _, id := range ids {
		if r, ok := c.machine(2).replies[id]; !ok || r.Err != nil {
			t.Errorf("request %d: answered %v, %v", id, ok, r.Err)
		}
	}
	if n := c.count(raftpb.MsgReadIndex); n != 3 {
		t.Errorf("%d questions: the first, the same again, and one for those who waited", n)
	}
}

// TestLearner: a learner can be far behind, so it answers only what may be old.
func TestLearner(t *testing.T) {
	conf := &raftpb.ConfState{Voters: []uint64{2}, Learners: []uint64{1}}
	m, err := member.New(member.Config{Config: consensus.Config{ID: 1}, ClusterID: 2}, consensus.Boot{
		Snapshot: &pb.WALSnapshot{Index: new(uint64(5)), Term: new(uint64(2)), ConfState: conf}, Applied: 5,
	}, member.StoreInfo{Revision: 7}, 0)
	must(t, err)
	allowed := func(body any) bool {
		m.Step(0, member.Input{Kind: member.Request, Call: &api.Call{ID: 1, Body: body}})
		var out member.Output
		m.Poll(&out)
		if len(out.Replies) == 1 && !errors.Is(out.Replies[0].Err, api.ErrNotSupportedForLearner) {
			t.Errorf("%T: %v", body, out.Replies[0].Err)
		}
		return len(out.Reads) == 1
	}
	for _, c := range []struct {
		body any
		want bool
	}{
		{&pb.RangeRequest{Key: []byte("a"), Serializable: true}, true},
		{&pb.RangeRequest{Key: []byte("a")}, false},
		{&pb.PutRequest{Key: []byte("a")}, false},
		{&pb.StatusRequest{}, true},
		{&pb.SnapshotRequest{}, true},
		{&pb.HashKVRequest{}, false},
		{&pb.MemberListRequest{}, false},
	} {
		if got := allowed(c.body); got != c.want {
			t.Errorf("%T %v: allowed %v", c.body, c.body, got)
		}
	}
	m.Step(0, member.Input{Kind: member.WatchOpen, Stream: 3})
	var out member.Output
	m.Poll(&out)
	if len(out.Ends) != 1 || !errors.Is(out.Ends[0].Err, api.ErrNotSupportedForLearner) {
		t.Errorf("a watch at a learner: %v", out.Ends)
	}
}
