package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitrine/core/backend"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/trace"
	"vitrine/core/watch"

	"go.etcd.io/raft/v3/raftpb"
)

func TestQuota(t *testing.T) {
	put := &pb.PutRequest{Key: []byte("12345"), Value: make([]byte, 1000)}
	del := &pb.DeleteRangeRequest{Key: []byte("k")}
	opPut := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
	opDel := &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del}}
	nested := &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{opPut,
		opPut}}}}
	for _, c := range []struct {
		req  *pb.InternalRaftRequest
		cost int
	}{
		{&pb.InternalRaftRequest{Put: put}, 256 + 5 + 1000}, {&pb.InternalRaftRequest{DeleteRange: del}, 0},
		{&pb.InternalRaftRequest{LeaseGrant: &pb.LeaseGrantRequest{}}, 64}, {&pb.InternalRaftRequest{}, 0},
		{&pb.InternalRaftRequest{Txn: &pb.TxnRequest{Success: []*pb.RequestOp{opDel}}}, 0},
		{&pb.InternalRaftRequest{Txn: &pb.TxnRequest{Failure: []*pb.RequestOp{opPut}}}, 1261},
		{&pb.InternalRaftRequest{Txn: &pb.TxnRequest{Success: []*pb.RequestOp{opPut, opDel},
			Failure: []*pb.RequestOp{nested}}}, 2 * 1261},
	} {
		if got := cost(c.req); got != c.cost {
			t.Errorf("%v costs %d, want %d", c.req, got, c.cost)
		}
	}
	for quota, want := range map[int64]int64{0: limits.QuotaBackendBytes, -1: 0, 77: 77} {
		if got := (&Store{cfg: Config{QuotaBytes: quota}}).Quota(); got != want {
			t.Errorf("quota %d is %d, want %d", quota, got, want)
		}
	}
}

// rewritten is a store with what another has, in a new file.
func rewritten(t *testing.T, old backend.Store) backend.Store {
	t.Helper()
	view, err := old.View()
	if err != nil {
		t.Fatal(err)
	}
	var ops []backend.Op
	for _, b := range backend.Buckets() {
		view.Range(b, nil, nil, func(k, v []byte) bool {
			ops = append(ops, backend.Op{Bucket: b, Key: k, Value: v})
			return true
		})
	}
	m := backend.NewMem()
	if err := m.Commit(ops); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOverQuota: a write that goes over the quota is applied like on every other member, and the member that proposed
// it is told to raise the alarm. What a compaction has freed counts until the file has been rewritten.
func TestOverQuota(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	m.cfg.QuotaBytes = m.Backend.Store().SizeInUse() + 20_000
	j := &journal{}
	put := func(size int) *pb.InternalRaftRequest {
		return &pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k"), Value: make([]byte, size)}}
	}
	apply := func(ours bool, req *pb.InternalRaftRequest) *Result {
		j.request(req)
		return m.Apply(ApplyContext{Proposer: func(uint64) bool { return ours }}, j.entries[len(j.entries)-1:])
	}
	if r := apply(true, put(100)); r.OverQuota {
		t.Fatal("over quota too early")
	}
	m.commit(t)
	if r := apply(false, put(30_000)); r.OverQuota || r.Outcomes[0].Err != nil {
		t.Fatalf("another member's request: %+v", r)
	}
	if r := apply(true, put(30_000)); !r.OverQuota || r.Outcomes[0].Err != nil || r.Revision != 4 {
		t.Fatalf("own request: %+v", r)
	}
	m.commit(t)
	if m.HasSpace(put(1)) || !m.HasSpace(&pb.InternalRaftRequest{DeleteRange: &pb.DeleteRangeRequest{}}) {
		t.Error("space")
	}
	if r := apply(true, &pb.InternalRaftRequest{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}}); r.OverQuota {
		t.Error("a delete is over quota")
	}
	if r := apply(true, &pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 5}}); r.OverQuota {
		t.Error("a compaction is over quota")
	}
	m.finish()
	m.commit(t)
	if m.HasSpace(put(1)) {
		t.Errorf("%d bytes in the file: there is space before it has been rewritten", m.Backend.Store().Size())
	}
	if _, err := m.Backend.Replace(rewritten(t, m.Backend.Store())); err != nil {
		t.Fatal(err)
	}
	if !m.HasSpace(put(1)) {
		t.Errorf("%d bytes in the file: what was compacted cannot be written again", m.Backend.Store().Size())
	}
}

// TestQuotaIsNotReached: what would fill the quota to its last byte has no space.
func TestQuotaIsNotReached(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	put := &pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k")}}
	needed := m.Backend.Store().Size() + int64(cost(put))
	for quota, want := range map[int64]bool{needed - 1: false, needed: false, needed + 1: true} {
		m.cfg.QuotaBytes = quota
		if m.HasSpace(put) != want {
			t.Errorf("of %d bytes %d are needed: there is space %v", quota, needed, !want)
		}
	}
}

// TestReadScanHash: what the store answers without the log.
func TestReadScanHash(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	for i := range 5 {
		j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k"), Value: fmt.Append(nil, i)}})
	}
	j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 3}})
	for _, c := range m.Apply(ApplyContext{}, j.entries).Changes {
		if c.Events[0].HasPrev {
			t.Error("a previous pair was looked up for nobody")
		}
	}

	resp, err := m.Read(
		&pb.TxnRequest{
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("k"),
				Revision: 4}}}}})
	if err != nil || describeAny(resp, nil) != "txn true at 6: range 1 [k=2]" {
		t.Errorf("txn: %s, %v", describeAny(resp, err), err)
	}
	if resp, err := m.Read(&pb.RangeRequest{Key: []byte("k"), Revision: 2}); !errors.Is(err, mvcc.ErrCompacted) {
		t.Errorf("range of the past: %v, %v", resp, err)
	}
	if resp, err := m.Read(&pb.PutRequest{}); !errors.Is(err, ErrUnknownRequest) || resp != nil {
		t.Errorf("a write as a read: %v, %v", resp, err)
	}
	r := m.Scan(watch.Scan{ID: 9, From: 4, To: 5, WithPrev: true})
	if r.ID != 9 || r.Next != 6 || r.CompactRev != 3 || r.Err != nil || len(r.Changes) != 2 ||
		string(r.Changes[1].Events[0].Prev.Value) != "2" {
		t.Errorf("scan: %+v", r)
	}
	if r := m.Scan(watch.Scan{From: 2, To: 5}); !errors.Is(r.Err, mvcc.ErrCompacted) || r.CompactRev != 3 {
		t.Errorf("scan of the past: %+v", r)
	}
	if hash, compactRev, rev, err := m.HashKV(5); hash == 0 || compactRev != 3 || rev != 6 || err != nil {
		t.Errorf("hash %d %d %d %v", hash, compactRev, rev, err)
	}
}

// TestHousekeepLeavesThePosition: deleting what a compaction has freed is no entry.
func TestHousekeepLeavesThePosition(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	j.conf(raftpb.ConfChangeAddNode, 1, memberOf(1, "http://a").Bootstrap())
	for range 10 {
		j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k")}})
	}
	j.request(&pb.InternalRaftRequest{Compaction: &pb.CompactionRequest{Revision: 9}})
	m.Apply(ApplyContext{}, j.entries)
	if !m.Compacting() {
		t.Fatal("nothing to do")
	}
	m.commit(t)
	m = m.reboot(t) // the compaction is resumed
	steps := 1
	for m.Housekeep(2) {
		steps++
	}
	a := m.Applied()
	if m.Compacting() || steps < 5 || a.Index != 12 || a.Term != 2 || !slices.Equal(a.ConfState.Voters, []uint64{1}) {
		t.Errorf("%d steps, position %+v", steps, a)
	}
	if m.commit(t); m.Backend.Durable().Index != 12 {
		t.Errorf("durable position %+v", m.Backend.Durable())
	}
	if strings.Count(m.dump("key"), "\n") != 3 {
		t.Errorf("left:\n%s", m.dump("key"))
	}
}

// TestImage: another member that opens the image is where this one is, configuration included.
func TestImage(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	j.conf(raftpb.ConfChangeAddNode, 7, memberOf(7, "http://a").Bootstrap())
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k"), Value: []byte("v")}})
	m.Apply(ApplyContext{}, j.entries)
	m.commit(t)
	image, applied, err := m.Image()
	if err != nil || applied.Index != 2 || !slices.Equal(applied.ConfState.GetVoters(), []uint64{7}) {
		t.Fatalf("%+v, %v", applied, err)
	}
	other := newMachine(t, image.(*backend.MemSnapshot).Mem())
	if other.dump() != m.dump() || other.KV.Revision() != 2 || other.Members.Get(7) == nil {
		t.Errorf("the other has\n%s", other.dump())
	}
}

type recorder struct{ lines []string }

func (r *recorder) Emit(e *trace.Event) {
	r.lines = append(r.lines, fmt.Sprintf("%v index %d rev %d request %d a %d %s", e.Kind, e.Index, e.Rev, e.Request, e.A,
		e.Text))
}

// TestTrace: each entry is an event with the hash of its data.
func TestTrace(t *testing.T) {
	rec := &recorder{}
	b, err := backend.New(backend.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(b, Config{}, trace.NewTracer(trace.NewStream(rec), 5))
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{}
	j.add(raftpb.EntryNormal, nil)
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k")}})
	j.request(&pb.InternalRaftRequest{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}})
	j.conf(raftpb.ConfChangeAddNode, 1, memberOf(1, "http://a").Bootstrap())
	s.Apply(ApplyContext{Proposer: func(id uint64) bool { return id == 3 }}, j.entries)
	applied := 0
	for i, l := range rec.lines {
		if strings.HasPrefix(l, "entry-applied") {
			applied++
			want := fmt.Sprintf("entry-applied index %d rev %d request %d a %d ", applied, min(applied, 3),
				[]int{0, 2, 3, 4}[applied-1], trace.HashData(j.entries[applied-1].Data))
			if l != want {
				t.Errorf("event %d: %s, want %s", i, l, want)
			}
		}
	}
	if applied != 4 {
		t.Errorf("%d applied:\n%s", applied, strings.Join(rec.lines, "\n"))
	}
}

// TestWrote: an outcome tells whether its request has changed pairs.
func TestWrote(t *testing.T) {
	m := newMachine(t, backend.NewMem())
	j := &journal{}
	del := &pb.InternalRaftRequest{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}}
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k")}}}
	for _, r := range []*pb.InternalRaftRequest{
		{Put: &pb.PutRequest{Key: []byte("k")}}, del, del,
		{Put: &pb.PutRequest{Key: []byte("k"), IgnoreValue: true}},
		{Txn: &pb.TxnRequest{Failure: []*pb.RequestOp{put}}}, {Txn: &pb.TxnRequest{Success: []*pb.RequestOp{put}}},
		{Compaction: &pb.CompactionRequest{Revision: 2}},
	} {
		j.request(r)
	}
	var got []bool
	for _, o := range m.Apply(ApplyContext{}, j.entries).Outcomes {
		got = append(got, o.Wrote)
	}
	if want := []bool{true, true, false, false, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("wrote %v, want %v", got, want)
	}
}

// TestDamagedBuckets: what cannot be read is an error when the store is opened.
func TestDamagedBuckets(t *testing.T) {
	for _, b := range []backend.Bucket{backend.Members, backend.Alarm} {
		mem := backend.NewMem()
		be, _ := backend.New(mem)
		batch := backend.NewBatch()
		batch.Put(b, []byte{0xff}, []byte("x"))
		be.Write(batch)
		if _, err := Open(be, Config{}, nil); err == nil {
			t.Errorf("bucket %v was taken", b)
		}
	}
}

// FuzzApply: whatever a peer or an old log may hold, applying it is deterministic and never panics.
func FuzzApply(f *testing.F) {
	j := &journal{}
	j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k"), Value: []byte("v")}})
	j.request(&pb.InternalRaftRequest{Txn: &pb.TxnRequest{Success: []*pb.RequestOp{{},
		{Request: &pb.RequestOp_RequestTxn{}}}}})
	j.request(&pb.InternalRaftRequest{ClusterMemberAttrSet: &pb.ClusterMemberAttrSetRequest{Member_ID: 1}})
	j.request(&pb.InternalRaftRequest{Alarm: &pb.AlarmRequest{Action: 9, Alarm: 9}})
	j.request(&pb.InternalRaftRequest{Range: &pb.RangeRequest{Key: []byte("k"), SortTarget: 9}})
	j.conf(raftpb.ConfChangeAddNode, 1, memberOf(1, "http://a").Bootstrap())
	j.conf(9, 1, (&membership.Member{}).Context(true))
	for _, e := range j.entries {
		f.Add(int32(e.GetType()), e.Data)
	}
	f.Fuzz(func(t *testing.T, typ int32, data []byte) {
		var dumps [2]string
		for i := range dumps {
			m := newMachine(t, backend.NewMem())
			j := &journal{}
			j.request(&pb.InternalRaftRequest{Put: &pb.PutRequest{Key: []byte("k"), Value: []byte("v")}})
			j.add(raftpb.EntryType(typ), data)
			r := m.Apply(ApplyContext{WithPrev: i == 0, Proposer: func(uint64) bool { return i == 0 }}, j.entries)
			if r.Err == nil && r.Index != 2 || r.Err != nil && r.Index != 1 {
				t.Fatalf("index %d: %v", r.Index, r.Err)
			}
			m.finish()
			dumps[i] = m.dump()
		}
		if dumps[0] != dumps[1] {
			t.Fatalf("two members differ:\n%s\n%s", dumps[0], dumps[1])
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for _, bench := range []struct {
		name string
		req  func(i int) *pb.InternalRaftRequest
	}{
		{"put", func(i int) *pb.InternalRaftRequest {
			return &pb.InternalRaftRequest{Put: &pb.PutRequest{Key: fmt.Appendf(nil, "key-%06d", i%10_000),
				Value: make([]byte, 256)}}
		}},
		{"txn", func(i int) *pb.InternalRaftRequest {
			key := fmt.Appendf(nil, "key-%06d", i%10_000)
			return &pb.InternalRaftRequest{Txn: &pb.TxnRequest{
				Compare: []*pb.Compare{{Key: key, Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: 0}}},
				Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key,
					Value: make([]byte, 256)}}}},
				Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}},
			}}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			be, _ := backend.New(backend.NewMem())
			s, err := Open(be, Config{}, nil)
			if err != nil {
				b.Fatal(err)
			}
			j := &journal{}
			for i := range b.N {
				j.request(bench.req(i))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < len(j.entries); i += 64 {
				s.Apply(ApplyContext{}, j.entries[i:min(i+64, len(j.entries))])
				if be.Pending() > 10_000 {
					b.StopTimer()
					if err := be.Flush(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
		})
	}
}
